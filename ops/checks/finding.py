"""What a check has found, and the commands that mend things."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Mark: TypeAlias = Literal["ok", "fault", "note"]


@dataclass(frozen=True)
class Finding:
    """One line of a check-up; a fault says with which command it is mended."""

    name: str
    mark: Mark
    found: str
    mend: str | None = None


def ok(name: str, found: str) -> Finding:
    return Finding(name, "ok", found)


def fault(name: str, found: str, mend: str) -> Finding:
    return Finding(name, "fault", found, mend)


def note(name: str, found: str, mend: str | None = None) -> Finding:
    """Something to know that stops nothing."""
    return Finding(name, "note", found, mend)


def deploy(stage: str) -> str:
    """The command that puts a stage's resources right; the sandbox makes its own anew."""
    return "make sandbox" if stage == "local" else f"make deploy STAGE={stage}"


def deploy_secret(stage: str, variable: str) -> str:
    """The commands that give a stage a secret."""
    if stage == "local":
        return deploy(stage)
    return (
        f"export TF_VAR_{variable}=..., raise secrets_version in terraform/stages/{stage}.tfvars, "
        f"then {deploy(stage)}"
    )


def read_log(stage: str, function: str) -> str:
    """The command that shows what a function has logged lately."""
    return f"aws logs tail /aws/lambda/order-replication-{stage}-{function} --since 1h"
