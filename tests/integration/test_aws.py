"""Queue, topic, parameters, and how calls to AWS fail."""

import json
from collections.abc import Iterator
from datetime import timedelta

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.httpsession import URLLib3Session
from botocore.stub import Stubber

from chalicelib.edges.aws import AwsError, calling
from chalicelib.edges.sns import Alerts
from chalicelib.edges.sqs import OrdersQueue
from chalicelib.edges.ssm import Secret
from sandbox.container import Context
from tests.factories import NOW, FakeClock, delivery, events, message
from tests.integration.conftest import Service, Stage, alerts_of, requests_of
from tests.integration.signatures import SECRETS

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/orders"


def test_an_error_of_aws_is_reported_without_its_message() -> None:
    denied = ClientError(
        {"Error": {"Code": "ValidationException", "Message": "jane.doe@example.com is no key"}},
        "PutItem",
    )

    with pytest.raises(AwsError) as failure, calling("PutItem order 118"):
        raise denied

    assert str(failure.value) == "PutItem order 118 -> ValidationException"
    assert failure.value.reason == "ValidationException"
    assert failure.value.__suppress_context__, "a traceback would print the message"


def test_a_lost_connection_to_aws_is_reported_by_its_kind() -> None:
    with (
        pytest.raises(AwsError, match=r"^PutItem order 118 -> EndpointConnectionError$"),
        calling("PutItem order 118"),
    ):
        raise EndpointConnectionError(endpoint_url="https://secret.example.com")


def test_an_error_that_is_not_of_aws_is_not_translated() -> None:
    with pytest.raises(KeyError), calling("PutItem order 118"):
        raise KeyError


def entry(number: int, body: str) -> dict[str, str | int]:
    """An entry of SendMessageBatch."""
    return {"Id": str(number), "MessageBody": body, "DelaySeconds": 0}


class TestTheQueue:
    @pytest.fixture
    def queue(self, stage: Stage) -> OrdersQueue:
        return OrdersQueue(stage.sqs, stage.queue_url)

    @pytest.fixture
    def scripted(self) -> Iterator[tuple[OrdersQueue, Stubber]]:
        """A queue with scripted answers: moto never fails an entry."""
        client = boto3.client("sqs")
        with Stubber(client) as sqs:
            yield OrdersQueue(client, URL), sqs
            sqs.assert_no_pending_responses()

    def test_messages_are_sent_in_batches_of_ten(self, stage: Stage, queue: OrdersQueue) -> None:
        calls = requests_of(stage.sqs, "SendMessageBatch")

        sent = queue.send(message(n) for n in range(1, 26))

        assert len(set(sent)) == 25
        assert [len(call["Entries"]) for call in calls] == [10, 10, 5]
        received = [body["order_id"] for _ in range(3) for body in stage.queued()]
        assert sorted(received) == list(range(1, 26))

    def test_no_messages_cause_no_call(self, stage: Stage, queue: OrdersQueue) -> None:
        calls = requests_of(stage.sqs, "SendMessageBatch")

        assert queue.send([]) == []
        queue.postpone([])

        assert calls == []

    def test_a_message_holds_ids_and_no_other_field_of_the_order(
        self, stage: Stage, queue: OrdersQueue
    ) -> None:
        queue.send([message(252, source="webhook")])

        assert stage.queued() == [json.loads(message(252, source="webhook").to_json())]

    def test_messages_are_delivered_after_their_delay(
        self, stage: Stage, queue: OrdersQueue, clock: FakeClock
    ) -> None:
        queue.send([message(252)], delay=5)

        assert stage.queued() == []
        clock.advance(5)
        assert [body["order_id"] for body in stage.queued()] == [252]

    def test_the_depth_counts_messages_that_wait_are_delayed_or_in_flight(
        self, stage: Stage, queue: OrdersQueue
    ) -> None:
        assert queue.depth() == 0
        queue.send([message(1)])
        assert len(stage.receive()) == 1
        queue.send([message(2), message(3)])
        queue.send([message(4)], delay=900)

        assert queue.depth() == 4

    def test_the_depth_of_a_missing_queue_is_an_error(self, stage: Stage) -> None:
        gone = OrdersQueue(stage.sqs, URL.replace("orders", "gone"))

        with pytest.raises(AwsError, match=r"GetQueueAttributes .* -> .*NonExistentQueue"):
            gone.depth()

    def test_failed_entries_are_sent_once_more(self, scripted: tuple[OrdersQueue, Stubber]) -> None:
        queue, sqs = scripted
        bodies = [message(n).to_json() for n in (1, 2, 3)]
        sqs.add_response(
            "send_message_batch",
            {
                "Successful": [{"Id": "1", "MessageId": "b", "MD5OfMessageBody": "-"}],
                "Failed": [
                    {"Id": "0", "SenderFault": False, "Code": "InternalError"},
                    {"Id": "2", "SenderFault": False, "Code": "InternalError"},
                ],
            },
            {
                "QueueUrl": URL,
                "Entries": [entry(n, bodies[n]) for n in range(3)],
            },
        )
        sqs.add_response(
            "send_message_batch",
            {
                "Successful": [
                    {"Id": "0", "MessageId": "a", "MD5OfMessageBody": "-"},
                    {"Id": "1", "MessageId": "c", "MD5OfMessageBody": "-"},
                ],
                "Failed": [],
            },
            {
                "QueueUrl": URL,
                "Entries": [entry(0, bodies[0]), entry(1, bodies[2])],
            },
        )

        assert sorted(queue.send(message(n) for n in (1, 2, 3))) == ["a", "b", "c"]

    def test_entries_that_fail_twice_are_an_error(
        self, scripted: tuple[OrdersQueue, Stubber]
    ) -> None:
        queue, sqs = scripted
        failed = {"Id": "0", "SenderFault": False, "Code": "InternalError", "Message": "jane"}
        for _ in range(2):
            sqs.add_response("send_message_batch", {"Successful": [], "Failed": [failed]})

        with pytest.raises(AwsError, match=r"^SendMessageBatch orders queue -> InternalError$"):
            queue.send([message()])

    def test_a_missing_queue_is_an_error(self, stage: Stage) -> None:
        gone = OrdersQueue(stage.sqs, URL.replace("orders", "gone"))

        with pytest.raises(AwsError, match=r"SendMessageBatch orders queue -> .*NonExistentQueue"):
            gone.send([message()])

    def test_each_message_gets_its_own_visibility_timeout(
        self, stage: Stage, queue: OrdersQueue
    ) -> None:
        queue.send([message(1), message(2)])
        received = [
            delivery(n, receipt_handle=one["ReceiptHandle"])
            for n, one in enumerate(stage.receive(), start=1)
        ]
        calls = requests_of(stage.sqs, "ChangeMessageVisibilityBatch")

        queue.postpone(zip(received, (30.0, 3600.0), strict=True))

        (call,) = calls
        assert [
            (entry["ReceiptHandle"], entry["VisibilityTimeout"]) for entry in call["Entries"]
        ] == [(received[0].receipt_handle, 30), (received[1].receipt_handle, 3600)]

    def test_the_visibility_of_more_than_ten_messages_is_changed_in_several_calls(
        self, scripted: tuple[OrdersQueue, Stubber]
    ) -> None:
        queue, sqs = scripted
        for start, end in ((1, 11), (11, 13)):
            sqs.add_response(
                "change_message_visibility_batch",
                {"Successful": [], "Failed": []},
                {
                    "QueueUrl": URL,
                    "Entries": [
                        {"Id": str(n - start), "ReceiptHandle": f"r{n}", "VisibilityTimeout": 60}
                        for n in range(start, end)
                    ],
                },
            )

        queue.postpone((delivery(n), 60.0) for n in range(1, 13))

    def test_a_visibility_timeout_that_cannot_be_changed_is_only_logged(
        self, scripted: tuple[OrdersQueue, Stubber], caplog: pytest.LogCaptureFixture
    ) -> None:
        queue, sqs = scripted
        failed = {"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}
        sqs.add_response("change_message_visibility_batch", {"Successful": [], "Failed": [failed]})

        queue.postpone([(delivery(), 30.0)])

        assert "visibility_not_changed" in events(caplog)


class TestAlerts:
    @pytest.fixture
    def alerts(self, stage: Stage, clock: FakeClock) -> Alerts:
        return alerts_of(stage, clock)

    def test_an_alert_names_the_failure_and_its_log_stream(
        self, stage: Stage, alerts: Alerts, clock: FakeClock
    ) -> None:
        context = Context("poll_orders", 900, clock)

        alerts.publish_failure("poll_orders", AwsError("Query jobs", "Throttling"), context)

        (mail,) = stage.mail()
        assert mail["Subject"] == "order-replication test: poll_orders failed: AwsError"
        assert mail["Message"].splitlines() == [
            "order-replication test: poll_orders failed: AwsError",
            "",
            "function: poll_orders",
            f"request id: {context.aws_request_id}",
            "log group: /aws/lambda/order-replication-poll_orders",
            "log stream: sandbox",
            "error: AwsError: Query jobs -> Throttling",
            "next: .venv/bin/python -m ops --stage test doctor",
            "runbook: https://example.com/runbook#function-failed",
        ]

    def test_an_alert_is_sent_even_without_a_context(self, stage: Stage, alerts: Alerts) -> None:
        alerts.publish_failure("poll_orders", KeyError("id"), None)

        assert "request id: unknown" in stage.mail()[0]["Message"]

    @pytest.mark.parametrize("subject", ["x" * 200, "žluťoučký kůň 🐎", "ß" * 120])
    def test_a_subject_has_at_most_100_characters_of_ascii(
        self, stage: Stage, alerts: Alerts, subject: str
    ) -> None:
        alerts.publish(subject, {}, heading="function-failed")

        (mail,) = stage.mail()
        assert len(mail["Subject"]) <= 100
        assert mail["Subject"].isascii()
        assert subject in mail["Message"]

    def test_the_same_alert_is_not_repeated_for_an_hour(
        self, stage: Stage, alerts: Alerts, clock: FakeClock
    ) -> None:
        calls = requests_of(stage.sns, "Publish")

        for lapse, sent in [(0, 1), (0, 1), (3599, 1), (1, 2), (3599, 2), (1, 3)]:
            clock.advance(lapse)
            alerts.publish("down", {"at": clock.time()}, heading="function-failed")
            assert len(calls) == sent

    def test_the_containers_of_a_stage_send_an_alert_once(
        self, stage: Stage, clock: FakeClock
    ) -> None:
        """A rejected token, seen by three containers every five minutes for half a day."""
        for _ in range(12 * 12):
            for container in [alerts_of(stage, clock) for _ in range(3)]:
                container.publish("token rejected", {}, heading="unauthorized")
            clock.advance(300)

        assert len(stage.mail()) == 12

    def test_an_alert_is_sent_while_the_table_cannot_be_reached(
        self, stage: Stage, alerts: Alerts, caplog: pytest.LogCaptureFixture
    ) -> None:
        stage.dynamodb.delete_table(TableName=stage.name("jobs"))

        for _ in range(2):
            alerts.publish("down", {}, heading="function-failed")

        assert len(stage.mail()) == 1
        assert "table_not_reached" in events(caplog)

    def test_an_alert_is_sent_though_the_answer_to_its_claim_was_lost(
        self, stage: Stage, alerts: Alerts
    ) -> None:
        """botocore repeats the request, and its second attempt finds the item of the first."""
        lost: list[AWSResponse] = []

        def lose_the_first(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
            if lost:
                return None
            lost.append(URLLib3Session().send(request))
            lost[0].status_code = 500
            return lost[0]

        event = "before-send.dynamodb.PutItem"
        stage.dynamodb.meta.events.register(event, lose_the_first)
        try:
            alerts.publish("down", {}, heading="function-failed")
        finally:
            stage.dynamodb.meta.events.unregister(event, lose_the_first)

        assert len(stage.mail()) == 1

    def test_the_records_of_alerts_are_no_polls_and_expire(
        self, stage: Stage, alerts: Alerts, service: Service, clock: FakeClock
    ) -> None:
        alerts.publish("down", {}, heading="function-failed")

        assert service.wiring.jobs.history(NOW - timedelta(days=1)) == []
        (item,) = stage.items("jobs")
        assert item["expires_at"] == clock.time() + 3600

    def test_another_alert_is_sent_at_once(self, stage: Stage, alerts: Alerts) -> None:
        alerts.publish("down", {}, heading="function-failed")
        alerts.publish("also down", {}, heading="function-failed")

        assert len(stage.mail()) == 2

    def test_an_alert_that_failed_is_sent_the_next_time(self, stage: Stage, alerts: Alerts) -> None:
        alerts.topic_arn = stage.errors_topic_arn.replace("errors", "gone")
        with pytest.raises(AwsError, match=r"^Publish errors topic -> NotFound"):
            alerts.publish("down", {}, heading="function-failed")
        alerts.topic_arn = stage.errors_topic_arn

        alerts.publish("down", {}, heading="function-failed")

        assert len(stage.mail()) == 1


class TestSecrets:
    def test_its_value_is_not_in_its_representation(self, secret: Secret) -> None:
        assert secret.value()
        assert secret.value() not in repr(secret)

    @pytest.fixture
    def secret(self, stage: Stage, clock: FakeClock) -> Secret:
        return Secret(stage.ssm, stage.parameter("webhook_token"), clock)

    def test_a_secret_is_read_every_five_minutes(
        self, stage: Stage, secret: Secret, clock: FakeClock
    ) -> None:
        calls = requests_of(stage.ssm, "GetParameter")

        for lapse, reads in [(0, 1), (0, 1), (299, 1), (1, 2), (299, 2), (1, 3)]:
            clock.advance(lapse)
            assert secret.value() == SECRETS.webhook_token
            assert len(calls) == reads
        assert calls[0] == {"Name": stage.parameter("webhook_token"), "WithDecryption": True}

    def test_a_replaced_secret_is_used_for_five_minutes_at_most(
        self, stage: Stage, secret: Secret, clock: FakeClock
    ) -> None:
        assert secret.value() == SECRETS.webhook_token
        stage.set_parameter("webhook_token", "rotated")

        clock.advance(300)
        assert secret.value() == "rotated"

    def test_a_secret_remains_while_ssm_cannot_be_reached(self, clock: FakeClock) -> None:
        client = boto3.client("ssm")
        secret = Secret(client, "/test/webhook-token", clock)
        with Stubber(client) as ssm:
            ssm.add_response("get_parameter", {"Parameter": {"Value": "there"}})
            secret.value()
            clock.advance(300)
            ssm.add_client_error("get_parameter", "ThrottlingException", "slow down")

            assert (secret.value(), secret.renew()) == ("there", "there")
            ssm.assert_no_pending_responses()

            clock.advance(20)
            ssm.add_response("get_parameter", {"Parameter": {"Value": "rotated"}})
            assert secret.value() == "rotated"

    def test_a_rejected_secret_is_read_again_after_a_minute(
        self, stage: Stage, secret: Secret, clock: FakeClock
    ) -> None:
        secret.value()
        stage.set_parameter("webhook_token", "rotated")
        calls = requests_of(stage.ssm, "GetParameter")

        clock.advance(59)
        assert secret.renew() == SECRETS.webhook_token
        clock.advance(1)
        assert secret.renew() == "rotated"
        assert (secret.renew(), secret.value()) == ("rotated", "rotated")
        assert len(calls) == 1, "wrong tokens do not cause a call each"

    def test_a_missing_parameter_is_an_error_and_not_an_empty_secret(
        self, stage: Stage, clock: FakeClock
    ) -> None:
        calls = requests_of(stage.ssm, "GetParameter")
        missing = Secret(stage.ssm, "/test/missing", clock)

        for _ in range(2):
            with pytest.raises(AwsError, match=r"^GetParameter /test/missing -> ParameterNotFound"):
                missing.value()
        assert len(calls) == 1

    def test_a_secret_that_is_not_set_is_empty(self, stage: Stage, clock: FakeClock) -> None:
        unset = Secret(stage.ssm, stage.parameter("webhook_token_previous"), clock)

        assert (unset.value(), unset.renew()) == ("", "")

    def test_a_parameter_without_a_name_is_never_read(self, stage: Stage, clock: FakeClock) -> None:
        calls = requests_of(stage.ssm, "GetParameter")
        unnamed = Secret(stage.ssm, "", clock)

        assert (unnamed.value(), unnamed.renew()) == ("", "")
        assert calls == []

    def test_white_space_around_a_secret_is_removed(self, stage: Stage, secret: Secret) -> None:
        stage.set_parameter("webhook_token", "secret\n")

        assert secret.value() == "secret"

    def test_a_failure_of_ssm_is_an_error_and_not_an_empty_secret(self, clock: FakeClock) -> None:
        client = boto3.client("ssm")
        secret = Secret(client, "/test/webhook-token", clock)
        with Stubber(client) as ssm:
            ssm.add_client_error("get_parameter", "ThrottlingException", "slow down")
            with pytest.raises(AwsError, match=r"^GetParameter /test/webhook-token -> Throttling"):
                secret.value()

            with pytest.raises(AwsError):
                secret.value()
            clock.advance(20)
            ssm.add_response("get_parameter", {"Parameter": {"Value": "there"}})
            assert secret.value() == "there"
