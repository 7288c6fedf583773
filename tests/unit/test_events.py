"""What a change of an item means to other systems: the events of a record of the stream."""

import json
import re
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from boto3.dynamodb.types import TypeSerializer

from chalicelib.domain.events import Event, UnreadableRecord, events_of
from chalicelib.domain.items import encode
from chalicelib.domain.models import JsonObject
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import tombstone
from tests.factories import NOW, PROJECT, STORE_HASH, at, line, moved, order_fields, pending, record

Item = tuple[JsonObject, ReplicationRecord]

FIELDS = order_fields(products=[line(weight=Decimal("0.10"))])
SHIPPED = {**FIELDS, "status_id": 2, "status": "Shipped"}
FOUND = record(found_by="poll").changed(at(-60), "webhook")
NOW_MS = int(NOW.timestamp() * 1000)
LONG_LIST = [line(id=n, note="x" * 700) for n in range(620)]
SCHEMA = json.loads((PROJECT / "docs" / "event-v1.schema.json").read_text())
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "events"


def image(item: Item) -> dict[str, Any]:
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in encode(*item)[0].items()}


def change(before: Item | None, after: Item | None) -> JsonObject:
    """The part `dynamodb` of a record of the stream."""
    images: JsonObject = {"Keys": {"id": {"N": "118"}}, "SequenceNumber": "1"}
    if before:
        images["OldImage"] = image(before)
    if after:
        images["NewImage"] = image(after)
    return images


def events(before: Item | None, after: Item | None, *, with_history: bool = False) -> list[Event]:
    return events_of(change(before, after), with_history=with_history)


def types(before: Item | None, after: Item | None, **options: bool) -> list[str]:
    return [event.type for event in events(before, after, **options)]


def test_a_new_order_is_created_and_everything_of_it_is_new() -> None:
    (event,) = events(None, (FIELDS, FOUND))

    assert event.type == "order.created"
    assert (event.order_id, event.channel_id, event.status_id) == (118, 1, 11)
    assert (event.changed, event.previous_status_id) == ((), None)
    assert event.found_by == "webhook"
    assert event.order == FIELDS


CHANGES: dict[str, tuple[ReplicationRecord, list[str]]] = {
    "put": (record(digest="d2"), ["order.changed"]),
    "incomplete": (record(incomplete=("products",)), ["order.changed"]),
    "moved by the service": (moved(), ["order.moved"]),
    "moved by others": (moved(moved_from=None), ["order.changed"]),
    "moved in doubt": (moved(move_unconfirmed=True), ["order.changed"]),
    "archived": (record(archived_at=NOW), ["order.archived"]),
    "moved and archived": (moved(archived_at=NOW), ["order.moved", "order.archived"]),
}


@pytest.mark.parametrize(("after", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_published_as_what_is_new(
    after: ReplicationRecord, expected: list[str]
) -> None:
    assert types((FIELDS, FOUND), (FIELDS, after.changed(NOW, "poll"))) == expected


@pytest.mark.parametrize(
    "kept", [moved(found_by="poll"), record(archived_at=at(-5), found_by="poll")]
)
def test_what_was_so_before_is_not_published_again(kept: ReplicationRecord) -> None:
    assert types((FIELDS, kept), (SHIPPED, kept.changed(NOW, "poll"))) == ["order.changed"]


def test_a_restored_order_has_changed() -> None:
    kept = record(archived_at=at(-5), found_by="poll")
    after = replace(kept, archived_at=None).changed(NOW)

    assert types((FIELDS, kept), (FIELDS, after)) == ["order.changed"]


def test_a_read_and_the_steps_of_a_move_before_its_end_are_no_events() -> None:
    steps = [
        record(),
        record(read_at=NOW),
        pending(read_at=NOW),
        pending(read_at=NOW, move_began_at=at(60)),
        record(read_at=NOW),
    ]

    assert [types((FIELDS, a), (FIELDS, b)) for a, b in pairwise(steps)] == [[]] * 4


def test_a_change_names_the_fields_that_differ() -> None:
    after = {**FIELDS, "status_id": 2, "staff_notes": "gift"}
    del after["ip_address"]

    (event,) = events((FIELDS, FOUND), (after, FOUND.changed(NOW)))

    assert event.changed == ("ip_address", "staff_notes", "status_id")
    assert (event.previous_status_id, event.status_id) == (11, 2)


def test_a_compressed_list_counts_by_its_content() -> None:
    short, long = {**FIELDS, "coupons": []}, {**FIELDS, "products": LONG_LIST, "coupons": []}
    longer = {**long, "coupons": [{"id": 1}]}

    (grown,) = events((short, FOUND), (long, FOUND.changed(NOW)))
    (added,) = events((long, FOUND), (longer, FOUND.changed(NOW)))

    assert grown.changed == ("products",)
    assert added.changed == ("coupons",)
    assert added.order == longer


def test_a_number_that_is_written_in_another_way_has_not_changed() -> None:
    again = {**FIELDS, "products": [line(weight=Decimal("0.1"))]}

    (event,) = events((FIELDS, FOUND), (again, FOUND.changed(NOW)))

    assert event.changed == ()


@pytest.mark.parametrize("before", [None, (FIELDS, moved(found_by="poll"))])
def test_a_forgotten_order_is_published_by_its_id(before: Item | None) -> None:
    forgotten = tombstone(before and before[1], NOW)

    (event,) = events(before, ({"id": 118}, forgotten))

    assert (event.type, event.found_by) == ("order.forgotten", "forget")
    assert (event.changed, event.order, event.status_id) == ((), None, None)
    assert event.channel_id == (1 if before else None)


def test_nothing_of_a_forgotten_order_is_published_later() -> None:
    forgotten = ({"id": 118}, tombstone(moved(), at(-60)))

    assert events(forgotten, ({"id": 118}, moved(forgotten_at=NOW).changed(NOW))) == []


def test_a_deleted_item_is_no_event() -> None:
    assert events((FIELDS, moved()), None) == []


@pytest.mark.parametrize(
    ("facts", "incomplete"),
    [
        ({}, False),
        ({"incomplete": ("fees",)}, True),
        ({"incomplete": ("fees",), "believed": True}, False),
    ],
)
def test_an_order_is_incomplete_as_long_as_a_complete_version_follows(
    facts: JsonObject, incomplete: bool
) -> None:
    (event,) = events(None, (FIELDS, record(**facts)))

    assert event.incomplete == incomplete


def test_an_event_is_identified_by_its_order_its_sequence_and_its_type() -> None:
    kept = moved(archived_at=NOW, sequence=NOW_MS + 1)

    found = events((FIELDS, record()), (FIELDS, kept))

    assert [event.event_id for event in found] == [
        f"118-{NOW_MS + 1}-moved",
        f"118-{NOW_MS + 1}-archived",
    ]
    assert found[0].occurred_at == at(0.001)


OLD_1_0 = replace(record(), sequence=None, read_at=None, parts_digest=None)
OBSERVED = OLD_1_0.record_move(None, 9, NOW).changed(NOW, "fill")
"""An item of version 1.0 on which only a move was recorded since."""

HISTORY: dict[str, tuple[ReplicationRecord | None, str, bool]] = {
    "stored by a fill": (None, "fill", False),
    "stored by a backfill": (None, "backfill", False),
    "stored by a sweep": (None, "sweep", True),
    "stored by a replay": (None, "replay", True),
    "of 1.0, found by a fill": (OLD_1_0, "fill", False),
    "of 1.0, found by a backfill": (OLD_1_0, "backfill", False),
    "of 1.0 and observed, found by a fill": (OBSERVED, "fill", False),
    "of 1.0, found by a webhook": (OLD_1_0, "webhook", True),
    "missed, found by a fill": (record(), "fill", True),
    "missed, found by a backfill": (record(), "backfill", True),
}


@pytest.mark.parametrize(("kept", "found_by", "is_published"), HISTORY.values(), ids=HISTORY)
def test_what_is_copied_for_the_first_time_is_published_only_if_it_is_wanted(
    kept: ReplicationRecord | None, found_by: str, is_published: bool
) -> None:
    before = (FIELDS, kept) if kept else None
    after = (SHIPPED, record(digest="d2").changed(at(5), found_by))

    assert bool(events(before, after)) == is_published
    assert len(events(before, after, with_history=True)) == 1


def test_an_order_that_a_fill_found_is_published_when_it_is_moved_and_when_it_changes() -> None:
    stored = pending().changed(at(-60), "fill")

    after = moved(sequence=stored.sequence).changed(NOW, "fill")

    assert types((FIELDS, stored), (SHIPPED, after)) == ["order.moved"]


def test_what_version_1_0_writes_is_no_event() -> None:
    assert events(None, (FIELDS, OLD_1_0)) == []
    assert events((FIELDS, OLD_1_0), (SHIPPED, replace(OLD_1_0, digest="d2"))) == []
    assert events((FIELDS, record()), (SHIPPED, OLD_1_0)) == []


def test_a_change_of_version_2_0_was_found_by_what_found_the_order() -> None:
    (event,) = events(None, (FIELDS, record(source="sweep")))

    assert event.found_by == "sweep"


def damaged(**attributes: Any) -> JsonObject:
    images = change((FIELDS, FOUND), ({**FIELDS, "products": LONG_LIST}, FOUND.changed(NOW)))
    images["NewImage"] |= attributes
    return images


@pytest.mark.parametrize(
    "attributes",
    [
        {"replication": {"NULL": True}},
        {"replication": {"M": {"source": {"S": "poll"}}}},
        {"replication": {"S": "of another program"}},
        {"products": {"B": b"not compressed"}},
        {"products": {"B": b"\x1f\x8b\x08\x00cut"}},
        {"products": {"S": "text"}},
    ],
    ids=str,
)
def test_a_damaged_item_is_unreadable_and_named_by_its_id(attributes: JsonObject) -> None:
    with pytest.raises(UnreadableRecord, match=r"^order 118: \w+$") as raised:
        events_of(damaged(**attributes), with_history=False)

    assert raised.value.__context__ is None


def test_an_item_of_another_program_is_unreadable() -> None:
    foreign = {"Keys": {"id": {"N": "118"}}, "NewImage": {"id": {"N": "118"}}}

    with pytest.raises(UnreadableRecord, match="order 118: KeyError"):
        events_of(foreign, with_history=False)


EXAMPLES: dict[str, tuple[Item | None, Item]] = {
    "order.created": (None, (FIELDS, record().changed(NOW, "webhook"))),
    "order.changed": (
        (FIELDS, FOUND),
        ({**SHIPPED, "staff_notes": "gift"}, FOUND.changed(NOW, "poll")),
    ),
    "order.moved": (
        (FIELDS, pending(found_by="webhook")),
        (
            {**FIELDS, "status_id": 9, "status": "Awaiting Shipment"},
            moved().changed(NOW, "webhook"),
        ),
    ),
    "order.archived": (
        (FIELDS, FOUND),
        ({**FIELDS, "is_deleted": True}, replace(FOUND, archived_at=NOW).changed(NOW, "webhook")),
    ),
    "order.forgotten": ((FIELDS, FOUND), ({"id": 118}, tombstone(FOUND, NOW))),
}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_example_of_each_event_is_as_recorded_and_valid(kind: str) -> None:
    (event,) = events(*EXAMPLES[kind])

    published = {
        "source": "order-replication.prod",
        "detail-type": event.type,
        "detail": event.detail(STORE_HASH),
    }

    assert published == json.loads((GOLDEN / f"{kind}.json").read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(published)


def test_a_replay_for_one_destination_names_it() -> None:
    (event,) = events(*EXAMPLES["order.changed"])
    published = json.loads((GOLDEN / "order.changed.json").read_text())

    detail = event.detail(STORE_HASH, replayed=True, only_for="erp")

    assert detail == {**published["detail"], "replayed": True, "only_for": "erp"}
    jsonschema.Draft202012Validator(SCHEMA).validate({**published, "detail": detail})


def test_every_type_of_event_has_an_example() -> None:
    kinds = SCHEMA["properties"]["detail-type"]["enum"]

    assert set(EXAMPLES) == set(kinds) == {path.stem for path in GOLDEN.glob("*.json")}


def test_the_documented_fields_and_types_are_those_of_the_schema() -> None:
    page = (PROJECT / "docs" / "data.md").read_text().split("\n## Events\n")[1]
    section = page.split("\n## ")[0]
    first_cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    names = set(re.findall(r"`([\w.]+)`", " ".join(first_cells)))
    properties = SCHEMA["properties"]

    of_cloudevents = {"id", "source", "type", "subject", "time", "dataschema", "data"}
    assert names - of_cloudevents == {
        *properties["detail-type"]["enum"],
        *properties["detail"]["properties"],
    }


def test_the_documented_event_is_valid() -> None:
    page = (PROJECT / "docs" / "data.md").read_text()
    (example,) = re.findall(r"```jsonc\n(.*?)```", page, re.DOTALL)

    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(example))


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_event_has_no_value_of_the_order_but_its_statuses_and_its_channel(kind: str) -> None:
    (event,) = events(*EXAMPLES[kind])

    text = json.dumps(event.detail(STORE_HASH))

    assert all(value not in text for value in ("Jane", "jane.doe@example.com", "192.0.2.10"))
    assert "Jane" not in repr(event)


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 2},
        {"event_id": "118"},
        {"sequence": None},
        {"changed": ["a", "a"]},
        {"found_by": "chance"},
        {"order": {"id": 118}, "order_omitted": True},
    ],
    ids=str,
)
def test_the_schema_refuses_another_content(wrong: JsonObject) -> None:
    published = json.loads((GOLDEN / "order.changed.json").read_text())
    published["detail"] |= wrong

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(published)
