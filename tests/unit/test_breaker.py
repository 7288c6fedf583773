"""The circuit breaker of a batch."""

from typing import Any

import pytest

from chalicelib.breaker import Breaker
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import (
    Blocked,
    MalformedResponse,
    NotFound,
    Rejected,
    StoreError,
    Unauthorized,
    Unavailable,
)
from chalicelib.edges.pacing import OutOfTime


class Mailbox:
    """Stands in for the alerts: it keeps subjects, and fails with `error` if one is given."""

    def __init__(self, error: AwsError | None = None) -> None:
        self.subjects: list[str] = []
        self._error = error

    def publish(self, subject: str, facts: dict[str, Any], *, heading: str) -> None:
        self.subjects.append(subject)
        if self._error:
            raise self._error


def breaker(mailbox: Mailbox | None = None) -> Breaker:
    alerts: Any = mailbox or Mailbox()
    return Breaker(alerts)


@pytest.mark.parametrize("error", [Unauthorized("GET orders/1 -> 401"), OutOfTime("3 s left")])
def test_it_opens_at_once(error: Exception) -> None:
    of_a_batch = breaker()

    of_a_batch.record_failure(error)

    assert of_a_batch.open_because is error
    assert of_a_batch.opened.is_set()


def test_it_opens_after_three_orders_in_a_row_that_find_the_store_unavailable() -> None:
    of_a_batch = breaker()

    for _ in range(2):
        of_a_batch.record_failure(Unavailable())
    assert of_a_batch.open_because is None
    assert not of_a_batch.opened.is_set()

    of_a_batch.record_failure(Unavailable())
    assert isinstance(of_a_batch.open_because, Unavailable)


@pytest.mark.parametrize("between", [None, NotFound(), Rejected(), MalformedResponse()])
def test_an_order_that_the_store_answers_starts_the_count_again(between: StoreError | None) -> None:
    of_a_batch = breaker()

    for error in (Unavailable(), Unavailable(), between, Unavailable(), Unavailable()):
        if error is None:
            of_a_batch.record_success()
        else:
            of_a_batch.record_failure(error)

    assert of_a_batch.open_because is None


def test_it_opens_when_a_firewall_blocks_three_orders_in_a_row() -> None:
    of_a_batch = breaker()

    for _ in range(3):
        of_a_batch.record_failure(Blocked())

    assert isinstance(of_a_batch.open_because, Blocked)


def test_an_error_of_aws_says_nothing_about_the_store() -> None:
    of_a_batch = breaker()

    for _ in range(5):
        of_a_batch.record_failure(AwsError("PutItem order 118", "Throttling"))

    assert of_a_batch.open_because is None


def test_a_refused_token_is_alerted_once_and_stays_the_reason() -> None:
    mailbox, first = Mailbox(), Unauthorized("GET orders/1 -> 401")
    of_a_batch = breaker(mailbox)

    of_a_batch.record_failure(first)
    of_a_batch.record_failure(Unauthorized("GET orders/2 -> 401"))

    assert mailbox.subjects == ["BigCommerce rejects the access token"]
    assert of_a_batch.open_because is first


def test_it_opens_even_if_the_alert_cannot_be_sent() -> None:
    of_a_batch = breaker(Mailbox(AwsError("Publish errors topic", "Throttling")))

    of_a_batch.record_failure(Unauthorized("GET orders/1 -> 401"))

    assert of_a_batch.open_because is not None
