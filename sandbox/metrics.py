"""CloudWatch's metric filters: count events in the functions' log and publish the counts."""

import logging
import threading
from collections import Counter
from typing import Any

from sandbox.stack import CONSUMED, Stack
from sandbox.store.clock import Clock

COUNTED = {
    "order_replicated": "OrdersReplicated",
    "order_skipped": "OrdersSkipped",
    "order_returned": "OrdersReturned",
    "embedded_not_used": "EmbeddedNotUsed",
    "embedded_differs": "EmbeddedDifferences",
    "hooks_missing": "HooksMissing",
}
"""Metrics by the event that they count."""

WITH_REASON = frozenset({"EmbeddedNotUsed"})
"""Metrics with the event's reason as their dimension."""

FAILING_SINCE = 3600
"""Seconds after which an order that fails is counted."""


class Metrics(logging.Handler):
    """Counts events of the service's log; `publish` sends the counts since the last call."""

    def __init__(self, stack: Stack, clock: Clock) -> None:
        super().__init__(logging.INFO)
        self._cloudwatch = stack.aws.client("cloudwatch")
        self._stack, self._clock = stack, clock
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        facts = vars(record)
        with self._lock:
            for name, value in _counted(facts).items():
                reason = facts["reason"] if name in WITH_REASON else ""
                self._counts[name, reason] += value

    def publish(self) -> None:
        with self._lock:
            counts, self._counts = self._counts, Counter()
        counted = [
            self._datum(name, value, {"Reason": reason} if reason else {})
            for (name, reason), value in counts.items()
        ]
        self._put(f"order-replication/{self._stack.stage}", counted)
        for queue in CONSUMED:
            age = int(self._stack.age_of_oldest(self._clock.time(), queue))
            dimensions = {"QueueName": self._stack.name(queue)}
            self._put("AWS/SQS", [self._datum("ApproximateAgeOfOldestMessage", age, dimensions)])

    def _datum(self, name: str, value: int, dimensions: dict[str, str]) -> dict[str, Any]:
        return {
            "MetricName": name,
            "Value": value,
            "Unit": "Count",
            "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
            "Timestamp": self._clock.now(),
        }

    def _put(self, namespace: str, data: list[dict[str, Any]]) -> None:
        if data:
            self._cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)


def _counted(facts: dict[str, Any]) -> dict[str, int]:
    event = facts.get("event", "")
    if event in COUNTED:
        return {COUNTED[event]: 1}
    if event == "poll_finished":
        return {f"Polls{facts['outcome'].title()}": 1}
    if event == "webhook_answered":
        return {"WebhooksAccepted" if facts["status"] < 300 else "WebhooksRefused": 1}
    if event == "missing_orders_counted":
        counts = {"MissingOrders": facts.get("missing"), "StaleOrders": facts.get("stale")}
        return {name: value for name, value in counts.items() if value is not None}
    if event == "order_fields_changed":
        return {"OrderFieldsChanged": facts["changed"]}
    if event == "order_failing" and facts["failing_seconds"] >= FAILING_SINCE:
        return {"FailingOrders": 1}
    return {}
