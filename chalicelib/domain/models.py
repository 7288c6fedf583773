"""An order of the store, and the fixed values of BigCommerce's API that the rules use.

Validation errors never contain the input: it may be a customer's data, and errors are logged.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from enum import IntEnum
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, StrictInt, TypeAdapter, ValidationError

JsonObject: TypeAlias = dict[str, Any]
Source: TypeAlias = Literal["poll", "sweep", "fill", "webhook", "retry", "replay", "backfill"]
"""What asked for an order: a poll, a sweep, a webhook, or an operator's command.

A `fill` is a sweep of every order, for an order that has not changed since the sweep began.
"""

DISCOUNTS = ("coupon_discount", "discount_amount")

LARGEST_ID = 2**63 - 1
OrderId = Annotated[StrictInt, Field(ge=1, le=LARGEST_ID)]

NEVER = datetime.min.replace(tzinfo=UTC)


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


def number(value: object) -> Decimal:
    """An amount or a count, as text or number; 0 when it is missing or cannot be parsed."""
    try:
        parsed = Decimal(str(value))
    except ArithmeticError:
        return Decimal(0)
    return parsed if parsed.is_finite() else Decimal(0)


def is_zero(money: object) -> bool:
    """Whether an amount, as text or number, is zero; False when it cannot be parsed."""
    try:
        return Decimal(str(money)) == 0
    except ArithmeticError:
        return False


StoreDate = Annotated[datetime, BeforeValidator(store_date)]
Flag = Annotated[bool, BeforeValidator(lambda value: value is True)]
Lenient = Annotated[
    int | None, BeforeValidator(lambda value: value if is_order_id(value) else None)
]


@dataclass(frozen=True)
class Order:
    """An order: the facts that the rules use, and in `fields` everything BigCommerce sent.

    `read_at` is when the store answered for it, by the store's clock; `requested_at` is when it was
    asked for, by this machine's clock.
    """

    id: OrderId
    status_id: StrictInt
    date_created: StoreDate
    date_modified: StoreDate
    channel_id: Lenient = None
    is_deleted: Flag = False
    order_is_digital: Flag = False
    shipping_address_count: StrictInt | None = None
    fields: JsonObject = field(default_factory=dict, repr=False)
    read_at: datetime = NEVER
    requested_at: datetime = NEVER

    @classmethod
    def parse(
        cls, sent: JsonObject, *, read_at: datetime = NEVER, requested_at: datetime = NEVER
    ) -> "Order":
        """Parse an order of the store. Raises UnreadableOrder naming the invalid fields."""
        given = {**sent, "fields": sent, "read_at": read_at, "requested_at": requested_at}
        try:
            return _ORDER.validate_python(given)
        except ValidationError as error:
            reason = wrong_fields(error)
        # Raised outside the handler: pydantic's error contains the input, and would be its context.
        order_id = sent.get("id")
        name = f"order {order_id}" if is_order_id(order_id) else "an order"
        raise UnreadableOrder(f"{name}: {reason}")

    @classmethod
    def parse_or_none(cls, sent: JsonObject, **times: datetime) -> "Order | None":
        """As `parse`; None for an order that is unreadable."""
        try:
            return cls.parse(sent, **times)
        except UnreadableOrder:
            return None

    def with_fields(self, fields: JsonObject) -> Self:
        """The same order with other content, for example with its sub-resources."""
        return replace(self, fields=fields)

    @property
    def version(self) -> int:
        """`date_modified` in epoch seconds, BigCommerce's resolution."""
        return int(self.date_modified.timestamp())

    @property
    def state(self) -> tuple[int, int, bool]:
        """What a list shows of a change: the version, the status, and whether it is archived."""
        return self.version, self.status_id, self.is_deleted

    @property
    def lines(self) -> list[JsonObject] | None:
        """The lines of the order; None while they are not read."""
        lines = self.fields.get("products")
        return objects(lines) if isinstance(lines, list) else None

    @property
    def is_digital(self) -> bool:
        """Whether every line is digital or a gift certificate.

        Before the lines are read, BigCommerce's own `order_is_digital` is used.
        """
        return self.order_is_digital if not self.lines else not any(map(_is_goods, self.lines))

    @property
    def is_collected(self) -> bool:
        """Whether the buyer collects all goods: every line that is goods has a pickup method."""
        goods = [line for line in self.lines or () if _is_goods(line)]
        return bool(goods) and all(is_pickup(line) for line in goods)

    @property
    def may_be_digital(self) -> bool:
        """Whether the order can still turn out to be digital once its lines are read."""
        if self.lines is not None:
            return self.is_digital
        return not self._embeds_goods and (self.order_is_digital or not self.shipping_address_count)

    @property
    def _embeds_goods(self) -> bool:
        """Whether the order came with lines, and one of them is goods."""
        consignments = self.fields.get("consignments")
        groups = (
            [group for name in ("pickups", "shipping") for group in consignments.get(name) or ()]
            if isinstance(consignments, dict)
            else []
        )
        lines = [group.get("line_items") for group in groups if isinstance(group, dict)]
        return any(
            isinstance(line, dict) and "type" in line and _is_goods(line)
            for found in lines
            if isinstance(found, list)
            for line in found
        )


_ORDER = TypeAdapter(Order)


def is_pickup(line: JsonObject) -> bool:
    """Whether the buyer collects a line: `order_pickup_method_id` is above 0."""
    return number(line.get("order_pickup_method_id")) > 0


def objects(value: Any) -> list[JsonObject]:
    """The members of a list that are objects; none of anything else."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def total_quantity(lines: Iterable[JsonObject]) -> Decimal:
    return sum((number(line.get("quantity")) for line in lines), Decimal(0))


def wrong_fields(error: ValidationError) -> str:
    """Names of fields and error messages, never values."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'body'}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False, include_context=False)
    )


def _is_goods(line: JsonObject) -> bool:
    return line.get("type") not in ("digital", "giftcertificate")
