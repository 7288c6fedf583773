"""When a message is retried, and which orders are read together."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.consumer import (
    WIDEST_GROUP,
    ForeignMessage,
    NotAttempted,
    delay,
    neighbours,
    spread,
)
from chalicelib.domain.items import ItemTooLarge, UnstorableNumber
from chalicelib.domain.models import UnreadableOrder
from chalicelib.domain.rules import DecideLater, Incomplete
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import (
    MalformedResponse,
    NotFound,
    Rejected,
    StoreError,
    Unauthorized,
    Unavailable,
)
from chalicelib.edges.dynamodb import ConcurrentWrite
from chalicelib.edges.pacing import OutOfTime

ids = st.lists(st.integers(1, 2000), unique=True)


@pytest.mark.parametrize(
    "error",
    [
        AwsError("PutItem", "ThrottlingException"),
        MalformedResponse(),
        DecideLater("not moved yet"),
        Incomplete("too few products"),
        NotAttempted(),
        NotFound(),
        OutOfTime(),
        Rejected(),
        Unauthorized(),
        Unavailable(),
        ConcurrentWrite(),
        KeyError(),
    ],
)
def test_the_delay_of_a_message_doubles_with_every_receive(error: Exception) -> None:
    assert [delay(error, receives) for receives in range(1, 11)] == [
        30,
        60,
        120,
        240,
        480,
        960,
        1920,
        3600,
        3600,
        3600,
    ]


def test_twenty_receives_take_more_than_half_a_day_and_each_delay_less_than_twelve_hours() -> None:
    waits = [delay(Unavailable(), receives) for receives in range(1, 20)]

    assert sum(waits) > timedelta(hours=12).total_seconds()
    assert max(waits) <= 12 * 3600
    assert delay(Unavailable(), 1000) == 3600, "the most receives a redrive policy allows"


@pytest.mark.parametrize(
    "error",
    [
        ForeignMessage(),
        ItemTooLarge(),
        UnreadableOrder(),
        UnstorableNumber(),
        AwsError("PutItem order 118", "ValidationException"),
    ],
)
def test_a_permanent_error_is_retried_without_a_growing_delay(error: Exception) -> None:
    assert {delay(error, receives) for receives in range(1, 21)} == {30}


@pytest.mark.parametrize(
    ("seconds", "delays"),
    [(0.0, [0, 0, 0, 0]), (3.0, [3, 6, 12, 3600]), (60.0, [60, 120, 240, 3600])],
)
def test_a_decision_that_names_its_delay_is_made_after_it(
    seconds: float, delays: list[float]
) -> None:
    later = DecideLater("later", seconds)

    assert [delay(later, receives) for receives in (1, 2, 3, 20)] == delays


@pytest.mark.parametrize("kind", [Unavailable, MalformedResponse, StoreError])
def test_a_move_of_unknown_effect_is_looked_into_once_it_must_have_ended(
    kind: type[StoreError],
) -> None:
    lost = kind("PUT orders/118 -> ReadTimeout")
    lost.effect_unknown = True

    assert [delay(lost, receives) for receives in (1, 3, 4, 20)] == [200, 200, 240, 3600]


def test_the_delays_of_a_batch_are_spread_over_a_tenth() -> None:
    factors = [spread(order_id) for order_id in range(1000, 1010)]

    assert len(set(factors)) == 10
    assert all(1 <= factor < 1.1 for factor in factors)
    assert spread(118) == spread(118)


@pytest.mark.parametrize(
    ("ids", "groups"),
    [
        ([], []),
        ([118], [[118]]),
        ([120, 118, 119], [[118, 119, 120]]),
        ([1, 50], [[1, 50]]),
        ([1, 51], [[1], [51]]),
        ([1, 40, 60, 100], [[1, 40], [60, 100]]),
    ],
)
def test_orders_within_fifty_ids_are_neighbours(ids: list[int], groups: list[list[int]]) -> None:
    assert neighbours(ids) == groups


@given(ids)
def test_every_order_is_in_one_group_of_neighbours(ids: list[int]) -> None:
    groups = neighbours(ids)

    assert [order_id for group in groups for order_id in group] == sorted(ids)
    assert all(group[-1] - group[0] < WIDEST_GROUP for group in groups)
    assert all(b[0] - a[0] >= WIDEST_GROUP for a, b in pairwise(groups))
