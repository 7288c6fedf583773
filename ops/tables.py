"""Questions to the stage's tables that only operators ask."""

from chalicelib.aws import calling
from chalicelib.items import from_image
from chalicelib.models import JsonObject
from ops.deployment import Deployment, client


def webhooks_of(deployment: Deployment, order_id: int) -> list[JsonObject]:
    """The callbacks that came for an order and are still kept, newest first. Raises AwsError."""
    with calling(f"Query webhooks of order {order_id}"):
        pages = (
            client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=deployment.settings.webhooks_table,
                KeyConditionExpression="order_id = :order",
                ExpressionAttributeValues={":order": {"N": str(order_id)}},
                ScanIndexForward=False,
                ConsistentRead=True,
            )
        )
        return [from_image(item) for page in pages for item in page["Items"]]
