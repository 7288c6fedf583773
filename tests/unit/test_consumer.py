"""When a message is retried, and which orders are read together."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.consumer import ForeignMessage, NotAttempted, delay, neighbours
from chalicelib.domain.items import ItemTooLarge, UnstorableNumber
from chalicelib.domain.models import UnreadableOrder
from chalicelib.domain.rules import DecideLater
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import (
    MalformedResponse,
    NotFound,
    Rejected,
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
        DecideLater(),
        NotAttempted(),
        NotFound(),
        OutOfTime(),
        Rejected(),
        Unauthorized(),
        Unavailable(),
        UnreadableOrder(),
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


@pytest.mark.parametrize("error", [ForeignMessage(), ItemTooLarge(), UnstorableNumber()])
def test_a_permanent_error_is_retried_without_a_growing_delay(error: Exception) -> None:
    assert {delay(error, receives) for receives in range(1, 21)} == {30}


@pytest.mark.parametrize(
    ("ids", "groups"),
    [
        ([], []),
        ([118], [[118]]),
        ([120, 118, 119], [[118, 119, 120]]),
        ([1, 250], [[1, 250]]),
        ([1, 251], [[1], [251]]),
        ([1, 200, 300, 500], [[1, 200], [300, 500]]),
    ],
)
def test_orders_that_fit_into_one_page_are_neighbours(
    ids: list[int], groups: list[list[int]]
) -> None:
    assert neighbours(ids) == groups


@given(ids)
def test_every_order_is_in_one_group_of_neighbours(ids: list[int]) -> None:
    groups = neighbours(ids)

    assert [order_id for group in groups for order_id in group] == sorted(ids)
    assert all(group[-1] - group[0] < 250 for group in groups)
    assert all(b[0] - a[0] >= 250 for a, b in pairwise(groups))
