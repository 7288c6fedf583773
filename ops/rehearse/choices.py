"""The settings that a rehearsal assumes: those of a stage or the defaults, and what is given."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import click

from chalicelib.settings import Settings, SettingsError

DECISIVE = (
    "CHANNEL_IDS",
    "DIGITAL_STATUS_ID",
    "EMBEDDED_READS",
    "IGNORED_STATUS_IDS",
    "MAX_IN_FLIGHT",
    "MOVE_STATUS",
    "MOVE_UNPAID",
    "NEW_STATUS_IDS",
    "ORDERS_RETENTION_DAYS",
    "PHYSICAL_STATUS_ID",
    "PICKUP_STATUS_ID",
    "REDACTED_FIELDS",
    "REPLICATE_SINCE",
    "SWEEP_DAYS",
)
"""The settings that change what the service does with an order, or what that takes."""

ALWAYS = "1970-01-01T00:00:00Z"
"""REPLICATE_SINCE where none is given: every order counts, so that nothing is left out of what
could be moved."""

NO_STAGE = {
    "STAGE": "none",
    "ORDERS_TABLE": "none",
    "JOBS_TABLE": "none",
    "WEBHOOKS_TABLE": "none",
    "ORDERS_QUEUE_URL": "none",
    "CHANGES_QUEUE_URL": "none",
    "ERRORS_TOPIC_ARN": "none",
    "EVENT_BUS_NAME": "none",
    "ACCESS_TOKEN_PARAMETER": "none",
    "WEBHOOK_TOKEN_PARAMETER": "none",
    "REPLICATE_SINCE": ALWAYS,
}
"""The required settings of a store that has no stage. A rehearsal uses none of the resources."""


def chosen(given: Iterable[str], replicate_since: datetime | None) -> dict[str, str]:
    """The settings given as NAME=VALUE, by name; a name may be spelt as its Terraform variable.

    Raises UsageError.
    """
    found: dict[str, str] = {}
    for each in given:
        name, is_pair, value = each.partition("=")
        name = name.strip().upper()
        if not is_pair or name not in DECISIVE:
            raise click.UsageError(
                f"--set {each.partition('=')[0]}: use NAME=VALUE with one of {', '.join(DECISIVE)}"
            )
        found[name] = value.strip()
    if replicate_since:
        found["REPLICATE_SINCE"] = replicate_since.isoformat()
    return found


def settings(environment: Mapping[str, str], given: Mapping[str, str]) -> Settings:
    """Those of an environment with what is given. Raises UsageError naming what is invalid."""
    try:
        return Settings.from_environment({**environment, **given})
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
