"""A realistic mix of orders: most are small and physical, a few are very large."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from sandbox.store.statuses import Status

WEIGHTS: dict[Status, int] = {
    Status.AWAITING_FULFILLMENT: 30,
    Status.COMPLETED: 20,
    Status.SHIPPED: 12,
    Status.AWAITING_PAYMENT: 10,
    Status.INCOMPLETE: 10,
    Status.AWAITING_SHIPMENT: 5,
}
"""Weights in percent; a status that is not named here has 1."""
PHYSICAL_ONLY = {Status.SHIPPED, Status.PARTIALLY_SHIPPED, Status.AWAITING_SHIPMENT}
UNSHIPPED = {"digital", "gift_certificate", "pickup"}
MAY_BE_COLLECTED = {Status.AWAITING_FULFILLMENT, Status.AWAITING_PAYMENT, Status.AWAITING_PICKUP}


@dataclass(frozen=True)
class Plan:
    """Arguments of `place_order`."""

    status: int
    kind: str
    lines: int
    addresses: int
    coupons: int


def plans(rng: Random, count: int, statuses: Sequence[int] | None) -> Iterator[Plan]:
    """`count` orders. Without `statuses` the first fifteen have one status each, then by weight."""
    weighted = [WEIGHTS.get(status, 1) for status in Status]
    first = rng.sample(list(Status), len(Status)) if statuses is None else []
    for n in range(count):
        if n < len(first):
            status: int = first[n]
        elif statuses is None:
            status = rng.choices(list(Status), weighted)[0]
        else:
            status = statuses[n % len(statuses)]
        yield _plan(rng, status)


def _plan(rng: Random, status: int) -> Plan:
    kind = _kind(rng.random(), status)
    lines = max(_lines(rng), 2 if kind == "mixed" else 1)
    several = kind in ("physical", "mixed") and lines > 1 and rng.random() < 0.1
    return Plan(
        status=status,
        kind=kind,
        lines=lines,
        addresses=0 if kind in UNSHIPPED else 2 if several else 1,
        coupons=1 if rng.random() < 0.15 else 0,
    )


def _kind(chance: float, status: int) -> str:
    if status == Status.COMPLETED:
        return "digital" if chance < 0.4 else "physical" if chance < 0.9 else "mixed"
    if status in PHYSICAL_ONLY:
        return "physical" if chance < 0.85 else "mixed"
    if chance < 0.7:
        return "pickup" if chance < 0.04 and status in MAY_BE_COLLECTED else "physical"
    return "mixed" if chance < 0.82 else "digital" if chance < 0.94 else "gift_certificate"


def _lines(rng: Random) -> int:
    """One order in two hundred has more lines than a page, one in four thousand has 600."""
    chance = rng.random()
    if chance < 1 / 4000:
        return 600
    if chance < 1 / 200:
        return 51 + int(rng.random() * 70)
    if chance < 1 / 20:
        return 5 + int(rng.random() * 20)
    return 1 + int(rng.random() * 4)
