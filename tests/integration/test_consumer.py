"""A batch of messages through the handler: each order on its own, failures handed back alone."""

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from chalicelib.domain.models import JsonObject
from chalicelib.edges.dynamodb import OrdersTable
from tests.factories import NOW, at, events, line, message, order_fields, pending, store_date
from tests.integration.conftest import JSON, Service, Shop, Stage, requests_of

HTML = (200, {"Content-Type": "text/html"}, "<html></html>")
DOWN = (503, {}, "")
FAR = range(1000, 7000, 1000)
"""Ids too far from each other to be read together."""


@pytest.fixture
def deliver(stage: Stage, service: Service) -> Callable[..., list[int | str]]:
    """Queues orders, and bodies that are none, and delivers them in one batch, each received
    so often; returns those handed back."""

    def deliver(*orders: int | str, receives: int = 1) -> list[int | str]:
        sent: dict[str, int | str] = {}
        for each in orders:
            body = each if isinstance(each, str) else message(each).model_dump_json()
            answer = stage.sqs.send_message(QueueUrl=stage.queue_url, MessageBody=body)
            sent[answer["MessageId"]] = each
        messages = stage.receive()
        assert len(messages) == len(orders)
        return sorted(
            (sent[m] for m in service.consume(messages, *[receives] * len(messages))), key=str
        )

    return deliver


Deliver = Callable[..., list[int | str]]


def postpone(service: Service) -> list[JsonObject]:
    """The calls that hide messages; ask before a batch is delivered."""
    return requests_of(service.wiring.queue.client, "ChangeMessageVisibilityBatch")


def seconds_of(calls: list[JsonObject]) -> list[int]:
    return [entry["VisibilityTimeout"] for call in calls for entry in call["Entries"]]


class TestAnOrder:
    def test_it_is_stored_whole_and_moved(self, stage: Stage, shop: Shop, deliver: Deliver) -> None:
        shop.place(order_fields(118))

        assert deliver(118) == []

        (item,) = stage.items("orders")
        record = item.pop("replication")
        assert item["products"] == [line(order_id=118)]
        assert [address["order_id"] for address in item["shipping_addresses"]] == [118]
        assert item["coupons"] == []
        assert item["billing_address"] == order_fields()["billing_address"]
        assert (record["moved_at"], record["moved_from"], record["moved_to"]) == (
            NOW.isoformat(),
            11,
            9,
        )
        assert record["source"] == "poll"
        assert shop.orders[118]["status_id"] == 9

    def test_a_second_delivery_changes_nothing(
        self, stage: Stage, shop: Shop, deliver: Deliver
    ) -> None:
        shop.place(order_fields(118))
        deliver(118)
        before = stage.items("orders")

        assert deliver(118) == []

        assert stage.items("orders") == before
        assert shop.asked("PUT") == ["PUT orders/118"]

    def test_it_is_stored_before_it_is_moved(
        self, stage: Stage, shop: Shop, deliver: Deliver
    ) -> None:
        shop.place(order_fields(118))
        seen: list[JsonObject] = []

        def move(_: object) -> tuple[int, dict[str, str], str]:
            seen.extend(stage.items("orders"))
            return (409, JSON, "[]")

        shop.answers["PUT orders/118"] = move
        deliver(118)

        (item,) = seen
        assert item["products"] == [line(order_id=118)]
        assert item["replication"]["move_began_at"] == NOW.isoformat()
        assert "moved_at" not in item["replication"]

    @pytest.mark.parametrize(
        ("answer", "left"),
        [
            ((409, JSON, "[]"), {}),
            (DOWN, {}),
            ((500, {}, ""), {"moved_from": 11, "moved_to": 9}),
            (HTML, {"moved_from": 11, "moved_to": 9}),
        ],
    )
    def test_a_move_that_failed_leaves_what_is_known_of_it(
        self, stage: Stage, shop: Shop, deliver: Deliver, answer: Any, left: JsonObject
    ) -> None:
        shop.place(order_fields(118))
        shop.answers["PUT orders/118"] = answer

        assert deliver(118) == [118]

        (item,) = stage.items("orders")
        record = item["replication"]
        assert {name: record[name] for name in record if name.startswith("move")} == left

    def test_a_move_made_unheard_is_recognised(
        self, stage: Stage, shop: Shop, deliver: Deliver
    ) -> None:
        shop.place(order_fields(118))

        def move_and_hang_up(_: object) -> tuple[int, dict[str, str], str]:
            shop.orders[118] |= {"status_id": 9, "date_modified": store_date(at(1))}
            raise requests.ConnectionError("Connection aborted.")

        shop.answers["PUT orders/118"] = move_and_hang_up
        assert deliver(118) == [118]

        assert deliver(118) == []
        (item,) = stage.items("orders")
        assert item["replication"]["moved_to"] == 9
        assert "moved_at" in item["replication"]
        assert len(shop.asked("PUT")) == 1

    def test_a_person_who_was_quicker_is_not_overruled(
        self, stage: Stage, service: Service, shop: Shop, deliver: Deliver
    ) -> None:
        """What takes longer than a person needs to decide is looked at again before the move."""
        shop.place(order_fields(118))

        def slow(_: object) -> tuple[int, dict[str, str], str]:
            service.clock.pass_by(21)
            shop.orders[118] |= {"status_id": 5, "date_modified": store_date(at(5))}
            return (204, {}, "")

        shop.answers["GET orders/118/coupons"] = slow

        assert deliver(118) == [118]
        assert shop.asked("PUT") == []
        (item,) = stage.items("orders")
        assert "moved_to" not in item["replication"]

    def test_an_order_that_is_not_new_is_let_go(
        self, stage: Stage, shop: Shop, deliver: Deliver
    ) -> None:
        shop.place(order_fields(118, status_id=0), order_fields(119, status_id=10))

        assert deliver(118, 119) == []
        assert stage.items("orders") == []
        assert shop.asked("PUT") == []
        assert shop.log == ["GET orders"], "none of its lists is asked for"

    def test_a_completed_order_whose_lines_are_shipped_is_let_go_once_they_are_known(
        self, stage: Stage, shop: Shop, deliver: Deliver
    ) -> None:
        shop.place(order_fields(118, status_id=10, order_is_digital=True))

        assert deliver(118) == []
        assert stage.items("orders") == []
        assert shop.orders[118]["status_id"] == 10

    def test_what_the_order_says_cannot_exist_is_not_asked_for(
        self, stage: Stage, shop: Shop, deliver: Deliver
    ) -> None:
        shop.place(order_fields(118, shipping_address_count=0))
        shop.products[118] = [line(type="digital")]

        assert deliver(118) == []
        assert shop.asked("GET orders/118/shipping_addresses") == []
        (item,) = stage.items("orders")
        assert item["shipping_addresses"] == []
        assert shop.orders[118]["status_id"] == 8

    @pytest.mark.parametrize(("lean", "asked"), [("false", 1), ("true", 0)])
    def test_coupons_of_an_order_without_a_discount_are_asked_for_unless_told_otherwise(
        self,
        stage: Stage,
        shop: Shop,
        deliver: Deliver,
        monkeypatch: pytest.MonkeyPatch,
        lean: str,
        asked: int,
    ) -> None:
        monkeypatch.setenv("SKIP_COUPONS_WITHOUT_DISCOUNT", lean)
        shop.place(order_fields(118, coupon_discount="0.0000", discount_amount="0.0000"))

        assert deliver(118) == []
        assert len(shop.asked("GET orders/118/coupons")) == asked
        (item,) = stage.items("orders")
        assert item["coupons"] == []

    def test_redacted_fields_are_not_stored(
        self, stage: Stage, shop: Shop, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REDACTED_FIELDS", "ip_address,shipping_addresses.email")
        shop.place(order_fields(118))

        deliver(118)

        (item,) = stage.items("orders")
        assert "ip_address" not in item
        assert "email" not in item["shipping_addresses"][0]
        assert "phone" in item["shipping_addresses"][0]

    def test_nothing_is_moved_when_that_is_not_wanted(
        self, stage: Stage, shop: Shop, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MOVE_STATUS", "false")
        shop.place(order_fields(118))

        assert deliver(118) == []
        assert shop.asked("PUT") == []
        assert [item["id"] for item in stage.items("orders")] == [118]


class TestABatch:
    def test_neighbours_are_read_in_one_call_and_strangers_alone(
        self, shop: Shop, deliver: Deliver
    ) -> None:
        shop.place(*(order_fields(n) for n in (118, 119, 200, 5000)))

        assert deliver(118, 119, 200, 5000) == []

        reads = [asked for asked in shop.log if asked.count("/") < 2 and asked.startswith("GET")]
        assert sorted(reads) == ["GET orders", "GET orders/5000"]

    def test_a_page_that_fails_is_read_order_by_order(self, shop: Shop, deliver: Deliver) -> None:
        shop.place(order_fields(118), order_fields(119))
        shop.answers["GET orders"] = HTML

        assert deliver(118, 119) == []
        assert {order["status_id"] for order in shop.orders.values()} == {9}

    def test_an_order_that_a_page_left_out_is_read_alone(
        self, shop: Shop, deliver: Deliver
    ) -> None:
        shop.place(order_fields(118), order_fields(119))
        shop.answers["GET orders"] = (204, {}, "")

        assert deliver(118, 119) == []
        assert {order["status_id"] for order in shop.orders.values()} == {9}

    def test_two_messages_for_one_order_replicate_it_once(
        self, service: Service, shop: Shop, deliver: Deliver
    ) -> None:
        shop.place(order_fields(118))
        puts = requests_of(service.wiring.dynamodb, "PutItem")

        assert deliver(118, 118) == []

        assert len(puts) == 1
        assert shop.asked("GET orders/118/products") == ["GET orders/118/products"]
        assert shop.asked("PUT") == ["PUT orders/118"]

    def test_two_messages_for_one_order_share_its_failure(
        self, shop: Shop, deliver: Deliver
    ) -> None:
        shop.place(order_fields(118))
        shop.answers["GET orders/118/products"] = HTML

        assert deliver(118, 118) == [118, 118]

    @pytest.mark.parametrize(("first", "second"), [("webhook", "poll"), ("poll", "webhook")])
    def test_of_two_messages_for_one_order_the_first_says_where_it_came_from(
        self, stage: Stage, shop: Shop, deliver: Deliver, first: str, second: str
    ) -> None:
        shop.place(order_fields(118))

        deliver(*(message(118, source=door).model_dump_json() for door in (first, second)))

        (item,) = stage.items("orders")
        assert item["replication"]["source"] == first

    @pytest.mark.parametrize("receives", [(1, 5), (5, 1)])
    def test_of_two_messages_for_one_order_the_older_decides(
        self, stage: Stage, service: Service, shop: Shop, receives: tuple[int, int]
    ) -> None:
        for _ in receives:
            body = message(118).model_dump_json()
            stage.sqs.send_message(QueueUrl=stage.queue_url, MessageBody=body)

        assert service.consume(stage.receive(), *receives) == [], "not found for the fifth time"

    @pytest.mark.parametrize("receives", [1, 7])
    def test_a_message_that_is_not_ours_is_handed_back_alone(
        self, service: Service, shop: Shop, deliver: Deliver, receives: int
    ) -> None:
        shop.place(order_fields(118), order_fields(119))
        calls = postpone(service)

        assert deliver(118, "not ours", 119, receives=receives) == ["not ours"]

        assert seconds_of(calls) == [30]
        assert {order["status_id"] for order in shop.orders.values()} == {9}

    def test_a_batch_without_a_message_of_ours_asks_for_nothing(
        self, shop: Shop, deliver: Deliver
    ) -> None:
        assert deliver("{}", "[]") == ["[]", "{}"]
        assert shop.log == []

    @pytest.mark.parametrize(
        "trouble",
        [
            {"GET orders/119/products": HTML},
            {"GET orders/119/shipping_addresses": DOWN},
            {"GET orders/119/coupons": (422, JSON, "[]")},
            {"PUT orders/119": (409, JSON, "[]")},
            {"GET orders/119/products": (200, JSON, '[{"id": 1, "weight": 1E400}]')},
        ],
    )
    def test_one_bad_order_does_not_delay_its_batch(
        self, stage: Stage, shop: Shop, deliver: Deliver, trouble: JsonObject
    ) -> None:
        shop.place(*(order_fields(n) for n in (118, 119, 120, 121)))
        shop.answers |= trouble

        assert deliver(118, 119, 120, 121) == [119]

        moved = [item["id"] for item in stage.items("orders") if "moved_at" in item["replication"]]
        assert sorted(moved) == [118, 120, 121]
        assert stage.mail() == []

    def test_an_unreadable_order_does_not_delay_its_batch(
        self, shop: Shop, deliver: Deliver
    ) -> None:
        shop.place(order_fields(118), order_fields(119, date_created=""), order_fields(120))

        assert deliver(118, 119, 120) == [119]

    @pytest.mark.parametrize(("receives", "seconds"), [(1, 30), (3, 120), (8, 3600), (20, 3600)])
    def test_a_failed_order_comes_back_later_with_every_receive(
        self, service: Service, shop: Shop, deliver: Deliver, receives: int, seconds: int
    ) -> None:
        shop.place(order_fields(118))
        shop.answers["GET orders/118/products"] = DOWN
        calls = postpone(service)

        deliver(118, receives=receives)

        assert seconds_of(calls) == [seconds]

    def test_an_order_that_fits_no_item_reaches_people_within_minutes(
        self, service: Service, shop: Shop, deliver: Deliver
    ) -> None:
        shop.place(order_fields(118, staff_notes="x" * 500_000))
        calls = postpone(service)

        assert deliver(118, receives=9) == [118]
        assert seconds_of(calls) == [30]

    @pytest.mark.parametrize(("receives", "back"), [(1, [118]), (4, [118]), (5, []), (6, [])])
    def test_an_order_that_is_not_found_is_let_go_at_the_fifth_receive(
        self, shop: Shop, deliver: Deliver, receives: int, back: list[int]
    ) -> None:
        shop.place(order_fields(119))

        assert deliver(118, 119, receives=receives) == back

    def test_a_404_that_is_not_the_apis_is_never_taken_for_a_lost_order(
        self, shop: Shop, deliver: Deliver
    ) -> None:
        shop.answers["GET orders/118"] = (404, {"Content-Type": "text/html"}, "<html></html>")

        assert deliver(118, receives=19) == [118]

    def test_messages_that_cannot_be_put_off_are_handed_back_all_the_same(
        self, stage: Stage, service: Service, shop: Shop
    ) -> None:
        stage.sqs.send_message(QueueUrl=stage.queue_url, MessageBody="not ours")
        (received,) = stage.receive()
        stage.sqs.delete_queue(QueueUrl=stage.queue_url)

        assert service.consume([received]) == [received["MessageId"]]

    def test_a_table_out_of_order_hands_everything_back(
        self, stage: Stage, shop: Shop, deliver: Deliver
    ) -> None:
        shop.place(order_fields(118), order_fields(119))
        stage.dynamodb.delete_table(TableName="orders")

        assert deliver(118, 119) == [118, 119]
        assert shop.asked("PUT") == []

    @pytest.mark.parametrize(
        ("answer", "is_traced"), [((409, JSON, "[]"), True), ((500, {}, ""), True), (None, False)]
    )
    def test_only_a_fault_is_logged_with_its_traceback(
        self,
        stage: Stage,
        service: Service,
        shop: Shop,
        deliver: Deliver,
        caplog: pytest.LogCaptureFixture,
        answer: Any,
        is_traced: bool,
    ) -> None:
        """Another delivery that is busy with the order is none."""
        shop.place(order_fields(118))
        if answer:
            shop.answers["PUT orders/118"] = answer
        else:
            table = OrdersTable(stage.dynamodb, "orders", service.clock)
            table.put(order_fields(118), pending(), None)

        assert deliver(118) == [118]

        (told,) = [r for r in caplog.records if getattr(r, "event", "") == "order_returned"]
        assert bool(told.exc_info) == is_traced


class TestAStoreThatIsDown:
    @pytest.fixture(autouse=True)
    def one_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """So that what comes after the first trouble is seen not to be tried."""
        monkeypatch.setenv("MAX_IN_FLIGHT", "1")

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_dead_token_gives_the_batch_back_at_once_with_one_alert(
        self, stage: Stage, service: Service, shop: Shop, deliver: Deliver, status: int
    ) -> None:
        for order_id in FAR:
            shop.answers[f"GET orders/{order_id}"] = (status, JSON, "[]")
        calls = postpone(service)

        assert deliver(*FAR, receives=2) == list(FAR)

        assert len(shop.log) == (2 if status == 401 else 1), "a 401 alone is asked once more"
        assert seconds_of(calls) == [60] * len(FAR)
        (mail,) = stage.mail()
        assert mail["Subject"] == "order-replication test: BigCommerce refuses the access token"
        assert re.search(rf"^error: GET orders/\d000 -> {status}$", mail["Message"], re.MULTILINE)
        assert "the-access-token" not in mail["Message"]

    def test_a_dead_token_is_found_out_by_the_first_read_of_a_page(
        self, stage: Stage, shop: Shop, deliver: Deliver
    ) -> None:
        shop.answers["GET orders"] = (403, JSON, "[]")

        assert deliver(118, 119, 5000, 5001) == [118, 119, 5000, 5001]
        assert shop.log == ["GET orders"]
        assert len(stage.mail()) == 1

    def test_a_dead_token_is_one_alert_in_15_minutes(
        self, stage: Stage, service: Service, shop: Shop, deliver: Deliver
    ) -> None:
        shop.answers["GET orders/1000"] = (403, JSON, "[]")

        for lapse, mails in [(0, 1), (600, 0), (300, 1)]:
            service.clock.pass_by(lapse)
            assert deliver(1000) == [1000]
            assert len(stage.mail()) == mails

    def test_a_dead_token_gives_the_batch_back_even_when_the_alert_cannot_be_sent(
        self, stage: Stage, shop: Shop, deliver: Deliver
    ) -> None:
        stage.sns.delete_topic(TopicArn=stage.topic_arn)
        shop.answers["GET orders/1000"] = (403, JSON, "[]")

        assert deliver(1000, 2000) == [1000, 2000]

    def test_a_token_without_the_right_to_write_is_a_dead_one(
        self, stage: Stage, shop: Shop, deliver: Deliver
    ) -> None:
        shop.place(*(order_fields(n) for n in FAR))
        shop.answers |= {f"PUT orders/{n}": (403, JSON, "[]") for n in FAR}

        assert deliver(*FAR) == list(FAR)
        assert len(shop.asked("PUT")) == 1
        assert len(stage.mail()) == 1
        (item,) = stage.items("orders")
        assert "moved_to" not in item["replication"], "the next delivery may move it"

    def test_three_orders_in_a_row_that_find_it_unavailable_stop_the_batch(
        self, stage: Stage, shop: Shop, deliver: Deliver
    ) -> None:
        for order_id in FAR:
            shop.answers[f"GET orders/{order_id}"] = DOWN

        assert deliver(*FAR) == list(FAR)

        assert len(shop.log) == 15, "five tries for each of three orders"
        assert stage.mail() == [], "an outage is the store's own affair"

    @pytest.mark.parametrize(
        "between",
        [None, (404, JSON, "[]"), (422, JSON, "[]"), HTML],
        ids=["replicated", "not found", "rejected", "bad answer"],
    )
    def test_an_order_that_is_answered_in_between_lets_the_batch_go_on(
        self, shop: Shop, deliver: Deliver, between: Any
    ) -> None:
        first, second, middle, fourth, last = FAR[:5]
        for order_id in (first, second, fourth, last):
            shop.answers[f"GET orders/{order_id}"] = DOWN
        shop.place(order_fields(middle))
        if between:
            shop.answers[f"GET orders/{middle}"] = between

        deliver(*FAR[:5])

        assert {f"GET orders/{n}" for n in FAR[:5]} <= set(shop.log)

    def test_three_orders_that_ask_for_too_long_a_wait_give_the_batch_back(
        self, shop: Shop, deliver: Deliver
    ) -> None:
        for order_id in FAR:
            shop.answers[f"GET orders/{order_id}"] = (429, {"X-Retry-After": "600"}, "")

        assert deliver(*FAR) == list(FAR)
        assert 3 <= len(shop.log) <= len(FAR)


def test_a_dead_token_that_several_orders_find_at_once_is_one_alert(
    stage: Stage, shop: Shop, deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    together = threading.Barrier(3, timeout=60)

    def refuse(_: object) -> tuple[int, dict[str, str], str]:
        together.wait()
        return (403, JSON, "[]")

    shop.answers |= {f"GET orders/{n}": refuse for n in FAR[:3]}

    assert deliver(*FAR[:3]) == list(FAR[:3])
    assert events(caplog).count("access_token_refused") == 1
    assert len(stage.mail()) == 1


def test_nothing_of_an_order_is_logged_whatever_happens_to_it(
    stage: Stage, shop: Shop, deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "chalicelib")
    shop.place(
        order_fields(118),
        order_fields(119, status_id=5),
        order_fields(120, status_id="Jane Doe"),
        order_fields(121, staff_notes="Jane Doe " * 60_000),
        order_fields(122),
    )
    shop.answers["PUT orders/122"] = (500, JSON, '[{"message": "Jane Doe"}]')
    shop.answers["GET orders/123"] = (200, JSON, '{"id": 124, "first_name": "Jane"}')

    assert deliver(118, 119, 120, 121, 122, 123, "Jane Doe") == [120, 121, 122, 123, "Jane Doe"]

    told = caplog.text + str([vars(record) for record in caplog.records])
    assert "order_replicated" in told
    for secret in ("Jane", "jane", "192.0.2.10", "Example Avenue", "555 0100", "the-access-token"):
        assert secret not in told
