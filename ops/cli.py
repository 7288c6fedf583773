"""What the operator's commands share: stage, output, confirmation, parameters, error messages."""

import functools
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import click
import requests
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from chalicelib.domain.models import LARGEST_ID
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import StoreError
from chalicelib.edges.pacing import OutOfTime
from chalicelib.settings import SettingsError
from ops import remedies
from ops.clock import OperatorClock
from ops.deployment import Deployment, NotDeployed, configure_aws
from ops.history.actions import Action, caller
from ops.remedies import LOCAL, describe_error

F = TypeVar("F", bound=Callable[..., Any])

WITHOUT_STAGE = ("facts", "rehearse")
"""Commands that can do without a stage."""

UNCONFIRMED = ("dev", "local")
"""Stages in which a change needs no confirmation."""


UNAVAILABLE = (
    AwsError,
    BotoCoreError,
    ClientError,
    NotDeployed,
    OutOfTime,
    SettingsError,
    StoreError,
)
"""What a command or a page of the console describes in a sentence, by `describe_error`."""


class OrderId(click.IntRange):
    """An order id; the name is part of the error message."""

    name = "order id"


ORDER_ID = OrderId(1, LARGEST_ID)


class Moment(click.ParamType[datetime]):
    """A date, or a date and time; UTC if it has no time zone."""

    name = "date"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value} is not a date; use 2026-01-31 or 2026-01-31T00:00:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def check_range(since: datetime, until: datetime) -> None:
    """Raises UsageError when the range ends before it begins."""
    if since > until:
        raise click.UsageError(
            f"--since ({since:%Y-%m-%d %H:%M:%S}) is after --until ({until:%Y-%m-%d %H:%M:%S})"
        )


@dataclass
class Operator:
    """The stage that a command works on, and where its output goes."""

    stage: str
    clock: OperatorClock
    as_json: bool = False
    yes: bool = False
    command: str = ""
    reason: str | None = None
    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))

    @functools.cached_property
    def deployment(self) -> Deployment:
        return Deployment.find(self.stage, self.clock)

    def print(self, text: object = "") -> None:
        """Print a line, or anything that rich can print; nothing with --json."""
        if not self.as_json:
            self.console.print(text)

    def print_json(self, facts: Any) -> None:
        """Print the command's result, with --json only."""
        if self.as_json:
            click.echo(json.dumps(facts, indent=2, default=_to_json))

    def authorize(
        self, change: str, order_ids: Iterable[int] = (), *, always: bool = False
    ) -> Action:
        """Ask before a change, except in `dev` and `local`, and record it; returns the record.

        A change that cannot be undone is asked for `always`. Raises Abort when the answer is no,
        and AwsError when the change cannot be recorded.
        """
        if (always or self.stage not in UNCONFIRMED) and not self.yes:
            click.confirm(f"This will {change} in {self.stage}. Continue?", abort=True, err=True)
        action = Action(
            self.clock.now(), caller(), self.command, change, tuple(order_ids), self.reason
        )
        action.write(self.deployment)
        return action


class Commands(click.Group):
    """A group whose commands end with a message instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UNAVAILABLE as error:
            message = describe_error(ctx.params["stage"] or "", error)
            raise click.ClickException(message) from None


@click.group(cls=Commands, context_settings={"max_content_width": 100})
@click.option(
    "--stage",
    envvar="STAGE",
    help="A deployed stage, or local; required except for facts and rehearse.",
)
@click.pass_context
def main(ctx: click.Context, stage: str | None) -> None:
    """Operate a deployed stage.

    The resources are found by the stage's name, with the AWS credentials of your shell.
    """
    if stage is None and ctx.invoked_subcommand not in WITHOUT_STAGE:
        raise click.MissingParameter(ctx=ctx, param_hint="'--stage'", param_type="option")
    clock = ctx.obj if isinstance(ctx.obj, OperatorClock) else OperatorClock(ctx.obj)
    if stage == LOCAL and ctx.obj is None:
        clock.ahead = _seconds_ahead()
    ctx.obj = Operator(stage or "", clock)


def _seconds_ahead() -> float:
    """Seconds by which the sandbox's clock is ahead of the machine's; 0 when it does not run."""
    configure_aws(LOCAL)
    try:
        answer = requests.head(os.environ["AWS_ENDPOINT_URL"], timeout=5)
    except requests.RequestException:
        return 0.0
    return float(answer.headers.get("X-Sandbox-Ahead", 0))


def command(
    group: click.Group, example: str, *, changes: bool = False, name: str | None = None
) -> Callable[[F], click.Command]:
    """Register a command, whose function receives the Operator as its first argument.

    The command gets --json, an example in its help, and --yes and --reason when it changes
    something.
    """

    def decorate(function: F) -> click.Command:
        takes_reason = "reason" in inspect.signature(function).parameters

        @click.pass_context
        @functools.wraps(function)
        def run(ctx: click.Context, /, as_json: bool, yes: bool = False, **options: Any) -> Any:
            operator = ctx.find_object(Operator)
            assert operator is not None  # noqa: S101 - main has made it
            operator.as_json, operator.yes = as_json, yes
            operator.command = _name_of(ctx)
            operator.reason = options.get("reason") if takes_reason else options.pop("reason", None)
            return function(operator, **options)

        options = [click.option("--json", "as_json", is_flag=True, help="Print JSON.")]
        if changes:
            options += [click.option("--yes", is_flag=True, help="Do not ask for confirmation.")]
        if changes and not takes_reason:
            options += [click.option("--reason", help="Why; recorded for the history command.")]
        shared = len(options)
        for option in options:
            run = option(run)
        epilog = f"Example:\n\n\b\n  {remedies.run('prod', example)}"
        made = group.command(name=name or function.__name__.replace("_", "-"), epilog=epilog)(run)
        # The command's own options come first in its help.
        made.params = [*made.params[shared:], *made.params[:shared]]
        return made

    return decorate


def _name_of(ctx: click.Context) -> str:
    """A command's name with that of its group, without the program's."""
    names = []
    at: click.Context | None = ctx
    while at and at.parent:
        names.append(at.info_name or "")
        at = at.parent
    return " ".join(reversed(names))


def fail() -> None:
    """End with exit code 1: the command ran, and reports a problem."""
    sys.stdout.flush()
    click.get_current_context().exit(1)


def _to_json(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    return str(value)
