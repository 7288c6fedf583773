"""Orders, messages, callbacks and replication records: the values that cross a boundary.

Validation errors never contain the input: it may be a customer's data, and errors are logged.
"""

import re
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from enum import IntEnum
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    TypeAdapter,
    ValidationError,
)

JsonObject: TypeAlias = dict[str, Any]
Source: TypeAlias = Literal["poll", "webhook", "replay", "backfill"]
"""What queued an order: a poll, a webhook, or an operator's command."""

CART_CONVERTED = "store/cart/converted"
"""The scope of the registered webhook."""

TOKEN_HEADER = "X-Replication-Token"  # noqa: S105 - the name of a header, not a token
"""The header in which BigCommerce sends the shared secret, as registered with the webhook."""

SUB_RESOURCES = ("products", "shipping_addresses", "coupons")
"""The lists of an order that BigCommerce serves at URLs of their own."""

DISCOUNTS = ("coupon_discount", "discount_amount")

LARGEST_ID = 2**63 - 1
OrderId = Annotated[StrictInt, Field(ge=1, le=LARGEST_ID)]


def is_order_id(value: object) -> bool:
    """Whether a JSON value is a valid order id; true is not 1."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST_ID


class OrderStatus(IntEnum):
    """BigCommerce's status ids, which are fixed; merchants can rename the labels."""

    INCOMPLETE = 0
    PENDING = 1
    SHIPPED = 2
    PARTIALLY_SHIPPED = 3
    REFUNDED = 4
    CANCELLED = 5
    DECLINED = 6
    AWAITING_PAYMENT = 7
    AWAITING_PICKUP = 8
    AWAITING_SHIPMENT = 9
    COMPLETED = 10
    AWAITING_FULFILLMENT = 11
    MANUAL_VERIFICATION_REQUIRED = 12
    DISPUTED = 13
    PARTIALLY_REFUNDED = 14


class UnreadableOrder(Exception):
    """An order of the store is missing a field that replication needs, or a field is invalid."""


class UnreadableCallback(Exception):
    """The body of a webhook request is not a callback as documented by BigCommerce."""


def store_date(value: object) -> datetime:
    """Parse a date as BigCommerce writes it (RFC 2822 or ISO 8601); without a zone it is UTC."""
    if not isinstance(value, str) or not value:
        raise ValueError("a date is missing")
    # RFC 2822 dates before the year 1000: PHP's zero date, which the parser would read as 2000.
    if re.search(r" (-\d+|0\d{3}) ", value):
        raise ValueError("not a date")
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(value)
        except (ValueError, OverflowError):
            continue
        break
    else:
        raise ValueError("not a date")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_zero(money: object) -> bool:
    """Whether an amount, as text or number, is zero; False when it cannot be parsed."""
    try:
        return Decimal(str(money)) == 0
    except ArithmeticError:
        return False


StoreDate = Annotated[datetime, BeforeValidator(store_date)]
Flag = Annotated[bool, BeforeValidator(lambda value: value is True)]


@dataclass(frozen=True)
class Order:
    """An order: the facts that the rules use, and in `fields` everything BigCommerce sent."""

    id: OrderId
    status_id: StrictInt
    date_created: StoreDate
    date_modified: StoreDate
    is_deleted: Flag = False
    order_is_digital: Flag = False
    shipping_address_count: StrictInt | None = None
    fields: JsonObject = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, sent: JsonObject) -> "Order":
        """Parse an order of the store. Raises UnreadableOrder naming the invalid fields."""
        try:
            return _ORDER.validate_python({**sent, "fields": sent})
        except ValidationError as error:
            reason = _wrong_fields(error)
        # Raised outside the handler: pydantic's error contains the input, and would be its context.
        order_id = sent.get("id")
        name = f"order {order_id}" if is_order_id(order_id) else "an order"
        raise UnreadableOrder(f"{name}: {reason}")

    def with_parts(self, parts: JsonObject) -> Self:
        """The order with sub-resources, by name, in place of the links that BigCommerce sent."""
        return replace(self, fields={**self.fields, **parts})

    @property
    def version(self) -> int:
        """`date_modified` in epoch seconds, BigCommerce's resolution."""
        return int(self.date_modified.timestamp())

    @property
    def is_digital(self) -> bool:
        """Whether every line is digital or a gift certificate.

        Before the lines are read, BigCommerce's own `order_is_digital` is used.
        """
        lines = self.fields.get("products")
        if isinstance(lines, list) and lines:
            types = [line.get("type") if isinstance(line, dict) else None for line in lines]
            return all(kind in ("digital", "giftcertificate") for kind in types)
        return self.order_is_digital

    @property
    def has_no_discount(self) -> bool:
        """Whether both discount fields are present and zero.

        It is not documented whether they include a coupon for free shipping.
        """
        return all(_is_zero(self.fields.get(name)) for name in DISCOUNTS)

    @property
    def may_be_digital(self) -> bool:
        """Whether the order can still turn out to be digital once its lines are read."""
        if isinstance(self.fields.get("products"), list):
            return self.is_digital
        return self.order_is_digital or not self.shipping_address_count


_ORDER = TypeAdapter(Order)


class OrderMessage(BaseModel):
    """The body of a queue message: an order id, never an order."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, strict=True)

    order_id: OrderId
    source: Source
    queued_at: str


@dataclass(frozen=True)
class Delivery:
    """One delivery of an SQS message; `message` is None when its body is invalid."""

    message_id: str
    receipt_handle: str
    receive_count: int
    message: OrderMessage | None

    @classmethod
    def from_event(cls, event: JsonObject) -> list[Self]:
        """Parse the event of Lambda's SQS event source."""
        return [cls._from_record(record) for record in event["Records"]]

    @classmethod
    def _from_record(cls, record: JsonObject) -> Self:
        try:
            message = OrderMessage.model_validate_json(record["body"])
        except ValidationError:
            message = None
        return cls(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
            message=message,
        )


class ConvertedCart(BaseModel):
    """`data` of the callback; `order_id` is the order that the cart was converted to."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, strict=True)

    id: str | None = None
    order_id: OrderId = Field(alias="orderId")


class CartConverted(BaseModel):
    """A callback of scope store/cart/converted."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, strict=True)

    scope: str
    producer: str
    data: ConvertedCart
    hash: str | None = None
    created_at: int | None = Field(default=None, ge=0, le=LARGEST_ID)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse a request's body. Raises UnreadableCallback naming the invalid fields."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise UnreadableCallback(_wrong_fields(error)) from None


@dataclass(frozen=True)
class ReplicationRecord:
    """The map `replication` of an item: how and when the order was stored and moved.

    A pending move has `moved_to` but no `moved_at`. `move_unconfirmed` marks a move that counts as
    made although its outcome is unknown. A forgotten order leaves an item with only its id and
    this record (a tombstone). Times are ISO 8601 in UTC; `version` is the order's `date_modified`
    in epoch seconds.
    """

    source: str
    version: int
    digest: str
    replicated_at: str
    moved_at: str | None = None
    moved_from: int | None = None
    moved_to: int | None = None
    move_began_at: str | None = None
    move_unconfirmed: bool | None = None
    encoding: dict[str, str] | None = None
    forgotten_at: str | None = None

    @classmethod
    def from_item(cls, attributes: JsonObject) -> Self:
        """Parse the map as DynamoDB returns it; attributes of later versions are ignored."""
        known = {attribute.name for attribute in fields(cls)}
        values: dict[str, Any] = {
            name: value if isinstance(value, str | dict | bool) else int(value)
            for name, value in attributes.items()
            if name in known
        }
        return cls(**values)

    def to_item(self) -> JsonObject:
        """The map as it is stored, without attributes that are None."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def is_moved(self) -> bool:
        return self.moved_at is not None

    @property
    def is_forgotten(self) -> bool:
        return self.forgotten_at is not None

    @property
    def pending_move(self) -> int | None:
        """The target status of a move that was started and is not recorded as made."""
        return None if self.is_moved else self.moved_to


def _wrong_fields(error: ValidationError) -> str:
    """Names of fields and error messages, never values."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'body'}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False, include_context=False)
    )
