"""The waits before a retry, and for the store's quota."""

import pytest
from urllib3 import HTTPResponse

from chalicelib.edges.pacing import SHUTDOWN_MARGIN, OutOfTime, Pacer, StoreRetry, Window
from tests.factories import FakeClock

FOR_EVER = float("inf")
RETRY = StoreRetry(total=4, backoff_factor=0.5, backoff_max=30.0)


def answer(status: int = 429, /, **headers: str) -> HTTPResponse:
    return HTTPResponse(
        status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def after(failures: int, retry: StoreRetry = RETRY) -> StoreRetry:
    for _ in range(failures):
        retry = retry.increment(error=Exception("failed"))
    return retry


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X_Rate_Limit_Time_Reset_Ms": "12500"}, 12.5),
        ({"X_Retry_After": "7"}, 7.0),
        ({"X_Rate_Limit_Time_Reset_Ms": "12500", "X_Retry_After": "7"}, 12.5),
        ({"X_Rate_Limit_Time_Reset_Ms": "5000", "X_Retry_After": "7"}, 7.0),
        ({"X_Rate_Limit_Time_Reset_Ms": "5000", "X_Retry_After": "soon"}, 5.0),
    ],
)
def test_the_wait_after_a_429_is_the_longer_one_of_its_headers(
    headers: dict[str, str], seconds: float
) -> None:
    assert after(1).wait_after(answer(**headers)) == seconds


@pytest.mark.parametrize("status", [500, 503])
def test_the_end_of_the_window_does_not_delay_the_retry_of_a_server_error(status: int) -> None:
    failed = answer(status, X_Rate_Limit_Time_Reset_Ms="29000")

    assert after(1).wait_after(failed) < 1
    assert after(1).wait_after(answer(status, X_Retry_After="9")) == 9


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Retry_After": "soon"},
        {"X_Retry_After": ""},
        {"X_Retry_After": "-5"},
        {"X_Retry_After": "0"},
        {"X_Retry_After": "nan"},
        {"X_Rate_Limit_Time_Reset_Ms": "-1"},
        {"X_Rate_Limit_Time_Reset_Ms": "0"},
        {"X_Rate_Limit_Time_Reset_Ms": "0x10"},
    ],
)
def test_without_a_valid_header_the_waits_grow_and_are_never_zero(headers: dict[str, str]) -> None:
    for failures in range(1, 5):
        wait = after(failures).wait_after(answer(**headers))

        doubled = 0.5 * 2 ** (failures - 1)
        assert 0.5 * doubled <= wait <= 1.5 * doubled


def test_the_wait_after_a_lost_connection_is_that_of_an_answer_without_headers() -> None:
    assert 0.25 <= after(1).wait_after(None) <= 0.75


def test_waits_are_jittered() -> None:
    assert len({after(3).wait_after(None) for _ in range(20)}) > 1


def test_waits_do_not_grow_beyond_their_limit() -> None:
    long = after(20, StoreRetry(total=50, backoff_factor=0.5, backoff_max=30.0))

    assert 15 <= long.wait_after(None) <= 45


def window(left: int, *, quota: int = 150, reset_ms: int = 20_000) -> dict[str, str]:
    return {
        "X-Rate-Limit-Requests-Left": str(left),
        "X-Rate-Limit-Requests-Quota": str(quota),
        "X-Rate-Limit-Time-Reset-Ms": str(reset_ms),
        "X-Rate-Limit-Time-Window-Ms": "30000",
    }


def ask(pacer: Pacer, headers: dict[str, str] | None = None) -> None:
    with pacer.slot(FOR_EVER):
        pacer.observe(headers or {})


def test_a_request_does_not_wait_while_enough_quota_is_left() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 3)

    for left in (100, 99, 98):
        ask(pacer, window(left))

    assert clock.sleeps == []


@pytest.mark.parametrize(
    ("left", "quota", "waits"),
    [
        (9, 150, False),
        (8, 150, True),
        (0, 150, True),
        (7, 40, False),
        (6, 40, True),
        (23, 450, True),
        (24, 450, False),
    ],
)
def test_a_share_of_the_quota_is_left_to_other_apps(left: int, quota: int, waits: bool) -> None:
    """A twentieth of the quota, and at least two requests for each of ours in flight."""
    clock = FakeClock()
    pacer = Pacer(clock, 3)
    ask(pacer, window(left, quota=quota))

    ask(pacer)

    assert clock.sleeps == ([20.0] if waits else [])


def test_a_request_waits_for_the_rest_of_the_window_only() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 3)
    ask(pacer, window(0, reset_ms=20_000))
    clock.advance(15)

    ask(pacer)

    assert clock.sleeps == [pytest.approx(5.0)]


def test_a_request_does_not_wait_for_a_window_that_has_ended() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 3)
    ask(pacer, window(0))
    clock.advance(21)

    ask(pacer)

    assert clock.sleeps == []


def test_requests_continue_in_the_next_window() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 3)
    ask(pacer, window(0))

    ask(pacer)
    ask(pacer)

    assert clock.sleeps == [20.0]


def test_a_late_answer_does_not_increase_the_quota_left() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 3)
    ask(pacer, window(5))

    pacer.observe(window(100))
    ask(pacer)

    assert clock.sleeps == [20.0]


def test_a_new_window_brings_a_new_quota() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 3)
    ask(pacer, window(5, reset_ms=2_000))

    pacer.observe(window(149, reset_ms=32_000))
    ask(pacer)

    assert clock.sleeps == []


def test_requests_in_flight_count_as_made() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 3)
    ask(pacer, window(9))

    with pacer.slot(FOR_EVER):
        assert clock.sleeps == []
        ask(pacer)

    assert clock.sleeps == [20.0]


def test_a_failed_request_is_no_longer_in_flight() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 1)
    for _ in range(5):
        with pytest.raises(ConnectionError), pacer.slot(FOR_EVER):
            raise ConnectionError
    ask(pacer, window(9))

    ask(pacer)

    assert clock.sleeps == []


def test_an_answer_without_headers_changes_nothing() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 3)
    ask(pacer, window(0))

    ask(pacer, {"Content-Type": "application/json"})
    ask(pacer, {"Content-Type": "application/json"})

    assert clock.sleeps == [20.0]


@pytest.mark.parametrize("value", ["", "many", "-1", "nan"])
def test_headers_that_are_not_numbers_are_ignored(value: str) -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 3)

    ask(pacer, dict.fromkeys(window(0), value))
    ask(pacer)

    assert clock.sleeps == []


@pytest.mark.parametrize("value", ["inf", "1e999"])
def test_a_header_of_infinity_is_ignored(value: str) -> None:
    pacer = Pacer(FakeClock(), 3)

    ask(pacer, dict.fromkeys(window(0), value))


def test_an_infinite_retry_after_is_ignored() -> None:
    assert after(1).wait_after(answer(X_Retry_After="inf")) < 1


@pytest.mark.parametrize(("left", "waits"), [(30.0, True), (29.9, False), (5.0, False)])
def test_no_wait_is_longer_than_the_remaining_time(left: float, waits: bool) -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 3)

    if waits:
        pacer.wait(20.0, clock.time() + left)
    else:
        with pytest.raises(OutOfTime, match="20 s to wait"):
            pacer.wait(20.0, clock.time() + left)

    assert clock.sleeps == ([20.0] if waits else [])


def test_a_request_does_not_wait_for_a_window_that_begins_too_late() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 3)
    ask(pacer, window(0))

    with pytest.raises(OutOfTime), pacer.slot(clock.time() + 25):
        pytest.fail("went ahead")

    assert clock.sleeps == []


def test_no_request_is_started_in_the_last_seconds() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 1)

    with pytest.raises(OutOfTime), pacer.slot(clock.time() + SHUTDOWN_MARGIN - 0.1):
        pytest.fail("went ahead")
    with pacer.slot(clock.time() + SHUTDOWN_MARGIN):
        pass


def test_a_slot_is_released_when_no_time_is_left() -> None:
    pacer = Pacer(FakeClock(), 1)
    with pytest.raises(OutOfTime), pacer.slot(0.0):
        pytest.fail("went ahead")

    with pacer.slot(FOR_EVER):
        pass


def test_the_window_is_that_of_the_last_answer_until_it_ends() -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 3)
    assert pacer.window is None

    pacer.observe(
        {
            "X-Rate-Limit-Requests-Left": "12",
            "X-Rate-Limit-Requests-Quota": "150",
            "X-Rate-Limit-Time-Reset-Ms": "8000",
        }
    )
    assert pacer.window == Window(left=12, quota=150, seconds=8.0)

    clock.advance(8)
    assert pacer.window is None


@pytest.mark.parametrize(
    ("share", "left", "wait"),
    [
        # Of a window of 30 seconds, 20 are left: two thirds of the share are left to others.
        # Beside it, 8 requests are left to other apps.
        (0.4, 48, 0.0),
        (0.4, 47, 0.5),
        (0.4, 19, 14.5),
        (0.9, 98, 0.0),
        (0.9, 53, 10.0),
        # The last ten of the share are left until the end.
        (0.4, 18, 20.0),
        (0.4, 8, 20.0),
        (0.01, 10, 0.0),
        (0.01, 9, 20.0),
    ],
)
def test_a_share_of_the_quota_is_reserved_as_long_as_others_can_still_use_it(
    share: float, left: int, wait: float
) -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 3, share)
    ask(pacer, window(left, quota=150))

    ask(pacer)

    assert clock.sleeps == ([pytest.approx(wait, abs=0.01)] if wait else [])


@pytest.mark.parametrize(("length", "wait"), [("60000", 1.0), ("1e9", 1.0), ("", 10.5)])
def test_the_length_of_a_window_is_that_of_its_header(length: str, wait: float) -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 3, 0.4)
    ask(pacer, {**window(27, quota=150), "X-Rate-Limit-Time-Window-Ms": length})

    ask(pacer)

    # Of 60 requests that are reserved for 60 seconds, 19 are for the last 19 of them; other apps
    # have 8.
    assert clock.sleeps == [pytest.approx(wait, abs=0.01)]


@pytest.mark.parametrize("quota", [1, 2, 4, 10])
def test_a_small_quota_is_usable_even_with_a_reserved_share(quota: int) -> None:
    clock = FakeClock()
    pacer = Pacer(clock, 3, 0.9)
    ask(pacer, window(quota, quota=quota))

    ask(pacer)

    # Before the window ends, in 20 seconds.
    assert sum(clock.sleeps) < 20


class TestSlowAnswers:
    """An answer that was under way for long describes the window as it was, at some time."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def pacer(self, clock: FakeClock) -> Pacer:
        """A window that ends in 20 seconds, with nothing left."""
        pacer = Pacer(clock, 3)
        pacer.observe(window(0, reset_ms=20_000))
        return pacer

    def test_one_of_the_same_window_does_not_reopen_it(
        self, pacer: Pacer, clock: FakeClock
    ) -> None:
        """It was sent at the beginning of the window, when everything was left."""
        clock.advance(10)
        pacer.observe(window(149, reset_ms=20_000), took=10.0)

        ask(pacer)

        assert clock.sleeps == [pytest.approx(10.0)]

    def test_one_of_the_same_window_counts_the_fewer_requests_left(self) -> None:
        clock = FakeClock()
        pacer = Pacer(clock, 3)
        pacer.observe(window(100, reset_ms=20_000))
        clock.advance(10)

        pacer.observe(window(5, reset_ms=20_000), took=10.0)

        assert pacer.window == Window(left=5, quota=150, seconds=10.0)

    def test_one_of_the_next_window_opens_it(self, pacer: Pacer, clock: FakeClock) -> None:
        clock.advance(15)

        pacer.observe(window(149, reset_ms=29_000), took=5.0)
        ask(pacer)

        assert clock.sleeps == []
        assert pacer.window == Window(left=149, quota=150, seconds=29.0)

    def test_a_quick_one_of_the_next_window_opens_it_before_ours_has_ended(
        self, pacer: Pacer, clock: FakeClock
    ) -> None:
        clock.advance(18)

        pacer.observe(window(149, reset_ms=30_000), took=0.1)

        assert pacer.window == Window(left=149, quota=150, seconds=30.0)
