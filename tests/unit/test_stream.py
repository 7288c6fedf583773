"""Reading the Orders table's stream: every change of an order, once, with all its parts."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from chalicelib.domain.items import encode
from chalicelib.domain.models import JsonObject
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import tombstone
from chalicelib.stream import changed_orders, expired_orders, forgotten_orders
from tests.factories import NOW, at, line, moved, order_fields, pending, record

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


FIELDS = order_fields(products=[line(weight=Decimal("0.10"))])


def test_a_new_order_is_a_change() -> None:
    assert list(changed_orders(event((None, (FIELDS, pending()))))) == [(FIELDS, pending())]


@pytest.mark.parametrize(
    "after",
    [
        record(digest="d2"),
        moved(status_id=11),
        record(archived_at=NOW),
        record(incomplete=("products",)),
    ],
    ids=["put", "moved", "archived", "incomplete"],
)
def test_an_item_with_another_sequence_is_a_change(after: ReplicationRecord) -> None:
    after = after.changed(NOW)

    changes = event(((FIELDS, record()), (FIELDS, after)))

    assert list(changed_orders(changes)) == [(FIELDS, after)]


def test_a_read_and_the_steps_of_a_move_before_its_end_are_no_changes() -> None:
    steps = [
        record(),
        record(read_at=NOW),
        pending(read_at=NOW),
        pending(read_at=NOW, move_began_at=at(60)),
        record(read_at=NOW),
    ]
    items = [(FIELDS, step) for step in steps]

    assert list(changed_orders(event(*pairwise(items)))) == []


def test_every_update_of_an_item_of_version_1_0_is_a_change() -> None:
    old = replace(record(), sequence=None)

    changes = event(((FIELDS, old), (FIELDS, replace(old, digest="d2"))))

    assert len(list(changed_orders(changes))) == 1


@pytest.mark.parametrize("before", [None, (FIELDS, moved())])
def test_a_forgotten_order_is_no_change_and_is_listed_by_its_id(before: Item | None) -> None:
    changes = event((before, ({"id": 118}, tombstone(moved(status_id=None), NOW))))

    assert list(changed_orders(changes)) == []
    assert list(forgotten_orders(changes)) == [118]


def test_a_changed_order_is_not_a_forgotten_one() -> None:
    assert list(forgotten_orders(event((None, (FIELDS, record()))))) == []


@pytest.mark.parametrize("after", [None, {"id": 118, "note": "of another program"}])
def test_a_deleted_item_and_one_of_another_program_are_no_changes(after: Any) -> None:
    changes = event(((FIELDS, moved()), None))
    if after:
        serialize = TypeSerializer().serialize
        image = {name: serialize(value) for name, value in after.items()}
        changes["Records"][0]["dynamodb"]["NewImage"] = image

    assert list(changed_orders(changes)) == []
    assert list(forgotten_orders(changes)) == []


def test_compressed_lists_are_unpacked() -> None:
    fields = order_fields(products=[line(id=n, note="x" * 700) for n in range(620)])
    before = (FIELDS, record())

    ((shown, kept),) = changed_orders(event((before, (fields, record().changed(NOW)))))

    assert shown == fields
    assert kept.encoding == {"products": "gzip+json"}


def test_changes_are_returned_in_their_order() -> None:
    first, second = (order_fields(118), record()), (order_fields(119), record(digest="d2"))

    ids = [order["id"] for order, _ in changed_orders(event((None, first), (None, second)))]

    assert ids == [118, 119]


@pytest.mark.parametrize(
    ("user", "ids"),
    [
        ({"type": "Service", "principalId": "dynamodb.amazonaws.com"}, [118]),
        (None, []),
    ],
    ids=["by DynamoDB", "by an operator"],
)
def test_an_order_that_dynamodb_removed_has_expired_and_is_no_change(
    user: JsonObject | None, ids: list[int]
) -> None:
    removals = event(((FIELDS, moved()), None))
    removals["Records"][0]["userIdentity"] = user

    assert list(expired_orders(removals)) == ids
    assert list(changed_orders(removals)) == []
    assert list(forgotten_orders(removals)) == []


def test_a_changed_order_has_not_expired() -> None:
    assert list(expired_orders(event((None, (FIELDS, record()))))) == []
