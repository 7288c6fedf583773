"""`python -m sandbox.store`: the store alone, for whoever integrates BigCommerce."""

import signal
import threading
from datetime import timedelta

import click

from sandbox.store.store import Store


@click.command()
@click.option("--orders", default=200, show_default=True, help="Orders that are there already.")
@click.option("--days", default=30, show_default=True, help="Days before now they came in.")
@click.option("--port", default=8100, show_default=True, help="Port on 127.0.0.1; 0: a free one.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same orders.")
@click.option("--quota", default=150, show_default=True, help="Requests per window.")
@click.option("--window-seconds", default=30.0, show_default=True, help="Length of a window.")
@click.option("--latency", default=0.0, show_default=True, help="Seconds each answer takes.")
@click.option("--retry-scale", default=1.0, show_default=True, help="Factor on callback retries.")
@click.option("--store-hash", default="sandbox", show_default=True)
@click.option("--access-token", default="sandbox-access-token", show_default=True)
@click.option("--client-secret", default="sandbox-client-secret", show_default=True)
def main(
    orders: int,
    days: int,
    port: int,
    seed: int,
    quota: int,
    window_seconds: float,
    latency: float,
    retry_scale: float,
    store_hash: str,
    access_token: str,
    client_secret: str,
) -> None:
    """Run a BigCommerce store simulator until Ctrl-C."""
    store = Store(
        seed=seed,
        quota=quota,
        window_seconds=window_seconds,
        latency=latency,
        retry_scale=retry_scale,
        store_hash=store_hash,
        access_token=access_token,
        client_secret=client_secret,
    )
    stopped = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())
    store.place_orders(orders, via="storefront", over=timedelta(days=days))
    with store.start(port):
        store.start_delivering()
        _introduce(store, orders)
        stopped.wait()
    click.echo("Stopped.")


def _introduce(store: Store, orders: int) -> None:
    root = f"{store.url}/stores/{store.store_hash}"
    click.echo(f"{orders} orders at {root}/v2 and {root}/v3, token {store.access_token}")
    click.echo(f"Control under {store.url}/sandbox/. Try:")
    click.echo(f"  curl -H 'X-Auth-Token: {store.access_token}' '{root}/v2/orders?limit=2'")


if __name__ == "__main__":
    main(prog_name="python -m sandbox.store")
