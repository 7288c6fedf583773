"""What apps write through the orders API: new orders, changes and deletions."""

from collections.abc import Mapping
from typing import Any

from werkzeug import Response

from sandbox.store.answers import json_response, no_content, not_found, parse
from sandbox.store.call import Call
from sandbox.store.listing import BadField, include_query
from sandbox.store.reads import view
from sandbox.store.shop import Shop
from sandbox.store.statuses import Status
from sandbox.store.templates import ORDER, Fields

WRITABLE = frozenset(
    (
        *("base_handling_cost", "base_shipping_cost", "base_wrapping_cost", "billing_address"),
        *("channel_id", "customer_id", "customer_message", "discount_amount", "order_source"),
        *("ebay_order_id", "external_merchant_id", "external_source", "geoip_country"),
        *("geoip_country_iso2", "handling_cost_ex_tax", "handling_cost_inc_tax", "ip_address"),
        *("ip_address_v6", "items_shipped", "items_total", "order_is_digital", "payment_method"),
        *("payment_provider_id", "refunded_amount", "shipping_cost_ex_tax", "staff_notes"),
        *("shipping_cost_inc_tax", "subtotal_ex_tax", "subtotal_inc_tax", "customer_locale"),
        *("external_order_id", "total_ex_tax", "total_inc_tax", "wrapping_cost_ex_tax"),
        *("wrapping_cost_inc_tax", "status_id", "is_deleted"),
    )
)
NOT_SIMULATED = frozenset(
    ("products", "shipping_addresses", "consignments", "fees", "date_created")
)
"""Fields that BigCommerce lets apps write, and this store does not."""
CREATED_WITH = frozenset(("products", "shipping_addresses"))


def put_order(shop: Shop, call: Call) -> Response:
    query = include_query(call.query)
    if not shop.shows(call.id) or shop.book.version(call.id).archived:
        return not_found()
    call.check(call.id)
    fields = _body(call, "status_id")
    status = _checked(fields, WRITABLE)
    if fields.get("is_deleted") is True:
        shop.archive(call.id)
    else:
        _write(shop, call.id, status, fields)
    return json_response(view(shop, call, call.id, query))


def _write(shop: Shop, order_id: int, status: Status | None, fields: Fields) -> None:
    own = {name: fields[name] for name in fields.keys() - {"status_id", "is_deleted"}}
    if "billing_address" in own:
        before = shop.book.view(order_id)["billing_address"]
        own["billing_address"] = {**before, **own["billing_address"]}
    shop.change(order_id, by="api", status=status, fields=own)


def post_order(shop: Shop, call: Call) -> Response:
    """Creates a Pending order by default. Of a line it reads `quantity`, `name`, `product_id` and
    `price_ex_tax`; whether anything ships follows from `shipping_addresses`."""
    query = include_query(call.query)
    fields = _body(call, "products")
    status = _checked(fields, WRITABLE | CREATED_WITH)
    for name in ("products", "billing_address"):
        if not fields.get(name):
            raise BadField.required(name)
    lines, addresses = fields.pop("products"), fields.pop("shipping_addresses", [{}])
    fields.pop("status_id", None)
    order_id = shop.place_order(
        status=Status.PENDING if status is None else status,
        lines=len(lines),
        addresses=len(addresses),
        coupons=0,
        fees=0,
        via="api",
        **{"tax_provider_id": "", **fields},
    )
    shop.describe(order_id, lines, addresses)
    return json_response(view(shop, call, order_id, query))


def delete_order(shop: Shop, call: Call) -> Response:
    if not shop.shows(call.id) or shop.book.version(call.id).archived:
        return not_found()
    shop.archive(call.id)
    return no_content()


def post_shipment(shop: Shop, call: Call) -> Response:
    """Ships `items` to one address. Other fields of a shipment are not simulated."""
    if not shop.shows(call.id) or shop.book.version(call.id).archived:
        return not_found()
    fields = _body(call, "items")
    items = fields.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadField.invalid("items")
    addresses = shop.book.sub_resource(call.id, "shipping_addresses")
    if fields.get("order_address_id") not in [to["id"] for to in addresses]:
        raise BadField.invalid("order_address_id")
    try:
        shop.ship(call.id, {item["order_product_id"]: item["quantity"] for item in items})
    except (KeyError, ValueError) as exc:
        raise BadField.invalid("items", "The quantity is not left to ship.") from exc
    return json_response(shop.book.sub_resource(call.id, "shipments")[-1])


def _body(call: Call, required: str) -> Fields:
    try:
        fields = parse(call.request.get_data())
    except ValueError as exc:
        raise BadField("The request body is not valid JSON.") from exc
    if not isinstance(fields, dict) or not fields:
        raise BadField.required(required)
    return fields


def _checked(fields: Mapping[str, Any], writable: frozenset[str]) -> Status | None:
    """The new status, if the fields have one. Raises BadField for what cannot be written."""
    for name in fields.keys() - writable:
        if name in NOT_SIMULATED:
            raise BadField(f"The field '{name}' can be written to, but not in a simulated store.")
        if name not in ORDER or name in ("status", "custom_status"):
            raise BadField.unsupported(name)
        raise BadField(
            f"The field '{name}' cannot be written to. "
            "Please remove it from your request before trying again."
        )
    if "status_id" not in fields:
        return None
    number = fields["status_id"]
    if type(number) is not int or number not in set(Status):
        raise BadField.invalid("status_id", "No such status.")
    return Status(number)
