"""Reads the Orders table's stream: every change of an order, with the order complete."""

from collections.abc import Iterator

from chalicelib.domain.items import decode, from_image
from chalicelib.domain.models import JsonObject
from chalicelib.domain.records import RECORD, ReplicationRecord

TIME_TO_LIVE = "dynamodb.amazonaws.com"


def changed_orders(event: JsonObject) -> Iterator[tuple[JsonObject, ReplicationRecord]]:
    """The new, changed and moved orders of a stream event, with their replication records.

    Updates that only record a read or the start of a move are skipped. AWS may deliver an event
    twice, and out of order with a retry: (`id`, `sequence`) identifies a change, and a lower
    sequence than the one processed last is outdated.
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
            if before.get("sequence") == replication.sequence is not None:
                continue
        yield order, replication


def forgotten_orders(event: JsonObject) -> Iterator[int]:
    """The ids of orders that the command `forget` has removed, so that consumers can, too."""
    for record in event["Records"]:
        image = record["dynamodb"].get("NewImage", {})
        if RECORD in image and decode(from_image(image))[1].is_forgotten:
            yield int(record["dynamodb"]["Keys"]["id"]["N"])


def expired_orders(event: JsonObject) -> Iterator[int]:
    """The ids of orders that DynamoDB has removed because they are older than the retention.

    It names itself as the user of such a removal
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html).
    """
    for record in event["Records"]:
        user = record.get("userIdentity") or {}
        if record["eventName"] == "REMOVE" and user.get("principalId") == TIME_TO_LIVE:
            yield int(record["dynamodb"]["Keys"]["id"]["N"])
