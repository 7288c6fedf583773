"""order-replication: keeps every BigCommerce order in DynamoDB, and moves each new order once.

    EventBridge ──► poll_orders ─────┬── new ─────► SQS ──► replicate_orders ──┐
                                     └── changed ─► SQS ──► follow_orders ─────┤
    API Gateway ──► cart_converted ───── new ─────► SQS                        ▼
                └─► order_changed ───┬── new ─────► SQS                  Orders table
                                     └── changed ─► SQS                      │ stream
                                                                             ▼
                               your systems ◄── EventBridge bus ◄── publish_changes

The entry points, in the order of the journey. Each translates its event and calls a use case in
chalicelib.
"""

import functools
import logging
import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from chalice.app import Chalice, CloudWatchEvent, DynamoDBEvent, Response, SQSEvent

from chalicelib.clock import Clock, SystemClock
from chalicelib.consumer import Consumer
from chalicelib.domain.messages import Delivery
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
    """Everything a container creates once, on its first event. Raises SettingsError."""
    return Wiring(Settings.from_environment(os.environ), clock)


def alert_on_failure(handler: Callable[P, R]) -> Callable[P, R]:
    """Publish an alert about an unhandled exception, then re-raise it.

    A decorator and not a Chalice middleware: for a route, Chalice turns the exception into a 500
    response before a middleware sees it.
    """

    @functools.wraps(handler)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except Exception as error:
            logger.error(
                "function failed",
                extra={
                    "event": "function_failed",
                    "function": handler.__name__,
                    "error": type(error).__name__,
                },
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
    """Queue every order in the store that is new or changed, and not replicated as it is now."""
    wiring().poller(event.context).poll(sweep=event.detail.get("sweep") is True)


@app.route("/cart-converted", methods=["POST"])
@alert_on_failure
def cart_converted() -> Response:
    """Queue the order of a store/cart/converted callback."""
    return _receive_callback()


@app.route("/order-changed", methods=["POST"])
@alert_on_failure
def order_changed() -> Response:
    """Queue the order of a callback about an order that was created or changed."""
    return _receive_callback()


@app.on_sqs_message(queue_arn="${module.order_queue.arn}", batch_size=10)
def replicate_orders(event: SQSEvent) -> dict[str, list[dict[str, str]]]:
    """Replicate the queued new orders; only those that fail are returned to the queue."""
    return _consume(event, wiring().replicator(event.context))


@app.on_sqs_message(
    queue_arn="${module.changes_queue.arn}", batch_size=20, maximum_batching_window_in_seconds=1
)
def follow_orders(event: SQSEvent) -> dict[str, list[dict[str, str]]]:
    """Replicate the queued changes of orders; only those that fail are returned to the queue."""
    return _consume(event, wiring().follower(event.context))


@app.on_dynamodb_record(
    stream_arn="${module.tables.orders_stream_arn}",
    batch_size=100,
    starting_position="TRIM_HORIZON",
    maximum_batching_window_in_seconds=1,
)
@alert_on_failure
def publish_changes(event: DynamoDBEvent) -> dict[str, list[dict[str, str]]]:
    """Publish the changes of the Orders table; Lambda repeats from the first that fails."""
    failed = wiring().publisher(event.context).publish(event.to_dict()["Records"])
    return _failures([failed] if failed else [])


def _receive_callback() -> Response:
    request: Any = app.current_request
    source = request.context.get("identity", {}).get("sourceIp", "unknown")
    status = wiring().webhook_receiver.receive(request.headers, lambda: request.raw_body, source)
    return Response(body="", status_code=status)


def _consume(event: SQSEvent, consumer: Consumer) -> dict[str, list[dict[str, str]]]:
    failed = consumer.consume(Delivery.from_event(event.to_dict()))
    return _failures(failed)


def _failures(identifiers: list[str]) -> dict[str, list[dict[str, str]]]:
    return {"batchItemFailures": [{"itemIdentifier": each} for each in identifiers]}
