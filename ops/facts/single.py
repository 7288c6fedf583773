"""Facts about an order that is asked for by its id."""

from collections.abc import Iterator
from http import HTTPStatus

from ops.facts.evidence import Evidence
from ops.facts.fact import Case, Topic

ORDER = Topic("One order")


@ORDER.fact(
    "order-in-list-is-whole",
    "An order in a list is the same as alone.",
    "storing orders that come from a list",
)
def order_in_list(store: Evidence) -> Iterator[Case]:
    for order in store.probes:
        alone = store.get(f"v2/orders/{order['id']}").object
        if alone.get("date_modified") == order.get("date_modified"):
            names = (alone.keys() | order.keys()) - {"id"}
            yield [name for name in names if alone.get(name) != order.get(name)]


@ORDER.fact(
    "unknown-order-is-404",
    "An order that does not exist is answered 404.",
    "deciding that an order does not exist, which is final",
    unit="request",
)
def unknown_order(store: Evidence) -> Iterator[Case]:
    yield store.get(f"v2/orders/{store.unused_id}").status == HTTPStatus.NOT_FOUND


@ORDER.fact(
    "order-has-its-id",
    "The response about an order is an object with the id that was asked for.",
    "refusing to store one order under the id of another",
)
def order_has_its_id(store: Evidence) -> Iterator[Case]:
    for order in store.probes:
        answer = store.get(f"v2/orders/{order['id']}")
        if answer.status == HTTPStatus.OK:
            yield answer.object.get("id") == order["id"]
