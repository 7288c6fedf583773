"""The BigCommerce client sends documented requests and reads documented answers."""

import json
import math
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from responses import matchers

from chalicelib.domain.models import UnreadableOrder
from chalicelib.edges.bigcommerce import (
    BigCommerce,
    MalformedResponse,
    NotFound,
    Unavailable,
    api_time,
)
from tests.factories import NOW, V2, FakeClock, at, consignments, order_fields
from tests.integration.store_answers import LOST, TOKEN, Make, url

EMBEDDED = {"include": "consignments.line_items,fees", "consignment_structure": "object"}
DATE = "Mon, 02 Jun 2025 12:00:07 GMT"


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

        modified = datetime(2025, 6, 2, 9, 55, 0, 999_999, timezone(timedelta(hours=2)))
        page = store.list_orders(
            119,
            status_id=11,
            min_date_created="2024-01-01T00:00:00+00:00",
            min_date_modified=api_time(modified),
        )

        assert page == [order_fields(119)]
        assert "%2B" in url(web), "an unquoted plus is read as a space"
        assert "+" not in url(web)

    def test_a_page_can_be_of_any_size(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        params = {"min_id": "118", "max_id": "118", "sort": "id:asc", "limit": "1"}
        web.get(f"{V2}/orders", status=204, match=[matchers.query_param_matcher(params)])

        assert store.list_orders(118, limit=1, max_id=118) == []

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

    def test_a_count_of_null_is_left_out(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        statuses = [{"id": 11, "count": None}, {"id": 7, "count": 3}]
        web.get(f"{V2}/orders/count", json={"statuses": statuses})

        assert store.counts() == {7: 3}

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


class TestSharedReads:
    """The embedded form, which one order and several orders are read in."""

    FIELDS = order_fields(
        consignments=consignments(
            {"id": 51, "line_items": [{"id": 65}]}, pickups=[{"id": 99, "line_items": []}]
        ),
        fees=[{"id": 4}],
    )

    def test_an_order_is_read_with_its_embedded_lists(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(
            f"{V2}/orders/118",
            json=self.FIELDS,
            match=[matchers.query_param_matcher(EMBEDDED)],
        )

        assert store.order(118).fields == self.FIELDS

    @pytest.mark.parametrize(
        ("failure", "calls"),
        [
            ({"status": 400, "json": [{"status": 400, "message": "include"}]}, 2),
            ({"body": requests.ReadTimeout("read timed out")}, 3),
        ],
        ids=["refused", "too slow"],
    )
    def test_an_order_is_read_without_its_embedded_lists_if_the_store_does_not_send_them(
        self,
        web: responses.RequestsMock,
        store: BigCommerce,
        failure: dict[str, Any],
        calls: int,
    ) -> None:
        form = [matchers.query_param_matcher(EMBEDDED)]
        web.get(f"{V2}/orders/118", match=form, **failure)
        web.get(f"{V2}/orders/118", json=order_fields(), match=[matchers.query_param_matcher({})])

        assert store.order(118).fields == order_fields()
        assert len(web.calls) == calls

    @pytest.mark.parametrize("status", [404, 503])
    def test_other_errors_do_not_concern_the_embedded_form(
        self, web: responses.RequestsMock, store: BigCommerce, status: int
    ) -> None:
        web.get(f"{V2}/orders/118", status=status, json={"status": status})

        with pytest.raises((NotFound, Unavailable)):
            store.order(118)

        assert all("include=" in str(call.request.url) for call in web.calls)

    def test_neighbours_are_read_without_their_embedded_lists_as_well(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders", status=400, json=[{"status": 400}])
        plain = {"min_id": "118", "max_id": "119", "sort": "id:asc", "limit": "20"}
        found = [order_fields(118), order_fields(119)]
        web.get(f"{V2}/orders", json=found, match=[matchers.query_param_matcher(plain)])

        assert [order.id for order in store.orders_between(118, 119, 20)] == [118, 119]

    def test_neighbours_are_read_in_one_request_by_their_first_and_last_id(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        params = {"min_id": "118", "max_id": "120", "sort": "id:asc", "limit": "250", **EMBEDDED}
        web.get(
            f"{V2}/orders",
            json=[order_fields(118), order_fields(120)],
            match=[matchers.query_param_matcher(params)],
        )

        assert [order.id for order in store.orders_between(118, 120)] == [118, 120]

    def test_an_unreadable_order_does_not_hide_its_neighbours(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders", json=[order_fields(118, date_modified=""), order_fields(119)])

        assert [order.id for order in store.orders_between(118, 119)] == [119]

    def test_a_single_unreadable_order_is_an_error_and_not_retried(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118", json=order_fields(118, date_modified=""))

        with pytest.raises(UnreadableOrder, match="order 118: date_modified"):
            store.order(118)

        assert len(web.calls) == 1

    def test_an_order_is_dated_by_the_stores_clock_less_the_time_its_answer_took(
        self, web: responses.RequestsMock, store: BigCommerce, clock: FakeClock
    ) -> None:
        def answer(_: object) -> tuple[int, dict[str, str], str]:
            clock.advance(2.5)
            return 200, {"Date": DATE}, json.dumps(order_fields())

        web.add_callback("GET", f"{V2}/orders/118", callback=answer)

        order = store.order(118)

        assert order.read_at == at(7 - 2.5)
        assert order.requested_at == NOW

    def test_neighbours_are_dated_alike(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        found = [order_fields(118), order_fields(119)]
        web.get(f"{V2}/orders", json=found, headers={"Date": DATE})

        read = store.orders_between(118, 119)

        assert {(order.read_at, order.requested_at) for order in read} == {(at(7), NOW)}

    @pytest.mark.parametrize("headers", [{}, {"Date": ""}, {"Date": "soon"}])
    def test_without_a_valid_date_an_order_is_dated_by_when_it_was_requested(
        self, web: responses.RequestsMock, store: BigCommerce, headers: dict[str, str]
    ) -> None:
        web.get(f"{V2}/orders/118", json=order_fields(), headers=headers)

        assert store.order(118).read_at == NOW

    def test_a_date_without_a_zone_is_in_utc(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(
            f"{V2}/orders/118", json=order_fields(), headers={"Date": DATE.replace("GMT", "-0000")}
        )

        assert store.order(118).read_at == at(7)

    def test_the_time_of_a_retried_read_is_that_of_its_last_try(
        self, web: responses.RequestsMock, store: BigCommerce, clock: FakeClock
    ) -> None:
        web.get(f"{V2}/orders/118", status=429, headers={"X-Rate-Limit-Time-Reset-Ms": "5000"})
        web.get(f"{V2}/orders/118", json=order_fields())

        assert store.order(118).requested_at == at(5)


class TestNumbers:
    def test_numbers_are_exact(self, web: responses.RequestsMock, store: BigCommerce) -> None:
        numbers = '"weight": 0.1, "rate": 1.10, "url": "a\\/b", "huge": 1E400'
        web.get(
            f"{V2}/orders/118",
            body=f"{json.dumps(order_fields())[:-1]}, {numbers}}}",
            content_type="application/json",
        )

        fields = store.order(118).fields

        assert {name: fields[name] for name in ("weight", "rate", "url", "huge")} == {
            "weight": Decimal("0.1"),
            "rate": Decimal("1.10"),
            "url": "a/b",
            "huge": Decimal("1E400"),
        }
        assert str(fields["rate"]) == "1.10"
        assert type(fields["id"]) is int

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
        deadline = math.inf
        first, second = store.within(deadline), store.within(deadline)

        first.order(118)

        assert (first.usage.requests, second.usage.requests, store.usage.requests) == (1, 0, 0)
        assert first.session is second.session
