"""What a stage sets for Terraform, in files of values and in TF_VAR_... variables."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
TERRAFORM = PROJECT / "terraform"

VARIABLE = re.compile(r'^variable "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
ASSIGNMENT = re.compile(r"^[ \t]*(\w+)[ \t]*=[ \t]*(.+?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Stage:
    """A stage in a folder of Terraform; neither it nor any of its values need exist."""

    name: str
    terraform: Path = TERRAFORM

    @property
    def file(self) -> Path:
        """The stage's file of values."""
        return self.terraform / "stages" / f"{self.name}.tfvars"

    def is_known(self) -> bool:
        return self.name in known_stages(self.terraform)

    def is_packaged(self) -> bool:
        """Whether Chalice knows the stage, too."""
        return self.name in chalice_stages(PROJECT)

    def value(self, variable: str) -> str:
        """A variable's value as text, or an empty string: the last file that sets it wins.

        Only what stands on one line is read; strings lose their quotes.
        """
        files = [self.terraform / "terraform.tfvars", *sorted(self.terraform.glob("*.auto.tfvars"))]
        in_files: dict[str, str] = {}
        for file in [*files, self.file]:
            if file.is_file():
                in_files |= dict(ASSIGNMENT.findall(file.read_text()))
        if variable not in in_files:
            return os.environ.get(f"TF_VAR_{variable}", "")
        value = in_files[variable]
        return value[1:].split('"')[0] if value.startswith('"') else value.split("#")[0].strip()

    def required(self) -> list[str]:
        """Variables that have no default and are no secrets, but for the stage's own name."""
        blocks = VARIABLE.findall((self.terraform / "variables.tf").read_text())
        return [
            name
            for name, body in blocks
            if name != "stage" and not re.search(r"^  (default|ephemeral) ", body, re.MULTILINE)
        ]


def known_stages(terraform: Path) -> list[str]:
    """The stages that have a file of values."""
    return sorted(file.stem for file in (terraform / "stages").glob("*.tfvars"))


def chalice_stages(project: Path) -> list[str]:
    """The stages that .chalice/config.json defines."""
    config = json.loads((project / ".chalice" / "config.json").read_text())
    return list(config["stages"])
