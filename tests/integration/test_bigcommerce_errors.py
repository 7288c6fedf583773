"""Answers of the store that are no success: errors, retries, and the time they take."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
import requests
import responses

from chalicelib.edges.bigcommerce import (
    BigCommerce,
    Blocked,
    MalformedResponse,
    NotFound,
    Rejected,
    StoreError,
    Unauthorized,
    Unavailable,
)
from chalicelib.edges.ssm import Secret
from tests.factories import NOW, V2, FakeClock, FakeSecret, line, order_fields
from tests.integration.conftest import Stage
from tests.integration.store_answers import (
    FORBIDDEN,
    HTML,
    LOST,
    NOT_FOUND,
    TOKEN,
    Make,
    assert_waits_grew,
)


def read_order(store: BigCommerce) -> object:
    return store.order(118)


def read_page(store: BigCommerce) -> object:
    return store.list_orders(118)


def read_products(store: BigCommerce) -> object:
    return store.part(118, "products")


def read_counts(store: BigCommerce) -> object:
    return store.counts()


Read = Callable[[BigCommerce], object]
PATHS: dict[Read, str] = {
    read_order: "orders/118",
    read_page: "orders",
    read_products: "orders/118/products",
    read_counts: "orders/count",
}


class TestBadAnswers:
    @pytest.mark.parametrize("read", PATHS)
    @pytest.mark.parametrize(
        "answer",
        [
            HTML,
            {**HTML, "status": 404},
            {**HTML, "status": 400},
            {"body": '{"id": 118, "status_id', "content_type": "application/json"},
            {"body": "", "content_type": "application/json"},
            {"json": None},
            {"json": "118"},
            {"json": order_fields(), "status": 206},
            {"body": "[" * 100_000, "content_type": "application/json"},
        ],
    )
    def test_an_answer_that_is_not_json_is_an_error_and_not_an_empty_result(
        self,
        web: responses.RequestsMock,
        store: BigCommerce,
        clock: FakeClock,
        read: Read,
        answer: dict[str, Any],
    ) -> None:
        web.get(f"{V2}/{PATHS[read]}", **answer)

        with pytest.raises(MalformedResponse, match=f"^GET {PATHS[read]} -> "):
            read(store)

        assert len(web.calls) == 5
        assert_waits_grew(clock.sleeps)

    @pytest.mark.parametrize(
        ("read", "content"),
        [
            (read_order, [order_fields()]),
            (read_order, order_fields(119)),
            (read_order, {"status_id": 11}),
            (read_page, {"orders": []}),
            (read_page, order_fields()),
            (read_page, [order_fields(), None]),
            (read_page, [order_fields(), 119]),
            (read_page, [{"status_id": 11}]),
            (read_page, [{**order_fields(), "id": "118"}]),
            (read_page, [{**order_fields(), "id": True}]),
            (read_page, [order_fields(119), order_fields(118)]),
            (read_page, [order_fields(118), order_fields(118)]),
            (read_page, [order_fields(117), order_fields(118)]),
            (read_products, {"id": 65}),
            (read_products, [None]),
            (read_products, [{"name": "a line without an id"}]),
            (read_products, [line(), line(order_id=119)]),
            (read_products, [line(order_id="118")]),
            (read_counts, {"count": 133}),
            (read_counts, []),
            (read_counts, {"statuses": [None]}),
        ],
    )
    def test_an_answer_of_another_shape_is_retried_and_then_an_error(
        self,
        web: responses.RequestsMock,
        store: BigCommerce,
        read: Read,
        content: Any,
    ) -> None:
        web.get(
            f"{V2}/{PATHS[read]}",
            body=json.dumps(content, default=float),
            content_type="application/json",
        )

        with pytest.raises(MalformedResponse):
            read(store)

        assert len(web.calls) == 5

    @pytest.mark.parametrize(
        ("content", "title", "fields"),
        [
            ([{"status": 409, "message": "customer jane.doe@private.example is on hold"}], "", []),
            (
                {
                    "title": "The status is not valid.",
                    "errors": {"billing_address.email": "jane.doe@private.example is invalid"},
                },
                "The status is not valid.",
                ["billing_address.email"],
            ),
            ([], "", []),
            ({"errors": ["jane.doe@private.example"]}, "", []),
        ],
    )
    def test_of_a_rejection_only_its_title_and_fields_are_logged(
        self,
        web: responses.RequestsMock,
        store: BigCommerce,
        caplog: pytest.LogCaptureFixture,
        content: Any,
        title: str,
        fields: list[str],
    ) -> None:
        """Its other texts may repeat the customer's data."""
        web.get(f"{V2}/orders/118/products", json=content, status=409)

        with pytest.raises(Rejected) as rejected:
            store.part(118, "products")

        (record,) = [each for each in caplog.records if "request_rejected" in vars(each).values()]
        assert (vars(record)["title"], vars(record)["fields"]) == (title, fields)
        assert "jane.doe" not in str(vars(record)) + str(rejected.value)

    def test_an_order_without_content_is_a_malformed_response(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118", status=204)

        with pytest.raises(MalformedResponse):
            store.order(118)

    def test_a_malformed_answer_is_retried(
        self, web: responses.RequestsMock, store: BigCommerce, clock: FakeClock
    ) -> None:
        web.get(f"{V2}/orders/118", **HTML)
        web.get(f"{V2}/orders/118", json=order_fields())

        assert store.order(118).fields == order_fields()
        assert len(clock.sleeps) == 1


class TestRejections:
    def test_a_401_is_retried_once_with_a_renewed_token(
        self, web: responses.RequestsMock, make: Make, clock: FakeClock
    ) -> None:
        web.get(f"{V2}/orders/118", status=401)
        web.get(f"{V2}/orders/118", json=order_fields())

        assert make(FakeSecret("old", "new")).order(118).fields == order_fields()
        assert [call.request.headers["X-Auth-Token"] for call in web.calls] == ["old", "new"]
        assert clock.sleeps == []

    def test_a_rotated_token_is_read_from_ssm(
        self, stage: Stage, web: responses.RequestsMock, make: Make, clock: FakeClock
    ) -> None:
        secret = Secret(stage.ssm, stage.parameter("access_token"), clock)
        assert secret.value() == "the-access-token"
        stage.set_parameter("access_token", "the-next-token")
        clock.advance(3600)
        web.get(f"{V2}/orders/118", status=401)
        web.get(f"{V2}/orders/118", json=order_fields())

        make(secret).order(118)

        assert web.calls[1].request.headers["X-Auth-Token"] == "the-next-token"

    def test_a_second_401_is_unauthorized(
        self, web: responses.RequestsMock, make: Make, clock: FakeClock
    ) -> None:
        secret = FakeSecret("old", "new", "newer")
        web.get(f"{V2}/orders/118", status=401)

        with pytest.raises(Unauthorized, match=r"^GET orders/118 -> 401$"):
            make(secret).order(118)

        assert (len(web.calls), secret.renewals, clock.sleeps) == (2, 1, [])

    def test_a_403_is_unauthorized_when_the_token_was_not_replaced(
        self, web: responses.RequestsMock, make: Make, clock: FakeClock
    ) -> None:
        secret = FakeSecret(TOKEN)
        web.get(f"{V2}/orders/118", **FORBIDDEN)

        with pytest.raises(Unauthorized, match=r"^GET orders/118 -> 403$"):
            make(secret).order(118)

        assert (len(web.calls), secret.renewals, clock.sleeps) == (1, 1, [])

    def test_a_token_that_was_replaced_after_a_403_is_used(
        self, web: responses.RequestsMock, make: Make, clock: FakeClock
    ) -> None:
        web.get(f"{V2}/orders/118", **FORBIDDEN)
        web.get(f"{V2}/orders/118", json=order_fields())

        assert make(FakeSecret("read-only", "new")).order(118).fields == order_fields()
        assert [call.request.headers["X-Auth-Token"] for call in web.calls] == ["read-only", "new"]
        assert clock.sleeps == []

    def test_a_403_is_retried_with_the_token_that_another_request_has_renewed(
        self, web: responses.RequestsMock, make: Make
    ) -> None:
        secret = FakeSecret("read-only", "new")
        used: list[str] = []

        def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
            used.append(request.headers["X-Auth-Token"])
            if used[-1] == "new":
                return 200, {}, json.dumps(order_fields(118))
            secret.renew()
            return 403, {"Content-Type": "application/json"}, "{}"

        web.add_callback("GET", f"{V2}/orders/118", callback=answer)

        make(secret).order(118)

        assert used == ["read-only", "new"]

    def test_a_403_that_is_not_of_the_api_does_not_concern_the_token(
        self, web: responses.RequestsMock, make: Make
    ) -> None:
        secret = FakeSecret(TOKEN)
        web.get(f"{V2}/orders/118", status=403, **HTML)

        with pytest.raises(Blocked, match=r"^GET orders/118 -> 403"):
            make(secret).order(118)

        assert secret.renewals == 0

    def test_a_404_of_the_api_means_that_the_order_is_not_found(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118", status=404, json=NOT_FOUND)

        with pytest.raises(NotFound, match=r"^GET orders/118 -> 404$"):
            store.order(118)

        assert len(web.calls) == 1

    def test_a_404_that_is_not_of_the_api_is_a_malformed_response(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118", status=404, **HTML)

        with pytest.raises(MalformedResponse, match=r"^GET orders/118 -> 404"):
            store.order(118)

        assert len(web.calls) == 5

    @pytest.mark.parametrize("status", [400, 405, 409, 422])
    def test_a_permanent_error_is_not_retried(
        self, web: responses.RequestsMock, store: BigCommerce, status: int
    ) -> None:
        web.put(f"{V2}/orders/118", status=status, json=[{"status": status, "message": "no stock"}])

        with pytest.raises(Rejected, match=f"^PUT orders/118 -> {status}$") as failure:
            store.set_status(118, 9)

        assert len(web.calls) == 1
        assert failure.value.effect_unknown is False


class TestRetries:
    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    def test_a_request_to_an_unavailable_store_is_made_five_times_with_growing_waits(
        self, web: responses.RequestsMock, store: BigCommerce, clock: FakeClock, status: int
    ) -> None:
        web.get(f"{V2}/orders/118", status=status)

        with pytest.raises(Unavailable, match=f"^GET orders/118 -> {status}$"):
            store.order(118)

        assert len(web.calls) == 5
        assert_waits_grew(clock.sleeps)

    @pytest.mark.parametrize(
        "failure",
        [
            LOST,
            requests.ReadTimeout("read timed out"),
            requests.exceptions.ConnectTimeout("connect timed out"),
            requests.exceptions.ChunkedEncodingError("cut"),
            requests.exceptions.SSLError("certificate"),
        ],
    )
    def test_a_lost_connection_is_retried(
        self,
        web: responses.RequestsMock,
        store: BigCommerce,
        clock: FakeClock,
        failure: requests.RequestException,
    ) -> None:
        web.get(f"{V2}/orders/118/products", body=failure)

        name = type(failure).__name__
        with pytest.raises(Unavailable, match=f"^GET orders/118/products -> {name}$"):
            store.part(118, "products")

        assert len(web.calls) == 5
        assert_waits_grew(clock.sleeps)

    def test_the_fifth_try_may_succeed(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        for failure in ({"status": 500}, {"body": LOST}, {"status": 429}, HTML):
            web.get(f"{V2}/orders/118", **failure)
        web.get(f"{V2}/orders/118", json=order_fields())

        assert store.order(118).fields == order_fields()

    def test_a_429_is_retried_after_the_wait_in_its_headers(
        self, web: responses.RequestsMock, store: BigCommerce, clock: FakeClock
    ) -> None:
        reset = {"X-Rate-Limit-Time-Reset-Ms": "12000", "X-Retry-After": "3"}
        web.get(f"{V2}/orders/118", status=429, headers=reset)
        web.get(f"{V2}/orders/118", json=order_fields())

        store.order(118)

        assert clock.sleeps == [12.0]

    def test_a_put_is_retried_unchanged(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.put(f"{V2}/orders/118", status=503)
        web.put(f"{V2}/orders/118", status=429)
        web.put(f"{V2}/orders/118", json=order_fields(status_id=9))

        store.set_status(118, 9)

        sent = {(call.request.method, call.request.url, call.request.body) for call in web.calls}
        assert sent == {("PUT", f"{V2}/orders/118", b'{"status_id": 9}')}
        assert len(web.calls) == 3

    def test_every_request_has_its_own_five_tries(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118", status=500)

        for _ in range(2):
            with pytest.raises(Unavailable):
                store.order(118)

        assert len(web.calls) == 10


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 409, 429, 500])
@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
def test_an_error_holds_no_token_and_only_the_beginning_of_a_body(
    web: responses.RequestsMock, store: BigCommerce, status: int, content_type: str
) -> None:
    body = "§" * 1000 + TOKEN
    web.put(f"{V2}/orders/118", status=status, body=body, content_type=content_type)

    with pytest.raises(StoreError) as failure:
        store.set_status(118, 9)

    assert str(failure.value).count("§") <= 200
    assert TOKEN not in str(failure.value)
    assert failure.value.__cause__ is None


class Trickle(io.RawIOBase):
    """A body of which a byte arrives every five seconds."""

    def __init__(self, size: int, clock: FakeClock) -> None:
        self._left = size
        self._clock = clock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            return 0
        self._left -= 1
        self._clock.advance(5)
        buffer[0] = ord(" ")
        return 1


def test_a_response_that_trickles_in_ends_at_the_deadline_of_its_request(
    web: responses.RequestsMock, make: Make, clock: FakeClock
) -> None:
    """Each byte would arrive within the timeout of a read, and the response after an hour."""
    body = io.BufferedReader(Trickle(720, clock))
    web.get(f"{V2}/orders/118/products", body=body, content_type="application/json")
    store = make()

    with pytest.raises(Unavailable, match=r"^GET orders/118/products -> ReadTimeout$"):
        once(store).part(118, "products")

    assert 30 < clock.time() - NOW.timestamp() <= 40


def test_a_response_that_trickles_in_before_its_deadline_is_read(
    web: responses.RequestsMock, store: BigCommerce, clock: FakeClock
) -> None:
    content = io.BytesIO(json.dumps(order_fields()).encode())
    web.get(
        f"{V2}/orders/118",
        body=io.BufferedReader(cast(io.RawIOBase, content), buffer_size=16),
        content_type="application/json",
    )

    assert store.order(118).fields == order_fields()


def once(store: BigCommerce) -> BigCommerce:
    """The client without retries."""
    return replace(store, retry=store.retry.new(total=0))
