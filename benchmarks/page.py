"""Writes docs/performance.md and its charts from results.json: `python -m benchmarks.page`."""

from dataclasses import replace
from pathlib import Path

from benchmarks import charts, cost, event_source, plan, unavailable
from benchmarks.changes import BATCHING_WINDOW
from benchmarks.cost import Prices
from benchmarks.figures import Results
from benchmarks.throughput import RESERVED
from chalicelib.webhook import CHANGE_DELAY

PROJECT = Path(__file__).resolve().parent.parent
PAGE = PROJECT / "docs" / "performance.md"

TABLE: dict[str, list[tuple[str, ...]]] = {
    "requests": [
        ("Requests per order, found by a poll", "requests.poll.mix"),
        ("– minimum that the API allows", "requests.poll.mix.minimum"),
        ("– with `embedded_reads`", "requests.poll.embedded"),
        ("Requests per order, single webhook", "requests.webhook.single"),
        ("– minimum that the API allows", "requests.webhook.single.minimum"),
        ("– with `embedded_reads`", "requests.webhook.embedded"),
        ("Requests per change, among neighbours", "requests.follow.changed"),
        ("– with `embedded_reads`", "requests.follow.changed.embedded"),
        ("Requests per callback about an unchanged order", "requests.follow.unchanged"),
        ("– with `embedded_reads`", "requests.follow.unchanged.embedded"),
    ],
    "sweep": [
        ("Requests of a sweep with 100 changes, 1,000 old orders", "sweep.1000.requests"),
        ("– 10,000 old orders", "sweep.10000.requests"),
        ("– 100,000 old orders", "sweep.100000.requests"),
    ],
    "speed": [
        ("Orders per second, 1 consumer, store responds in 0 ms", "speed.0.1"),
        ("– in 40 ms", "speed.40.1"),
        ("– in 150 ms", "speed.150.1"),
        ("Orders per second, 3 consumers, store responds in 0 ms", "speed.0.3"),
        ("– in 40 ms", "speed.40.3"),
        ("– in 40 ms, with `embedded_reads`", "speed.embedded"),
        ("– in 150 ms", "speed.150.3"),
        ("Speed relative to one request at a time (3 consumers, 40 ms)", "speed.factor"),
        ("– with `embedded_reads`", "speed.factor.embedded"),
        ("CPU time per order in the consumer", "speed.40.1.cpu"),
    ],
    "quota": [
        ("Share of a quota of 150 used while new orders wait, mean", "quota.150.mean"),
        ("– worst window", "quota.150.used"),
        ("– of a quota of 450, mean", "quota.450.mean"),
        ("– worst window", "quota.450.used"),
        ("Share of responses with status 429, quota of 150", "quota.150.throttled"),
        ("– quota of 450", "quota.450.throttled"),
        ("Share of a quota of 150 used while changes wait as well, mean", "quota.150.changes.mean"),
        ("– of which new orders use", "quota.150.changes.new"),
        ("– share of responses with status 429", "quota.150.changes.throttled"),
        ("– of a quota of 450, mean", "quota.450.changes.mean"),
        ("– of which new orders use", "quota.450.changes.new"),
        ("– share of responses with status 429", "quota.450.changes.throttled"),
    ],
    "latency": [
        (
            "Webhook to response, warm container: p50, p95, p99",
            "latency.acknowledged.p50",
            "latency.acknowledged.p95",
            "latency.acknowledged.p99",
        ),
        (
            "Webhook to stored order: p50, p95, p99",
            "latency.stored.p50",
            "latency.stored.p95",
            "latency.stored.p99",
        ),
        (
            "Webhook to moved order: p50, p95, p99",
            "latency.moved.p50",
            "latency.moved.p95",
            "latency.moved.p99",
        ),
        (
            "Webhook to response, cold container: p50, p95",
            "latency.cold.p50",
            "latency.cold.p95",
        ),
    ],
    "changes": [
        ("Webhook to stored order while no change waits: p95", "changes.none.p95"),
        ("– while 10,000 changes wait", "changes.many.p95"),
        ("– relative to none", "changes.factor"),
        ("Change to stored change: p50", "changes.stored.p50"),
        ("– p95", "changes.stored.p95"),
    ],
    "delivery": [
        (
            "Put of an item to its event at the receiver, 1 destination: p50, p95",
            "delivery.1.p50",
            "delivery.1.p95",
        ),
        (
            "– from the invocation of `publish_changes`",
            "delivery.1.invoked.p50",
            "delivery.1.invoked.p95",
        ),
        (
            "Put of an item to its event at the last receiver, 10 destinations: p50, p95",
            "delivery.10.p50",
            "delivery.10.p95",
        ),
        (
            "– from the invocation of `publish_changes`",
            "delivery.10.invoked.p50",
            "delivery.10.invoked.p95",
        ),
        ("Events per second, one `publish_changes`, full batches", "delivery.full"),
        ("– per second of CPU time", "delivery.full.per_cpu"),
        ("CPU time of a batch of 100 records", "delivery.full.cpu"),
        (
            f"Difference that an unavailable receiver makes to {unavailable.ORDERS} orders: "
            "requests to the store, orders moved, writes, duration",
            "delivery.unavailable.requests",
            "delivery.unavailable.moved",
            "delivery.unavailable.writes",
            "delivery.unavailable.seconds",
        ),
        ("– share of the events at the other destination", "delivery.unavailable.other"),
    ],
    "imports": [
        ("Import of `app.py`, CPU time", "imports.app"),
        ("– what `cart_converted` does not use", "imports.unused"),
        ("Import of botocore and boto3", "imports.of.boto3"),
        ("Import of pydantic", "imports.of.pydantic"),
        ("Import of requests", "imports.of.requests"),
        ("Deployment package, zipped", "package.packed"),
    ],
    "backlog": [
        ("Poll of 100,000 new orders: duration", "backlog.poll.100000.seconds"),
        ("– peak memory", "backlog.poll.100000.memory"),
        (
            "10,000 orders polled and replicated, 3 consumers, store responds in 0 ms",
            "backlog.replicated.10000.seconds",
        ),
        ("– peak memory of a consumer", "backlog.replicated.10000.memory"),
        ("– of 100 orders", "backlog.replicated.100.memory"),
        ("– requests per order", "backlog.replicated.10000.requests"),
        ("– requests per order with `embedded_reads`", "backlog.embedded.requests"),
        ("– peak memory of a consumer with `embedded_reads`", "backlog.embedded.memory"),
        ("Ten orders of 600 lines: peak memory of a consumer", "backlog.long.memory"),
        ("– with `embedded_reads`", "backlog.long.embedded.memory"),
        ("Size of an order in the Orders table", "backlog.item.size"),
    ],
    "": [
        ("Cost of 10,000 orders, found by polls", "cost.poll"),
        ("– single webhooks", "cost.webhook"),
        (
            "Cost of the events of 10,000 new orders, found by polls, one HTTPS destination",
            "cost.events.poll",
        ),
        ("– single webhooks", "cost.events.webhook"),
        ("– each further HTTPS destination", "cost.events.destination.https"),
        ("– each further SQS destination", "cost.events.destination.sqs"),
        ("Events per second, one `publish_changes` with 512 MB", "cost.events.rate"),
    ],
}
"""Rows by benchmark: a description and its figures. A row without a benchmark is calculated."""


def render(results: Results) -> str:
    """The page. `results` includes the calculated figures."""
    images = "\n\n".join(
        f"![{title}](charts/{name}.svg)"
        for name, title in (
            ("requests", "Requests to the store per order, by route"),
            ("speed", "Orders per second, by response time of the store"),
            ("latency", "Time from a webhook to its response, the stored and the moved order"),
            ("backlog", "Peak memory of a poll, by number of new orders"),
            ("cost", "US dollars for 10,000 orders, by AWS service"),
        )
    )
    return f"""\
<!-- Generated by `make bench` (benchmarks/page.py) from benchmarks/results.json. Do not edit. -->
# Performance

The store's request quota limits how many orders per second the service replicates. The number of
requests per order is therefore the most important figure on this page.

## Figures

`make bench` measures all figures in about 25 minutes and writes this page, the charts and
[`results.json`](../benchmarks/results.json). The command in the last column measures one group
again. `python -m benchmarks.page` writes the page and the charts without measuring.

{_figures(results)}

## Charts

{images}

{_meaning(results)}

{_backlog(results)}

{_method(results)}
"""


def with_calculated(results: Results) -> Results:
    """The measured figures and those calculated from them."""
    calculated = {"cost": cost.calculate(results), "plan": plan.calculate(results)}
    return replace(results, figures=results.figures | calculated)


def write(results: Results) -> None:
    """Write the page and its charts."""
    results = with_calculated(results)
    PAGE.write_text(render(results))
    for name in charts.CHARTS:
        (charts.FOLDER / f"{name}.svg").write_text(charts.render(name, results))


def _figures(results: Results) -> str:
    rows = ["| Figure | Measured | Goal | Measure again |", "|---|---|---|---|"]
    for benchmark, descriptions in TABLE.items():
        command = f"make bench ONLY={benchmark}" if benchmark else "python -m benchmarks.page"
        for what, *keys in descriptions:
            values = ", ".join(results[key].text for key in keys)
            rows.append(f"| {what} | {values} | {results[keys[0]].goal} | `{command}` |")
    return "\n".join(rows)


def _meaning(results: Results) -> str:
    def v(key: str) -> str:
        return results[key].text

    window = event_source.batching().window
    call = Prices.load().of("assumed", "put_events_seconds")
    return f"""\
## What the figures mean

- **Throughput.** A quota of 150 requests per 30 seconds allows {v("plan.default.150.rate")} orders
  per second. One consumer replicates {v("speed.150.1")} orders per second when the store responds
  in 150 ms. Additional consumers do not increase throughput; fewer requests per order do.
- **Requests.** They include the reads that the callbacks of the service's own moves cause: one for
  a single order, a tenth of one in full batches. The minimum does not. With
  [`embedded_reads`](settings.md#embedded-reads) the lists come with the order, and most of the
  requests are moves. Orders whose ids are 250 or more apart need one request more than the minimum.
  A list filtered by status could return them in one request, but it omits orders whose status has
  changed since they were queued.
- **Sweeps.** A sweep lists new orders and recent changes. The number of older orders does not
  matter. Only the first sweep of a stage lists every order.
- **Changes.** A change waits for {CHANGE_DELAY} seconds in its queue, so that a burst of callbacks
  costs one read, and up to {BATCHING_WINDOW:.0f} second more for others to share it. Waiting
  changes leave {RESERVED:.0%} of the quota to new orders. The
  measurements with waiting changes use orders in status Shipped that are not stored yet: the most
  expensive change.
- **Events.** Most of the time from a put to its event at a receiver is the wait for a batch: up to
  {event_source.POLL_INTERVAL} seconds until Lambda's next read of the stream, then a batching
  window of {window:.0f} second. `publish_changes` puts an event once, for any number of
  destinations: EventBridge sends it to each of them. The difference between 1 and 10 destinations
  is the time that the sandbox takes to call more receivers. One invocation per shard publishes at a
  time. With 512 MB it publishes {v("cost.events.rate")} events per second if a call of PutEvents
  takes {call * 1000:.0f} ms. An unavailable receiver affects neither replication nor other
  destinations.
- **Cold starts.** Importing only what `cart_converted` uses would save {v("imports.unused")} of CPU
  time. The goal is {results["imports.unused"].goal}: up to this value, all imports stay at the top
  of their modules.
- **Cost.** 10,000 orders cost {v("cost.poll")} when polls find them and {v("cost.webhook")} when
  each one arrives as a single webhook, with the callbacks of their moves. The largest part is
  DynamoDB writes. The events of these orders cost {v("cost.events.poll")} or
  {v("cost.events.webhook")} more with one HTTPS destination: one event when an order is stored, and
  one when it is moved. Lambda's reads of the stream are free. The fixed monthly cost
  of a stage is not included; see [Deploying](deploying.md)."""


def _backlog(results: Results) -> str:
    def v(key: str) -> str:
        return results[key].text

    rows = [
        ("Orders per second", "plan.default.{}.rate"),
        ("Duration", "plan.default.{}.days"),
        ("Orders in a night of eight hours", "plan.default.{}.night"),
        ("AWS cost with two consumers", "plan.default.{}.cost"),
        ("Orders per minute with `embedded_reads`", "plan.embedded.{}.minute"),
        ("Duration with `embedded_reads`", "plan.embedded.{}.days"),
        ("AWS cost with `embedded_reads`", "plan.embedded.{}.cost"),
    ]
    table = "\n".join(
        f"| {what} | {v(key.format(150))} | {v(key.format(450))} |" for what, key in rows
    )
    return f"""\
## A backlog of a million orders

These figures are calculated from the measured ones. No store of this size was available.

| | Quota 150 | Quota 450 |
|---|---|---|
{table}

- A backlog of a million new orders needs {v("plan.default.requests")} requests, or
  {v("plan.embedded.requests")} with `embedded_reads`. The quota applies per 30
  seconds and is shared with all other apps of the store. While orders wait, the service uses
  {v("quota.150.mean")} of a quota of 150 and {v("quota.450.mean")} of a quota of 450 on average.
- One poll of 900 seconds queues about {v("plan.poll.orders")} orders, so {v("plan.polls")} polls
  find all of them. Each poll continues where the previous one stopped.
- A poll that finds 100,000 orders needs {v("backlog.poll.100000.memory")} of memory; a poll that
  finds 100 needs {v("backlog.poll.100.memory")}.
- Most of the cost is DynamoDB writes, and consumers that wait for the quota.

Recommended settings:

1. **Move `replicate_since` back in steps** when the store is in use. The orders queue has no
   priorities, so an order placed today waits behind every new order that is already queued. Start
   with the current date. Then move `replicate_since` back by the number of days whose orders fit
   into one night. The next poll sweeps and queues them. To queue everything at once, the total
   duration must be shorter than 14 days, the retention period of the queue.
2. **`consumer_concurrency = 2`**, the minimum that Lambda accepts. Two consumers exceed what either
   quota allows; another one is billed while it waits.
3. **`polling_interval = 15`** while one poll does not find all orders of a step.
4. **`sweep_hours = 168`** only when everything is queued at once, because each sweep queues the
   waiting orders again. Duplicates are safe, and an order that was read after its message was sent
   needs no request.
5. **`new_status_ids`** determines which orders are in the backlog. `GET /v2/orders/count` returns
   the number of orders per status. Orders in other statuses are stored as well, and do not delay
   new ones: a sweep stops while the changes queue has more than 5,000 messages, and the next poll
   continues it."""


def _method(results: Results) -> str:
    prices = Prices.load()
    window = event_source.batching().window
    share = prices.of("assumed", "vcpu_share") * 100
    conditions = "\n".join(
        f"| `{name}` | {each['measured_on']} | {each['cores']} | {each['python']} "
        f"| {each['system']} {each['processor']} |"
        for name, each in sorted(results.conditions.items())
    )
    priced = "\n".join(
        f"| [`{name}`]({table['source']}) | {table['as_of']} |"
        for name, table in prices.tables.items()
        if "source" in table
    )
    return f"""\
## How it was measured

The store is the sandbox's simulator. The benchmarks `requests` and `sweep` run in simulated time,
so their figures are the same on every machine. The others run in real time against a stub of AWS
that responds in 5 ms. Store, stub and functions share the cores of one machine. A Lambda function
with 512 MB has {share:.0f} % of a vCPU, so CPU-bound work such as a cold start takes several times
as long there. The calculated figures take this into account.

The benchmark `delivery` publishes the stream records of {unavailable.ORDERS} new orders that the
sandbox has replicated. The time from a put to its event includes a read of the stream every
{event_source.POLL_INTERVAL} seconds, [as Lambda does](https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html),
the batching window of {window:.0f} second, `publish_changes` in a process of its own, and moto with
the sandbox's bus, which match the rules and call the receivers in another process. It does not
include the latency of DynamoDB Streams and EventBridge at AWS, which the sandbox does not simulate,
nor the time that a receiver takes. Events per second are measured against the stub. The replication
with an unavailable receiver, which answers every request with status 503, is compared in simulated
time with one without that receiver. The comparison shows that replication does not depend on the
result of a delivery. It does not measure the capacity of AWS.

| Benchmark | Measured on | Cores | Python | System |
|---|---|---|---|---|
{conditions}

Costs are calculated from AWS list prices in us-east-1, without free tiers, and from the assumptions
in [`prices.toml`](../benchmarks/prices.toml). Each price was last confirmed in this month:

| Price list | Confirmed |
|---|---|
{priced}"""


if __name__ == "__main__":
    write(Results.load())
