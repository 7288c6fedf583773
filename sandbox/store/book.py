"""The store's orders: their current and previous versions, and indexes for fast pages."""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from sandbox.store import subresources
from sandbox.store.clock import Clock
from sandbox.store.dates import parse_date, rfc_2822
from sandbox.store.listing import Query, fields_match, needs_fields, within
from sandbox.store.orders import Placed, order_fields, status_fields
from sandbox.store.statuses import LABELS, Status
from sandbox.store.templates import ORDER, Fields
from sandbox.store.totals import quantity

STUBS = ("consignments", *subresources.GENERATED)
RECORDED = ("shipments", "messages", "refunds")
"""Lists that grow by what people do. They belong to no version of the order."""

LAG = 60.0
"""Seconds for which the store may show an order as it was before a change of the same second. No
answer tells the two apart, so that no client could replicate a store that lags for longer."""


@dataclass(frozen=True, slots=True)
class Version:
    """The mutable part of an order; `created` and `modified` in epoch seconds.

    `fields` replace the generated ones; a list under the name of a sub-resource replaces that
    sub-resource. `number` counts the versions, of which several can have the same `modified`."""

    status: int
    created: int
    modified: int
    archived: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0


@dataclass(slots=True)
class Record:
    placed: Placed
    current: Version
    previous: Version | None = None


class OrderBook:
    """Not thread-safe: the store's lock guards it."""

    def __init__(self, seed: int, store_hash: str, clock: Clock) -> None:
        self.seed = seed
        self.labels = dict(LABELS)
        """The names of the statuses, which the merchant can change."""
        self._clock = clock
        self.records: dict[int, Record] = {}
        self.root = f"https://api.bigcommerce.com/stores/{store_hash}/v2"
        self._listed: list[int] = []
        self._by_status: dict[int, list[int]] = {status: [] for status in Status}
        self.recorded: dict[str, dict[int, list[Fields]]] = {
            name: defaultdict(list) for name in RECORDED
        }

    def add(self, placed: Placed, fields: Mapping[str, Any]) -> None:
        """`placed.id` is higher than any before it, so the indexes stay sorted by appending."""
        version = Version(placed.status, placed.created, placed.created)
        self.records[placed.id] = record = Record(placed, _overlaid(version, fields))
        if not record.current.archived:
            self._listed.append(placed.id)
            self._by_status[placed.status].append(placed.id)

    def change(
        self,
        order_id: int,
        at: int | None,
        *,
        status: int | None = None,
        archived: bool | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a new version of the order; None leaves a part as it is.

        A change in the same second as the last one has the same `modified`."""
        record = self.records[order_id]
        before = record.current
        own = {k: v for k, v in before.fields.items() if at is None or k != "date_modified"}
        if status is not None:
            own = {k: v for k, v in own.items() if k not in status_fields(status)}
            own |= {"date_shipped": rfc_2822(at or 0)} if status == Status.SHIPPED else {}
        after = Version(
            status=before.status if status is None else status,
            created=before.created,
            modified=max(before.modified, at or 0),
            archived=before.archived if archived is None else archived,
            fields=own,
            number=before.number + 1,
        )
        record.previous, record.current = before, _overlaid(after, fields or {})
        self._reindex(order_id, before, record.current)

    def _reindex(self, order_id: int, before: Version, after: Version) -> None:
        if (before.status, before.archived) == (after.status, after.archived):
            return
        if not before.archived:
            _remove(self._by_status[before.status], order_id)
            _remove(self._listed, order_id)
        if not after.archived:
            insort(self._by_status[after.status], order_id)
            insort(self._listed, order_id)

    def counts(self) -> dict[int, int]:
        return {status: len(ids) for status, ids in self._by_status.items()}

    def version(self, order_id: int, *, stale: bool = False) -> Version:
        """The order as it is now, or `stale` as it was before its last change."""
        now, before = self.records[order_id].current, self.records[order_id].previous
        if not (stale and before):
            return now
        is_told_apart = before.modified != now.modified
        is_recent = self._clock.time() < now.modified + LAG
        return before if is_told_apart or is_recent else now

    def channel(self, order_id: int) -> object:
        return _channel(self.records[order_id].current)

    def view(self, order_id: int, *, stale: bool = False) -> Fields:
        """The order as `GET /orders/{id}` returns it, with stubs for its sub-resources."""
        version = self.version(order_id, stale=stale)
        own = {k: v for k, v in version.fields.items() if not (k in STUBS and isinstance(v, list))}
        order = order_fields(self.seed, self.records[order_id].placed)
        order |= {name: self._stub(order_id, name) for name in STUBS}
        order |= status_fields(version.status)
        order["custom_status"] = self.labels[version.status]
        order["date_created"] = rfc_2822(version.created)
        order["date_modified"] = rfc_2822(version.modified)
        order["is_deleted"] = version.archived
        return order | _counts(version) | own

    def _stub(self, order_id: int, name: str) -> Fields:
        resource = f"/orders/{order_id}/{name}"
        return {"url": self.root + resource, "resource": resource}

    def sub_resource(self, order_id: int, name: str, *, stale: bool = False) -> list[Fields]:
        """The complete list, in the order of its ids."""
        if name in self.recorded:
            return self.recorded[name].get(order_id, [])
        own = self.version(order_id, stale=stale).fields.get(name)
        if isinstance(own, list):
            return own
        made = subresources.generate(name, self.seed, self.records[order_id].placed)
        for item in made:
            if "shipping_quotes" in item:
                quotes = item["shipping_quotes"]
                item["shipping_quotes"] = {"url": self.root + quotes["resource"], **quotes}
        return made

    def lists(self, order_id: int, *, stale: bool = False) -> dict[str, list[Fields]]:
        """The lists that the order's totals are computed from."""
        names = subresources.GENERATED
        return {name: self.sub_resource(order_id, name, stale=stale) for name in names}

    def page(self, query: Query, *, stale: bool = False) -> list[int]:
        """The ids of one page. Sorted by id, it reads only up to the end of the page."""
        ids = self._matching(query, stale)
        return list(islice(ids, query.offset, query.offset + query.limit))

    def _matching(self, query: Query, stale: bool) -> Iterable[int]:
        pool = self._slice(query, stale)
        ids = pool[::-1] if query.descending else pool
        chosen = (n for n in ids if self._matches(query, n, stale))
        if query.sort == "id":
            return chosen
        return sorted(chosen, key=lambda n: self._sort_key(query, n), reverse=query.descending)

    def _slice(self, query: Query, stale: bool) -> list[int]:
        """The ids within the status and id bounds, by two binary searches."""
        if stale:
            pool = [n for n in self.records if not self.version(n, stale=True).archived]
        elif "status_id" in query.filters:
            pool = self._by_status.get(query.filters["status_id"], [])
        else:
            pool = self._listed
        low, high = query.filters.get("min_id"), query.filters.get("max_id")
        first = 0 if low is None else bisect_left(pool, low)
        last = len(pool) if high is None else bisect_right(pool, high)
        return pool[first:last]

    def _matches(self, query: Query, order_id: int, stale: bool) -> bool:
        version = self.version(order_id, stale=stale)
        return (
            query.filters.get("status_id", version.status) == version.status
            and query.filters.get("channel_id", _channel(version)) == _channel(version)
            and within(query, "date_created", version.created)
            and within(query, "date_modified", version.modified)
            and (not needs_fields(query) or fields_match(query, self.view(order_id, stale=stale)))
        )

    def _sort_key(self, query: Query, order_id: int) -> tuple[Any, int]:
        """Ids break ties, so that pages neither repeat nor skip orders."""
        version = self.version(order_id)
        cheap = {
            "date_created": version.created,
            "date_modified": version.modified,
            "status_id": version.status,
        }
        if query.sort in cheap:
            return cheap[query.sort], order_id
        value = self.view(order_id)[query.sort]
        return (value is not None, value if value is not None else 0), order_id

    def __iter__(self) -> Iterator[int]:
        return iter(self.records)


def _remove(ids: list[int], order_id: int) -> None:
    del ids[bisect_left(ids, order_id)]


def _channel(version: Version) -> object:
    return version.fields.get("channel_id", ORDER["channel_id"])


def _counts(version: Version) -> Fields:
    """What lists that replace sub-resources determine of the order."""
    counts: Fields = {}
    if isinstance(addresses := version.fields.get("shipping_addresses"), list):
        counts["shipping_address_count"] = len(addresses)
    if isinstance(lines := version.fields.get("products"), list):
        counts["items_total"] = quantity(lines)
    return counts


def _overlaid(version: Version, fields: Mapping[str, Any]) -> Version:
    """The version with replaced fields; dates and deletion also affect lists."""
    merged = {**version.fields, **fields}
    return replace(
        version,
        created=_seconds(fields.get("date_created"), version.created),
        modified=_seconds(fields.get("date_modified"), version.modified),
        archived=bool(fields.get("is_deleted", version.archived)),
        fields=merged,
    )


def _seconds(value: object, otherwise: int) -> int:
    """An invalid date is returned as it is, and ignored by lists."""
    try:
        return parse_date(value) if isinstance(value, str) else otherwise
    except ValueError:
        return otherwise
