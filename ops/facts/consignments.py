"""Facts about embedded consignments: addresses, pickups, downloads, and signs of coupons."""

from collections.abc import Iterator
from http import HTTPStatus

from chalicelib.domain.models import JsonObject, Order, objects
from chalicelib.domain.parts import may_have_coupons, with_parts
from ops.facts.evidence import Evidence, few
from ops.facts.fact import Case, Topic
from ops.facts.forms import groups, is_object_form
from ops.facts.kinds import is_json_number

CONSIGNMENTS = Topic("Embedded consignments")

SETTING = "EMBEDDED_READS"
COSTS = (
    *("base_cost", "cost_ex_tax", "cost_inc_tax", "cost_tax", "base_handling_cost"),
    *("handling_cost_ex_tax", "handling_cost_inc_tax", "handling_cost_tax"),
)


@CONSIGNMENTS.fact(
    "embedded-addresses-are-the-same",
    "A shipping consignment has the fields of the shipping address, with the same values.",
    "storing embedded addresses",
    unit="address",
    setting=SETTING,
)
def addresses_are_the_same(store: Evidence) -> Iterator[Case]:
    for order in store.used:
        parts = [
            _addresses(order, order["consignments"]["shipping"]),
            _addresses(order, store.part(order["id"], "shipping_addresses")),
        ]
        for one, other in zip(*parts, strict=False):
            names = (one.keys() | other.keys()) - {"id"}
            yield [name for name in names if one.get(name) != other.get(name)]


def _addresses(order: JsonObject, addresses: list[JsonObject]) -> list[JsonObject]:
    """The addresses as the service stores them."""
    whole = with_parts(Order.parse(order), {"shipping_addresses": addresses})
    return objects(whole.fields["shipping_addresses"])


@CONSIGNMENTS.fact(
    "consignment-has-the-address-id",
    "The id of a shipping consignment is that of the shipping address.",
    "storing embedded addresses, and finding the address of a line",
    setting=SETTING,
)
def consignment_ids(store: Evidence) -> Iterator[Case]:
    for order in store.used:
        ids = {each.get("id") for each in order["consignments"]["shipping"]}
        addresses = store.part(order["id"], "shipping_addresses")
        if ids or addresses:
            yield ids == {address.get("id") for address in addresses}


@CONSIGNMENTS.fact(
    "consignment-costs-are-numbers",
    "The costs of a shipping consignment are numbers, which are text in the address.",
    "the form of amounts in the table; both are accepted",
    unit="consignment",
    setting=SETTING,
    relied_on=False,
)
def consignment_costs(store: Evidence) -> Iterator[Case]:
    for order in store.embedded.values():
        for kind, group in groups(order):
            if kind == "shipping":
                present = [name for name in COSTS if name in group]
                yield [name for name in present if not is_json_number(group[name])]


@CONSIGNMENTS.fact(
    "pickups-are-embedded",
    "An order with a line that is collected has the place in `pickups`.",
    "storing where an order is collected",
    setting="PICKUP_STATUS_ID",
)
def pickups(store: Evidence) -> Iterator[Case]:
    for order_id in store.collected:
        order = store.embedded.get(order_id, {})
        if is_object_form(order):
            found = [each for kind, each in groups(order) if kind == "pickups"]
            yield bool(found) and all("location" in pickup for pickup in found)


@CONSIGNMENTS.fact(
    "pickups-by-their-own-route",
    "`/v2/orders/ID/consignments` is the object form, with the pickups.",
    "pickups of orders that are read list by list",
    setting="PICKUP_STATUS_ID",
)
def pickups_route(store: Evidence) -> Iterator[Case]:
    for order_id in store.collected or few(store.orders, 1):
        answer = store.get(f"v2/orders/{order_id}/consignments")
        if answer.status != HTTPStatus.NOT_FOUND:
            has_pickups = bool(objects(answer.object.get("pickups")))
            yield has_pickups or order_id not in store.collected


@CONSIGNMENTS.fact(
    "digital-lines-have-a-recipient",
    "Digital lines and gift certificates are in a consignment with `recipient_email`.",
    "storing to whom they are sent",
    setting=SETTING,
)
def recipients(store: Evidence) -> Iterator[Case]:
    sent = {"digital": "downloads", "giftcertificate": "gift_certificates"}
    for order in store.used:
        types = {str(line.get("type")) for line in store.lines(order["id"])}
        for kind in (sent[name] for name in sorted(types & sent.keys())):
            found = [each for name, each in groups(order) if name == kind]
            yield bool(found) and all("recipient_email" in group for group in found)


@CONSIGNMENTS.fact(
    "one-download",
    "An order has one consignment of downloads at most.",
    "the simulator",
    setting=SETTING,
    relied_on=False,
)
def one_download(store: Evidence) -> Iterator[Case]:
    for order in store.embedded.values():
        found = [kind for kind, _ in groups(order) if kind == "downloads"]
        if found:
            yield len(found) == 1


@CONSIGNMENTS.fact(
    "coupons-show-in-the-order",
    "An order without a discount, a code or a reduced shipping cost has no coupons.",
    "not requesting the coupons of orders that show none",
    setting=SETTING,
)
def coupons_show(store: Evidence) -> Iterator[Case]:
    for order in few(_without_signs(store), 20):
        yield not store.part(order["id"], "coupons")


def _without_signs(store: Evidence) -> Iterator[JsonObject]:
    for order in store.used:
        consignments = order["consignments"]
        parts = {
            "products": store.lines(order["id"]),
            "shipping_addresses": consignments["shipping"],
        }
        if not may_have_coupons(with_parts(Order.parse(order), parts)):
            yield order
