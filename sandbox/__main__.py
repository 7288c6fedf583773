"""`python -m sandbox`: the demo, the running sandbox, and two tools for it."""
# ruff: noqa: E402  (Ctrl-C is handled before the slow imports)

import os
import signal
import sys


def _interrupt(*_: object) -> None:
    """Exit at once, without the tracebacks of threads; show the cursor that a progress bar hid."""
    os.write(2, b"\x1b[?25h\nInterrupted.\n" if sys.stderr.isatty() else b"Interrupted.\n")
    os._exit(130)


signal.signal(signal.SIGINT, _interrupt)

import json
import socket
import threading
import time
from typing import Any

import boto3
import click
import requests
from botocore.exceptions import EndpointConnectionError

from sandbox.stack import CREDENTIALS, REGION, Secrets
from sandbox.store.signing import sign
from sandbox.world import HOOKS, TOKEN_HEADER, as_python

AWS_URL = "http://127.0.0.1:8102"
API_URL = "http://127.0.0.1:8103"
CART_CONVERTED = "store/cart/converted"
SCOPES = (CART_CONVERTED, "store/order/created", "store/order/updated", "store/order/archived")


@click.group(context_settings={"show_default": True})
def main() -> None:
    """A simulated BigCommerce store and AWS, on this machine."""


@main.command()
def demo() -> None:
    """Replicate sixty orders from a simulated store, and verify the result."""
    from sandbox.demo import run

    sys.exit(run())


@main.command()
@click.option("--orders", default=20, help="Orders at the start.")
@click.option("--store-port", default=8101)
@click.option("--aws-port", default=8102)
@click.option("--api-port", default=8103)
@click.option("--receiver-port", default=8104)
@click.option("--console-port", default=8100)
@click.option("--poll-every", default=60.0, help="Seconds between two polls.")
@click.option("--events-to", default="", help="A URL that gets every event by POST.")
def serve(
    orders: int,
    store_port: int,
    aws_port: int,
    api_port: int,
    receiver_port: int,
    console_port: int,
    poll_every: float,
    events_to: str,
) -> None:
    """Run a store, AWS and the service until Ctrl-C."""
    from sandbox import live

    if events_to and not events_to.startswith(("http://", "https://")):
        raise click.ClickException("EVENTS_TO must be a URL, such as http://localhost:3000/orders")

    ports = {
        "CONSOLE": console_port,
        "STORE": store_port,
        "AWS": aws_port,
        "API": api_port,
        "RECEIVER": receiver_port,
    }
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise click.ClickException(
                    f"port {port} is in use, possibly by another sandbox; "
                    f"choose another with: make sandbox {name}_PORT={port + 1000}"
                ) from None
    live.serve(
        orders,
        store_port,
        aws_port,
        api_port,
        receiver_port,
        console_port,
        poll_every,
        events_to,
    )


@main.command("foreign-store")
@click.option("--orders", default=20_000, type=click.IntRange(100), help="Orders of the store.")
@click.option("--seed", default=1, help="The same seed generates the same orders.")
@click.option("--port", default=8101, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--quota", default=150, help="Requests per window.")
@click.option("--used-by-others", default=45, help="How many of them other apps use.")
@click.option("--window-seconds", default=30.0, help="Length of a window.")
def foreign(orders: int, port: int, **settings: Any) -> None:
    """Run a store that the service was not written for until Ctrl-C.

    It has renamed and other statuses, several channels, a small quota, and orders of all kinds,
    some of them unreadable.
    """
    from sandbox.store.foreign import foreign_store, introduction

    try:
        store = foreign_store(orders, **settings).start(port)
    except OSError:
        raise click.ClickException(f"port {port} is in use; choose another with --port") from None
    with store:
        click.echo(introduction(store, orders))
        threading.Event().wait()


@main.command()
@click.argument("order_id", type=int)
@click.option("--scope", default=CART_CONVERTED, type=click.Choice(SCOPES))
@click.option("--to", "destination", help="A URL; by default the sandbox's route for the scope.")
@click.option("--store-hash", default="sandbox", help="The store in the callback.")
@click.option("--token", default=Secrets.webhook_token, help="The header X-Replication-Token.")
@click.option("--client-secret", default=Secrets.client_secret, help="The secret of the signature.")
def webhook(
    order_id: int,
    scope: str,
    destination: str | None,
    store_hash: str,
    token: str,
    client_secret: str,
) -> None:
    """Send a signed callback for an order."""
    data: dict[str, str | int] = {"type": "order", "id": order_id}
    if scope == CART_CONVERTED:
        data = {"type": "cart", "id": "d30016e2-23c0-4a90-884f-2e92ac135476", "orderId": order_id}
    destination = destination or f"{API_URL}/{HOOKS[scope]}"
    callback = {
        "scope": scope,
        "store_id": "1025646",
        "data": data,
        "hash": "b86db7c77d7ef8f90d6a8aefa56de32ccd776923",
        "created_at": 1561486893,
        "producer": f"stores/{store_hash}",
    }
    body = json.dumps(callback).encode()
    headers = {"Content-Type": "application/json", TOKEN_HEADER: token}
    headers |= sign(body, secret=client_secret, timestamp=int(time.time()))
    try:
        answer = requests.post(destination, data=body, headers=headers, timeout=30)
    except requests.ConnectionError:
        raise click.ClickException(
            f"cannot connect to {destination}; start `make sandbox` or `chalice local` first"
        ) from None
    click.echo(f"{destination} answered {answer.status_code} {answer.text}")


@main.command()
@click.argument("table", type=click.Choice(["orders", "jobs", "webhooks"]))
@click.argument("order_id", type=int, required=False)
@click.option("--aws-url", default=AWS_URL)
@click.option("--stage", default="local")
def show(table: str, order_id: int | None, aws_url: str, stage: str) -> None:
    """Print the items of a table as JSON.

    Without ORDER_ID, only the replication records of orders are printed.
    """
    client: Any = boto3.client(
        "dynamodb",
        endpoint_url=aws_url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    pages = client.get_paginator("scan").paginate(TableName=f"order-replication-{stage}-{table}")
    try:
        images = [image for page in pages for image in page["Items"]]
    except EndpointConnectionError:
        raise click.ClickException(
            f"cannot connect to {aws_url}; start `make sandbox` first"
        ) from None
    except client.exceptions.ResourceNotFoundException:
        raise click.ClickException(f"stage {stage} has no tables") from None
    items = [as_python(image) for image in images]
    if order_id is not None:
        items = [item for item in items if order_id in (item.get("id"), item.get("order_id"))]
        if not items:
            raise click.ClickException(f"order {order_id} is not in the {table} table (yet)")
    for item in items:
        if table == "orders" and order_id is None:
            item = {"id": item["id"], "replication": item["replication"]}
        click.echo(json.dumps(item, indent=2, default=_number, ensure_ascii=False))


def _number(value: Any) -> int | float:
    return int(value) if value == int(value) else float(value)


if __name__ == "__main__":
    main(prog_name="python -m sandbox")
