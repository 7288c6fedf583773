"""What doctor makes of what it was told, where the sandbox cannot be made to tell it."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.domain.jobs import Job
from chalicelib.domain.models import CART_CONVERTED, TOKEN_HEADER
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import Unauthorized, Unavailable
from chalicelib.edges.bigcommerce_hooks import Hook
from ops.deployment import NotDeployed
from ops.doctor.access import clock_findings
from ops.doctor.alerts import subscribed
from ops.doctor.checkup import remedy
from ops.doctor.progress import poll_findings, polling_interval
from ops.doctor.store import blocked
from ops.webhook.registration import Registration

NOW = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)
ARN = "arn:aws:sns:us-east-1:123456789012:order-replication-prod-errors"
URL = "https://abc.execute-api.us-east-1.amazonaws.com/prod/cart-converted"
HOUR = timedelta(hours=1)


def subscription(arn: str = f"{ARN}:1", protocol: str = "email", endpoint: str = "a@example.com"):
    return {"SubscriptionArn": arn, "Protocol": protocol, "Endpoint": endpoint}


def job(hours_ago: float, outcome: str = "succeeded", error: str | None = None) -> Job:
    at = (NOW - hours_ago * HOUR).isoformat()
    return Job(started_at=at, mode="changes", began_at=at, outcome=outcome, error=error)  # type: ignore[arg-type]  # a literal


class TestSubscriptions:
    def test_one_that_is_confirmed_will_do(self):
        assert subscribed("prod", "errors", ARN, [subscription()]).mark == "ok"

    @pytest.mark.parametrize("others", [[], [subscription()]])
    def test_one_that_is_not_confirmed_is_a_fault_that_names_its_address(self, others):
        pending = subscription("PendingConfirmation", endpoint="b@example.com")

        found = subscribed("prod", "errors", ARN, [*others, pending])

        assert found.mark == "fault"
        assert "b@example.com" in found.found
        assert f"aws sns subscribe --topic-arn {ARN} --protocol email" in found.mend

    def test_one_that_was_deleted_is_none(self):
        assert "nobody" in subscribed("prod", "errors", ARN, [subscription("Deleted")]).found
        both = [subscription("Deleted"), subscription()]
        assert subscribed("prod", "errors", ARN, both).mark == "ok"

    def test_the_url_of_a_web_service_is_not_shown(self):
        pending = subscription("PendingConfirmation", "https", "https://hooks.example.com/s3cret")

        found = subscribed("prod", "errors", ARN, [pending])

        assert "s3cret" not in f"{found.found} {found.mend}"


class TestClock:
    @pytest.mark.parametrize(
        ("seconds", "mark"), [(-61, "fault"), (-60, "ok"), (0, "ok"), (60, "ok"), (61, "fault")]
    )
    def test_a_minute_is_too_much(self, seconds, mark):
        answer = {"HTTPHeaders": {"date": "Mon, 02 Jun 2025 12:00:00 GMT"}}

        (found,) = clock_findings(answer, NOW + timedelta(seconds=seconds))

        assert found.mark == mark

    def test_an_answer_without_a_date_says_nothing(self):
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
    def test_the_interval_is_the_rules(self, expression, interval):
        assert polling_interval({"ScheduleExpression": expression}) == interval

    @pytest.mark.parametrize(
        ("history", "marks"),
        [
            ([job(2)], ["ok"]),
            ([job(2.1)], ["fault"]),
            ([job(0.1, "running"), job(1)], ["ok"]),
            ([job(0.1, "stopped"), job(1)], ["ok"]),
            ([job(0.1, "stopped"), job(3)], ["fault"]),
            ([job(0.1, "failed", "Unauthorized: 401"), job(1)], ["fault"]),
            ([job(0.1, "failed", "Unauthorized: 401"), job(3)], ["fault", "fault"]),
            ([job(0.1), job(1, "failed")], ["ok"]),
            ([], ["fault"]),
        ],
    )
    def test_a_success_is_due_every_two_intervals(self, history, marks):
        assert [f.mark for f in poll_findings("prod", history, NOW, HOUR)] == marks


class TestHooks:
    @pytest.mark.parametrize("name", [TOKEN_HEADER, TOKEN_HEADER.lower()])
    def test_the_case_of_a_headers_name_does_not_matter(self, name):
        hook = Hook(1, CART_CONVERTED, URL, True, {name: "secret"})

        assert Registration(URL, "secret").complaints(hook) == []

    @pytest.mark.parametrize(
        ("domain", "faults"),
        [
            ("abc.execute-api.us-east-1.amazonaws.com", 1),
            (URL, 1),
            ("example.com", 0),
        ],
    )
    def test_a_blocked_destination_may_be_a_domain_or_a_url(self, domain, faults):
        told = [{"destination": domain, "time_left": 130}, {"reasons": []}]

        assert len(list(blocked("prod", URL, told))) == faults


@pytest.mark.parametrize(
    ("error", "command"),
    [
        (AwsError("DescribeTable", "AccessDeniedException"), "aws sso login"),
        (AwsError("GetQueueAttributes", "AWS.SimpleQueueService.NonExistentQueue"), "make deploy"),
        (AwsError("DescribeTable", "InternalServerError"), "python -m ops --stage prod doctor"),
        (NotDeployed("no dead-letter queue"), "make deploy"),
        (Unauthorized("GET hooks -> 403"), "secrets_version"),
        (Unavailable("GET hooks -> 503"), "python -m ops --stage prod doctor"),
    ],
)
def test_what_keeps_a_check_from_being_made_has_a_remedy(error, command):
    assert command in remedy("prod", error)
