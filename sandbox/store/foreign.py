"""A store that the service was not written for: other statuses, other apps, channels, odd data.

`python -m sandbox foreign-store` runs it, to try `rehearse` and `facts` on. The same seed makes the
same store, apart from the dates, which end now.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sandbox.store.clock import Clock
from sandbox.store.faults import Fault
from sandbox.store.mix import plans
from sandbox.store.orders import draw
from sandbox.store.statuses import Status
from sandbox.store.store import Store

STORE_HASH = "foreign"
DAYS = 730
"""The days before now over which the orders are spread, most of them in the last ones."""

LABELS = {
    Status.AWAITING_FULFILLMENT: "Neu",
    Status.MANUAL_VERIFICATION_REQUIRED: "Paid, address to be checked",
    Status.AWAITING_SHIPMENT: "At the warehouse",
    Status.COMPLETED: "Erledigt ✓",
}
"""How the merchant has renamed statuses."""

WEIGHTS = {
    Status.COMPLETED: 30,
    Status.AWAITING_FULFILLMENT: 20,
    Status.SHIPPED: 12,
    Status.MANUAL_VERIFICATION_REQUIRED: 8,
    Status.AWAITING_PAYMENT: 8,
    Status.INCOMPLETE: 6,
    Status.PENDING: 4,
}
"""New orders also begin in Manual Verification Required; a status that is not named has 1."""

CHANNELS = {1: 70, 2: 20, 1_034_567: 8, None: 2}
"""Weights of the channels; orders of an old import have none."""

QUOTA, USED_BY_OTHERS = 150, 45
"""Requests per window of the smallest plans, and how many of them the other apps use."""

ORDERS_PER_SET = 5_000
"""Every so many orders, each of the odd ones is there once."""

NEWER = 50
"""Usual orders that are newer than the newest of the odd ones."""

ZERO_DATE = "Wed, 30 Nov -0001 00:00:00 +0000"
"""How PHP prints a date that is not set."""

OLD = timedelta(days=31)

FAILING = {"unreadable", "changed in year -0001", "status as text", "too large", "unservable"}
"""The odd orders that cannot be stored; a message about one is tried twenty times."""


def odd_orders(now: datetime) -> dict[str, dict[str, Any]]:
    """Arguments of `place_order` for orders that are none of the usual mix, by what is odd."""
    recent = {"created": now - timedelta(days=2)}
    return {
        "unpaid": {"status": Status.AWAITING_PAYMENT, **recent},
        "collected": {"kind": "pickup", **recent},
        "partly collected": {"kind": "partial_pickup", **recent},
        "digital": {"kind": "digital", **recent},
        "certificate": {"kind": "gift_certificate", **recent},
        "completed, goods": {"status": Status.COMPLETED, **recent},
        "completed, digital": {
            "status": Status.COMPLETED,
            "kind": "digital",
            "created": now - timedelta(days=20),
        },
        "channel 2": {"channel_id": 2, **recent},
        "channel 3": {"channel_id": 3, **recent},
        "old": {"created": now - OLD},
        "archived": recent,
        "unreadable, old": {"date_modified": "never", "created": now - OLD},
        "60 lines": {"lines": 60, **recent},
        "without embedded lines": {"kind": "pickup", **recent},
        "shipped": recent,
        "shipped in year -0001": {"date_shipped": ZERO_DATE, **recent},
        "ids as text": {"channel_id": "2", "customer_id": "1042", **recent},
        "nulls": {
            "items_total": None,
            "order_is_digital": None,
            "shipping_address_count": None,
            "channel_id": None,
            "customer_id": None,
            "payment_method": None,
            **recent,
        },
        "coupon without discount": {"coupons": 1, "coupon_kind": "line", **recent},
        "unreadable": {"date_modified": "never", **recent},
        "changed in year -0001": {"date_modified": ZERO_DATE, **recent},
        "status as text": {"status_id": "11", **recent},
        "too large": {"staff_notes": "x" * 500_000, **recent},
        "unservable": recent,
        "just now": {},
    }


def place_odd_orders(store: Store, *, without: Collection[str] = ()) -> dict[str, int]:
    """Place one order of each odd kind; their ids, by what is odd."""
    placed = {
        name: store.place_order(**arguments)
        for name, arguments in odd_orders(store.clock.now()).items()
        if name not in without
    }
    store.archive(placed["archived"])
    store.ship(placed["shipped"])
    store.faults.add(
        Fault(
            route="GET /orders*",
            kind="embedded",
            order_id=placed["without embedded lines"],
            limit=0,
            warns=False,
            times=None,
        )
    )
    if "unservable" in placed:
        store.faults.add(
            Fault(
                route="GET /orders*",
                kind="unservable",
                order_id=placed["unservable"],
                times=None,
            )
        )
    return placed


def foreign_store(
    orders: int = 20_000,
    *,
    clock: Clock | None = None,
    seed: int = 1,
    quota: int = QUOTA,
    used_by_others: int = USED_BY_OTHERS,
    window_seconds: float = 30.0,
    without: Collection[str] = (),
) -> Store:
    """The store with its orders, not started; `without` some of the odd ones, by their names.

    One order in a hundred is archived.
    """
    store = Store(
        clock=clock,
        store_hash=STORE_HASH,
        seed=seed,
        quota=quota,
        used_by_others=used_by_others,
        window_seconds=window_seconds,
        archived_answers="200",
        wraps_fees=True,
    )
    for status, label in LABELS.items():
        store.rename_status(status, label)
    sets = max(1, orders // ORDERS_PER_SET)
    odd = odd_orders(store.clock.now()).keys() - set(without)
    _place_usual(store, seed, max(0, orders - sets * len(odd)), sets, without)
    return store


def introduction(store: Store, orders: int) -> str:
    """Where the started store is, and the commands to try on it."""
    of = f"--api-url {store.url}"
    facts = f"facts --store-hash {store.store_hash} {of}"
    return f"""\
{orders:,} orders at {store.url}/stores/{store.store_hash}/v2. In another terminal:

  export BIGCOMMERCE_ACCESS_TOKEN={store.access_token}
  make rehearse STORE_HASH={store.store_hash} ARGS="{of} --limit {orders} --report forecast.html"
  .venv/bin/python -m ops {facts}"""


def _place_usual(store: Store, seed: int, count: int, sets: int, without: Collection[str]) -> None:
    """The usual orders, the older ones first, and in between the odd ones."""
    rng = draw(seed, 0, 5)
    weights = [WEIGHTS.get(status, 1) for status in Status]
    statuses = rng.choices(list(Status), weights, k=count)
    channels = rng.choices(list(CHANNELS), list(CHANNELS.values()), k=count)
    positions = {max(0, count - NEWER - n * ORDERS_PER_SET) for n in range(sets)}
    end, past = store.clock.now(), timedelta(days=DAYS)
    for n, plan in enumerate(plans(rng, count, statuses or None)):
        if n in positions:
            place_odd_orders(store, without=without)
        if rng.random() < 1 / 100:
            # Ids that carts took which never became orders.
            store.skip_ids(1 + int(rng.random() * 40))
        order_id = store.place_order(
            created=end - past * (1 - n / count) ** 2,
            via="storefront" if rng.random() < 0.8 else "api",
            channel_id=channels[n],
            **vars(plan),
        )
        if rng.random() < 1 / 100:
            store.archive(order_id)
