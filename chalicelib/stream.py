"""What a reader of the Orders table's stream wants: every change of an order, once, whole."""

from collections.abc import Iterator

from chalicelib.items import RECORD, decode, from_image
from chalicelib.models import JsonObject, Replication


def changed_orders(event: JsonObject) -> Iterator[tuple[JsonObject, Replication]]:
    """The orders that a Lambda event of the stream brings, new or changed, with their records.

    Recording a move changes an item too, but not the order in it, and is passed over. AWS may
    deliver an event twice, and so may this: (`id`, `digest`) tells a change from its repetition.
    """
    for record in event["Records"]:
        images = record["dynamodb"]
        if RECORD not in images.get("NewImage", {}):
            continue
        order, replication = decode(from_image(images["NewImage"]))
        if RECORD in images.get("OldImage", {}):
            before = from_image({RECORD: images["OldImage"][RECORD]})[RECORD]
            if before.get("digest") == replication.digest:
                continue
        yield order, replication
