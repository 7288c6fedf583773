"""Setting the status of an order: what is sent, and what is known of its effect."""

from typing import Any, ClassVar

import pytest
import requests
import responses
from responses import matchers

from chalicelib.edges.bigcommerce import (
    BigCommerce,
    MalformedResponse,
    Rejected,
    StoreError,
    TooLate,
    Unavailable,
)
from chalicelib.edges.pacing import OutOfTime
from ops.store import may_modify
from tests.factories import V2, FakeClock, at, line, order_fields, store_date
from tests.integration.store_answers import HTML, LOST, NOT_FOUND, Make, url

EMPTY_WINDOW = {
    "X-Rate-Limit-Requests-Left": "2",
    "X-Rate-Limit-Requests-Quota": "150",
    "X-Rate-Limit-Time-Reset-Ms": "8000",
}


class TestOutcomeOfAMove:
    def test_a_move_returns_the_order_as_the_store_has_it_now(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        after = order_fields(
            status_id=9, status="Awaiting Shipment", date_modified=store_date(at(3))
        )
        web.put(f"{V2}/orders/118", json=after)

        answer = store.set_status(118, 9)

        assert (answer.status_id, answer.version) == (9, int(at(3).timestamp()))
        assert answer.fields == after

    def test_an_order_that_is_gone_is_not_taken_for_one_that_is_not_found(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.put(f"{V2}/orders/118", status=404, json=NOT_FOUND)

        with pytest.raises(Rejected) as failure:
            store.set_status(118, 9)

        assert failure.value.effect_unknown is False

    CONFLICT: ClassVar[Any] = dict(status=409, json=[{"status": 409}])

    @pytest.mark.parametrize(
        "first",
        [
            {"body": LOST},
            {"body": requests.ReadTimeout()},
            {"status": 500},
            {"status": 502},
            {"status": 504},
            {"status": 408},
            {"status": 524},
            HTML,
            {"json": order_fields(999)},
            {"json": order_fields(status_id=11)},
            {"json": order_fields(status_id=9, date_modified="")},
            {"json": [order_fields(status_id=9)]},
            {"status": 204},
        ],
    )
    def test_a_try_whose_outcome_is_unknown_is_not_retried(
        self, web: responses.RequestsMock, store: BigCommerce, first: dict[str, Any]
    ) -> None:
        """It may have taken effect; a second one could overrule a person who changed the status."""
        web.put(f"{V2}/orders/118", **first)

        with pytest.raises(StoreError) as failure:
            store.set_status(118, 9)

        assert len(web.calls) == 1
        assert failure.value.effect_unknown is True

    @pytest.mark.parametrize(
        "first",
        [
            {"status": 429},
            {"status": 503},
            {"status": 401},
            {"body": requests.exceptions.ConnectTimeout()},
        ],
    )
    @pytest.mark.parametrize("then", [CONFLICT, {"status": 403}, {"status": 503}])
    def test_the_outcome_is_known_when_every_try_was_rejected(
        self,
        web: responses.RequestsMock,
        store: BigCommerce,
        first: dict[str, Any],
        then: dict[str, Any],
    ) -> None:
        web.put(f"{V2}/orders/118", **first)
        web.put(f"{V2}/orders/118", **then)

        with pytest.raises(StoreError) as failure:
            store.set_status(118, 9)

        assert failure.value.effect_unknown is False

    def test_the_outcome_of_a_read_is_never_unknown(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118", body=LOST)

        with pytest.raises(Unavailable) as failure:
            store.order(118)

        assert failure.value.effect_unknown is False

    @pytest.mark.parametrize(
        ("first", "unknown"), [({"body": LOST}, True), ({"status": 503}, False)]
    )
    def test_running_out_of_time_keeps_the_outcome_unknown(
        self,
        web: responses.RequestsMock,
        make: Make,
        clock: FakeClock,
        first: dict[str, Any],
        unknown: bool,
    ) -> None:
        web.put(f"{V2}/orders/118", **first)
        web.put(f"{V2}/orders/118", status=429, headers={"X-Rate-Limit-Time-Reset-Ms": "29000"})

        with pytest.raises(Unavailable) as late:
            make(deadline=clock.time() + 30).set_status(118, 9)

        assert late.value.effect_unknown is unknown


class TestTime:
    def test_a_wait_longer_than_the_remaining_time_is_not_begun(
        self, web: responses.RequestsMock, make: Make, clock: FakeClock
    ) -> None:
        web.get(f"{V2}/orders/118", status=429, headers={"X-Rate-Limit-Time-Reset-Ms": "15000"})

        with pytest.raises(OutOfTime, match="15 s to wait, 19 s left"):
            make(deadline=clock.time() + 19).order(118)

        assert (len(web.calls), clock.sleeps) == (1, [])

    def test_a_503_with_too_long_a_wait_does_not_end_the_batch(
        self, web: responses.RequestsMock, make: Make, clock: FakeClock
    ) -> None:
        web.get(f"{V2}/orders/118", status=503, headers={"X-Retry-After": "600"})

        with pytest.raises(Unavailable):
            make(deadline=clock.time() + 170).order(118)

        assert (len(web.calls), clock.sleeps) == (1, [])

    def test_a_move_is_not_retried_once_the_read_of_the_order_is_too_old(
        self, web: responses.RequestsMock, make: Make, clock: FakeClock
    ) -> None:
        """The first try takes effect, and its answer is lost after half a minute."""

        def lost(_: object) -> tuple[int, dict[str, str], str]:
            clock.sleep(30)
            raise LOST

        web.add_callback("PUT", f"{V2}/orders/118", callback=lost)

        with pytest.raises(StoreError) as late:
            make(deadline=clock.time() + 170).set_status(118, 9, fresh_until=clock.time() + 20)

        assert len(web.calls) == 1
        assert late.value.effect_unknown is True

    def test_an_order_whose_read_is_too_old_is_not_moved(
        self, web: responses.RequestsMock, make: Make, clock: FakeClock
    ) -> None:
        with pytest.raises(TooLate) as late:
            make(deadline=clock.time() + 170).set_status(118, 9, fresh_until=clock.time() - 1)

        assert len(web.calls) == 0
        assert late.value.effect_unknown is False

    def test_no_request_is_sent_in_the_last_seconds(
        self, web: responses.RequestsMock, make: Make, clock: FakeClock
    ) -> None:
        with pytest.raises(OutOfTime):
            make(deadline=clock.time() + 9).order(118)

        assert len(web.calls) == 0

    @pytest.mark.parametrize(("left", "seconds"), [(float("inf"), 30.0), (20.0, 15.0)])
    def test_a_request_times_out_before_the_function_does(
        self,
        web: responses.RequestsMock,
        make: Make,
        clock: FakeClock,
        left: float,
        seconds: float,
    ) -> None:
        web.get(
            f"{V2}/orders/118/products",
            json=[line(weight="0.1")],
            match=[matchers.request_kwargs_matcher({"timeout": (5.0, seconds), "stream": True})],
        )

        store = make(deadline=clock.time() + left)
        assert store.part(118, "products") == [line(weight="0.1")]

    def test_the_next_request_waits_until_an_exhausted_window_ends(
        self, web: responses.RequestsMock, store: BigCommerce, clock: FakeClock
    ) -> None:
        web.get(f"{V2}/orders/118", json=order_fields(), headers=EMPTY_WINDOW)

        store.order(118)
        store.order(118)

        assert clock.sleeps == [8.0]


class TestWhetherTheTokenMayModify:
    @pytest.mark.parametrize("status", [200, 400, 404, 409, 422])
    def test_any_other_answer_of_the_api_means_that_it_may(
        self, web: responses.RequestsMock, store: BigCommerce, status: int
    ) -> None:
        web.put(f"{V2}/orders/0", status=status, json=[])

        assert may_modify(store)

    @pytest.mark.parametrize(("status", "calls"), [(401, 2), (403, 1)])
    def test_an_unauthorized_token_may_not(
        self, web: responses.RequestsMock, store: BigCommerce, status: int, calls: int
    ) -> None:
        web.put(f"{V2}/orders/0", status=status, json={})

        assert not may_modify(store)
        assert len(web.calls) == calls

    @pytest.mark.parametrize("answer", [{"status": 500}, {"status": 429}, {"body": LOST}, HTML])
    def test_an_outage_is_an_error_without_a_retry(
        self, web: responses.RequestsMock, store: BigCommerce, clock: FakeClock, answer: Any
    ) -> None:
        web.put(f"{V2}/orders/0", **answer)

        with pytest.raises((Unavailable, MalformedResponse)):
            may_modify(store)
        assert (len(web.calls), clock.sleeps) == (1, [])

    def test_the_request_names_no_order_and_no_field(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.put(f"{V2}/orders/0", status=404, json=NOT_FOUND)

        may_modify(store)

        assert (url(web), web.calls[0].request.body) == (f"{V2}/orders/0", b"{}")
