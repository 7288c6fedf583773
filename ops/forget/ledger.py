"""The ids of forgotten orders, in a table of their own: a restore of the Orders table keeps it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from boto3.dynamodb.types import TypeSerializer

from chalicelib.edges.aws import calling
from ops.deployment import Deployment, client
from ops.store import chunks
from ops.tables import scanned

AT_A_TIME = 100
"""Records that DynamoDB returns in one request at most."""

_serialize = TypeSerializer().serialize


@dataclass(frozen=True)
class Ledger:
    """The Erasures table of a stage. It contains order ids and times only."""

    deployment: Deployment

    def add(self, order_id: int, now: datetime) -> None:
        """Raises AwsError."""
        with calling(f"PutItem erasure of order {order_id}"):
            client("dynamodb").put_item(
                TableName=self._table,
                Item={
                    "order_id": _serialize(order_id),
                    "forgotten_at": _serialize(now.isoformat()),
                },
            )

    def order_ids(self) -> list[int]:
        """Every forgotten order, ascending. Raises AwsError."""
        return sorted(int(item["order_id"]) for item in scanned(self._table, "erasures"))

    def undone(self) -> Iterator[int]:
        """The forgotten orders without a tombstone: a restore has brought them back, or removed it.

        Raises AwsError.
        """
        for ids in chunks(self.order_ids(), AT_A_TIME):
            records = self.deployment.wiring.orders.records(ids)
            for order_id in ids:
                record = records.get(order_id)
                if record is None or not record.is_forgotten:
                    yield order_id

    @property
    def _table(self) -> str:
        return self.deployment.name("erasures")
