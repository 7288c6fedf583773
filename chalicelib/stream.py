"""Reads the Orders table's stream: every change of an order, with the order complete."""

from collections.abc import Iterator

from chalicelib.domain.items import RECORD, decode, from_image
from chalicelib.domain.models import JsonObject, ReplicationRecord


def changed_orders(event: JsonObject) -> Iterator[tuple[JsonObject, ReplicationRecord]]:
    """The new and changed orders of a stream event, with their replication records.

    Updates that only record a move are skipped; a replay yields its order again. AWS may deliver
    an event twice: (`id`, `digest`) identifies a repeated change.
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
    """The ids of orders that the command `forget` has removed, so that consumers can, too."""
    for record in event["Records"]:
        image = record["dynamodb"].get("NewImage", {})
        if RECORD in image and decode(from_image(image))[1].is_forgotten:
            yield int(record["dynamodb"]["Keys"]["id"]["N"])
