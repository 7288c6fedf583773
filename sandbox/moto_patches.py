"""Differences of moto from AWS, and slow parts of moto, patched in place."""

import functools
from collections.abc import Collection
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import moto.core.responses
import moto.core.utils
import moto.logs.models
import moto.moto_server.werkzeug_app
import moto.sqs.models
from moto.cloudwatch.models import CloudWatchBackend, Statistics
from moto.core.common_models import BaseModel
from moto.core.serialize import JSONSerializer
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models import dynamo_type
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.responses import DynamoHandler
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Queue, SQSBackend
from werkzeug.exceptions import Forbidden

from sandbox.store.clock import Clock

MAX_ITEM_SIZE = 405_000
"""Bytes, as in moto; DynamoDB accepts 400 KB."""


class SizedItem(dict[str, Any]):
    """An item that keeps its size; moto's own measures the whole item for each attribute."""

    def __setitem__(self, name: str, value: Any) -> None:
        before = self.get(name)
        size = self.__dict__.get("size", 0) + len(name.encode()) + _size(value)
        self.size = size - (len(name.encode()) + _size(before) if before is not None else 0)
        if self.size > MAX_ITEM_SIZE:
            raise ItemSizeTooLarge
        super().__setitem__(name, value)


def _size(value: Any) -> int:
    return int(value.size()) if isinstance(value, DynamoType) else len(str(value).encode())


class Dispatcher(DomainDispatcherApplication):
    """Dispatches to these services of moto, or to all. Raises Forbidden for any other.

    It caches the service of each host; moto's own reads a directory for every request.
    """

    def __init__(self, services: Collection[str] | None) -> None:
        super().__init__(create_backend_app)
        self._services = services
        self._known: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        if host not in self._known:
            self._known[host] = super().get_backend_for_host(host)
        service = self._known[host]
        if host and self._services is not None and service not in self._services:
            raise Forbidden(f"the sandbox does not serve {service}")
        return service


def change_visibility(
    backend: Any, queue_name: str, receipt_handle: str, visibility_timeout: int
) -> None:
    """As in moto, without its limit of twelve hours.

    AWS counts the twelve hours from the receive, moto from the sending, so that the visibility of
    a message could not be changed a day after it was sent.
    """
    queue = backend.get_queue(queue_name)
    for message in queue._messages:
        if message.had_receipt_handle(receipt_handle):
            message.change_visibility(visibility_timeout)
            if message.visible:
                queue.pending_messages.discard(message)
            return
    raise ReceiptHandleIsInvalid


def pending_message_groups(queue: Any) -> set[str]:
    """As in moto, of a copy: another thread can receive or delete messages at the same time."""
    return {
        message.group_id
        for message in list(queue._pending_messages)
        if message.group_id is not None
    }


update_table_of: Any = DynamoHandler.update_table


def update_table(handler: Any) -> Any:
    """As in moto, with the encryption, which it takes for a new table only."""
    if "SSESpecification" in handler.body:
        table = handler.dynamodb_backend.get_table(handler.body["TableName"])
        table.sse_specification = handler.body["SSESpecification"]
    return update_table_of(handler)


attributes_of: Any = vars(Queue)["attributes"].fget


def all_attributes(queue: Any) -> dict[str, Any]:
    """As in moto, with the policy that it accepts and does not return."""
    policy = getattr(queue, "redrive_allow_policy", None)
    return {**attributes_of(queue), **({"RedriveAllowPolicy": policy} if policy else {})}


serialize_structure = JSONSerializer._serialize_type_structure


def serialize_attribute(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    """Serialize a DynamoDB value by the one type it has; moto's own looks for each of the ten."""
    if shape.name != "AttributeValue":
        return serialize_structure(serializer, serialized, value, shape, key)
    content: dict[str, Any] = {}
    for name in value:
        member = shape.members[name]
        member.parent = shape
        serializer._serialize_structure_member(content, value, member, name)
    serializer._default_serialize(serialized, content, shape, key)
    return None


statistics_of: Any = CloudWatchBackend.get_metric_statistics


def metric_statistics(
    backend: Any,
    namespace: str,
    metric_name: str,
    start_time: datetime,
    end_time: datetime,
    period: int,
    stats: list[str],
    *rest: Any,
    **others: Any,
) -> list[Statistics]:
    """As in moto, in periods that begin at multiples of their length in a day, as CloudWatch's.

    moto's begin at the first value, so that an hour could have the values of the one after it.
    """
    found = statistics_of(
        backend, namespace, metric_name, start_time, end_time, period, stats, *rest, **others
    )

    def beginning(value: Any) -> datetime:
        moment: datetime = value.timestamp
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        return moment - timedelta(seconds=(moment - midnight).total_seconds() % period)

    periods = []
    for begins, values in groupby((v for each in found for v in each.metric_data), beginning):
        aligned = Statistics(stats, begins, found[0].unit)
        aligned.metric_data = list(values)
        periods.append(aligned)
    return periods


def untracked(cls: type, *_: Any, **__: Any) -> Any:
    """A new instance; moto's own is kept in a list of its class until all of moto is reset."""
    return object.__new__(cls)


def patch_moto() -> None:
    vars(moto.moto_server.werkzeug_app)["DISABLE_GLOBAL_CORS"] = True
    type.__setattr__(BaseModel, "__new__", untracked)
    vars(dynamo_type)["LimitedSizeDict"] = SizedItem
    type.__setattr__(SQSBackend, "change_message_visibility", change_visibility)
    type.__setattr__(DynamoHandler, "update_table", update_table)
    type.__setattr__(Queue, "attributes", property(all_attributes))
    type.__setattr__(Queue, "pending_message_groups", property(pending_message_groups))
    type.__setattr__(JSONSerializer, "_serialize_type_structure", serialize_attribute)
    type.__setattr__(CloudWatchBackend, "get_metric_statistics", metric_statistics)
    # Imported by name, it would stay the clock of the world in which it was imported.
    vars(moto.logs.models)["utcnow"] = lambda: moto.core.utils.utcnow()
    for module, name in (
        (moto.core.responses, "camelcase_to_underscores"),
        (moto.core.responses, "method_names_from_class"),
        (moto.sqs.models, "camelcase_to_underscores"),
    ):
        vars(module)[name] = functools.cache(vars(module)[name])


def wait_by(clock: Clock) -> None:
    """Let a receive that waits for messages wait by this clock, not by the machine's."""
    type.__setattr__(Queue, "wait_for_messages", lambda _, seconds: clock.sleep(seconds))
