"""Connects settings, edges and use cases: the one place where they are constructed."""

import functools
from datetime import timedelta
from typing import Any

from chalicelib.authentication import Authentication
from chalicelib.clock import Clock
from chalicelib.consumer import Consumer
from chalicelib.edges.aws import aws_client
from chalicelib.edges.bigcommerce import BigCommerce
from chalicelib.edges.bigcommerce_hooks import Hooks
from chalicelib.edges.dynamodb import OrdersTable, WebhooksTable
from chalicelib.edges.dynamodb_alerts import SentAlerts
from chalicelib.edges.dynamodb_jobs import JobsTable
from chalicelib.edges.eventbridge import EventBus
from chalicelib.edges.pacing import Pacer
from chalicelib.edges.sns import Alerts
from chalicelib.edges.sqs import OrdersQueue
from chalicelib.edges.ssm import Secret
from chalicelib.field_watch import FieldWatch
from chalicelib.hook_check import HookCheck, destinations
from chalicelib.polling import Poller
from chalicelib.publishing import Publisher
from chalicelib.settings import Settings
from chalicelib.webhook import WebhookReceiver


class Wiring:
    """Creates each edge on first use, so that a function starts only what it needs."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.retention = timedelta(days=settings.retention_days)

    def poller(self, context: Any) -> Poller:
        store = self.store.within(self._deadline(context))
        return Poller(
            store=store,
            orders=self.orders,
            jobs=self.jobs,
            queue=self.queue,
            changes=self.changes,
            watch=HookCheck(
                Hooks.of(store),
                self.alerts,
                destinations(self.settings.webhook_url, self.settings.order_changed_url),
            ),
            fields=FieldWatch(self.orders, self.jobs, self.clock, store.deadline),
            policy=self.settings.policy(),
            sweep_every=timedelta(hours=self.settings.sweep_hours),
            sweep_back=timedelta(days=self.settings.sweep_days),
            clock=self.clock,
            holder=context.aws_request_id,
        )

    def replicator(self, context: Any) -> Consumer:
        """The consumer of new orders."""
        return self._consumer(context, self.store, self.queue)

    def follower(self, context: Any) -> Consumer:
        """The consumer of changes, which leaves a share of the store's quota to new orders."""
        return self._consumer(context, self.store_for_changes, self.changes)

    def _consumer(self, context: Any, store: BigCommerce, queue: OrdersQueue) -> Consumer:
        return Consumer(
            store=store.within(self._deadline(context)),
            orders=self.orders,
            jobs=self.jobs,
            queue=queue,
            alerts=self.alerts,
            policy=self.settings.policy(),
            clock=self.clock,
            max_in_flight=self.settings.max_in_flight,
            max_receives=self.settings.max_receive_count,
        )

    def publisher(self, context: Any) -> Publisher:
        return self.publisher_until(self._deadline(context))

    def publisher_until(self, deadline: float) -> Publisher:
        settings = self.settings
        return Publisher(
            bus=EventBus(
                self.events,
                settings.event_bus_name,
                f"order-replication.{settings.stage}",
                self.clock,
                deadline,
            ),
            store_hash=settings.bigcommerce_store_hash,
            with_order=settings.event_content == "order",
            with_history=settings.publish_first_fill,
        )

    @functools.cached_property
    def webhook_receiver(self) -> WebhookReceiver:
        return WebhookReceiver(
            store_hash=self.settings.bigcommerce_store_hash,
            authentication=Authentication(
                token=self.secret(self.settings.webhook_token_parameter),
                previous_token=self.secret(self.settings.webhook_token_previous_parameter),
                client_secret=self.secret(self.settings.client_secret_parameter),
                require_signature=self.settings.require_signature,
                clock=self.clock,
            ),
            queue=self.queue,
            changes=self.changes,
            policy=self.settings.policy(),
            webhooks=WebhooksTable(
                self.dynamodb, self.settings.webhooks_table, self.retention, self.clock
            ),
            clock=self.clock,
        )

    @functools.cached_property
    def store(self) -> BigCommerce:
        return self._connect()

    @functools.cached_property
    def store_for_changes(self) -> BigCommerce:
        """The store, of whose quota a share is left to new orders."""
        return self._connect(self.settings.quota_reserved_for_new_orders)

    def _connect(self, left_to_others: float = 0.0) -> BigCommerce:
        return BigCommerce.connect(
            self.settings.bigcommerce_api_url,
            self.settings.bigcommerce_store_hash,
            self.secret(self.settings.access_token_parameter),
            Pacer(self.clock, self.settings.max_in_flight, left_to_others),
        )

    @functools.cached_property
    def orders(self) -> OrdersTable:
        return OrdersTable(self.dynamodb, self.settings.orders_table, self.clock)

    @functools.cached_property
    def jobs(self) -> JobsTable:
        return JobsTable(
            self.dynamodb,
            self.settings.jobs_table,
            self.settings.bigcommerce_store_hash,
            self.retention,
            self.clock,
        )

    @functools.cached_property
    def queue(self) -> OrdersQueue:
        return OrdersQueue(aws_client("sqs"), self.settings.orders_queue_url)

    @functools.cached_property
    def changes(self) -> OrdersQueue:
        return OrdersQueue(aws_client("sqs"), self.settings.changes_queue_url, "changes queue")

    @functools.cached_property
    def alerts(self) -> Alerts:
        return Alerts(
            aws_client("sns"),
            self.settings.errors_topic_arn,
            self.settings.stage,
            self.clock,
            self.settings.runbook_url,
            SentAlerts(self.dynamodb, self.settings.jobs_table, self.clock),
        )

    @functools.cached_property
    def dynamodb(self) -> Any:
        return aws_client("dynamodb")

    @functools.cached_property
    def events(self) -> Any:
        return aws_client("events")

    @functools.cached_property
    def ssm(self) -> Any:
        return aws_client("ssm")

    def secret(self, parameter: str) -> Secret:
        return Secret(self.ssm, parameter, self.clock)

    def _deadline(self, context: Any) -> float:
        """When this invocation times out, in epoch seconds."""
        left: int = context.get_remaining_time_in_millis()
        return self.clock.time() + left / 1000
