"""The v3 API: refunds, transactions and webhooks, in envelopes of `data` and `meta`."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from werkzeug import Response

from sandbox.store import hooks
from sandbox.store.answers import collection, gateway_error, json_response, no_content
from sandbox.store.call import Call, Handler
from sandbox.store.hooks import Refused, pagination
from sandbox.store.shop import Shop
from sandbox.store.templates import Fields

REFUND_QUERY = frozenset(
    ("order_id:in", "id:in", "created:min", "created:max", "transaction_id", "page", "limit")
)
NO_SCOPE = "You don't have a required scope to access the endpoint"


def list_refunds(shop: Shop, call: Call) -> Response:
    """Refunds of many orders, in the order of their ids."""
    try:
        found = [refund for refund in shop.refunds() if _is_wanted(refund, call.query)]
        rows, meta = _paged(found, call.query)
    except hooks.Refused as exc:
        return gateway_error(exc.status, str(exc), exc.errors)
    except ValueError as exc:
        return gateway_error(422, str(exc))
    for row in rows:
        call.check(row["order_id"])
    return json_response({"data": rows, "meta": meta})


def _is_wanted(refund: Fields, query: dict[str, str]) -> bool:
    if unknown := query.keys() - REFUND_QUERY:
        raise Refused(422, "Unknown query", **dict.fromkeys(unknown, "not supported"))
    at = refund["created"]
    first, last = query.get("created:min") or at, query.get("created:max") or at
    return (
        _is_in(refund["order_id"], query.get("order_id:in"))
        and _is_in(refund["id"], query.get("id:in"))
        and datetime.fromisoformat(first) <= datetime.fromisoformat(at)
        and datetime.fromisoformat(at) <= datetime.fromisoformat(last)
        and query.get("transaction_id") in (None, refund["payments"][0]["transaction_id"])
    )


def _is_in(value: int, listed: str | None) -> bool:
    return listed is None or value in [int(text) for text in listed.split(",")]


def _paged(found: list[Fields], query: dict[str, str]) -> tuple[list[Fields], Fields]:
    limit, page = (hooks.number(query, name, given) for name, given in (("limit", 50), ("page", 1)))
    rows = found[(page - 1) * limit : page * limit]
    return rows, {"pagination": pagination(len(found), len(rows), page, limit)}


def list_order_refunds(shop: Shop, call: Call) -> Response:
    if not shop.shows(call.id):
        return gateway_error(404)
    call.check(call.id)
    refunds = shop.book.sub_resource(call.id, "refunds")
    return json_response(
        {"data": refunds[: max(0, len(refunds) - call.missing(call.id))], "meta": {}}
    )


def list_transactions(shop: Shop, call: Call) -> Response:
    """They need a scope that the token does not have."""
    return gateway_error(403, NO_SCOPE)


def on_hooks(change: Callable[..., hooks.Result]) -> Handler:
    """The handler for a function on webhooks: in the envelope of v3, or bare as in v2."""

    def handler(shop: Shop, call: Call) -> Response:
        try:
            fields: Any = json.loads(call.request.get_data() or b"{}")
            result = change(shop.callbacks, call.id, call.query, fields)
        except hooks.Refused as exc:
            return gateway_error(exc.status, str(exc), exc.errors)
        except ValueError:
            return gateway_error(400, "The request body is not valid JSON.")
        if result.data is None:
            return no_content()
        if call.version == "v2":
            return collection([]) if result.data == [] else json_response(result.data)
        return json_response({"data": result.data, "meta": result.meta})

    return handler
