"""Callbacks of BigCommerce's webhooks: their scopes, and the order that a callback is about.

Only what is used is required of a callback, because its types have changed before
(https://developer.bigcommerce.com/docs/integrations/webhooks/events).
"""

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from chalicelib.domain.messages import ARCHIVED
from chalicelib.domain.models import LARGEST_ID, wrong_fields

TOKEN_HEADER = "X-Replication-Token"  # noqa: S105 - the name of a header, not a token
"""The header in which BigCommerce sends the shared secret, as registered with the webhook."""

CART_CONVERTED = "store/cart/converted"
ORDER_CREATED = "store/order/created"
STATUS_UPDATED = "store/order/statusUpdated"
ORDER_UPDATED = "store/order/updated"
ORDER_ARCHIVED = "store/order/archived"
REFUND_CREATED = "store/order/refund/created"
SHIPMENTS = "store/shipment/*"

CHANGE_SCOPES = (
    ORDER_CREATED,
    STATUS_UPDATED,
    ORDER_UPDATED,
    ORDER_ARCHIVED,
    REFUND_CREATED,
    SHIPMENTS,
)
"""The scopes to register for the route /order-changed."""

SHIPMENT_PREFIX = SHIPMENTS.removesuffix("*")


class UnreadableCallback(Exception):
    """The body of a webhook request is not a callback about an order."""


def _as_id(value: object) -> object:
    """An id that is sent as text, as a number."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


LONGEST_TEXT = 128
"""Characters. A longer text is none of BigCommerce's, and would only fill the table."""

Id = Annotated[int, BeforeValidator(_as_id), Field(strict=True, ge=1, le=LARGEST_ID)]


class _StatusChange(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    new_status_id: Annotated[int | None, BeforeValidator(_as_id)] = None


class _Data(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    id: Any = None
    orderId: Any = None
    status: Any = None


class _Envelope(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    scope: Annotated[str, Field(strict=True, max_length=LONGEST_TEXT)]
    producer: Annotated[str, Field(strict=True, max_length=LONGEST_TEXT)]
    data: _Data
    hash: Any = None
    created_at: Any = None


class _OrderId(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    id: Id


@dataclass(frozen=True)
class Callback:
    """A callback: its scope, the store that sent it, and what it says about which order.

    `order_id` is None when the callback names no order, or its scope is not one of this service.
    `new_status_id` is None when the callback does not name a status.
    """

    scope: str
    producer: str
    order_id: int | None
    new_status_id: int | None = None
    hash: str | None = None
    created_at: int | None = None
    cart_id: str | None = None

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse a request's body. Raises UnreadableCallback naming the invalid fields."""
        try:
            envelope = _Envelope.model_validate_json(body)
        except ValidationError as error:
            raise UnreadableCallback(wrong_fields(error)) from None
        data = envelope.data
        is_cart = envelope.scope == CART_CONVERTED
        named = data.orderId if is_cart or envelope.scope.startswith(SHIPMENT_PREFIX) else data.id
        is_ours = is_cart or _is_change(envelope.scope)
        return cls(
            scope=envelope.scope,
            producer=envelope.producer,
            order_id=_order_id(named) if is_ours else None,
            new_status_id=_new_status(data.status),
            hash=_text(envelope.hash),
            created_at=envelope.created_at if _is_moment(envelope.created_at) else None,
            cart_id=_text(data.id) if is_cart else None,
        )

    @property
    def part(self) -> str | None:
        """What the callback is about: a list, which may change without the order, or ARCHIVED."""
        if self.scope.startswith(SHIPMENT_PREFIX):
            return "shipments"
        return {REFUND_CREATED: "refunds", ORDER_ARCHIVED: ARCHIVED}.get(self.scope)


def _is_change(scope: str) -> bool:
    return scope in CHANGE_SCOPES or scope.startswith(SHIPMENT_PREFIX)


def _order_id(named: object) -> int | None:
    try:
        return _OrderId.model_validate({"id": named}).id
    except ValidationError:
        return None


def _new_status(sent: object) -> int | None:
    try:
        return _StatusChange.model_validate(sent).new_status_id
    except ValidationError:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= LONGEST_TEXT else None


def _is_moment(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_ID
