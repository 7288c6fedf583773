"""The commands use what belongs to their stage, whatever the environment of its functions says."""

import pytest

from tests.e2e.conftest import Ops


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ORDERS_TABLE", "order-replication-prod-orders"),
        ("JOBS_TABLE", "order-replication-prod-jobs"),
        ("WEBHOOKS_TABLE", "order-replication-prod-webhooks"),
        ("ORDERS_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/1/order-replication-prod-orders"),
        (
            "CHANGES_QUEUE_URL",
            "https://sqs.us-east-1.amazonaws.com/1/order-replication-prod-changes",
        ),
        ("ERRORS_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:order-replication-prod-errors"),
        ("WEBHOOK_TOKEN_PARAMETER", "/order-replication/prod/webhook-token"),
    ],
)
def test_names_of_another_stage_are_refused(new_world, variable, value):
    world = new_world(**{variable: value})

    result = Ops(world)("pause", "--reason", "test")

    assert result.exit_code == 1
    assert f"{variable} of the stage {world.stack.stage} is {value}" in result.output
