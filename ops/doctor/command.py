"""Checks a stage: one line for each check, and the fix for each fault."""

from dataclasses import asdict

from rich.markup import escape

from ops.cli import Operator, command, fail, main
from ops.doctor.checkup import findings
from ops.doctor.finding import Finding
from ops.wording import count

MARKS = {"ok": "[green]✔[/]", "fault": "[red]✘[/]", "note": "[yellow]•[/]"}
NAME_WIDTH = 26


@command(main, "doctor")
def doctor(operator: Operator) -> None:
    """Check the stage's health; exit code 1 if there is a fault.

    Changes nothing. A fault (✘) has the command that fixes it. A note (•) is information and not a
    fault.
    """
    found: list[Finding] = []
    for finding in findings(operator):
        found.append(finding)
        operator.print(line(finding))
    faults = [finding for finding in found if finding.mark == "fault"]
    operator.print(verdict(operator.stage, len(faults)))
    operator.print_json({"healthy": not faults, "findings": [asdict(each) for each in found]})
    if faults:
        fail()


def line(finding: Finding) -> str:
    text = f"{MARKS[finding.mark]} {escape(finding.name):{NAME_WIDTH}} {escape(finding.found)}"
    if finding.fix is None:
        return text
    return f"{text}\n  {'':{NAME_WIDTH}} [bold]→ {escape(finding.fix)}[/]"


def verdict(stage: str, faults: int) -> str:
    if not faults:
        return f"[green]{stage} is healthy.[/]"
    return f"[red]{stage} has {count(faults, 'fault')}.[/]"
