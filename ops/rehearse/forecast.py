"""The forecast: counts by status, channel and age, every move, and what is left alone and why.

It holds ids, statuses and counts; the orders themselves are not kept.
"""

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.domain.models import Order, OrderStatus
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import Policy
from ops.rehearse.fill import Fill
from ops.rehearse.judge import Concern, Verdict, would_move
from ops.wording import count

MOST_IDS = 100
"""Ids that are kept for a reason or a concern; the rest is counted."""

AGES = (1, 7, 30, 90, 365)
"""Days: the limits of the groups of ages."""

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Move:
    """One move: ids of statuses, and why it goes there."""

    order_id: int
    before: int
    after: int
    why: str


@dataclass
class Reason:
    """How many orders something is true of, and the ids of the newest of them."""

    count: int = 0
    ids: list[int] = field(default_factory=list)

    def add(self, order_id: int) -> None:
        self.count += 1
        if len(self.ids) < MOST_IDS:
            self.ids.append(order_id)


@dataclass
class Forecast:
    """Everything that is known of the orders read so far."""

    policy: Policy
    now: datetime
    fill: Fill
    listed: int = 0
    newest: int | None = None
    oldest: int | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    reached: datetime | None = None
    """The date of creation of the oldest order that was read."""
    statuses: Counter[int] = field(default_factory=Counter)
    channels: Counter[int | None] = field(default_factory=Counter)
    ages: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    moves: list[Move] = field(default_factory=list)
    left_alone: dict[str, Reason] = field(default_factory=dict)
    not_moved: dict[str, Reason] = field(default_factory=dict)
    fails: dict[str, Reason] = field(default_factory=dict)
    concerns: dict[Concern, Reason] = field(default_factory=dict)
    other_moves: Counter[str] = field(default_factory=Counter)
    """Moves under other settings, by the setting as NAME=VALUE."""

    def add(
        self,
        order: Order,
        whole: Order,
        record: ReplicationRecord | None,
        verdict: Verdict,
    ) -> None:
        """Count an order and its verdict; `whole` has its lines, as far as they are known."""
        self._list(order.id)
        self.statuses[order.status_id] += 1
        self.channels[order.channel_id] += 1
        self.ages[age(self.now - order.date_created)] += 1
        self.created_from = min(self.created_from or order.date_created, order.date_created)
        self.reached = order.date_created
        self.created_to = max(self.created_to or order.date_created, order.date_created)
        self.outcomes[verdict.outcome] += 1
        for concern in verdict.concerns:
            self.concerns.setdefault(concern, Reason()).add(order.id)
        if verdict.move_to is not None:
            self.moves.append(Move(order.id, order.status_id, verdict.move_to, verdict.reason))
        else:
            reasons = {"left alone": self.left_alone, "failed": self.fails}
            found = reasons.get(verdict.outcome, self.not_moved)
            found.setdefault(verdict.reason, Reason()).add(order.id)
        self.fill.add(
            order,
            whole,
            record,
            moves=verdict.move_to is not None,
            fails=verdict.outcome == "failed",
        )
        if verdict.outcome != "failed":
            self._try_other_settings(whole, record)

    def add_unreadable(self, order_id: int, *, is_served: bool) -> None:
        """Count an order of which only the id is known."""
        self._list(order_id)
        self.outcomes["failed"] += 1
        self.concerns.setdefault("unreadable", Reason()).add(order_id)
        self.fails.setdefault("unreadable", Reason()).add(order_id)
        self.fill.add_unreadable(order_id, is_served=is_served)

    def add_old(self, order_id: int) -> None:
        """Count an order that is unreadable, and was created before REPLICATE_SINCE."""
        self._list(order_id)
        self.outcomes["left alone"] += 1
        self.left_alone.setdefault("created before REPLICATE_SINCE", Reason()).add(order_id)

    def _list(self, order_id: int) -> None:
        self.listed += 1
        self.newest = self.newest or order_id
        self.oldest = order_id

    def _try_other_settings(self, order: Order, record: ReplicationRecord | None) -> None:
        own = {} if order.channel_id is None else self._of_channel(order.channel_id)
        for name, policy in (self.other_policies | own).items():
            self.other_moves[name] += would_move(order, record, policy)

    @functools.cached_property
    def other_policies(self) -> dict[str, Policy]:
        """This policy with one setting changed, by that setting."""
        policy = self.policy
        moves, unpaid = not policy.move_status, not policy.move_unpaid
        found = {
            f"MOVE_STATUS={str(moves).lower()}": replace(policy, move_status=moves),
            f"MOVE_UNPAID={str(unpaid).lower()}": replace(policy, move_unpaid=unpaid),
        }
        for days in AGES:
            since = self.now - timedelta(days=days)
            found[f"REPLICATE_SINCE={ago(days)}"] = replace(policy, replicate_since=since)
        found["REPLICATE_SINCE=always"] = replace(policy, replicate_since=ALWAYS)
        if policy.channels:
            found["CHANNEL_IDS="] = replace(policy, channels=())
        return found

    def _of_channel(self, channel_id: int) -> dict[str, Policy]:
        """An order can be moved under the settings of its own channel only."""
        return {f"CHANNEL_IDS={channel_id}": replace(self.policy, channels=(channel_id,))}

    def orders_a_day(self) -> float | None:
        """The orders created a day, in the time from the oldest to the newest order that was read.

        None for less than a day.
        """
        if self.created_from is None or self.created_to is None:
            return None
        days = (self.created_to - self.created_from) / timedelta(days=1)
        placed = self.listed - self.statuses[OrderStatus.INCOMPLETE]
        return placed / days if days >= 1 else None


def age(passed: timedelta) -> str:
    """The group of ages that an order belongs to."""
    days = passed / timedelta(days=1)
    return next((up_to(limit) for limit in AGES if days <= limit), f"older than {AGES[-1]} days")


def up_to(days: int) -> str:
    return f"up to {count(days, 'day')}"


def ago(days: int) -> str:
    return f"{count(days, 'day')} ago"


def reasons(found: Mapping[Any, Reason]) -> dict[str, dict[str, Any]]:
    """For JSON: the most frequent reason first."""
    most = sorted(found.items(), key=lambda item: -item[1].count)
    return {str(name): {"count": each.count, "ids": each.ids} for name, each in most}
