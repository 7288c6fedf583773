"""Polls through the handler: what they list, what they queue, how they go on."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.domain.models import JsonObject
from chalicelib.edges.bigcommerce import Unavailable
from chalicelib.edges.dynamodb import JobsTable, OrdersTable
from tests.factories import (
    NOW,
    SINCE,
    STORE_HASH,
    at,
    moved,
    order_fields,
    pending,
    record,
    store_date,
)
from tests.integration.conftest import JSON, Service, Shop, Stage


def job_of(stage: Stage) -> JsonObject:
    """The item of the last poll."""
    return max(stage.items("jobs"), key=lambda job: str(job["started_at"]))


def listings(shop: Shop) -> list[JsonObject]:
    """The parameters of every page that was asked for."""
    urls = [urlsplit(str(call.request.url)) for call in shop.web.calls]
    return [
        {name: values[0] for name, values in parse_qs(url.query).items()}
        for url in urls
        if url.path.endswith("/orders")
    ]


def queued(stage: Stage) -> list[int]:
    found = []
    while messages := stage.queued():
        found += [message["order_id"] for message in messages]
    return sorted(found)


def test_the_first_poll_queues_everything_that_is_new(
    stage: Stage, service: Service, shop: Shop
) -> None:
    shop.place(
        order_fields(1, status_id=11),
        order_fields(2, status_id=7),
        order_fields(3, status_id=10, order_is_digital=True),
        order_fields(4, status_id=10),
        order_fields(5, status_id=0),
        order_fields(6, status_id=11, is_deleted=True),
        order_fields(7, status_id=11, date_created=store_date(SINCE - timedelta(seconds=1))),
    )

    service.poll()

    assert queued(stage) == [1, 2, 3]
    job = job_of(stage)
    assert (job["mode"], job["outcome"]) == ("sweep", "succeeded")
    assert (job["listed"], job["queued"], job["already_replicated"]) == (6, 3, 0)
    assert job["counts"] == {"7": 0, "10": 0, "11": 7}
    assert job["requests"] == 4
    assert "cursor" not in job
    assert "since" not in job


def test_a_listing_goes_on_by_id_and_not_by_page(
    stage: Stage, service: Service, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEW_STATUS_IDS", "11")
    # Deleted ones fill a page and are not queued.
    shop.place(*(order_fields(n, is_deleted=True) for n in range(1, 251)), order_fields(300))

    service.poll()

    assert [page["min_id"] for page in listings(shop)] == ["1", "251"]
    assert queued(stage) == [300]


def test_what_was_moved_is_not_queued_again(stage: Stage, service: Service, shop: Shop) -> None:
    table = OrdersTable(stage.dynamodb, "orders", service.clock)
    for order_id, kept in ((1, moved()), (2, pending()), (3, record())):
        shop.place(order_fields(order_id))
        table.put(order_fields(order_id), kept, None)

    service.poll()

    assert queued(stage) == [2, 3]
    assert job_of(stage)["already_replicated"] == 1


def test_the_next_poll_asks_for_changes_since_the_last(
    stage: Stage, service: Service, shop: Shop
) -> None:
    service.poll()
    service.clock.pass_by(7200)

    service.poll()

    job = job_of(stage)
    assert job["mode"] == "changes"
    assert [page.get("min_date_modified") for page in listings(shop)] == [None] * 3 + [
        at(-300).isoformat()
    ] * 3


def test_a_sweep_comes_again_after_its_hours(stage: Stage, service: Service, shop: Shop) -> None:
    for _ in range(13):
        service.poll()
        service.clock.pass_by(7200)

    modes = [job["mode"] for job in sorted(stage.items("jobs"), key=lambda job: job["started_at"])]
    # The sweep of 24 hours ago still counts when the thirteenth poll looks back.
    assert modes == ["sweep", *["changes"] * 12]
    service.poll()
    assert job_of(stage)["mode"] == "sweep"


def test_a_poll_that_runs_out_of_time_is_gone_on_with_by_the_next(
    stage: Stage, service: Service, shop: Shop
) -> None:
    shop.place(*(order_fields(n, status_id=7) for n in (2, 3)), order_fields(4, status_id=11))

    def slow(request: Any) -> tuple[int, dict[str, str], str]:
        """The page of status 7 takes nearly all the time there is."""
        status_id = int(request.params["status_id"])
        service.clock.pass_by(845 if status_id == 7 else 0)
        page = [order for order in shop.orders.values() if order["status_id"] == status_id]
        return 200, JSON, json.dumps(page)

    shop.answers["GET orders"] = slow
    service.poll()

    assert queued(stage) == [2, 3, 4]
    job = job_of(stage)
    assert job["outcome"] == "stopped"
    assert job["cursor"] == {"status_id": 7, "min_id": 4}
    assert stage.mail() == [], "stopping in time is no failure"

    del shop.answers["GET orders"]
    shop.place(order_fields(5, status_id=7))
    service.clock.pass_by(60)
    service.poll()

    assert queued(stage) == [5]
    assert job_of(stage)["outcome"] == "succeeded"
    assert job_of(stage)["began_at"] == NOW.isoformat()
    assert [(page["status_id"], page["min_id"]) for page in listings(shop)] == [
        ("11", "1"),
        ("7", "1"),
        ("7", "4"),
        ("10", "1"),
    ]


def test_a_poll_that_fails_says_so_and_gives_the_lease_back(
    stage: Stage, service: Service, shop: Shop
) -> None:
    shop.answers["GET orders"] = (503, {}, "")
    with pytest.raises(Unavailable):
        service.poll()

    job = job_of(stage)
    assert (job["outcome"], job["error"]) == ("failed", "Unavailable: GET orders -> 503")
    assert "finished_at" in job

    del shop.answers["GET orders"]
    service.clock.pass_by(1)
    service.poll()
    assert job_of(stage)["outcome"] == "succeeded"


def test_two_polls_never_run_at_once(stage: Stage, service: Service, shop: Shop) -> None:
    jobs = JobsTable(stage.dynamodb, "jobs", STORE_HASH, timedelta(days=90), service.clock)

    with jobs.lease("another", 960):
        service.poll()

    assert shop.log == []
    assert stage.items("jobs") == []


def test_a_poll_holds_the_lease_a_minute_longer_than_it_may_run(
    stage: Stage, service: Service, shop: Shop
) -> None:
    held: list[JsonObject] = []

    def look(_: object) -> tuple[int, dict[str, str], str]:
        held.extend(job for job in stage.items("jobs") if job["started_at"] == "lease")
        return 200, JSON, '{"statuses": []}'

    shop.answers["GET orders/count"] = look
    service.poll(seconds=900)

    assert held[0]["held_until"] == int(at(960).timestamp())
    assert [job["started_at"] for job in stage.items("jobs")] == [NOW.isoformat()]


def test_an_unreadable_order_is_queued_for_the_consumer_to_complain_about(
    stage: Stage, service: Service, shop: Shop
) -> None:
    shop.place(order_fields(1), order_fields(2, date_modified=""), order_fields(3))

    service.poll()

    assert queued(stage) == [1, 2, 3]
    assert job_of(stage)["outcome"] == "succeeded"


def test_an_order_with_an_absurd_date_does_not_end_the_poll(
    stage: Stage, service: Service, shop: Shop
) -> None:
    absurd = "Mon, 06 May 99999999999999999999 07:27:05 +0000"
    shop.place(order_fields(1), order_fields(2, date_modified=absurd), order_fields(3))

    service.poll()

    assert queued(stage) == [1, 2, 3]


def test_without_moving_only_news_is_queued(
    stage: Stage, service: Service, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOVE_STATUS", "false")
    table = OrdersTable(stage.dynamodb, "orders", service.clock)
    for order_id, kept in ((1, record()), (2, record(version=1))):
        shop.place(order_fields(order_id))
        table.put(order_fields(order_id), kept, None)

    service.poll()

    assert queued(stage) == [2]
