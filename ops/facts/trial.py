"""Writes to a sandbox store for the facts about writing: one order is created, shipped, archived.

The gate lets exactly these requests through, and the order is archived in the end whatever happens.
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

from requests import PreparedRequest
from requests.exceptions import RequestException
from urllib3.exceptions import MaxRetryError

from chalicelib.clock import Clock
from chalicelib.domain.models import JsonObject, OrderStatus, is_order_id
from chalicelib.edges.bigcommerce import NOT_PROCESSED, RETRIED, BigCommerce, Unavailable
from ops.facts.source import Answer, Query, StoreSource
from ops.rehearse.gate import ReadOnly

READ = (
    r"v2/orders(?:/count|/[0-9]+(?:/(?:products|shipping_addresses|coupons|fees|shipments"
    r"|consignments))?)?|v2/order_statuses|v3/orders/payment_actions/refunds"
    r"|v3/hooks(?:/[0-9]+|/admin)?"
)
"""What the checks read, by its path after that of the store."""

APART = 2.0
"""Seconds between two writes: BigCommerce's dates have whole seconds."""

MOST_RETRIES = 3
"""How often a write that had no effect is sent again."""

PERSON = {
    "first_name": "Test",
    "last_name": "Order",
    "street_1": "1 Example Street",
    "city": "Springfield",
    "state": "Illinois",
    "zip": "62701",
    "country": "United States",
    "country_iso2": "US",
    "email": "order-replication@example.com",
}
"""Nobody: mail to example.com reaches no one (RFC 2606)."""

ORDER = {
    "billing_address": PERSON,
    "shipping_addresses": [PERSON],
    "products": [
        {
            "name": "Test of order-replication",
            "quantity": 1,
            "price_ex_tax": 1,
            "price_inc_tax": 1,
        }
    ],
}
"""A custom line, which is no product of the catalogue: no stock changes."""


@dataclass
class Trial:
    """The answers about the order that was created, in the order of the requests; None where a
    request was not sent."""

    order_0: Answer | None = None
    created: Answer | None = None
    unknown_field: Answer | None = None
    put: Answer | None = None
    read: Answer | None = None
    listed: Answer | None = None
    shipment: Answer | None = None
    shipped: Answer | None = None
    shipments: Answer | None = None
    archived: Answer | None = None
    read_archived: Answer | None = None
    listed_archived: Answer | None = None


class NotArchived(Exception):
    """The order of a trial may still be there; the text says what to do."""


class OneOrder(ReadOnly):
    """As ReadOnly; also lets through what creates an order, and what changes, ships or archives
    it."""

    def __init__(self, api_url: str, store_hash: str) -> None:
        super().__init__(api_url, store_hash, READ)
        self._orders = f"{urlsplit(api_url).path}/stores/{store_hash}/v2/orders"
        self._creations_left = 1 + MOST_RETRIES
        # Order 0 does not exist: a change of it is refused by the store, or by the token's scope.
        self._changes = {("PUT", f"{self._orders}/0")}

    def allow(self, order_id: int) -> None:
        """Let through what changes this order."""
        path = f"{self._orders}/{order_id}"
        self._changes |= {("PUT", path), ("DELETE", path), ("POST", f"{path}/shipments")}

    def why_refused(self, request: PreparedRequest) -> str | None:
        if request.method == "GET" or not self.is_this_host(request):
            return super().why_refused(request)
        sent = str(request.method), urlsplit(request.url or "").path
        if sent == ("POST", self._orders) and self._creations_left:
            self._creations_left -= 1
            return None
        return None if sent in self._changes else "not a change of the order that was created"


@dataclass
class Trials:
    """Creates, changes, ships and archives an order of a store, whose client has the gate."""

    store: BigCommerce
    gate: OneOrder
    clock: Clock
    after: int
    trial: Trial = field(default_factory=Trial)

    @property
    def _source(self) -> StoreSource:
        return StoreSource(self.store)

    def run(self) -> Trial:
        """Raises StoreError, OutOfTime, and NotArchived when the order has to be archived by hand.

        `after` is the newest order id before it.
        """
        trial = self.trial
        trial.order_0 = self._write("PUT", "v2/orders/0", {})
        created: list[int] = []
        try:
            trial.created = self._write("POST", "v2/orders", ORDER)
            created += self._created(trial.created)
            for order_id in created:
                self._change(order_id)
        finally:
            for order_id in created or self._lost():
                self._archive(order_id)
        return trial

    def _created(self, answer: Answer) -> list[int]:
        """The id of the order that was created; none if the store refused it."""
        order_id = answer.object.get("id")
        if not is_order_id(order_id):
            return []
        self.gate.allow(int(str(order_id)))
        return [int(str(order_id))]

    def _change(self, order_id: int) -> None:
        trial, path = self.trial, f"v2/orders/{order_id}"
        # The same second would show no new date.
        self.clock.sleep(APART)
        trial.unknown_field = self._write("PUT", path, {"no_such_field": 1})
        trial.put = self._write("PUT", path, {"status_id": int(OrderStatus.AWAITING_SHIPMENT)})
        trial.read = self._source.get(path, {})
        trial.listed = self._listed(order_id)
        self._ship(path)

    def _ship(self, path: str) -> None:
        """Ship the order's line. A shipment is archived with its order."""
        trial = self.trial
        addresses, lines = (
            self._source.get(f"{path}/{name}", {}).members
            for name in ("shipping_addresses", "products")
        )
        if not addresses or not lines:
            return
        item = {"order_product_id": lines[0].get("id"), "quantity": 1}
        shipment = {"order_address_id": addresses[0].get("id"), "items": [item]}
        self.clock.sleep(APART)
        trial.shipment = self._write("POST", f"{path}/shipments", shipment)
        trial.shipped = self._source.get(path, {})
        trial.shipments = self._source.get(f"{path}/shipments", {})

    def _listed(self, order_id: int) -> Answer:
        return self._source.get("v2/orders", {"min_id": order_id, "max_id": order_id})

    def _archive(self, order_id: int) -> None:
        path = f"v2/orders/{order_id}"
        try:
            answer = self._write("DELETE", path)
        except Unavailable as error:
            raise NotArchived(f"order {order_id} must be archived by hand ({error})") from None
        if answer.status >= HTTPStatus.BAD_REQUEST:
            problem = f"{answer.name} -> {answer.status}"
            raise NotArchived(f"order {order_id} must be archived by hand ({problem})")
        self.trial.archived = answer
        self.trial.read_archived = self._source.get(path, {})
        self.trial.listed_archived = self._listed(order_id)

    def _lost(self) -> list[int]:
        """Orders that were created without an answer about it."""
        query: Query = {"min_id": self.after + 1, "sort": "id:desc", "limit": 10}
        found = [
            order["id"]
            for order in self._source.get("v2/orders", query).members
            if _email(order) == PERSON["email"]
        ]
        for order_id in found:
            self.gate.allow(order_id)
        return found

    def _write(self, method: str, path: str, body: JsonObject | None = None) -> Answer:
        """Only what had no effect is sent again. Raises Unavailable."""
        retry = self.store.retry.new(total=MOST_RETRIES)
        while True:
            try:
                answer = self._source.send(method, path, body=body)
            except RequestException as failure:
                raise Unavailable(f"{method} {path} -> {type(failure).__name__}") from None
            if answer.status not in RETRIED:
                return answer
            if answer.status not in NOT_PROCESSED:
                raise Unavailable(f"{answer.name} -> {answer.status}")
            try:
                retry = retry.increment(method, error=Unavailable(f"{answer.name}"))
            except MaxRetryError:
                raise Unavailable(f"{answer.name} -> {answer.status}") from None
            self.store.pacer.wait(retry.wait_after(answer), self.store.deadline)


def _email(order: JsonObject) -> object:
    address = order.get("billing_address")
    return address.get("email") if isinstance(address, dict) else None
