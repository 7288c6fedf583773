"""The stages of the service, and the values that a stage sets for Terraform's variables."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

PROJECT = Path(__file__).resolve().parents[1]
TERRAFORM = PROJECT / "terraform"


class InvalidFile(click.ClickException):
    """A file of Terraform's that cannot be parsed."""


@dataclass(frozen=True)
class Stage:
    """A stage by its name; its file of values may be missing or incomplete."""

    name: str
    terraform: Path = TERRAFORM

    @property
    def file(self) -> Path:
        """The stage's file of values."""
        return self.terraform / "stages" / f"{self.name}.tfvars"

    def is_known(self) -> bool:
        return self.name in known_stages(self.terraform)

    def value(self, variable: str) -> str:
        """The value of a variable, or an empty string if it has none.

        Text as in TF_VAR_<name>: JSON for anything but a string. The last file that sets the
        variable has precedence, and files have precedence over the environment, as in Terraform.
        Raises InvalidFile.
        """
        files = [self.terraform / "terraform.tfvars", *sorted(self.terraform.glob("*.auto.tfvars"))]
        in_files: dict[str, Any] = {}
        for file in [*files, self.file]:
            if file.is_file():
                in_files |= parse(file)
        if variable not in in_files:
            return os.environ.get(f"TF_VAR_{variable}", "")
        value = in_files[variable]
        if value is None:
            return ""
        return value if isinstance(value, str) else json.dumps(value)

    def effective(self, variable: str) -> str:
        """The value of a variable, or its default in variables.tf. Raises InvalidFile."""
        value = self.value(variable)
        if value:
            return value
        blocks = parse(self.terraform / "variables.tf")["variable"]
        (body,) = [block[variable] for block in blocks if variable in block]
        default = body.get("default")
        if default is None:
            return ""
        return default if isinstance(default, str) else json.dumps(default)

    def required(self) -> list[str]:
        """The variables that have no default and are not secret, except the stage's name.

        Raises InvalidFile.
        """
        blocks = parse(self.terraform / "variables.tf")["variable"]
        return [
            name
            for block in blocks
            for name, body in block.items()
            if name != "stage" and not {"default", "ephemeral"} & set(body)
        ]


def known_stages(terraform: Path = TERRAFORM) -> list[str]:
    """The stages that have a file of values."""
    return sorted(file.stem for file in (terraform / "stages").glob("*.tfvars"))


def steps_to_add(name: str) -> str:
    """How to add a stage."""
    return (
        f"to add it, copy terraform/stages/prod.tfvars to terraform/stages/{name}.tfvars "
        f'and set stage = "{name}" in the copy'
    )


def parse(file: Path) -> dict[str, Any]:
    """A file in Terraform's language. Raises InvalidFile."""
    # Imported here: the parser takes half a second to load, and the local stage has no file.
    import hcl2
    from lark.exceptions import LarkError, UnexpectedInput

    options = hcl2.SerializationOptions(
        with_comments=False, explicit_blocks=False, strip_string_quotes=True
    )
    try:
        return hcl2.loads(file.read_text(), serialization_options=options)
    except LarkError as exc:
        where = f" near line {exc.line}" if isinstance(exc, UnexpectedInput) else ""
        raise InvalidFile(f"{file} is not valid{where}; for details, run terraform fmt") from exc
