"""Orders that keep failing: since when, why, and whether they are tried again."""

from decimal import Decimal
from typing import Any

import pytest

from chalicelib.domain.failing import FailingOrder, failing_order
from tests.factories import NOW, at, failing

DAY = 86_400


def test_a_failing_order_names_its_last_error_and_its_next_try() -> None:
    failed = failing_order(
        118, "Rejected", "PUT orders/118 -> 409", 3, None, NOW, at(120), is_last=False
    )

    assert failed == FailingOrder(
        order_id=118,
        since=NOW,
        receives=3,
        error_class="Rejected",
        error="PUT orders/118 -> 409",
        next_try_at=at(120),
    )


def test_an_order_that_fails_again_keeps_when_it_began_to() -> None:
    again = failing_order(118, "KeyError", "", 6, failing(), NOW, at(960), is_last=False)

    assert (again.since, again.receives, again.error_class) == (at(-3600), 6, "KeyError")


def test_an_order_that_fails_in_its_last_receive_is_dead() -> None:
    failed = failing_order(118, "KeyError", "", 20, failing(), NOW, at(3600), is_last=True)

    assert failed.dead_at == NOW


@pytest.mark.parametrize("order", [failing(), failing(dead_at=NOW)])
def test_reading_the_item_of_a_failing_order_returns_it(order: FailingOrder) -> None:
    item = order.to_item()
    as_dynamodb_returns_it = item | {
        name: Decimal(value) for name, value in item.items() if isinstance(value, int)
    }

    assert None not in item.values()
    assert FailingOrder.from_item({**as_dynamodb_returns_it, "added_later": 1}) == order


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"next_try_at": at(60)}, True),
        ({"next_try_at": at(-DAY)}, True),
        ({"next_try_at": at(-DAY - 1)}, False),
        ({"next_try_at": at(-2 * DAY), "dead_at": at(-2 * DAY)}, True),
        ({"next_try_at": at(-14 * DAY), "dead_at": at(-14 * DAY)}, True),
        ({"next_try_at": at(-14 * DAY), "dead_at": at(-14 * DAY - 1)}, False),
    ],
    ids=[
        "to be tried",
        "a day overdue",
        "more than a day overdue",
        "in the dead-letter queue",
        "the last moment in the dead-letter queue",
        "expired in the dead-letter queue",
    ],
)
def test_an_order_is_tried_again_as_long_as_its_message_exists(
    overrides: dict[str, Any], expected: bool
) -> None:
    assert failing(**overrides).is_tried_again(NOW) == expected
