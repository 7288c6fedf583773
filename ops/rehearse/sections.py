"""The sections of the report, which the terminal and the HTML file show alike."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ops.explain.facts import status_name
from ops.rehearse import choices
from ops.rehearse.judge import Concern
from ops.wording import count, duration

Facts: TypeAlias = Mapping[str, Any]
Cell: TypeAlias = str | int | list[int]
"""Text, a number, or ids of orders."""

MEANING: dict[Concern, str] = {
    "unpaid": "moved out of Awaiting Payment: BigCommerce and ERPs then treat them as paid. "
    "MOVE_UNPAID=false waits for the payment",
    "collected": "moved to PICKUP_STATUS_ID, because the buyer collects all goods",
    "partly collected": "moved to PHYSICAL_STATUS_ID, because only some goods are collected",
    "digital": "moved to DIGITAL_STATUS_ID: check that downloads still work in that status",
    "completed with goods": "stored and not moved: shipped orders end like this, but orders of a "
    "point of sale or marketplace may also begin like this",
    "fewer lines than stated": "moved a quarter of an hour after their last change at the earliest",
    "too large": "cannot be stored in a DynamoDB item of 400 KB, and end in a dead-letter queue; "
    "REDACTED_FIELDS can leave fields out",
    "unstorable number": "have a number that DynamoDB cannot hold, and end in a dead-letter queue; "
    "REDACTED_FIELDS can leave the field out",
    "unreadable": "cannot be read or have an invalid field, and end in a dead-letter queue",
}

PURPOSES = {
    "listings": "to list the orders",
    "orders": "to read the orders",
    "lists": "to read their lists",
    "repeated": "to read orders again that waited for the quota",
    "moves": "to move orders",
    "confirmations": "to confirm the moves",
    "retries": "to try again what fails, within half a day",
}


@dataclass(frozen=True)
class Section:
    """A heading, sentences, and a table."""

    title: str
    sentences: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    rows: list[tuple[Cell, ...]] = field(default_factory=list)


def headline(facts: Facts) -> list[str]:
    """What was read, and what would be done with it."""
    orders, outcomes = facts["orders"], facts["outcomes"]
    if not orders["read"] and facts["is_partial"]:
        return ["PARTIAL: the rehearsal did not finish, and read no order."]
    if not orders["read"]:
        return ["No orders were read. The store has none that this token shows."]
    whole = f"{number(orders['read'])} of {count_of(orders['in_store'], 'order')} in the store"
    span = f"ids {orders['newest']} to {orders['oldest']}"
    created = f"created from {day(orders['created_from'])} to {day(orders['created_to'])}"
    if orders["created_from"]:
        span = f"{span}, {created}"
    lines = [f"{whole} were read, the newest first: {span}."]
    if facts["is_partial"]:
        lines.insert(0, "PARTIAL: the rehearsal did not finish.")
    done = {
        "moved": "would be stored and moved",
        "stored": "stored and not moved",
        "left alone": "left alone",
        "in flight": "are being replicated at present",
        "failed": "would fail",
    }
    found = [f"{number(outcomes[name])} {text}" for name, text in done.items() if name in outcomes]
    return [*lines, f"{', '.join(found)}."]


def sections(facts: Facts) -> Iterator[Section]:
    """All sections that have something to show, the most important first."""
    yield _moves(facts)
    yield from _reasons(facts, "needs_a_person", "What a person should check")
    yield from _reasons(facts, "stored_and_not_moved", "Stored and not moved")
    yield from _reasons(facts, "left_alone", "Left alone: neither stored nor moved")
    yield from _orders(facts)
    yield _other_settings(facts)
    yield _first_sweep(facts)
    if facts["cost"]:
        yield _cost(facts["cost"])
    yield _webhooks(facts["webhooks"])
    yield Section("What a rehearsal cannot find out", tuple(facts["unknown"]))
    yield _assumptions(facts)


def _moves(facts: Facts) -> Section:
    groups: dict[tuple[int, int, str], list[int]] = defaultdict(list)
    for move in facts["moves"]:
        groups[move["from"], move["to"], move["why"]].append(move["order_id"])
    rows: list[tuple[Cell, ...]] = [
        (status_name(before), status_name(after), why, len(ids), ids)
        for (before, after, why), ids in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]
    if not rows:
        return Section("Moves", ("No order would be moved.",))
    text = f"{count_of(len(facts['moves']), 'order')} would get another status in the store."
    return Section("Moves", (text,), ("from", "to", "because", "orders", "ids"), rows)


def _reasons(facts: Facts, name: str, title: str) -> Iterator[Section]:
    found = facts[name]
    if not found:
        return
    is_concern = name == "needs_a_person"
    rows: list[tuple[Cell, ...]] = [
        (_named(reason), *((MEANING[reason],) if is_concern else ()), each["count"], each["ids"])
        for reason, each in found.items()
    ]
    headers = ("orders that are", "what happens") if is_concern else ("because",)
    yield Section(title, (), (*headers, "orders", "ids"), rows)


def _orders(facts: Facts) -> Iterator[Section]:
    orders, moved = facts["orders"], defaultdict[str, int](int)
    for move in facts["moves"]:
        moved[str(move["from"])] += 1
    rows: list[tuple[Cell, ...]] = [
        (
            status_name(int(status)),
            n,
            moved[status],
            orders["in_store_by_status"].get(status, 0),
        )
        for status, n in orders["by_status"].items()
    ]
    headers = ("status", "read", "moved", "in the store")
    yield Section("Orders by status", (), headers, rows)
    channels: list[tuple[Cell, ...]] = list(orders["by_channel"].items())
    yield Section("Orders by channel", (), ("channel", "read"), channels)
    ages: list[tuple[Cell, ...]] = list(orders["by_age"].items())
    yield Section("Orders by age", (), ("created", "read"), ages)


def _other_settings(facts: Facts) -> Section:
    text = "Each row changes one setting, and counts the moves among the orders that were read."
    rows: list[tuple[Cell, ...]] = [
        (name, each["moves"], f"{each['difference']:+,}")
        for name, each in facts["other_settings"].items()
    ]
    return Section("Moves under other settings", (text,), ("setting", "moves", "difference"), rows)


def _first_sweep(facts: Facts) -> Section:
    sweep, stage = facts["first_sweep"], facts["stage"]
    what = "The next sweep" if stage else "The first sweep"
    sentences = [
        f"{what} and the replication of what it queues take about "
        f"{count_of(sweep['total'], 'request')} to the store for the orders that were read, about "
        f"{duration(sweep['seconds'])}."
    ]
    if everything := sweep.get("of_all_orders"):
        sentences.append(
            f"For all of about {count_of(everything['orders'], 'order')} in scope: about "
            f"{count_of(everything['total'], 'request')}, about {duration(everything['seconds'])}."
        )
    polls = (everything or sweep)["polls"]
    if polls > 1:
        sentences.append(
            f"A sweep stops at about 5,000 queued orders, so that {polls} polls are needed. The "
            "command poll can be repeated to continue at once."
        )
    sentences.append(_quota(sweep))
    rows: list[tuple[Cell, ...]] = [(PURPOSES[name], n) for name, n in sweep["requests"].items()]
    return Section("Requests and time", tuple(sentences), ("requests", "number"), rows)


def _quota(sweep: Facts) -> str:
    if not sweep["quota"]:
        return "The store reports no quota."
    others = sweep["used_by_others"]
    seen = f"at most {number(others)} of it were used" if others else "none of it was used"
    return (
        f"The store's quota is {count_of(sweep['quota'], 'request')} per "
        f"{sweep['window_seconds']:.0f} seconds; {seen} by other apps while this ran."
    )


def _cost(cost: Facts) -> Section:
    return Section(
        "Cost",
        (
            f"At {cost['orders_a_day']:,.0f} orders a day, as among those that were read, AWS "
            f"costs about {cost['dollars_a_month']:,} dollars a month (docs/deploying.md, Cost).",
        ),
    )


def _webhooks(hooks: Facts) -> Section:
    if "error" in hooks:
        return Section("Webhooks", (f"The webhooks could not be read ({hooks['error']}).",))
    number_of = hooks["active"] + hooks["inactive"]
    sentences = [
        f"This token's API account has {count_of(number_of, 'webhook')}"
        + (f", {hooks['inactive']} of them inactive." if hooks["inactive"] else ".")
    ]
    if hooks["blocked_domains"]:
        sentences.append(f"Callbacks are paused to: {', '.join(hooks['blocked_domains'])}.")
    if not number_of:
        return Section("Webhooks", tuple(sentences))
    sentences.append(f"They call: {', '.join(hooks['domains'])}.")
    rows: list[tuple[Cell, ...]] = list(hooks["scopes"].items())
    return Section("Webhooks", tuple(sentences), ("scope", "webhooks"), rows)


def _assumptions(facts: Facts) -> Section:
    rows: list[tuple[Cell, ...]] = [
        (name, _setting(value)) for name, value in facts["settings"].items()
    ]
    sent = sum(facts["rehearsal"]["requests"].values())
    text = f"The rehearsal sent {count_of(sent, 'request')}, all of them GET."
    return Section("Settings that were assumed", (text,), ("setting", "value"), rows)


def _setting(value: Any) -> str:
    if str(value) == choices.ALWAYS:
        return "no limit"
    if isinstance(value, list):
        return ",".join(map(str, value)) or "(empty)"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _named(reason: str) -> str:
    """A reason of the rules, with the name of the status whose id it has."""
    return re.sub(r"\bstatus (\d+)", lambda found: status_name(int(found[1])), reason)


def number(value: int) -> str:
    return f"{value:,}"


def count_of(value: int, noun: str) -> str:
    """As `count`, with separators: 1,000 orders."""
    return count(value, noun).replace(str(value), number(value), 1)


def day(moment: str | None) -> str:
    return (moment or "")[:10]
