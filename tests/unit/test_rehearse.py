"""What a rehearsal calculates: verdicts, requests for lists, its share of the quota, settings."""

import inspect
import re
import signal

import click
import pytest

from chalicelib.edges.bigcommerce import (
    Blocked,
    MalformedResponse,
    Unanswered,
    Unauthorized,
    Unavailable,
)
from chalicelib.settings import Settings
from ops.rehearse.choices import DECISIVE, NO_STAGE, chosen, settings
from ops.rehearse.cost import dollars_a_month
from ops.rehearse.fill import pages
from ops.rehearse.interrupt import uninterrupted
from ops.rehearse.judge import depends_on_lines, judge, with_known_lines, with_read_lines
from ops.rehearse.page import tag
from ops.rehearse.share import ShareOfQuota
from ops.rehearse.trouble import describe
from tests.factories import NOW, FakeClock, consignments, line, moved, order, policy, shipping


def test_an_order_with_the_lines_that_came_with_it_needs_no_more():
    sent = order(consignments=consignments(shipping(line())), items_total=1)

    assert not depends_on_lines(with_known_lines(sent), None, policy())


@pytest.mark.parametrize(
    ("fields", "depends"),
    [
        ({"status_id": 11}, True),
        ({"status_id": 10}, True),
        ({"status_id": 2}, False),
        ({"status_id": 11, "is_deleted": True}, False),
    ],
)
def test_lines_are_requested_where_a_move_depends_on_them(fields, depends):
    assert depends_on_lines(order(**fields), None, policy()) is depends


def test_the_lines_of_an_order_that_was_moved_are_not_requested():
    assert not depends_on_lines(order(), moved(), policy())


def test_a_completed_order_is_moved_only_if_its_lines_are_digital():
    completed = order(status_id=10, order_is_digital=True)

    verdicts = [
        judge(with_read_lines(completed, [line(type=kind)]), None, policy(), NOW)
        for kind in ("digital", "physical")
    ]

    assert [verdict.outcome for verdict in verdicts] == ["moved", "stored"]
    assert verdicts[1].concerns == ("completed with goods",)


def test_an_order_whose_list_stays_short_is_named():
    short = with_read_lines(order(items_total=3), [line(quantity=1)])

    assert "fewer lines than stated" in judge(short, None, policy(), NOW).concerns


def test_an_order_that_no_sweep_lists_is_left_alone():
    assert judge(order(), None, policy(), NOW, is_swept=False).outcome == "left alone"


@pytest.mark.parametrize(
    ("members", "requests"), [(0, 1), (49, 1), (50, 2), (249, 1), (250, 2), (300, 3), (301, 2)]
)
def test_a_list_takes_another_request_where_it_may_go_on(members, requests):
    assert pages(members) == requests


def used_in_each_window(pacer: ShareOfQuota, clock: FakeClock, requests: int) -> list[int]:
    """Send requests to a store with a quota of 100 in 30 seconds, which nobody else uses."""
    began, used = clock.time(), [0]
    for _ in range(requests):
        with pacer.slot(float("inf")):
            window = int((clock.time() - began) / 30)
            used += [0] * (window + 1 - len(used))
            used[window] += 1
            left = 30 * (window + 1) - (clock.time() - began)
            headers = {"Quota": 100, "Left": 100 - used[window]}
            sent = {f"X-Rate-Limit-Requests-{name}": str(n) for name, n in headers.items()}
            sent["X-Rate-Limit-Time-Reset-Ms"] = str(int(left * 1000))
            sent["X-Rate-Limit-Time-Window-Ms"] = "30000"
            pacer.observe(sent)
        clock.advance(0.1)
    return used


def test_no_window_has_more_than_the_share_also_if_nobody_else_uses_it():
    clock = FakeClock()

    used = used_in_each_window(ShareOfQuota(clock, 0.25), clock, 90)

    assert used == [25, 25, 25, 15]


def test_a_store_that_states_no_quota_is_taken_to_have_the_smallest():
    clock = FakeClock()
    pacer = ShareOfQuota(clock, 0.1)
    for _ in range(31):
        with pacer.slot(float("inf")):
            pass

    assert len(clock.sleeps) == 2


def test_ctrl_c_takes_effect_after_an_order_is_counted():
    counted = []
    # A shell starts a program in the background with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        counted.append("whole")

    assert counted == ["whole"]
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def test_every_setting_that_decides_can_be_given():
    used = set(re.findall(r"self\.(\w+)", inspect.getsource(Settings.policy)))

    assert {name.upper() for name in used} <= set(DECISIVE)


def test_a_setting_can_be_given_as_it_is_spelt_in_terraform():
    given = chosen(["move_unpaid=false", "CHANNEL_IDS=1, 2"], NOW)

    found = settings({**NO_STAGE, "BIGCOMMERCE_STORE_HASH": "abc123"}, given)

    assert (found.move_unpaid, found.channel_ids) == (False, (1, 2))
    assert found.replicate_since == NOW


@pytest.mark.parametrize("given", ["STAGE=x", "MOVE_UNPAID", "=", "ACCESS_TOKEN_PARAMETER=x"])
def test_no_other_setting_can_be_given(given):
    with pytest.raises(click.UsageError):
        chosen([given], None)


def test_costs_between_the_published_figures_are_on_a_straight_line():
    assert [round(dollars_a_month(n)) for n in (1, 100, 550, 1_000, 10_000)] == [11, 11, 13, 15, 55]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Unauthorized("GET orders/count -> 401"), "rejects the access token"),
        (Unauthorized("GET orders/count -> 403"), "scope"),
        (Blocked("GET orders/count -> 403, not a response of the API"), "firewall"),
        (MalformedResponse("GET orders/count -> 404, not JSON"), "no store abc123"),
        (Unavailable("GET orders/count -> 429"), "quota is used up"),
        (Unavailable("GET orders/count -> 503"), "status.bigcommerce.com"),
        (Unanswered("GET orders/count -> ConnectTimeout"), "status.bigcommerce.com"),
    ],
)
def test_an_error_is_described_with_what_to_do(error, words):
    assert words in describe(error, "abc123")


def test_text_in_an_element_is_escaped_and_elements_are_not():
    made = tag("p", "<b>", tag("i", "&"), class_='"')

    assert made == '<p class="&quot;">&lt;b&gt;<i>&amp;</i></p>'
