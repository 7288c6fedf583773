"""The rules over many deliveries of one order: what stays true whatever the store returns."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.models import Order
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import Content, DecideLater, decide, observe
from chalicelib.domain.rules import moved as after_the_move
from tests.factories import NOW, order, policy, store_date, task


@dataclass(frozen=True)
class Delivery:
    """A delivery `lapse` seconds after the last one, which reads an answer `age` seconds old."""

    lapse: int
    age: int
    status: int
    digest: str
    end: str
    is_short: bool
    is_paused: bool


@dataclass(frozen=True)
class Step:
    """The record before and after a delivery, and where it moved the order."""

    before: ReplicationRecord | None
    after: ReplicationRecord
    move_to: int | None


ENDS: dict[str, Callable[[ReplicationRecord, Order, datetime], ReplicationRecord]] = {
    "made": lambda step, seen, now: after_the_move(
        step,
        order(status_id=step.moved_to, date_modified=store_date(now), read_at=seen.read_at),
        "d9",
        now,
    ),
    "rejected": lambda step, seen, now: step.forget_move(),
    "unknown": lambda step, seen, now: step,
}

histories = st.lists(
    st.builds(
        Delivery,
        lapse=st.sampled_from([0, 1, 2, 5, 59, 60, 179, 180, 900]),
        age=st.sampled_from([0, 1, 2, 60, 1000]),
        status=st.sampled_from([2, 7, 8, 9, 10, 11, 12]),
        digest=st.sampled_from(["a", "b"]),
        end=st.sampled_from(sorted(ENDS)),
        is_short=st.booleans(),
        is_paused=st.booleans(),
    ),
    max_size=12,
)


def steps(history: list[Delivery]) -> list[Step]:
    now, taken = NOW, []
    stored: ReplicationRecord | None = None
    for delivery in history:
        now += timedelta(seconds=delivery.lapse)
        changed = now - timedelta(seconds=delivery.age)
        seen = order(
            "digital",
            status_id=delivery.status,
            date_modified=store_date(changed),
            read_at=now,
            requested_at=now,
        )
        before = stored
        incomplete = ("fees",) if delivery.is_short else ()
        content = Content(delivery.digest, delivery.digest, incomplete)
        move_to = None
        try:
            if stored:
                stored = observe(stored, seen, policy(), now)
            decision = decide(
                seen, content, stored, policy(), task(), now, is_paused=delivery.is_paused
            )
        except DecideLater:
            pass
        else:
            stored, move_to = decision.record, decision.move_to
            if move_to is not None:
                stored = ENDS[delivery.end](stored, seen, now)
        if stored:
            taken.append(Step(before, stored, move_to))
    return taken


@given(histories)
def test_a_move_once_recorded_never_changes_and_none_follows(history: list[Delivery]) -> None:
    for step in steps(history):
        if step.before and step.before.is_moved:
            assert step.move_to is None
            assert step.after.pending_move is None
            assert (step.after.moved_at, step.after.moved_from, step.after.moved_to) == (
                step.before.moved_at,
                step.before.moved_from,
                step.before.moved_to,
            )


@given(histories)
def test_no_move_is_begun_while_another_may_be_under_way(history: list[Delivery]) -> None:
    for step in steps(history):
        before = step.before
        if before and before.pending_move and step.move_to and before.move_began_at:
            began = step.after.move_began_at or step.after.moved_at
            assert began is None or began - before.move_began_at >= timedelta(seconds=180)


@given(histories)
def test_every_change_raises_the_sequence_and_nothing_lowers_it(history: list[Delivery]) -> None:
    def facts(record: ReplicationRecord) -> tuple[object, ...]:
        return (record.version, record.digest, record.status_id, record.is_moved)

    for step in steps(history):
        after = step.after.sequence
        assert after is not None
        if step.before is None:
            continue
        before = step.before.sequence
        assert before is not None
        assert after >= before
        if facts(step.after) != facts(step.before):
            assert after > before


@given(histories)
def test_an_order_is_never_moved_while_a_list_is_short_and_not_believed(
    history: list[Delivery],
) -> None:
    for step in steps(history):
        if step.move_to is not None:
            assert step.after.believed or not step.after.incomplete


@given(histories)
def test_repeating_the_last_delivery_at_once_changes_nothing_but_the_read(
    history: list[Delivery],
) -> None:
    taken = steps(history)
    if not taken or taken[-1].move_to is not None:
        return

    repeated = steps([*history, replace(history[-1], lapse=0)])[-1]

    assert repeated.after.sequence == taken[-1].after.sequence
    assert repeated.after.moved_at == taken[-1].after.moved_at
