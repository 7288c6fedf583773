"""The answers of v3, from BigCommerce's published reference: refunds, webhooks, errors."""

from typing import Any

from tests.schemas.shapes import many, one_of, shape

Links = shape("Links", text="previous current next", optional="previous next")
Pagination = shape(
    "Pagination", integer="total count per_page current_page total_pages", links=Links
)
Paged = shape("Paged", pagination=Pagination)
Empty = shape("Empty")

RefundItem = shape(
    "RefundItem",
    integer="item_id quantity",
    text="reason",
    number="requested_amount",
    item_type=one_of("PRODUCT", "GIFT_WRAPPING", "SHIPPING", "HANDLING", "ORDER", "FEE"),
    adjustments=list[Any],
    optional="quantity adjustments",
)
RefundPayment = shape(
    "RefundPayment",
    integer="id",
    text="provider_id declined_message transaction_id",
    number="amount",
    boolean="offline is_declined",
)
Refund = shape(
    "Refund",
    integer="id order_id user_id",
    text="created reason",
    number="total_amount total_tax",
    boolean="uses_merchant_override_values",
    items=many(RefundItem),
    payments=many(RefundPayment),
)
Hook = shape(
    "Hook",
    integer="id created_at updated_at",
    text="client_id store_hash scope destination",
    boolean="is_active",
    headers=dict[str, str] | None,
)
AdminHook = shape("AdminHook", Hook, status=one_of("active", "inactive", "deactivated"))
Reason = shape("Reason", text="failure_description", integer="count timestamp")
Blocked = shape("Blocked", text="destination", integer="time_left", reasons=many(Reason))
Admin = shape("Admin", emails=list[str], hooks_list=many(AdminHook), blocked_domains=many(Blocked))
Error = shape("Error", integer="status", text="title type", errors=dict[str, Any])


def envelope(data: Any, meta: Any = Empty) -> Any:
    return shape("Envelope", data=data, meta=meta)
