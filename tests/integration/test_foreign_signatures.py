"""Signatures made by the JavaScript library of Standard Webhooks are valid.

The service and the sandbox both use the Python library: an error in it would be in both.
"""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.availability import unavailable
from tests.factories import NOW, callback
from tests.integration.conftest import Service, Stage
from tests.integration.signatures import SECRETS

LIBRARY = "standardwebhooks@1.1.1"
TOKEN = {"X_Replication_Token": SECRETS.webhook_token}
SIGN = """
const { Webhook } = require("standardwebhooks");
const { secret, id, body, sent } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const now = new Date(sent);
console.log(JSON.stringify({
  "webhook_id": id,
  "webhook_timestamp": String(Math.floor(now.getTime() / 1000)),
  "webhook_signature": new Webhook(secret).sign(id, now, body),
}));
"""


@pytest.fixture(scope="session")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the JavaScript library in it."""
    npm, folder = shutil.which("npm"), tmp_path_factory.mktemp("npm")
    if not npm or not shutil.which("node"):
        unavailable("npm and node are not on the PATH")
    command = [str(npm), "install", "--ignore-scripts", "--no-audit", "--no-fund", LIBRARY]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)  # noqa: S603 - ours
    if done.returncode:
        unavailable(f"npm install {LIBRARY} failed:\n{done.stderr}")
    return folder


def signed(folder: Path, body: bytes, secret: str) -> dict[str, str]:
    """The signature headers of a body, by the JavaScript library."""
    key = base64.b64encode(secret.encode()).decode()
    given = json.dumps(
        {"secret": key, "id": "msg_118", "body": body.decode(), "sent": NOW.isoformat()}
    )
    done = subprocess.run(  # noqa: S603 - our own script, no shell
        ["node", "-e", SIGN],  # noqa: S607 - the one on the PATH
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        check=True,
    )
    headers: dict[str, str] = json.loads(done.stdout)
    return headers


def test_a_signature_made_in_javascript_is_valid(
    javascript: Path, stage: Stage, service: Service
) -> None:
    body = callback(252)
    headers = signed(javascript, body, SECRETS.client_secret)

    assert service.post(body, **TOKEN, **headers).status_code == 200
    assert service.post(body.replace(b"252", b"253"), **TOKEN, **headers).status_code == 401
    assert [message["order_id"] for message in stage.queued()] == [252]


def test_a_signature_with_another_secret_is_not_valid(javascript: Path, service: Service) -> None:
    body = callback(252)

    assert service.post(body, **TOKEN, **signed(javascript, body, "guessed")).status_code == 401
