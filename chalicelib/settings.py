"""The settings of a stage, parsed from environment variables.

A variable has the name of its field in capitals.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    model_validator,
)

from chalicelib.domain.models import OrderStatus
from chalicelib.domain.rules import Policy

SHORTEST_RETENTION = 30
"""Days: a message waits for up to 14 days in a queue, and 14 more in its dead-letter queue."""

UNREDACTABLE = {"id", "status_id", "date_created", "date_modified"}


class SettingsError(Exception):
    """Settings are missing or invalid; the message names all of them."""


def _list(value: object) -> object:
    return (
        [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, str)
        else value
    )


def store_url(value: str) -> str:
    """The URL without a slash at its end. Raises ValueError for a host that is not the store's."""
    url = urlsplit(value)
    host = url.hostname or ""
    is_here = url.scheme == "http" and host in ("127.0.0.1", "localhost")
    is_theirs = url.scheme == "https" and f".{host}".endswith(".bigcommerce.com")
    if not (is_here or is_theirs) or "@" in url.netloc or url.query or url.fragment:
        raise ValueError(
            "must be an https URL of bigcommerce.com: the access token is sent to it "
            "(http only for 127.0.0.1 and localhost)"
        )
    return value.rstrip("/")


def _moment(value: object) -> object:
    """Refuse a bare number: pydantic would read 2024 as a second of the year 1970."""
    if isinstance(value, str) and "T" not in value:
        raise ValueError("must be a date and time with a time zone, like 2026-01-31T00:00:00Z")
    return value


def _redactable(paths: tuple[str, ...]) -> tuple[str, ...]:
    if not all(part for path in paths for part in path.split(".")):
        raise ValueError("must be dotted paths, like billing_address.email")
    refused = UNREDACTABLE.intersection(paths)
    if refused:
        raise ValueError(f"must not contain {', '.join(sorted(refused))}: replication needs them")
    return paths


Text = Annotated[str, Field(min_length=1)]
StatusId = Annotated[OrderStatus, BeforeValidator(lambda value: int(value))]


class Settings(BaseModel):
    """The configuration of a function."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    stage: Text
    bigcommerce_store_hash: Annotated[str, Field(pattern=r"^[a-z0-9]+$")]
    bigcommerce_api_url: Annotated[str, AfterValidator(store_url)] = "https://api.bigcommerce.com"
    orders_table: Text
    jobs_table: Text
    webhooks_table: Text
    orders_queue_url: Text
    changes_queue_url: Text
    errors_topic_arn: Text
    event_bus_name: Text
    access_token_parameter: Text
    client_secret_parameter: str = ""
    webhook_token_parameter: Text
    webhook_token_previous_parameter: str = ""
    require_signature: bool = True
    webhook_url: str = ""
    order_changed_url: str = ""
    replicate_since: Annotated[AwareDatetime, BeforeValidator(_moment)]
    new_status_ids: Annotated[tuple[StatusId, ...], BeforeValidator(_list), Field(min_length=1)] = (
        OrderStatus.AWAITING_FULFILLMENT,
        OrderStatus.AWAITING_PAYMENT,
        OrderStatus.COMPLETED,
    )
    ignored_status_ids: Annotated[tuple[StatusId, ...], BeforeValidator(_list)] = (
        OrderStatus.INCOMPLETE,
        OrderStatus.PENDING,
    )
    channel_ids: Annotated[tuple[PositiveInt, ...], BeforeValidator(_list)] = ()
    physical_status_id: StatusId = OrderStatus.AWAITING_SHIPMENT
    pickup_status_id: StatusId = OrderStatus.AWAITING_PICKUP
    digital_status_id: StatusId = OrderStatus.AWAITING_PICKUP
    move_status: bool = True
    move_unpaid: bool = True
    embedded_reads: bool = False
    sweep_hours: Annotated[int, Field(ge=1, le=24 * 30)] = 24
    sweep_days: Annotated[int, Field(ge=1, le=90)] = 7
    quota_reserved_for_new_orders: Annotated[float, Field(ge=0, le=0.9)] = 0.4
    redacted_fields: Annotated[
        tuple[str, ...], BeforeValidator(_list), AfterValidator(_redactable)
    ] = ()
    max_in_flight: Annotated[int, Field(ge=1, le=20)] = 5
    max_receive_count: Annotated[int, Field(ge=1, le=1000)] = 20
    orders_retention_days: Annotated[int, Field(ge=0, le=7300)] = 0
    retention_days: Annotated[int, Field(ge=8, le=3650)] = 90
    event_content: Literal["ids", "order"] = "ids"
    publish_first_fill: bool = False
    runbook_url: Text = "docs/operations.md"

    @model_validator(mode="after")
    def _moved_orders_are_not_new(self) -> Self:
        targets = {self.physical_status_id, self.pickup_status_id, self.digital_status_id}
        if self.move_status and targets & set(self.new_status_ids):
            raise ValueError(
                "NEW_STATUS_IDS must not contain PHYSICAL_STATUS_ID, PICKUP_STATUS_ID or "
                "DIGITAL_STATUS_ID: a moved order would be new again"
            )
        return self

    @model_validator(mode="after")
    def _new_orders_are_stored(self) -> Self:
        if set(self.ignored_status_ids) & set(self.new_status_ids):
            raise ValueError(
                "IGNORED_STATUS_IDS and NEW_STATUS_IDS must not overlap: an ignored order is "
                "not stored"
            )
        return self

    @model_validator(mode="after")
    def _orders_are_kept_while_they_are_compared(self) -> Self:
        days = self.orders_retention_days
        if days and not (days >= SHORTEST_RETENTION and days > self.sweep_days):
            raise ValueError(
                f"ORDERS_RETENTION_DAYS must be 0, or at least {SHORTEST_RETENTION} and more than "
                "SWEEP_DAYS: an order is kept for longer than its messages can wait in the queues, "
                "and for longer than sweeps compare it with the store"
            )
        return self

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Parse all settings. Raises SettingsError naming all that are missing or invalid."""
        given = {
            name: environment[name.upper()]
            for name in cls.model_fields
            if name.upper() in environment
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            complaints = sorted({_complaint(problem) for problem in error.errors()})
            raise SettingsError("Invalid settings: " + "; ".join(complaints)) from None

    def policy(self) -> Policy:
        return Policy(
            new_statuses=tuple(int(status) for status in self.new_status_ids),
            ignored_statuses=tuple(int(status) for status in self.ignored_status_ids),
            replicate_since=self.replicate_since,
            physical_status=int(self.physical_status_id),
            pickup_status=int(self.pickup_status_id),
            digital_status=int(self.digital_status_id),
            channels=self.channel_ids,
            move_status=self.move_status,
            move_unpaid=self.move_unpaid,
            embedded_reads=self.embedded_reads,
            redacted_fields=self.redacted_fields,
            retention_days=self.orders_retention_days,
        )


def _complaint(problem: Mapping[str, Any]) -> str:
    where = str(problem["loc"][0]).upper() if problem["loc"] else ""
    what = "missing" if problem["type"] == "missing" else problem["msg"]
    return f"{where}: {what}" if where else what.removeprefix("Value error, ")
