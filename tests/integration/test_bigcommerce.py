"""The BigCommerce client sends documented requests and raises documented errors."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
import requests
import responses
from responses import matchers

from chalicelib.edges.bigcommerce import (
    BigCommerce,
    MalformedResponse,
    NotFound,
    Rejected,
    StoreError,
    TooLate,
    Unauthorized,
    Unavailable,
)
from chalicelib.edges.pacing import OutOfTime, Pacer
from chalicelib.edges.ssm import Secret
from ops.store import may_modify
from tests.factories import STORE_HASH, V2, FakeClock, FakeSecret, line, order_fields
from tests.integration.conftest import Stage

TOKEN = "an-access-token-of-the-store"
NOT_FOUND = [{"status": 404, "message": "The requested resource was not found."}]
HTML = {"body": "<html><title>502</title></html>", "content_type": "text/html"}
FORBIDDEN: Any = {"status": 403, "json": {"status": 403, "title": "Forbidden"}}
LOST = requests.ConnectionError("Connection aborted.")

EMPTY_WINDOW = {
    "X-Rate-Limit-Requests-Left": "2",
    "X-Rate-Limit-Requests-Quota": "150",
    "X-Rate-Limit-Time-Reset-Ms": "8000",
}

Make = Callable[..., BigCommerce]


@pytest.fixture
def make(clock: FakeClock) -> Iterator[Make]:
    """Make clients whose connections are closed after the test."""
    made: list[BigCommerce] = []

    def connect(secret: Any = None, **options: Any) -> BigCommerce:
        client = BigCommerce.connect(
            "https://api.bigcommerce.com",
            STORE_HASH,
            cast(Secret, secret or FakeSecret(TOKEN)),
            Pacer(clock, 3),
            **options,
        )
        made.append(client)
        return client

    yield connect
    for client in made:
        client.session.close()


@pytest.fixture
def store(make: Make) -> BigCommerce:
    return make()


def url(web: responses.RequestsMock, call: int = 0) -> str:
    return str(web.calls[call].request.url)


def assert_waits_grew(sleeps: list[float], tries: int = 5) -> None:
    """Half a second, doubled with every try, each off by a half at the most."""
    assert len(sleeps) == tries - 1
    for n, seconds in enumerate(sleeps):
        assert 0.25 * 2**n <= seconds <= 0.75 * 2**n


class TestRequests:
    def test_every_request_has_the_headers_of_the_api(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118", json=order_fields())

        store.order(118)

        headers = web.calls[0].request.headers
        assert headers["X-Auth-Token"] == TOKEN
        assert headers["Accept"] == "application/json"
        assert "order-replication" in headers["User-Agent"]
        assert "Content-Type" not in headers

    def test_a_page_is_requested_by_status_and_id(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        params = {
            "status_id": "11",
            "min_id": "119",
            "sort": "id:asc",
            "limit": "250",
            "min_date_created": "2024-01-01T00:00:00+00:00",
            "min_date_modified": "2025-06-02T09:55:00+02:00",
        }
        web.get(
            f"{V2}/orders", json=[order_fields(119)], match=[matchers.query_param_matcher(params)]
        )

        page = store.orders(
            11,
            119,
            datetime(2024, 1, 1, tzinfo=UTC),
            datetime(2025, 6, 2, 9, 55, 0, 999_999, timezone(timedelta(hours=2))),
        )

        assert page == [order_fields(119)]
        assert "%2B" in url(web), "an unquoted plus is read as a space"
        assert "+" not in url(web)

    def test_a_parameter_without_a_value_is_not_sent(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders", status=204)

        store.orders(11, 1, datetime(2024, 1, 1, tzinfo=UTC))

        assert "modified" not in url(web)

    def test_neighbours_are_requested_by_their_first_and_last_id(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        params = {"min_id": "118", "max_id": "120", "sort": "id:asc", "limit": "250"}
        web.get(
            f"{V2}/orders",
            json=[order_fields(118), order_fields(120)],
            match=[matchers.query_param_matcher(params)],
        )

        assert [order["id"] for order in store.orders_between(118, 120)] == [118, 120]

    def test_setting_a_status_sends_no_other_field(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.put(f"{V2}/orders/118", json=order_fields(status_id=9))

        store.set_status(118, 9)

        request = web.calls[0].request
        assert json.loads(request.body or b"") == {"status_id": 9}
        assert request.headers["Content-Type"] == "application/json"

    def test_counts_are_read_by_status(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        statuses = [{"id": 0, "name": "Incomplete", "count": 15}, {"id": 11, "count": 3}]
        web.get(f"{V2}/orders/count", json={"statuses": statuses, "count": 18})

        assert store.counts() == {0: 15, 11: 3}

    def test_a_redirect_is_never_followed(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        elsewhere = web.get("https://elsewhere.example.com/", json=order_fields())
        web.get(
            f"{V2}/orders/118", status=302, headers={"Location": "https://elsewhere.example.com/"}
        )

        with pytest.raises(MalformedResponse, match="GET orders/118 -> 302"):
            store.order(118)

        assert elsewhere.call_count == 0, "it would be shown the access token"

    def test_proxies_and_certificates_come_from_the_environment(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/ours.pem")

        session = make().session

        assert session.proxies["https"] == "http://proxy.example.com:3128"
        assert session.verify == "/etc/ssl/ours.pem"

    def test_certificates_are_verified_by_default(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(name, "")

        assert make().session.verify is True

    def test_credentials_in_a_netrc_file_are_never_sent(
        self,
        web: responses.RequestsMock,
        make: Make,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (tmp_path / "netrc").write_text("machine api.bigcommerce.com login jane password secret")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        web.get(f"{V2}/orders/118", json=order_fields())

        make().order(118)

        assert "Authorization" not in web.calls[0].request.headers


class TestPagesOfSubResources:
    def test_pages_are_read_until_one_is_short(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        lines = [line(id=n) for n in range(1, 621)]
        for page, (start, end) in enumerate([(0, 250), (250, 500), (500, 620)], start=1):
            web.get(
                f"{V2}/orders/118/products",
                body=json.dumps(lines[start:end], default=float),
                content_type="application/json",
                match=[matchers.query_param_matcher({"page": str(page), "limit": "250"})],
            )

        assert store.sub_resource(118, "products") == lines

    def test_a_full_last_page_is_followed_by_an_empty_one(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118/products", json=[{"id": n} for n in range(250)])
        web.get(f"{V2}/orders/118/products", status=204)

        assert len(store.sub_resource(118, "products")) == 250
        assert len(web.calls) == 2

    def test_an_empty_collection_is_an_empty_list(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118/coupons", status=204)

        assert store.sub_resource(118, "coupons") == []

    def test_a_repeated_page_is_a_malformed_response(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118/products", json=[{"id": n} for n in range(250)])

        with pytest.raises(MalformedResponse, match="GET orders/118/products -> page 2 repeats"):
            store.sub_resource(118, "products")


class TestNumbers:
    def test_numbers_are_exact(self, web: responses.RequestsMock, store: BigCommerce) -> None:
        web.get(
            f"{V2}/orders/118",
            body='{"id": 118, "weight": 0.1, "rate": 1.10, "url": "a\\/b", "huge": 1E400}',
            content_type="application/json",
        )

        order = store.order(118)

        assert order == {
            "id": 118,
            "weight": Decimal("0.1"),
            "rate": Decimal("1.10"),
            "url": "a/b",
            "huge": Decimal("1E400"),
        }
        assert str(order["rate"]) == "1.10"
        assert type(order["id"]) is int

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
    def test_a_value_that_is_not_a_number_is_not_json(
        self, web: responses.RequestsMock, store: BigCommerce, number: str
    ) -> None:
        web.get(
            f"{V2}/orders/118",
            body=f'{{"id": 118, "weight": {number}}}',
            content_type="application/json",
        )

        with pytest.raises(MalformedResponse, match="not JSON"):
            store.order(118)


def read_order(store: BigCommerce) -> object:
    return store.order(118)


def read_page(store: BigCommerce) -> object:
    return store.orders(11, 118, datetime(2024, 1, 1, tzinfo=UTC))


def read_products(store: BigCommerce) -> object:
    return store.sub_resource(118, "products")


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

        assert store.order(118) == order_fields()
        assert len(clock.sleeps) == 1


class TestRejections:
    def test_a_401_is_retried_once_with_a_renewed_token(
        self, web: responses.RequestsMock, make: Make, clock: FakeClock
    ) -> None:
        web.get(f"{V2}/orders/118", status=401)
        web.get(f"{V2}/orders/118", json=order_fields())

        assert make(FakeSecret("old", "new")).order(118) == order_fields()
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

        assert make(FakeSecret("read-only", "new")).order(118) == order_fields()
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

        with pytest.raises(MalformedResponse, match=r"^GET orders/118 -> 403"):
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
        web.get(f"{V2}/orders/118", body=failure)

        with pytest.raises(Unavailable, match=f"^GET orders/118 -> {type(failure).__name__}$"):
            store.order(118)

        assert len(web.calls) == 5
        assert_waits_grew(clock.sleeps)

    def test_the_fifth_try_may_succeed(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        for failure in ({"status": 500}, {"body": LOST}, {"status": 429}, HTML):
            web.get(f"{V2}/orders/118", **failure)
        web.get(f"{V2}/orders/118", json=order_fields())

        assert store.order(118) == order_fields()

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


class TestOutcomeOfAMove:
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
            make(remaining=lambda: 30.0).set_status(118, 9)

        assert late.value.effect_unknown is unknown


class TestTime:
    def test_a_wait_longer_than_the_remaining_time_is_not_begun(
        self, web: responses.RequestsMock, make: Make, clock: FakeClock
    ) -> None:
        web.get(f"{V2}/orders/118", status=429, headers={"X-Rate-Limit-Time-Reset-Ms": "15000"})

        with pytest.raises(OutOfTime, match="15 s to wait, 19 s left"):
            make(remaining=lambda: 19.0).order(118)

        assert (len(web.calls), clock.sleeps) == (1, [])

    def test_a_503_with_too_long_a_wait_does_not_end_the_batch(
        self, web: responses.RequestsMock, make: Make, clock: FakeClock
    ) -> None:
        web.get(f"{V2}/orders/118", status=503, headers={"X-Retry-After": "600"})

        with pytest.raises(Unavailable):
            make(remaining=lambda: 170.0).order(118)

        assert (len(web.calls), clock.sleeps) == (1, [])

    def test_a_move_is_not_retried_once_the_read_of_the_order_is_too_old(
        self, web: responses.RequestsMock, make: Make, clock: FakeClock
    ) -> None:
        """The first try takes effect, and its answer is lost after half a minute."""

        def lost(_: object) -> tuple[int, dict[str, str], str]:
            clock.sleep(30)
            raise LOST

        web.add_callback("PUT", f"{V2}/orders/118", callback=lost)
        fresh_until = clock.time() + 20

        with pytest.raises(StoreError) as late:
            make(remaining=lambda: 170.0).set_status(118, 9, lambda: fresh_until - clock.time())

        assert len(web.calls) == 1
        assert late.value.effect_unknown is True

    def test_an_order_whose_read_is_too_old_is_not_moved(
        self, web: responses.RequestsMock, make: Make
    ) -> None:
        with pytest.raises(TooLate) as late:
            make(remaining=lambda: 170.0).set_status(118, 9, lambda: -1.0)

        assert len(web.calls) == 0
        assert late.value.effect_unknown is False

    def test_the_outcome_is_unknown_when_the_answer_does_not_show_the_move(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.put(f"{V2}/orders/118", json={"id": 118, "status_id": 11})

        with pytest.raises(MalformedResponse) as failure:
            store.set_status(118, 9)

        assert failure.value.effect_unknown is True

    @pytest.mark.parametrize("name", ["products", "shipping_addresses", "coupons"])
    def test_a_missing_sub_resource_does_not_mean_that_the_order_is_missing(
        self, web: responses.RequestsMock, store: BigCommerce, name: str
    ) -> None:
        web.get(f"{V2}/orders/118/{name}", status=404, json=NOT_FOUND)

        with pytest.raises(Rejected):
            store.sub_resource(118, name)

    def test_a_count_of_null_is_left_out(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        statuses = [{"id": 11, "count": None}, {"id": 7, "count": 3}]
        web.get(f"{V2}/orders/count", json={"statuses": statuses})

        assert store.counts() == {7: 3}

    def test_no_request_is_sent_in_the_last_seconds(
        self, web: responses.RequestsMock, make: Make
    ) -> None:
        with pytest.raises(OutOfTime):
            make(remaining=lambda: 9.0).order(118)

        assert len(web.calls) == 0

    @pytest.mark.parametrize(("remaining", "seconds"), [(float("inf"), 30.0), (20.0, 15.0)])
    def test_a_request_times_out_before_the_function_does(
        self, web: responses.RequestsMock, make: Make, remaining: float, seconds: float
    ) -> None:
        web.get(
            f"{V2}/orders/118",
            json=order_fields(),
            match=[matchers.request_kwargs_matcher({"timeout": (5.0, seconds), "stream": False})],
        )

        assert make(remaining=lambda: remaining).order(118) == order_fields()

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


class TestUsage:
    def test_every_request_and_every_429_is_counted(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118", status=429)
        web.get(f"{V2}/orders/118", status=429)
        web.get(f"{V2}/orders/118", body=LOST)
        web.get(f"{V2}/orders/118", json=order_fields())

        store.order(118)

        assert (store.usage.requests, store.usage.throttled) == (4, 2)

    def test_each_invocation_counts_its_own_requests(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118", json=order_fields())
        first, second = store.within(lambda: 60.0), store.within(lambda: 60.0)

        first.order(118)

        assert (first.usage.requests, second.usage.requests, store.usage.requests) == (1, 0, 0)
        assert first.session is second.session


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
