"""The fifteen order statuses of BigCommerce: fixed ids, and the labels of a new store."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class Status(IntEnum):
    INCOMPLETE = 0
    PENDING = 1
    SHIPPED = 2
    PARTIALLY_SHIPPED = 3
    REFUNDED = 4
    CANCELLED = 5
    DECLINED = 6
    AWAITING_PAYMENT = 7
    AWAITING_PICKUP = 8
    AWAITING_SHIPMENT = 9
    COMPLETED = 10
    AWAITING_FULFILLMENT = 11
    MANUAL_VERIFICATION_REQUIRED = 12
    DISPUTED = 13
    PARTIALLY_REFUNDED = 14


LABELS: dict[int, str] = {status: status.name.replace("_", " ").title() for status in Status}

DESCRIPTIONS: dict[Status, str] = {
    Status.INCOMPLETE: "The shopper reached the payment page and went no further.",
    Status.PENDING: "Checkout was begun and is not finished.",
    Status.AWAITING_PAYMENT: "Checkout is finished; the money has not been confirmed.",
    Status.AWAITING_FULFILLMENT: "Checkout is finished and paid for.",
    Status.AWAITING_SHIPMENT: "Packed, and waiting for the carrier.",
    Status.AWAITING_PICKUP: "Packed, and waiting for the customer to fetch it.",
    Status.PARTIALLY_SHIPPED: "Some of the items have left.",
    Status.COMPLETED: "Delivered, or paid for and ready to download.",
    Status.SHIPPED: "On its way; receipt is not confirmed.",
    Status.CANCELLED: "The seller cancelled it.",
    Status.DECLINED: "The seller refused it.",
    Status.REFUNDED: "The full amount was refunded.",
    Status.DISPUTED: "The customer disputes the payment.",
    Status.MANUAL_VERIFICATION_REQUIRED: "On hold until it has been verified.",
    Status.PARTIALLY_REFUNDED: "Part of the amount was refunded.",
}
"""In the order in which `/v2/orders/count` lists them."""


def status_rows(labels: Mapping[int, str] = LABELS) -> list[dict[str, Any]]:
    """The answer of `/v2/order_statuses`; `labels` are the merchant's own."""
    return [
        {
            "id": int(status),
            "name": LABELS[status],
            "system_label": LABELS[status],
            "custom_label": labels[status],
            "system_description": description,
            "order": position,
        }
        for position, (status, description) in enumerate(DESCRIPTIONS.items())
    ]


def count_by_status(
    counts: dict[int, int], labels: Mapping[int, str] = LABELS
) -> dict[str, object]:
    """The answer of `/v2/orders/count`: every status with its number of orders, and their sum."""
    rows = [
        {**row, "count": counts.get(row["id"], 0), "sort_order": row["order"]}
        for row in status_rows(labels)
    ]
    for row in rows:
        del row["order"]
    return {"statuses": rows, "count": sum(counts.values())}
