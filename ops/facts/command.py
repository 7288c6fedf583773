"""Checks what the service assumes about BigCommerce against a store."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import click

from chalicelib.edges.bigcommerce import PAGE_SIZE, StoreError
from chalicelib.edges.pacing import OutOfTime
from ops.cli import Operator, command, fail, main
from ops.facts import comparison, display
from ops.facts.evidence import Evidence
from ops.facts.examination import TOPICS, WRITING, Result, examine, result
from ops.facts.source import StoreSource
from ops.facts.trial import READ, NotArchived, OneOrder, Trials
from ops.rehearse import choices
from ops.rehearse.connection import Connection, connect
from ops.rehearse.gate import ReadOnly
from ops.rehearse.progress import store_progress
from ops.rehearse.subject import check_source, of_store
from ops.rehearse.trouble import describe
from ops.wording import count

SHARE = 0.25
"""The share of the store's quota that is used at most."""

FEWEST = 10
"""Orders of the smallest sample, which has one of each status that is looked for."""


@command(main, "facts --output facts.json")
@click.option("--store-hash", help="The store to read, instead of that of a stage.")
@click.option(
    "--orders",
    default=100,
    show_default=True,
    type=click.IntRange(FEWEST, PAGE_SIZE),
    help="Orders to look at, most of them the newest.",
)
@click.option(
    "--may-write",
    is_flag=True,
    help="Also create, change, ship and archive one order, in a store without a stage.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the result into this file, without personal data.",
)
@click.option(
    "--compare",
    nargs=2,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="A B",
    help="List what differs between two such files, and read no store.",
)
@click.option("--api-url", help="The URL of the store's API, for a simulated store.")
def facts(
    operator: Operator,
    store_hash: str | None,
    orders: int,
    may_write: bool,
    output: Path | None,
    compare: tuple[Path, Path] | None,
    api_url: str | None,
) -> None:
    """Check what the service assumes about BigCommerce against a store.

    Every assumption has a name, and holds, does not hold, or is not seen because the store has
    nothing to show it. The store is only read, with two to four requests per order and at most a
    quarter of its quota. Without a stage, neither an AWS account nor a deployment is needed: give
    --store-hash, and the access token in the environment variable BIGCOMMERCE_ACCESS_TOKEN or at
    the prompt. The token is not stored.

    With --may-write, facts about writing are checked on an order that is created for it, shipped,
    and archived in the end. Use a sandbox store: apps and e-mails of a live one would act on it.

    The exit code is 1 if a fact does not hold that the service relies on.
    """
    if compare:
        _compare(operator, *compare)
        return
    connection = _connection(operator, store_hash, api_url, may_write=may_write)
    try:
        found = _checked(operator, connection, orders)
    except (StoreError, OutOfTime) as error:
        raise click.ClickException(describe(error, connection.store_hash)) from None
    except NotArchived as error:
        raise click.ClickException(str(error)) from None
    if output:
        output.write_text(json.dumps(found.facts(), indent=2) + "\n")
    operator.print_json(found.facts())
    operator.print(display.report(found))
    if output:
        operator.print(f"Written: {output}")
    if found.faults:
        fail()


def _compare(operator: Operator, one: Path, other: Path) -> None:
    found = comparison.differences(comparison.read(one), comparison.read(other))
    operator.print_json({"differences": [asdict(each) for each in found]})
    operator.print(display.differences(found, str(one), str(other)))


def _connection(
    operator: Operator, store_hash: str | None, api_url: str | None, *, may_write: bool
) -> Connection:
    if may_write and not store_hash:
        # A stage would replicate the order, and move it meanwhile.
        raise click.UsageError("--may-write is for a sandbox store: give it with --store-hash")
    check_source(operator.stage, store_hash, api_url)
    if store_hash:
        given = of_store(store_hash, api_url, {}, operator.clock)
        settings, token = given.settings, given.token
    else:
        settings = choices.settings(operator.deployment.environment, {})
        token = operator.deployment.wiring.secret(settings.access_token_parameter)
    url, hash_ = settings.bigcommerce_api_url, settings.bigcommerce_store_hash
    gate = OneOrder(url, hash_) if may_write else ReadOnly(url, hash_, READ)
    return connect(settings, token, operator.clock, SHARE, gate)


def _checked(operator: Operator, connection: Connection, orders: int) -> Result:
    store, gate = connection.store, connection.gate
    # The first request shows whether token, hash and store are right: it is not tried for long.
    counts = replace(store, retry=store.retry.new(total=1)).counts()
    if isinstance(gate, OneOrder):
        _confirm(connection, sum(counts.values()))
    evidence = Evidence(StoreSource(store), orders)
    with store_progress(operator, connection, "reading the store") as update:
        evidence.progress = lambda: update(count(len(evidence.answers), "request"))
        findings = examine(evidence, TOPICS)
        if isinstance(gate, OneOrder):
            trials = Trials(store, gate, operator.clock, evidence.newest_id)
            evidence.trial = trials.run()
            findings += examine(evidence, [WRITING])
    return result(evidence, findings, gate.sent, connection.pacer.quota)


def _confirm(connection: Connection, orders: int) -> None:
    """Raises Abort unless the store's name is typed."""
    click.echo(
        f"This will create an order in the store {connection.store_hash}, which has "
        f"{count(orders, 'order')}, set it to Awaiting Shipment (9), ship and archive it.",
        err=True,
    )
    if click.prompt("Store hash, to confirm", err=True).strip() != connection.store_hash:
        raise click.Abort
