"""`make sandbox`: a store, AWS and the service in real time, on fixed ports."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from ops.console.console import Console as Pages
from ops.console.server import link, listen
from sandbox import console as controls
from sandbox.bus import Delivery
from sandbox.logs import Logs
from sandbox.metrics import Metrics
from sandbox.receiver import Receiver, line
from sandbox.stack import Aws
from sandbox.store.clock import ShiftedClock
from sandbox.store.ending import Ending
from sandbox.world import World

DELIVERIES = 8
"""Events that are delivered at the same time."""

FIELDS = (
    "requests",
    "throttled",
    "order_id",
    "source",
    "reason",
    "error",
    "status",
    "mode",
    "outcome",
    "listed",
    "queued",
)


class LogPrinter(logging.Handler):
    """Prints each log line of the service with its fields."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        fields = {name: value for name, value in vars(record).items() if name in FIELDS}
        text = "  ".join(f"[dim]{name}[/] {escape(str(value))}" for name, value in fields.items())
        self._console.print(f"{record.getMessage():28} {text}")


class Sandbox:
    """Runs the schedule, the event source, webhooks and alarms of a world in threads."""

    def __init__(self, world: World, console: Console, poll_every: float) -> None:
        self._world = world
        self._console = console
        self._poll_every = poll_every
        self._poll_at = world.clock.time()
        self._stopped = threading.Event()

    def run(self) -> None:
        """Run until Ctrl-C."""
        logger = logging.getLogger("chalicelib")
        logger.addHandler(LogPrinter(self._console))
        logger.setLevel(logging.INFO)
        metrics = Metrics(self._world.stack, self._world.clock)
        logger.addHandler(metrics)
        logs = Logs(self._world.stack, self._world.pump, self._world.clock)
        logger.addHandler(logs)
        ending = Ending()
        self._world.store.start_delivering()
        self._pool = ThreadPoolExecutor(DELIVERIES)
        workers = [
            threading.Thread(target=self._every, args=(0.5, self.poll_if_due)),
            threading.Thread(target=self._every, args=(0.5, self._world.drain)),
            threading.Thread(target=self._every, args=(0.5, self._publish)),
            threading.Thread(target=self._every, args=(5.0, metrics.publish)),
            threading.Thread(target=self._every, args=(1.0, logs.send)),
            threading.Thread(target=self._every, args=(5.0, self._world.pump.evaluate_alarm)),
            threading.Thread(target=self._every, args=(1.0, self._print_mail)),
        ]
        for worker in workers:
            worker.start()
        ending.wait()
        self._stopped.set()
        self._console.print("Stopping.")
        for worker in workers:
            worker.join()
        self._pool.shutdown()

    def poll_if_due(self) -> None:
        """Poll if that is due by the clock of the world, which may have been advanced."""
        if self._world.clock.time() >= self._poll_at:
            self._poll_at = self._world.clock.time() + self._poll_every
            self._world.poll()

    def _publish(self) -> None:
        """Publish what has changed, and deliver the events that are due."""
        while self._world.pump.publish():
            pass
        self._world.bus.deliver(self._pool)

    def _print_mail(self) -> None:
        for mail in self._world.mail():
            panel = Panel(escape(mail["Message"]), title=escape(f"E-mail: {mail['Subject']}"))
            self._console.print(panel)

    def _every(self, seconds: float, work: Callable[[], object]) -> None:
        while not self._stopped.is_set():
            work()
            self._stopped.wait(seconds)


def serve(
    orders: int,
    store_port: int,
    aws_port: int,
    api_port: int,
    receiver_port: int,
    console_port: int,
    poll_every: float,
    events_to: str = "",
) -> None:
    """Start a world on these ports, print how to use it, and run it until Ctrl-C.

    Every event is printed, and sent to the URL `events_to` if there is one.
    """
    console = Console(highlight=False)

    def show(event: dict[str, Any]) -> None:
        console.print(f"[cyan]event[/] {escape(line(event))}", soft_wrap=True)

    def show_failure(delivery: Delivery, reason: str, seconds: float | None) -> None:
        again = "undelivered" if seconds is None else f"again in {seconds:.0f} s"
        to = escape(str(delivery.target["Id"]))
        text = escape(f"{line(delivery.event).split(' status')[0].strip()}: {reason}; {again}")
        console.print(f"[red]not taken[/] by {to}: {text}", soft_wrap=True)

    clock = ShiftedClock()
    taker = Receiver(show, clock)
    receiver = taker.serve(receiver_port)
    with (
        Aws(port=aws_port) as aws,
        World(aws, "local", clock=clock, store_port=store_port, api_port=api_port) as world,
    ):
        world.store.place_orders(orders, over=timedelta(days=7))
        world.stack.add_destination("receiver", url=f"http://127.0.0.1:{receiver.server_port}")
        world.bus.on_failure = show_failure
        if events_to:
            world.stack.add_destination("yours", url=events_to)
        pages = Pages("local", writes=True, others=partial(controls.deliveries, taker))
        pages.clock.follow(world.clock)
        server = listen(pages, console_port, [controls.page(world, taker)])
        threading.Thread(target=server.serve_forever).start()
        console.print(introduction(world, link(pages, server), events_to), soft_wrap=True)
        Sandbox(world, console, poll_every).run()
        server.shutdown()
        server.server_close()
        receiver.stop()


def introduction(world: World, console_url: str, events_to: str) -> str:
    """The URLs, and commands to run in another terminal."""
    events = "are printed below. make sandbox EVENTS_TO=URL sends them to a program of yours"
    if events_to:
        events = f"are printed below, and sent to {events_to} as the destination yours"
    store, token = world.store, world.store.access_token
    is_usual = world.stack.aws.url.endswith(":8102") and store.url.endswith(":8101")
    aws = "" if is_usual else f" --aws-url {world.stack.aws.url}"
    config = "" if is_usual else "   # with these ports in .chalice/config.json"
    next_id = max(store.order_ids(), default=99) + 1
    return f"""
[bold]The console[/]    {console_url}
[bold]The store[/]      {store.url}
[bold]AWS[/]            {world.stack.aws.url}
[bold]webhook routes[/] {world.api_url}/cart-converted and /order-changed
[bold]events[/]         {events}

Run in another terminal:

  [dim]# place an order; the webhooks and the replication follow automatically[/]
  curl -X POST {store.url}/sandbox/orders -d '{{"kind": "mixed"}}'
  [dim]# read the orders from the store's API[/]
  curl -H 'X-Auth-Token: {token}' '{store.url}/stores/{store.store_hash}/v2/orders?limit=1'
  [dim]# print that order, by the id that curl printed, and the polls[/]
  .venv/bin/python -m sandbox show orders {next_id}{aws}
  .venv/bin/python -m sandbox show jobs{aws}
  [dim]# the operator's commands[/]
  .venv/bin/python -m ops --stage local status{config}
  .venv/bin/python -m ops --stage local explain {next_id}
  .venv/bin/python -m ops --stage local events tail --forward-to http://localhost:3000
  [dim]# list the store's control routes and faults, with examples[/]
  curl {store.url}/
  [dim]# set a status as the merchant: order 100 is new now, and replicated within a minute[/]
  curl -X PUT {store.url}/sandbox/orders/100 -d '{{"status": 11}}'
  [dim]# serve the webhook routes with chalice; then send a webhook from a third terminal[/]
  .venv/bin/chalice local --stage local{config}
  curl -X PUT {store.url}/sandbox/orders/101 -d '{{"status": 11}}'
  .venv/bin/python -m sandbox webhook 101 --to http://127.0.0.1:8000/cart-converted

Ctrl-C stops everything.
"""
