"""The connection to the store that a rehearsal reads: its token, its share of the quota, its gate.

The token is in memory only. It is in no argument, which the history of a shell would keep.
"""

import os
import re
from dataclasses import dataclass, field

import click

from chalicelib.clock import Clock
from chalicelib.edges.bigcommerce import BigCommerce
from chalicelib.edges.ssm import Secret
from chalicelib.settings import Settings
from ops.rehearse.gate import ReadOnly, put_before
from ops.rehearse.share import ShareOfQuota

TOKEN = "BIGCOMMERCE_ACCESS_TOKEN"  # noqa: S105 - the name of a variable, not a token


@dataclass(frozen=True)
class _Given:
    """Stands in for SSM, from which a Secret reads its value."""

    token: str = field(repr=False)

    def get_parameter(self, **_: object) -> dict[str, dict[str, str]]:
        return {"Parameter": {"Value": self.token}}


@dataclass(frozen=True)
class Connection:
    """A store whose requests pass a gate."""

    settings: Settings
    store: BigCommerce
    pacer: ShareOfQuota
    gate: ReadOnly

    @property
    def store_hash(self) -> str:
        return self.settings.bigcommerce_store_hash


def connect(
    settings: Settings, token: Secret, clock: Clock, share: float, gate: ReadOnly
) -> Connection:
    """Uses at most a share of the store's quota. Sends nothing yet."""
    pacer = ShareOfQuota(clock, share)
    url, store_hash = settings.bigcommerce_api_url, settings.bigcommerce_store_hash
    store = BigCommerce.connect(url, store_hash, token, pacer)
    put_before(store, gate)
    return Connection(settings, store, pacer, gate)


def given_token(clock: Clock) -> Secret:
    """The token of the environment, or of a hidden prompt. Raises UsageError."""
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        token = click.prompt("Access token (not shown)", hide_input=True, err=True).strip()
    if not re.fullmatch(r"[!-~]+", token):
        raise click.UsageError(f"{TOKEN} is not an access token: it has spaces or other characters")
    # The type is that of boto3's client, of which a Secret uses one method.
    return Secret(_Given(token), TOKEN, clock)  # type: ignore[arg-type]
