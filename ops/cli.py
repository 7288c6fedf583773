"""What the operator's commands share: a stage, a voice, a question before changes, plain errors."""

import functools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from chalicelib.clock import Clock, SystemClock
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import StoreError, Unauthorized
from chalicelib.edges.pacing import OutOfTime
from chalicelib.settings import SettingsError
from ops.deployment import Deployment, NotDeployed

F = TypeVar("F", bound=Callable[..., Any])

NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound")
REFUSED = ("ExpiredToken", "InvalidClientTokenId", "UnrecognizedClientException", "TokenRetrieval")
UNREACHABLE = ("EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError")
LOG_IN = "log in with aws sso login or aws configure; export AWS_PROFILE=... names a profile"


@dataclass
class Operator:
    """Who runs a command: on which stage, heard how."""

    stage: str
    clock: Clock
    as_json: bool = False
    yes: bool = False
    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))

    @functools.cached_property
    def deployment(self) -> Deployment:
        return Deployment.find(self.stage, self.clock)

    def say(self, text: object = "") -> None:
        """A line, or anything that rich prints, for people alone."""
        if not self.as_json:
            self.console.print(text)

    def answer(self, facts: Any) -> None:
        """The command's result for programs, when they asked for it."""
        if self.as_json:
            click.echo(json.dumps(facts, indent=2, default=_plain))

    def confirm(self, deed: str) -> None:
        """Ask before a change to prod. Raises Abort when the answer is no."""
        if self.stage == "prod" and not self.yes:
            click.confirm(f"This will {deed} in prod. Go on?", abort=True, err=True)


class Commands(click.Group):
    """A group in which every error ends as a sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (
            AwsError,
            BotoCoreError,
            ClientError,
            NotDeployed,
            OutOfTime,
            SettingsError,
            StoreError,
        ) as error:
            raise click.ClickException(explained(error)) from None


@click.group(cls=Commands, context_settings={"max_content_width": 100})
@click.option("--stage", required=True, envvar="STAGE", help="The deployed stage, or local.")
@click.pass_context
def main(ctx: click.Context, stage: str) -> None:
    """Look after a deployed stage.

    Everything is found by the stage's name, with the AWS credentials of your shell.
    """
    ctx.obj = Operator(stage, ctx.obj or SystemClock())


def command(
    group: click.Group, example: str, *, changes: bool = False, name: str | None = None
) -> Callable[[F], click.Command]:
    """A command of a group, called with the Operator first.

    It has --json, an example in its help, and --yes when it changes something.
    """

    def decorate(function: F) -> click.Command:
        @click.pass_context
        @functools.wraps(function)
        def run(ctx: click.Context, /, as_json: bool, yes: bool = False, **options: Any) -> Any:
            operator = ctx.find_object(Operator)
            assert operator is not None  # noqa: S101 - main has made it
            operator.as_json, operator.yes = as_json, yes
            return function(operator, **options)

        options = [click.option("--json", "as_json", is_flag=True, help="Print JSON.")]
        if changes:
            options += [click.option("--yes", is_flag=True, help="Ask nothing, even in prod.")]
        shared = len(options)
        for option in options:
            run = option(run)
        shown = "Example:\n\n\b\n" + "\n".join(f"  {line}" for line in example.splitlines())
        made = group.command(name=name or function.__name__.replace("_", "-"), epilog=shown)(run)
        # Its own options first.
        made.params = [*made.params[shared:], *made.params[:shared]]
        return made

    return decorate


def fail() -> None:
    """End with exit code 1: the command did its work, and what it found is not well."""
    sys.stdout.flush()
    click.get_current_context().exit(1)


def explained(error: Exception) -> str:
    """What went wrong and what to do next, in a sentence or two."""
    reason = error.reason if isinstance(error, AwsError) else type(error).__name__
    if isinstance(error, ClientError):
        reason = error.response["Error"]["Code"]
    if reason in NO_CREDENTIALS:
        return f"there are no AWS credentials: {LOG_IN}"
    if reason in REFUSED:
        return f"AWS refuses the credentials ({reason}): {LOG_IN}"
    if reason in UNREACHABLE:
        return f"AWS cannot be reached ({error}): look at the network, and at AWS_ENDPOINT_URL"
    if reason == "NoRegionError":
        return "no AWS region is set: export AWS_REGION=..., or set region in terraform/stages"
    if "AccessDenied" in reason:
        return f"these credentials may not do that: {error}"
    if isinstance(error, NotDeployed):
        return f"{error}: is the stage's name right, and was it deployed?"
    if isinstance(error, Unauthorized):
        return (
            f"the store refuses the access token ({error}): check that its API account exists and "
            "has the scope Orders: modify, then deploy its token with a higher secrets_version"
        )
    if isinstance(error, StoreError):
        return f"the store does not answer as it should ({error}): try again in a minute"
    return str(error)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    return str(value)
