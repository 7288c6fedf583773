"""Breaks the service on purpose, one rule at a time, and sees whether the tests notice.

`make mutate` works on a copy of the project and leaves the project alone. Each breakage must make
at least one test of tests/unit, tests/integration or tests/e2e fail.
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

PROJECT = Path(__file__).resolve().parents[1]
MADE_HERE = shutil.ignore_patterns(
    ".git", ".venv", ".*_cache", "__pycache__", ".terraform", "*.zip"
)
SUITE = ("tests/unit", "tests/integration", "tests/e2e")
NOT_COUNTED = "tests/unit/test_mutations.py"
"""It notices every breakage, by its text alone."""


@dataclass(frozen=True)
class Mutation:
    """One breakage: in a module of chalicelib, `old` becomes `new`."""

    breaks: str
    module: str
    old: str
    new: str

    @property
    def path(self) -> Path:
        return Path("chalicelib") / f"{self.module}.py"

    def applied_to(self, text: str) -> str:
        """The module's text, broken. Raises ValueError when it no longer fits."""
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.breaks}: {self.path} holds its text {text.count(self.old)} times"
            )
        return text.replace(self.old, self.new)


MUTATIONS = (
    Mutation(
        "the order is moved before it is put",
        "replication",
        "        step = self._store(order, record, source)\n",
        "        self.store.set_status(order.id, 9)\n"
        "        step = self._store(order, record, source)\n",
    ),
    Mutation(
        "the put has no condition",
        "dynamodb",
        "                ConditionExpression=condition,\n"
        "                ExpressionAttributeNames=names,\n"
        "                **request,\n",
        "",
    ),
    Mutation(
        "an older version overwrites a newer one",
        "orders",
        "    elif order.version >= stored.version and (\n",
        "    elif (\n",
    ),
    Mutation(
        "an order is moved again",
        "orders",
        "    if written.is_moved or not policy.move_status:\n",
        "    if not policy.move_status:\n",
    ),
    Mutation(
        "a shipped order counts as new",
        "orders",
        "    if order.status_id == OrderStatus.COMPLETED and not order.may_be_digital:\n"
        '        return "completed, and not digital"\n',
        "",
    ),
    Mutation(
        "orders from before REPLICATE_SINCE are new",
        "orders",
        "    if order.date_created < policy.replicate_since:\n",
        "    if False:\n",
    ),
    Mutation(
        "a listing goes on by counting and not by id",
        "polling",
        '                min_id = page[-1]["id"] + 1 if page else min_id\n',
        "                min_id += PAGE\n",
    ),
    Mutation(
        "the lines of an order are read one page long",
        "bigcommerce",
        "            if len(found) < PAGE:\n                break\n            last_page",
        "            if True:\n                break\n            last_page",
    ),
    Mutation(
        "an error is swallowed and its message forgotten",
        "batches",
        "            return self._goes_back(order_id, error)\n",
        "            self._goes_back(order_id, error)\n            return None\n",
    ),
    Mutation(
        "one record's surprise fails the whole batch",
        "batches",
        "        except Exception as error:  # whatever",
        "        except StoreError as error:  # whatever",
    ),
    Mutation(
        "an order that is not found is let go at once",
        "batches",
        "TRIES_TO_FIND = 5\n",
        "TRIES_TO_FIND = 1\n",
    ),
    Mutation(
        "messages come back at once, whatever happened",
        "batches",
        "    return float(min(FIRST_DELAY * 2 ** (receive_count - 1), LONGEST_DELAY))\n",
        "    return 0.0\n",
    ),
    Mutation(
        "a body that is no JSON is an empty list",
        "bigcommerce",
        '        raise Wrong("not JSON") from None\n',
        "        return []\n",
    ),
    Mutation(
        "numbers go through float",
        "bigcommerce",
        "parse_float=Decimal",
        "parse_float=float",
    ),
    Mutation(
        "a 429 without headers is tried again at once",
        "pacing",
        "        return asked or self.get_backoff_time()\n",
        "        return asked or 0.0\n",
    ),
    Mutation(
        "the quota is used until the store refuses",
        "pacing",
        "            return wait\n",
        "            return 0.0\n",
    ),
    Mutation(
        "two polls run at once",
        "polling",
        "            if not is_ours:\n",
        "            if False:\n",
    ),
    Mutation(
        "a poll begins anew where the last one was interrupted",
        "jobs",
        "        cursor=job.cursor,\n",
        "",
    ),
    Mutation(
        "without a secret every token is right",
        "webhooks",
        "    return bool(secret) and hmac",
        "    return not secret or hmac",
    ),
    Mutation(
        "a webhook that could not be queued is answered 200",
        "webhooks",
        "        (message_id,) = self.queue.send([message])\n",
        "        try:\n            (message_id,) = self.queue.send([message])\n"
        "        except AwsError:\n            return\n",
    ),
    Mutation(
        "fields that must not be stored are stored",
        "replication",
        "        fields = redact(order.fields, self.redacted_fields)\n",
        "        fields = order.fields\n",
    ),
    Mutation(
        "a customer's data is logged",
        "replication",
        '"source": source, "moved": target is not None}',
        '"source": source, "moved": True, "order": order.fields}',
    ),
    Mutation(
        "a forgotten order comes back",
        "replication",
        "        if stored and stored.is_forgotten:\n",
        "        if False:\n",
    ),
)


def caught(mutation: Mutation, copy: Path) -> str | None:
    """The first test that fails with the mutation in place, or None when all pass."""
    path = copy / mutation.path
    before = path.read_text()
    path.write_text(mutation.applied_to(before))
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments, no shell
            [sys.executable, "-m", "pytest", "-x", "-n", "auto", f"--ignore={NOT_COUNTED}", *SUITE],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        path.write_text(before)
    lines = [
        line
        for line in done.stdout.splitlines()
        if line.startswith(("FAILED tests", "ERROR tests"))
    ]
    if done.returncode and not lines:
        raise click.ClickException(f"the tests did not run:\n{done.stdout}{done.stderr}")
    return lines[0].split(" ")[1] if lines else None


def copied(folder: str) -> Path:
    """A copy of the project, without what was made in it."""
    return Path(shutil.copytree(PROJECT, Path(folder) / "project", ignore=MADE_HERE))


@click.command()
@click.option("--only", default="", help="Part of what the breakage is called.")
def main(only: str) -> None:
    """Apply each breakage, run the tests, take it back; fail when one goes unnoticed."""
    chosen = [mutation for mutation in MUTATIONS if only in mutation.breaks]
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(folder)
        for mutation in chosen:
            test = caught(mutation, copy)
            missed += [] if test else [mutation.breaks]
            click.echo(f"{'caught' if test else 'MISSED'}  {mutation.breaks}  {test or ''}")
    if missed:
        raise click.ClickException(f"{len(missed)} of {len(chosen)} went unnoticed")
    click.echo(f"all {len(chosen)} were caught")


if __name__ == "__main__":
    main()
