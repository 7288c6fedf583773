import os

import requests
from chalice.app import DynamoDBEvent

from app import app
from chalicelib.domain.items import to_json
from chalicelib.stream import changed_orders


@app.on_dynamodb_record(stream_arn="${module.tables.orders_stream_arn}")
def send_to_erp(event: DynamoDBEvent) -> None:
    """Send every new or changed order to the ERP."""
    for order, replication in changed_orders(event.to_dict()):
        requests.post(
            os.environ["ERP_URL"],
            data=to_json(order),
            headers={
                "Content-Type": "application/json",
                # The stream may deliver a change twice; the key lets the ERP ignore the second one.
                "Idempotency-Key": f"{order['id']}-{replication.sequence}",
            },
            timeout=10,
        ).raise_for_status()
