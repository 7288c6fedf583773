"""Formatting of figures, and the calculation of costs."""

import pytest

from benchmarks.cost import Prices, Usage, at_lambda, events_by_poll, events_by_webhook
from benchmarks.figures import Figure, Results, percentile

PRICES = Prices(
    {
        "lambda": {"gb_second_arm64": 0.00001, "million_requests": 0.2},
        "dynamodb": {"million_write_units": 0.5, "million_read_units": 0.1},
        "sqs": {"million_requests": 0.4},
        "api_gateway": {"million_requests_rest": 3.5},
        "eventbridge": {
            "million_custom_events": 1.0,
            "million_api_destination_invocations": 0.2,
        },
        "cloudwatch": {"gb_of_logs": 0.5},
        "assumed": {
            "memory_gb": 0.5,
            "vcpu_share": 0.25,
            "put_events_seconds": 0.05,
            "log_kb_per_event": 0.5,
            "log_kb_per_batch": 1.0,
        },
    }
)

DELIVERY = {
    "records": 4.0,
    "events": 2.0,
    "full.cpu": 50.0,
    "full.calls": 7.0,
    "alone.invocations": 3.0,
    "alone.calls": 2.0,
    "alone.cpu": 5.0,
}
PUBLISHED = Results(
    {}, {"delivery": [Figure(f"delivery.{key}", key, value) for key, value in DELIVERY.items()]}
)


@pytest.mark.parametrize(
    ("value", "unit", "digits", "expected"),
    [
        (3.957, "requests", 2, "3.96 requests"),
        (0.9449, "%", 0, "94 %"),
        (0.00049, "%", 2, "0.05 %"),
        (1234.5, "$", 2, "$1,234.50"),
        (100000.0, "", 0, "100,000"),
    ],
)
def test_a_figure_is_formatted_with_its_unit(value, unit, digits, expected) -> None:
    assert Figure("k", "what", value, unit, digits).text == expected


def test_a_goal_includes_its_limit() -> None:
    assert Figure("k", "what", 5.0, at_most=5.0).is_reached
    assert not Figure("k", "what", 5.1, at_most=5.0).is_reached
    assert Figure("k", "what", 0.9, at_least=0.9).is_reached
    assert not Figure("k", "what", 0.89, at_least=0.9).is_reached
    assert Figure("k", "what", 1e9).is_reached


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(KeyError, match="speed"):
        Results({}, {}).value("speed")


def test_percentiles_of_equally_spaced_values() -> None:
    values = [float(value) for value in range(101)]

    assert [percentile(values, percent) for percent in (50, 95, 99)] == [50, 95, 99]


def test_a_function_is_billed_for_memory_duration_and_invocations() -> None:
    assert PRICES.function(seconds=1000, invocations=1e6) == pytest.approx(0.005 + 0.2)


def test_cpu_time_takes_longer_with_a_share_of_a_vcpu() -> None:
    assert at_lambda(PRICES, cpu=0.01) == pytest.approx(0.04)


def test_the_cost_of_an_order_is_listed_by_service() -> None:
    usage = Usage(
        seconds=2,
        invocations=1,
        write_units=20,
        read_units=10,
        sqs_requests=3,
        api_requests=1,
        log_gb=1e-6,
        events=2,
        https_requests=4,
    )

    assert usage.dollars(PRICES) == pytest.approx(
        {
            "Lambda": 2 * 0.5 * 0.00001 + 0.2e-6,
            "DynamoDB": 11e-6,
            "SQS": 1.2e-6,
            "API Gateway": 3.5e-6,
            "EventBridge": 2e-6 + 0.8e-6,
            "CloudWatch Logs": 0.5e-6,
        }
    )


def test_usages_are_added_by_service() -> None:
    webhook = Usage(1, 1, 1, 0, 1, 1, 0.5)
    consumer = Usage(2, 1, 8, 2, 2, 0, 0.25)

    assert webhook + consumer == Usage(3, 2, 9, 2, 3, 1, 0.75)


def test_the_records_of_several_orders_share_an_invocation() -> None:
    usage = events_by_poll(PUBLISHED, PRICES)

    assert usage.invocations == pytest.approx(4 / 100)
    assert usage.seconds == pytest.approx(4 / 100 * (7 * 0.05 + 0.05 / 0.25))
    assert usage.log_gb == pytest.approx((2 * 0.5 + 4 / 100) / 1024**2)


def test_an_order_alone_has_its_own_invocations() -> None:
    usage = events_by_webhook(PUBLISHED, PRICES)

    assert usage.invocations == 3
    assert usage.seconds == pytest.approx(2 * 0.05 + 0.005 / 0.25)
    assert usage.log_gb == pytest.approx((2 * 0.5 + 3) / 1024**2)


def test_each_event_is_billed_once_and_once_more_for_its_https_destination() -> None:
    for usage in (events_by_poll(PUBLISHED, PRICES), events_by_webhook(PUBLISHED, PRICES)):
        assert usage.dollars(PRICES)["EventBridge"] == pytest.approx(2 * 1.2e-6)
        assert usage.dollars(PRICES)["DynamoDB"] == 0
