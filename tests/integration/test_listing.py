"""Listing orders page by page, past orders that the store cannot serve in a list."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from requests import PreparedRequest

from chalicelib.domain.models import JsonObject
from chalicelib.edges.bigcommerce import (
    BigCommerce,
    MalformedResponse,
    Rejected,
    Unauthorized,
    Unavailable,
)
from chalicelib.edges.pacing import OutOfTime
from chalicelib.listing import MOST_SKIPPED, Listing
from tests.factories import V2, FakeClock, events, order_fields

Answer = tuple[int, dict[str, str], str]
JSON = {"Content-Type": "application/json"}


@dataclass
class Orders:
    """The orders of a store, whose list fails with `failure` for a page with one of the `bad`."""

    ids: Iterable[int]
    bad: set[int] = field(default_factory=set)
    failure: Answer = (500, {}, "")
    is_down: bool = False
    limits: list[int] = field(default_factory=list)
    counts: int = 0

    def answer(self, request: PreparedRequest) -> Answer:
        query = parse_qs(urlsplit(str(request.url)).query)
        first, last, limit = (
            int(query.get(name, ["1000000000"])[0]) for name in ("min_id", "max_id", "limit")
        )
        self.limits.append(limit)
        page = [n for n in sorted(self.ids) if first <= n <= last][:limit]
        if self.is_down or self.bad.intersection(page):
            return self.failure
        return 200, JSON, json.dumps([order_fields(n) for n in page])

    def count(self, _: PreparedRequest) -> Answer:
        self.counts += 1
        return (503, {}, "") if self.is_down else (200, JSON, '{"statuses": []}')


Serve = Callable[[Orders], Orders]


@pytest.fixture
def serve(web: responses.RequestsMock) -> Serve:
    def register(orders: Orders) -> Orders:
        web.add_callback("GET", f"{V2}/orders", orders.answer)
        web.add_callback("GET", f"{V2}/orders/count", orders.count)
        return orders

    return register


def listing(store: BigCommerce, **filters: Any) -> Listing:
    return Listing(store, filters)


def listed(one: Listing, min_id: int = 1) -> tuple[list[int], list[int]]:
    """The ids of all pages, and those that were skipped, as a poll collects them."""
    ids: list[int] = []
    skipped: list[int] = []
    for page, _ in one.pages(min_id):
        ids += ids_of(page)
        skipped += one.unserved
        one.unserved.clear()
    return ids, skipped


def ids_of(page: list[JsonObject]) -> list[int]:
    return [fields["id"] for fields in page]


@pytest.mark.parametrize(
    ("count", "pages"), [(0, 1), (1, 1), (249, 1), (250, 2), (251, 2), (600, 3)]
)
def test_every_order_is_in_one_page(
    serve: Serve, store: BigCommerce, count: int, pages: int
) -> None:
    orders = serve(Orders(range(1, count + 1)))

    assert listed(listing(store)) == (list(range(1, count + 1)), [])
    assert orders.limits == [250] * pages


def test_a_listing_begins_at_an_id_and_names_the_next_one(serve: Serve, store: BigCommerce) -> None:
    serve(Orders(range(1, 301)))

    pages = [(ids_of(page), next_id) for page, next_id in listing(store).pages(40)]

    assert pages == [(list(range(40, 290)), 290), (list(range(290, 301)), 301)]


def test_a_listing_sends_its_filters(
    web: responses.RequestsMock, serve: Serve, store: BigCommerce
) -> None:
    serve(Orders([]))

    listed(listing(store, status_id=11, min_date_modified=None))

    assert "status_id=11" in str(web.calls[0].request.url)
    assert "modified" not in str(web.calls[0].request.url)


FAILURES: dict[str, Answer] = {
    "a server error": (500, {}, ""),
    "a timeout behind the API": (504, {}, ""),
    "a body that is cut short": (200, JSON, '[{"id": 1'),
    "an order without an id": (200, JSON, '[{"status_id": 11}]'),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_an_order_that_cannot_be_served_does_not_hide_the_others(
    serve: Serve, store: BigCommerce, caplog: pytest.LogCaptureFixture, failure: Answer
) -> None:
    serve(Orders(range(1, 601), bad={300}, failure=failure))

    ids, skipped = listed(listing(store))

    assert (ids, skipped) == ([n for n in range(1, 601) if n != 300], [300])
    assert events(caplog).count("order_unserved") == 1


@pytest.mark.parametrize(
    ("ids", "bad"),
    [
        ([7], {7}),
        ([1, 2, 3], {1}),
        ([1, 2, 3], {3}),
        ([1, 2, 3], {1, 2, 3}),
        (range(1, 31), {15, 16, 30}),
        ([5, 1_000_000, 1_000_001], {1_000_000}),
        (range(1, 1000), {250, 251}),
    ],
)
def test_exactly_the_orders_that_cannot_be_served_are_skipped(
    serve: Serve, store: BigCommerce, ids: Iterable[int], bad: set[int]
) -> None:
    serve(Orders(ids, bad))

    assert listed(listing(store)) == ([n for n in ids if n not in bad], sorted(bad))


def test_a_page_is_split_and_grows_again(serve: Serve, store: BigCommerce) -> None:
    orders = serve(Orders(range(1, 301), bad={1}))

    listed(listing(store))

    assert [limit for limit, _ in groupby(orders.limits)] == [250, 15, 1, 16, 250]
    assert orders.counts == 1, "a store that is down would not answer this, either"


def test_a_store_that_is_down_is_an_error_and_no_order_is_skipped(
    serve: Serve, store: BigCommerce
) -> None:
    orders = serve(Orders([1, 2, 3], is_down=True))
    one = listing(store)

    with pytest.raises(Unavailable, match="GET orders/count -> 503"):
        list(one.pages(1))

    assert one.unserved == []
    assert set(orders.limits) == {250}


@pytest.mark.parametrize(("status", "error"), [(401, Unauthorized), (422, Rejected)])
def test_an_error_that_is_not_of_single_orders_is_not_searched_for(
    serve: Serve, store: BigCommerce, status: int, error: type[Exception]
) -> None:
    orders = serve(Orders([1], {1}, failure=(status, JSON, "[]")))

    with pytest.raises(error):
        list(listing(store).pages(1))

    assert set(orders.limits) == {250}


def test_a_listing_skips_ten_orders_at_most(serve: Serve, store: BigCommerce) -> None:
    """More are a problem of the store: a list that always fails would skip every id there is."""
    serve(Orders(range(1, 100), bad=set(range(1, 100))))

    with pytest.raises(Unavailable, match="10 orders cannot be listed"):
        listed(listing(store))


def test_ten_orders_can_be_skipped(serve: Serve, store: BigCommerce) -> None:
    serve(Orders(range(1, 20), bad=set(range(1, MOST_SKIPPED + 1))))

    assert listed(listing(store)) == (list(range(11, 20)), list(range(1, 11)))


def test_a_short_outage_skips_no_order(
    web: responses.RequestsMock, serve: Serve, store: BigCommerce
) -> None:
    """The list fails until the smallest page, and is served while the order is searched."""
    orders = Orders([5, 6])
    for _ in range(5 + 2 + 2):
        web.get(f"{V2}/orders", status=500)
    serve(orders)

    assert listed(listing(store)) == ([5, 6], [])


@pytest.mark.parametrize("seconds", [59.9, 0.0])
def test_no_page_is_requested_without_time_for_it(
    serve: Serve, store: BigCommerce, clock: FakeClock, seconds: float
) -> None:
    orders = serve(Orders(range(1, 600)))
    pages = listing(store.within(clock.time() + 60)).pages(1)

    assert next(pages)[1] == 251
    clock.sleep(60 - seconds)
    with pytest.raises(OutOfTime):
        next(pages)
    assert len(orders.limits) == 1


def test_an_answer_that_does_not_advance_is_an_error(
    web: responses.RequestsMock, store: BigCommerce
) -> None:
    web.get(f"{V2}/orders", json=[order_fields(2), order_fields(1)])
    web.get(f"{V2}/orders/count", status=503)

    with pytest.raises((Unavailable, MalformedResponse)):
        list(listing(store).pages(1))
