"""The lists of an order, page by page."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import responses
from responses import matchers

from chalicelib.edges.bigcommerce import BigCommerce, MalformedResponse, Rejected
from tests.factories import V2, V3, consignments, line, pickup
from tests.integration.store_answers import NOT_FOUND


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

        assert store.part(118, "products") == lines

    def test_a_full_last_page_is_followed_by_an_empty_one(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118/products", json=[{"id": n} for n in range(250)])
        web.get(f"{V2}/orders/118/products", status=204)

        assert len(store.part(118, "products")) == 250
        assert len(web.calls) == 2

    def test_an_empty_collection_is_an_empty_list(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118/coupons", status=204)

        assert store.part(118, "coupons") == []

    def test_a_repeated_page_is_a_malformed_response(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118/products", json=[{"id": n} for n in range(250)])

        with pytest.raises(MalformedResponse, match="GET orders/118/products -> page 2 repeats"):
            store.part(118, "products")

    @pytest.mark.parametrize("rest", [0, 3])
    def test_a_page_of_exactly_50_is_not_taken_for_the_last(
        self, web: responses.RequestsMock, store: BigCommerce, rest: int
    ) -> None:
        """BigCommerce's default limit, at which it has been seen to ignore ours."""
        lines = [{"id": n} for n in range(50 + rest)]
        for page in (1, 2):
            web.get(
                f"{V2}/orders/118/products",
                json=lines[50 * (page - 1) : 50 * page],
                match=[matchers.query_param_matcher({"page": str(page), "limit": "250"})],
            )

        assert store.part(118, "products") == lines
        assert len(web.calls) == 2

    @pytest.mark.parametrize("count", [49, 51])
    def test_a_page_of_about_50_is_the_last(
        self, web: responses.RequestsMock, store: BigCommerce, count: int
    ) -> None:
        web.get(f"{V2}/orders/118/products", json=[{"id": n} for n in range(count)])

        assert len(store.part(118, "products")) == count
        assert len(web.calls) == 1


class TestParts:
    @pytest.mark.parametrize(
        "name", ["products", "shipping_addresses", "coupons", "fees", "shipments"]
    )
    def test_a_list_is_read_by_its_name(
        self, web: responses.RequestsMock, store: BigCommerce, name: str
    ) -> None:
        web.get(f"{V2}/orders/118/{name}", json=[{"id": 1, "order_id": 118}])

        assert store.part(118, name) == [{"id": 1, "order_id": 118}]

    def test_refunds_are_read_by_version_3_of_the_api(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        """Those of several orders in one request."""
        params = {"order_id:in": "118,119,120", "page": "1", "limit": "250"}
        refunds = [{"id": 3, "order_id": 119}, {"id": 4, "order_id": 118}]
        web.get(
            f"{V3}/orders/payment_actions/refunds",
            json={"data": refunds, "meta": {}},
            match=[matchers.query_param_matcher(params)],
        )

        assert store.refunds([120, 118, 119]) == {118: [refunds[1]], 119: [refunds[0]], 120: []}
        assert store.usage.requests == 1

    @pytest.mark.parametrize(
        "answer", [{"json": {"data": []}}, {"status": 204}], ids=["no members", "no content"]
    )
    def test_an_order_without_refunds_has_none(
        self, web: responses.RequestsMock, store: BigCommerce, answer: Any
    ) -> None:
        web.get(f"{V3}/orders/payment_actions/refunds", **answer)

        assert store.refunds([118]) == {118: []}

    @pytest.mark.parametrize(
        "content",
        [
            {},
            {"data": None},
            {"data": [None]},
            {"data": [{"id": 3, "order_id": 119}]},
            {"data": [{"order_id": 118}]},
            {"data": [{"id": 3}]},
        ],
    )
    def test_refunds_of_another_shape_or_order_are_a_malformed_response(
        self, web: responses.RequestsMock, store: BigCommerce, content: Any
    ) -> None:
        web.get(f"{V3}/orders/payment_actions/refunds", json=content)

        with pytest.raises(MalformedResponse):
            store.refunds([118])

    def test_the_consignments_of_an_order_are_read(
        self, web: responses.RequestsMock, store: BigCommerce
    ) -> None:
        web.get(f"{V2}/orders/118/consignments", json=consignments(pickups=[pickup()]))

        assert store.consignments(118) == consignments(pickups=[pickup()])

    @pytest.mark.parametrize("answer", [{"status": 204}, {"json": []}, {"json": [{"id": 1}]}])
    def test_consignments_in_another_form_are_none(
        self, web: responses.RequestsMock, store: BigCommerce, answer: Any
    ) -> None:
        web.get(f"{V2}/orders/118/consignments", **answer)

        assert store.consignments(118) == {}

    @pytest.mark.parametrize(
        ("read", "address"),
        [
            (lambda store: store.part(118, "products"), f"{V2}/orders/118/products"),
            (lambda store: store.part(118, "shipments"), f"{V2}/orders/118/shipments"),
            (lambda store: store.consignments(118), f"{V2}/orders/118/consignments"),
            (lambda store: store.refunds([118]), f"{V3}/orders/payment_actions/refunds"),
        ],
        ids=["products", "shipments", "consignments", "refunds"],
    )
    def test_a_missing_list_does_not_mean_that_the_order_is_missing(
        self,
        web: responses.RequestsMock,
        store: BigCommerce,
        read: Callable[[BigCommerce], object],
        address: str,
    ) -> None:
        web.get(address, status=404, json=NOT_FOUND)

        with pytest.raises(Rejected):
            read(store)
