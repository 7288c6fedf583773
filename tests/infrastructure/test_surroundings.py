"""What a deployment checks besides Terraform: the store, the key and the account's concurrency."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug import Response

from ops.deploy.layer import SUPPORTED_UNTIL
from ops.deploy.readiness import ACCESS_TOKEN, Account, Note, Problem
from ops.deploy.surroundings import concurrency, key, runtime, store
from ops.stages import Stage
from sandbox.functions import CONCURRENCY
from sandbox.stack import ACCOUNT, REGION, Aws
from sandbox.store import Store
from sandbox.store.serving import Server
from sandbox.world import HOOKS
from tests.infrastructure.conftest import PROJECT, SECRETS

ACCOUNT_OF_DEV = Account(ACCOUNT, REGION)
UNKNOWN_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
DEV = Stage("dev", Path(PROJECT / "terraform"))


@pytest.fixture
def bigcommerce() -> Iterator[Store]:
    with Store() as running:
        yield running


@pytest.fixture(autouse=True)
def values(monkeypatch: pytest.MonkeyPatch, aws: Aws, bigcommerce: Store) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    monkeypatch.setenv("TF_VAR_bigcommerce_api_url", bigcommerce.url)
    monkeypatch.setenv("TF_VAR_bigcommerce_store_hash", "sandbox")
    monkeypatch.setenv(ACCESS_TOKEN, SECRETS["bigcommerce_access_token"])


def use_key(monkeypatch: pytest.MonkeyPatch, arn: str) -> Problem | Note:
    monkeypatch.setenv("TF_VAR_kms_key_arn", arn)
    (found,) = key(DEV, ACCOUNT_OF_DEV)
    return found


def test_a_stage_without_a_key_has_nothing_to_check():
    assert list(key(DEV, ACCOUNT_OF_DEV)) == []


def key_policy(*services: str) -> str:
    """A key policy of AWS's own form, in which these services may use the key as well."""
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    statements = [{"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}]
    statements += [
        {"Effect": "Allow", "Principal": {"Service": each}, "Action": "kms:*", "Resource": "*"}
        for each in services
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_an_enabled_key_can_be_used(aws, monkeypatch):
    services = ("cloudwatch.amazonaws.com", "events.amazonaws.com", f"logs.{REGION}.amazonaws.com")
    policy = key_policy(*services)
    arn = aws.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]

    found = use_key(monkeypatch, arn)

    assert isinstance(found, Note)
    assert "can use it" in found.text


def test_a_key_without_which_alarms_are_not_sent_is_a_problem(aws, monkeypatch):
    policy = key_policy("events.amazonaws.com", f"logs.{REGION}.amazonaws.com")
    arn = aws.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]

    found = use_key(monkeypatch, arn)

    assert isinstance(found, Problem)
    assert "does not name cloudwatch.amazonaws.com" in found.text
    assert "key policy" in found.fix


def test_a_key_that_does_not_exist_is_a_problem(monkeypatch):
    found = use_key(monkeypatch, UNKNOWN_KEY)

    assert isinstance(found, Problem)
    assert "does not exist" in found.text
    assert "dev.tfvars" in found.fix


def test_a_disabled_key_is_a_problem(aws, monkeypatch):
    arn = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    aws.client("kms").disable_key(KeyId=arn.rpartition("/")[2])

    found = use_key(monkeypatch, arn)

    assert isinstance(found, Problem)
    assert "Disabled" in found.text
    assert "enable-key" in found.fix


def test_a_key_of_another_kind_is_a_problem(aws, monkeypatch):
    made = aws.client("kms").create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")

    found = use_key(monkeypatch, made["KeyMetadata"]["Arn"])

    assert isinstance(found, Problem)
    assert "symmetric" in found.fix


@pytest.mark.parametrize(
    ("described", "code", "expected"),
    [
        (True, "DryRunOperationException", "can use it"),
        (True, "AccessDeniedException", "not checked"),
        (False, "AccessDeniedException", "not checked"),
    ],
)
def test_a_refusal_of_kms_is_a_note(monkeypatch, described, code, expected):
    """moto implements neither a dry run nor IAM."""
    metadata = (
        '{"KeyMetadata": {"KeyId": "1", "KeyState": "Enabled", "KeySpec": "SYMMETRIC_DEFAULT"}}'
    )

    def answer(request):
        if described and request.headers["X-Amz-Target"].endswith("DescribeKey"):
            return Response(metadata, 200)
        return Response(f'{{"__type": "{code}", "message": "refused"}}', 400)

    kms = Server(0, answer)
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{kms.server_port}")
        found = use_key(monkeypatch, UNKNOWN_KEY)
    finally:
        kms.stop()

    assert isinstance(found, Note)
    assert expected in found.text


@pytest.mark.parametrize(("limit", "names_quota"), [(CONCURRENCY, False), (8, True)])
def test_the_concurrency_of_the_account_is_a_note(aws, limit, names_quota):
    aws.functions.concurrency = limit
    try:
        (found,) = concurrency(DEV, ACCOUNT_OF_DEV)
    finally:
        aws.functions.concurrency = CONCURRENCY

    assert isinstance(found, Note)
    assert f"up to 13 of {limit}" in found.text
    assert ("L-B99A9384" in found.text) == names_quota


def test_a_runtime_that_lambda_will_deprecate_is_a_note():
    (found,) = runtime(SUPPORTED_UNTIL - timedelta(days=100))

    assert isinstance(found, Note)
    assert "layer.py" in found.text
    assert list(runtime(SUPPORTED_UNTIL - timedelta(days=200))) == []


def test_a_token_that_reads_the_store_is_a_note_that_its_write_scope_is_not_known(bigcommerce):
    token, webhooks = store(DEV, ACCOUNT_OF_DEV)

    assert isinstance(token, Note)
    assert "doctor checks it" in token.text
    assert isinstance(webhooks, Note)
    assert all(scope in webhooks.text for scope in HOOKS)
    assert "webhook register" in webhooks.text
    assert set(bigcommerce.requests) == {"GET /orders/count", "GET /hooks"}


@pytest.mark.parametrize("url", ["https://api-bigcommerce.example", "http://api.bigcommerce.com"])
def test_the_token_is_not_sent_to_another_host(monkeypatch, url):
    monkeypatch.setenv("TF_VAR_bigcommerce_api_url", url)

    (problem,) = store(DEV, ACCOUNT_OF_DEV)

    assert isinstance(problem, Problem)
    assert "bigcommerce.com" in problem.text


def test_registered_webhooks_are_a_note(bigcommerce):
    for scope, route in HOOKS.items():
        bigcommerce.register_hook(
            scope=scope,
            destination=f"https://example.com/{route}",
            headers={"X-Replication-Token": "any"},
        )

    _, webhooks = store(DEV, ACCOUNT_OF_DEV)

    assert "registered for every scope" in webhooks.text


def test_a_token_that_the_store_rejects_is_a_problem(bigcommerce):
    bigcommerce.revoke_token()

    (found,) = store(DEV, ACCOUNT_OF_DEV)

    assert isinstance(found, Problem)
    assert found.name == ACCESS_TOKEN
    assert "Orders: modify" in found.fix
    assert SECRETS["bigcommerce_access_token"] not in found.text + found.fix


def test_a_store_that_is_down_does_not_prevent_a_deployment(monkeypatch):
    monkeypatch.setenv("TF_VAR_bigcommerce_api_url", "http://127.0.0.1:1")

    (found,) = store(DEV, ACCOUNT_OF_DEV)

    assert isinstance(found, Note)
    assert "not checked" in found.text
