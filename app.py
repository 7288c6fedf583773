"""order-replication: every new BigCommerce order, whole, in DynamoDB, and moved on in the store.

    EventBridge ──► poll_orders ─────┐
                                     ├──► SQS ──► replicate_orders ──► Orders table ──► your code
    API Gateway ──► cart_converted ──┘

The entry points, in the order in which an order travels. Each translates its event and calls
a use case; the work is done in chalicelib.
"""

import functools
import logging
import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from chalice.app import Chalice, CloudWatchEvent, Response, SQSEvent

from chalicelib.clock import Clock, SystemClock
from chalicelib.domain.models import Delivery
from chalicelib.edges.aws import AwsError
from chalicelib.settings import Settings, SettingsError
from chalicelib.wiring import Wiring

app = Chalice(app_name="order-replication", configure_logs=False)
clock: Clock = SystemClock()
logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


@functools.cache
def wiring() -> Wiring:
    """What a container makes once, when its first event comes. Raises SettingsError."""
    return Wiring(Settings.from_environment(os.environ), clock)


def alert_on_failure(handler: Callable[P, R]) -> Callable[P, R]:
    """E-mail people about a failure that nobody caught, then let it fail.

    A decorator, since Chalice answers 500 for a route before its own middleware sees the error.
    """

    @functools.wraps(handler)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except Exception as error:
            logger.error(
                "function failed",
                extra={"event": "function_failed", "function": handler.__name__},
                exc_info=error,
            )
            try:
                context: Any = getattr(args[0], "context", None) if args else app.lambda_context
                wiring().alerts.publish_failure(handler.__name__, error, context)
            except (AwsError, SettingsError) as unsent:
                logger.error(
                    "alert not sent", extra={"event": "alert_not_sent", "error": str(unsent)}
                )
            raise

    return guarded


@app.schedule("rate(${var.polling_interval} minutes)")
@alert_on_failure
def poll_orders(event: CloudWatchEvent) -> None:
    """Queue every order that is new in the store."""
    wiring().poller(event.context).poll(sweep=event.detail.get("sweep") is True)


@app.route("/cart-converted", methods=["POST"])
@alert_on_failure
def cart_converted() -> Response:
    """Queue the order that a cart became, as BigCommerce tells us."""
    request: Any = app.current_request
    status = wiring().webhook_receiver.receive(request.headers, request.raw_body)
    return Response(body="", status_code=status)


@app.on_sqs_message(queue_arn="${module.order_queue.arn}", batch_size=10)
def replicate_orders(event: SQSEvent) -> dict[str, list[dict[str, str]]]:
    """Replicate the queued orders; those that fail go back to the queue, alone."""
    failed = wiring().consumer(event.context).consume(Delivery.from_event(event.to_dict()))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
