"""Is everything well? One line for each thing, and for each fault the command that mends it."""

from dataclasses import asdict

from rich.markup import escape

from ops.cli import Operator, command, fail, main
from ops.doctor.checkup import findings
from ops.doctor.finding import Finding

MARKS = {"ok": "[green]✔[/]", "fault": "[red]✘[/]", "note": "[yellow]•[/]"}
NAMES = 26
"""Characters of the column of names."""


@command(main, "python -m ops --stage prod doctor")
def doctor(operator: Operator) -> None:
    """Look whether everything is well; exit code 1 if anything is not.

    Nothing is changed. Faults (✘) come with the command that mends them; notes (•) are worth
    knowing and stop nothing.
    """
    found: list[Finding] = []
    for finding in findings(operator):
        found.append(finding)
        operator.say(line(finding))
    faults = [finding for finding in found if finding.mark == "fault"]
    operator.say(verdict(operator.stage, len(faults)))
    operator.answer({"well": not faults, "findings": [asdict(finding) for finding in found]})
    if faults:
        fail()


def line(finding: Finding) -> str:
    """A finding for people; what mends it stands below."""
    told = f"{MARKS[finding.mark]} {escape(finding.name):{NAMES}} {escape(finding.found)}"
    if finding.mend is None:
        return told
    return f"{told}\n  {'':{NAMES}} [bold]→ {escape(finding.mend)}[/]"


def verdict(stage: str, faults: int) -> str:
    if not faults:
        return f"[green]{stage} is well.[/]"
    return f"[red]{faults} {'fault' if faults == 1 else 'faults'} in {stage}.[/]"
