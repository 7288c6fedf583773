"""Reading the Orders table's stream: every change of an order, once, with all its parts."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from chalicelib.domain.items import encode
from chalicelib.domain.models import JsonObject, ReplicationRecord
from chalicelib.stream import changed_orders
from tests.factories import NOW, line, moved, order_fields, pending, record

Item = tuple[JsonObject, ReplicationRecord]


def image(item: Item) -> dict[str, Any]:
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in encode(*item)[0].items()}


def event(*changes: tuple[Item | None, Item | None]) -> JsonObject:
    """A Lambda event of the stream, from pairs of an item before and after."""
    records = []
    for before, after in changes:
        images: JsonObject = {"Keys": {"id": {"N": "118"}}, "SequenceNumber": "1"}
        if before:
            images["OldImage"] = image(before)
        if after:
            images["NewImage"] = image(after)
        name = "REMOVE" if not after else "MODIFY" if before else "INSERT"
        records.append({"eventName": name, "dynamodb": images})
    return {"Records": records}


def test_a_new_order_is_a_change() -> None:
    fields = order_fields(products=[line(weight=Decimal("0.10"))])

    assert list(changed_orders(event((None, (fields, pending()))))) == [(fields, pending())]


def test_another_digest_is_a_change() -> None:
    before = (order_fields(), moved())
    after = (order_fields(staff_notes="new"), moved(digest="d2"))

    assert list(changed_orders(event((before, after)))) == [after]


def test_recording_a_move_is_not_a_change_of_the_order() -> None:
    steps = [record(), pending(), pending(move_began_at=None), moved(moved_at=NOW.isoformat())]
    items = [(order_fields(), step) for step in steps]

    assert list(changed_orders(event(*pairwise(items)))) == []


def test_a_deleted_item_is_not_a_change_of_an_order() -> None:
    assert list(changed_orders(event(((order_fields(), moved()), None)))) == []


def test_compressed_lists_are_unpacked() -> None:
    fields = order_fields(products=[line(id=n, note="x" * 700) for n in range(620)])
    before = (order_fields(products=[line()]), record(digest="d0"))

    ((shown, kept),) = changed_orders(event((before, (fields, record()))))

    assert shown == fields
    assert kept.encoding == {"products": "gzip+json"}


def test_changes_are_returned_in_their_order() -> None:
    first, second = (order_fields(118), record()), (order_fields(119), record(digest="d2"))

    ids = [order["id"] for order, _ in changed_orders(event((None, first), (None, second)))]

    assert ids == [118, 119]
