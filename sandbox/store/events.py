"""The `data` of callbacks, by scope, as BigCommerce documents it."""

from collections.abc import Mapping
from typing import Any

from sandbox.store.templates import Fields


def order_data(order_id: int, **more: Any) -> Fields:
    return {"type": "order", "id": order_id, **more}


def status_data(order_id: int, before: int, after: int) -> Fields:
    change = {"previous_status_id": int(before), "new_status_id": int(after)}
    return order_data(order_id, status=change)


def message_data(order_id: int, message_id: int) -> Fields:
    return order_data(order_id, message={"order_message_id": message_id})


def refund_data(order_id: int, refund_id: int) -> Fields:
    return order_data(order_id, refund={"refund_id": refund_id})


def transaction_data(order_id: int, transaction_id: int) -> Fields:
    """Without `id`, and with the order's id as text."""
    return {"type": "transaction", "order_id": str(order_id), "transaction_id": transaction_id}


def metafield_data(order_id: int, metafield_id: int) -> Fields:
    """Without `id`, and with the order's id as text."""
    return {"metafield_id": metafield_id, "resource_id": str(order_id)}


def shipment_data(order_id: int, shipment_id: int) -> Fields:
    return {"type": "shipment", "id": shipment_id, "orderId": order_id}


def cart_data(order: Mapping[str, Any]) -> Fields:
    cart = order["cart_id"] or f"00000000-0000-4000-9000-{order['id']:012d}"
    return {"type": "cart", "id": cart, "orderId": order["id"]}


def channel_twin(scope: str, data: Fields, order_id: int, channel: object) -> tuple[str, Fields]:
    """The event of the order's channel beside an event of the store: less data, other names."""
    twin = scope.replace("store/", f"store/channel/{channel}/", 1)
    if scope.startswith("store/cart/"):
        return twin, {"cart_id": data["id"]}
    return twin, {"order_id": order_id}
