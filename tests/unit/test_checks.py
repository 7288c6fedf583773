"""Checks of doctor for responses of AWS and the store that the sandbox does not give."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.callbacks import CART_CONVERTED, TOKEN_HEADER
from chalicelib.domain.jobs import Job
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import Unauthorized, Unavailable
from chalicelib.edges.bigcommerce_hooks import Hook
from chalicelib.edges.pacing import OutOfTime
from ops import remedies
from ops.deployment import NotDeployed
from ops.doctor.access import clock_findings
from ops.doctor.alerts import subscribed
from ops.doctor.checkup import remedy, run_check
from ops.doctor.finding import Finding
from ops.doctor.orders import failing_finding
from ops.doctor.progress import poll_findings, polling_interval
from ops.doctor.store import blocked
from ops.remedies import confirm_subscription
from ops.webhook.registration import Registration
from tests.factories import failing

NOW = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)
ARN = "arn:aws:sns:us-east-1:123456789012:order-replication-prod-errors"
URL = "https://abc.execute-api.us-east-1.amazonaws.com/prod/cart-converted"
HOUR = timedelta(hours=1)


def subscription(
    arn: str = f"{ARN}:1", protocol: str = "email", endpoint: str = "a@example.com"
) -> dict[str, Any]:
    return {"SubscriptionArn": arn, "Protocol": protocol, "Endpoint": endpoint}


def job(hours_ago: float, outcome: str = "succeeded", error: str | None = None) -> Job:
    at = NOW - hours_ago * HOUR
    return Job(started_at=at, mode="changes", began_at=at, outcome=outcome, error=error)  # type: ignore[arg-type]  # a literal


class TestSubscriptions:
    def test_a_confirmed_subscription_is_ok(self):
        assert subscribed("prod", "errors", ARN, [subscription()]).mark == "ok"

    @pytest.mark.parametrize("others", [[], [subscription()]])
    def test_an_unconfirmed_subscription_is_a_fault_with_its_address(self, others):
        pending = subscription("PendingConfirmation", endpoint="b@example.com")

        found = subscribed("prod", "errors", ARN, [*others, pending])

        assert found.mark == "fault"
        assert "b@example.com" in found.found
        assert found.fix == confirm_subscription("prod", ARN, "email")

    def test_a_deleted_subscription_does_not_count(self):
        assert subscribed("prod", "errors", ARN, [subscription("Deleted")]).mark == "fault"
        both = [subscription("Deleted"), subscription()]
        assert subscribed("prod", "errors", ARN, both).mark == "ok"

    def test_the_url_of_a_web_service_is_not_shown(self):
        pending = subscription("PendingConfirmation", "https", "https://hooks.example.com/s3cret")

        found = subscribed("prod", "errors", ARN, [pending])

        assert "s3cret" not in f"{found.found} {found.fix}"


class TestClock:
    @pytest.mark.parametrize(
        ("seconds", "mark"), [(-61, "fault"), (-60, "ok"), (0, "ok"), (60, "ok"), (61, "fault")]
    )
    def test_a_difference_of_more_than_a_minute_is_a_fault(self, seconds, mark):
        answer = {"HTTPHeaders": {"date": "Mon, 02 Jun 2025 12:00:00 GMT"}}

        (found,) = clock_findings(answer, NOW + timedelta(seconds=seconds))

        assert found.mark == mark

    def test_a_response_without_a_date_is_a_note(self):
        assert clock_findings({}, NOW)[0].mark == "note"


class TestPolls:
    @pytest.mark.parametrize(
        ("expression", "interval"),
        [
            ("rate(15 minutes)", timedelta(minutes=15)),
            ("rate(1 hour)", HOUR),
            ("rate(1 day)", timedelta(days=1)),
            ("cron(0 12 * * ? *)", None),
        ],
    )
    def test_the_interval_is_that_of_the_schedule(self, expression, interval):
        assert polling_interval({"ScheduleExpression": expression}) == interval

    @pytest.mark.parametrize(
        ("history", "marks"),
        [
            ([job(2)], ["ok"]),
            ([job(2.3)], ["ok"]),
            ([job(2.4)], ["fault"]),
            ([job(0.1, "running"), job(1)], ["ok"]),
            ([job(0.1, "stopped"), job(1)], ["ok"]),
            ([job(0.1, "stopped"), job(3)], ["ok"]),
            ([job(2.4, "stopped"), job(3)], ["fault"]),
            ([job(0.1, "failed", "Unauthorized: 401"), job(1)], ["fault"]),
            ([job(0.1, "failed", "Unauthorized: 401"), job(3)], ["fault", "fault"]),
            ([job(0.1), job(1, "failed")], ["ok"]),
            ([], ["fault"]),
        ],
    )
    def test_a_poll_must_succeed_every_two_intervals(self, history, marks):
        assert [f.mark for f in poll_findings("prod", history, NOW, HOUR)] == marks


class TestHooks:
    @pytest.mark.parametrize("name", [TOKEN_HEADER, TOKEN_HEADER.lower()])
    def test_header_names_are_case_insensitive(self, name):
        hook = Hook(1, CART_CONVERTED, URL, True, {name: "secret"})

        assert Registration({CART_CONVERTED: URL}, "secret").problems(hook) == []

    @pytest.mark.parametrize(
        ("domain", "faults"),
        [
            ("abc.execute-api.us-east-1.amazonaws.com", 1),
            (URL, 1),
            ("example.com", 0),
        ],
    )
    def test_a_blocked_destination_may_be_a_domain_or_a_url(self, domain, faults):
        domains = [{"destination": domain, "time_left": 130}, {"reasons": []}]

        assert len(list(blocked("prod", [URL], domains))) == faults


class TestFailing:
    @pytest.mark.parametrize(
        ("minutes", "mark"),
        [([], "ok"), ([5], "note"), ([60], "note"), ([61], "fault"), ([5, 61], "fault")],
    )
    def test_an_order_that_fails_for_more_than_an_hour_is_a_fault(self, minutes, mark):
        orders = [
            failing(100 + m, since=NOW - timedelta(minutes=m), error_class="Unavailable")
            for m in minutes
        ]

        found = failing_finding("prod", orders, NOW)

        assert found.mark == mark
        if orders:
            assert f"explain {100 + max(minutes)}" in (found.fix or "")
            assert "Unavailable" in found.found


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (AwsError("DescribeTable", "AccessDeniedException"), remedies.LOG_IN),
        (AwsError("DescribeTable", "EndpointConnectionError"), remedies.CHECK_NETWORK),
        (
            AwsError("GetQueueAttributes", "AWS.SimpleQueueService.NonExistentQueue"),
            remedies.deploy("prod"),
        ),
        (AwsError("DescribeTable", "InternalServerError"), remedies.wait_for_aws("prod")),
        (NotDeployed("no dead-letter queue"), remedies.deploy("prod")),
        (
            Unauthorized("GET hooks -> 403"),
            remedies.deploy_secret("prod", "bigcommerce_access_token"),
        ),
    ],
)
def test_a_check_that_fails_has_a_fix(error, fix):
    assert remedy("prod", error) == fix


@pytest.mark.parametrize(
    ("error", "name", "fix"),
    [
        (Unavailable("GET orders/count -> 503"), "store", remedies.wait_for_store("prod")),
        (OutOfTime("60 s to wait"), "store", remedies.wait_for_store("prod")),
        (
            Unauthorized("GET orders/count -> 401"),
            "token",
            remedies.deploy_secret("prod", "bigcommerce_access_token"),
        ),
        (AwsError("GetParameter", "InternalServerError"), "token", remedies.wait_for_aws("prod")),
    ],
)
def test_an_error_of_the_store_is_not_a_fault_of_the_token(error, name, fix):
    def check() -> Iterator[Finding]:
        raise error
        yield

    (found,) = run_check("prod", "token", check)

    assert (found.name, found.mark, found.fix) == (name, "fault", fix)
    assert "doctor" not in fix
