"""What a reader of the Orders table's stream wants: every change of an order, once, whole."""

from collections.abc import Iterator

from chalicelib.domain.items import RECORD, decode, from_image
from chalicelib.domain.models import JsonObject, ReplicationRecord


def changed_orders(event: JsonObject) -> Iterator[tuple[JsonObject, ReplicationRecord]]:
    """The orders that a Lambda event of the stream brings, new or changed, with their records.

    Recording a move changes an item too, but not the order in it, and is passed over; a replay
    brings an order once more. AWS may deliver an event twice, and so may this: (`id`, `digest`)
    tells a change from its repetition.
    """
    for record in event["Records"]:
        images = record["dynamodb"]
        if RECORD not in images.get("NewImage", {}):
            continue
        order, replication = decode(from_image(images["NewImage"]))
        if replication.is_forgotten:
            continue
        if RECORD in images.get("OldImage", {}):
            before = from_image({RECORD: images["OldImage"][RECORD]})[RECORD]
            if (before["digest"], before["replicated_at"]) == (
                replication.digest,
                replication.replicated_at,
            ):
                continue
        yield order, replication


def forgotten_orders(event: JsonObject) -> Iterator[int]:
    """The ids of the orders that `python -m ops forget` has removed: forget them, too."""
    for record in event["Records"]:
        image = record["dynamodb"].get("NewImage", {})
        if RECORD in image and decode(from_image(image))[1].is_forgotten:
            yield int(record["dynamodb"]["Keys"]["id"]["N"])
