"""The documentation is complete and true: settings, alarms, events, targets, links, examples."""

import ast
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import hcl2
import pytest

from chalicelib.domain.callbacks import CART_CONVERTED, CHANGE_SCOPES
from chalicelib.domain.jobs import Job
from chalicelib.domain.parts import LISTS
from chalicelib.domain.records import ReplicationRecord
from chalicelib.settings import Settings
from ops.rehearse.cost import PUBLISHED
from ops.remedies import alarm_steps
from sandbox.stack import Endpoint, Stack

PROJECT = Path(__file__).resolve().parents[2]
README = PROJECT / "README.md"
PAGES = [
    README,
    PROJECT / "CONTRIBUTING.md",
    PROJECT / "SECURITY.md",
    *sorted((PROJECT / "docs").glob("*.md")),
]
OPERATIONS = (PROJECT / "docs" / "operations.md").read_text()
SETTINGS = (PROJECT / "docs" / "settings.md").read_text()
DATA = (PROJECT / "docs" / "data.md").read_text()
DEPLOYING = (PROJECT / "docs" / "deploying.md").read_text()
SERVICE = [PROJECT / "app.py", *sorted((PROJECT / "chalicelib").rglob("*.py"))]

page_by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def table(text: str, first_header: str) -> dict[str, list[str]]:
    """The rows of every table whose first header is this: the other cells by the first one."""
    rows: dict[str, list[str]] = {}
    inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            inside = False
        elif cells[0] == first_header:
            inside = True
        elif inside and cells[0].startswith("`"):
            rows[cells[0].strip("`")] = cells[1:]
    return rows


def named(text: str, first_header: str) -> set[str]:
    """The names in the first column of these tables, of which a row can have several."""
    return set(re.findall(r"[\w*/]+", " ".join(table(text, first_header))))


def anchors(text: str) -> set[str]:
    """GitHub's anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def calls(name: str) -> Iterator[ast.Call]:
    """Every call of a method of this name in the service."""
    for path in SERVICE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == name:
                yield node


def literal(node: ast.expr | None) -> str:
    assert isinstance(node, ast.Constant)
    return str(node.value)


def logged() -> dict[str, tuple[set[str], set[str]]]:
    """Levels and fields of every event that the service logs."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for level in ("info", "warning", "error"):
        for call in calls(level):
            (extra,) = [keyword.value for keyword in call.keywords if keyword.arg == "extra"]
            assert isinstance(extra, ast.Dict), f"extra must be a dict literal: {ast.unparse(call)}"
            fields = dict(zip(map(literal, extra.keys), extra.values, strict=True))
            levels, names = found.setdefault(literal(fields.pop("event")), (set(), set()))
            levels.add(level.upper())
            names |= set(fields)
    return found


@functools.cache
def alarms() -> dict[str, str]:
    """The description of every alarm in the Terraform modules, by its name without the prefix."""
    found = {}
    for path in (PROJECT / "terraform" / "modules").rglob("*.tf"):
        for resource in hcl2.loads(path.read_text()).get("resource", []):
            for kind, named in resource.items():
                if kind.strip('"') == "aws_cloudwatch_metric_alarm":
                    (alarm,) = [body for body in named.values() if isinstance(body, dict)]
                    name = alarm["alarm_name"].strip('"').removeprefix("${var.name}-")
                    found[name] = alarm["alarm_description"].strip('"')
    described = found.pop("${var.alarm}")
    return found | {name: described.replace("${var.alarm}", name) for name in queue_alarms()}


def queue_alarms() -> list[str]:
    """The names of the alarms of the queues' modules, which the root names."""
    root = hcl2.loads((PROJECT / "terraform" / "main.tf").read_text())
    modules = [body for block in root["module"] for body in block.values()]
    return [module["alarm"].strip('"') for module in modules if "alarm" in module]


def test_the_readme_is_short():
    lines = README.read_text().splitlines()
    assert len(lines) <= 180
    assert max(map(len, lines)) <= 120


def test_every_setting_is_documented_and_no_other():
    assert set(table(SETTINGS, "setting")) == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_documented_default_is_the_default(name):
    documented = table(SETTINGS, "setting")[name.upper()][0].strip("`")
    field = Settings.model_fields[name]
    if field.is_required():
        assert documented == "required"
        return
    default = field.default
    as_text = {
        bool: lambda: str(default).lower(),
        tuple: lambda: ",".join(str(int(member)) for member in default),
        float: lambda: str(default),
        str: lambda: default,
    }.get(type(default), lambda: str(int(default)))()
    assert documented == (as_text or "empty")


def test_every_terraform_variable_is_a_documented_setting_or_listed():
    blocks = hcl2.loads((PROJECT / "terraform" / "variables.tf").read_text())["variable"]
    variables = {name.strip('"') for block in blocks for name in block}
    documented = {name.lower() for name in table(SETTINGS, "setting")}
    documented |= set(re.findall(r"`([a-z_]+)`", SETTINGS))
    assert variables - documented == set()


def test_every_alarm_has_a_heading_and_links_to_it():
    assert alarms()
    for name, description in alarms().items():
        assert f"\n### {name}\n" in OPERATIONS
        assert description.endswith(f"${{var.runbook_url}}#{name}")


def test_the_doctor_has_a_step_for_every_alarm():
    assert set(alarm_steps("prod")) == set(alarms())


def test_every_alert_links_to_a_heading():
    headings = {
        literal(keyword.value)
        for call in (*calls("publish"), *calls("_alert"))
        for keyword in call.keywords
        if keyword.arg == "heading" and isinstance(keyword.value, ast.Constant)
    }
    assert headings
    assert headings <= anchors(OPERATIONS)


def test_every_event_is_documented_with_its_levels_and_fields():
    documented = {
        event: (set(level.split(", ")), set(re.findall(r"`(\w+)`", fields)))
        for event, (level, fields, _) in table(OPERATIONS, "event").items()
    }
    assert documented == logged()


def test_every_event_that_a_metric_filter_counts_is_logged():
    filters = (PROJECT / "terraform" / "modules" / "logs" / "main.tf").read_text()
    counted = set(re.findall(r'\$\.event = \\"(\w+)\\"', filters))
    assert counted
    assert counted <= set(logged())


def test_every_registered_scope_is_documented_with_its_route():
    routes = {scope: row[0].strip("`") for scope, row in table(DEPLOYING, "scope").items()}
    assert routes == {
        CART_CONVERTED: "/cart-converted",
        **dict.fromkeys(CHANGE_SCOPES, "/order-changed"),
    }


def test_every_attribute_of_a_replication_record_is_documented():
    # The status of the order itself is not part of the map.
    attributes = set(ReplicationRecord.__dataclass_fields__) - {"status_id"}
    assert named(DATA, "attribute of `replication`") == attributes


def test_every_list_of_an_item_is_documented():
    assert named(DATA, "list") == set(LISTS)


def test_every_attribute_of_a_poll_is_documented():
    attributes = {*Job.__dataclass_fields__, "expires_at"} - {"started_at"}
    assert named(DATA, "attribute of a poll") == attributes


def test_every_make_target_has_a_line_of_help():
    makefile = (PROJECT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    helped = re.findall(r"^([a-z-]+):.*## .+$", makefile, re.MULTILINE)
    assert set(phony.split()) == set(helped)


@page_by_page
def test_every_make_target_that_a_page_names_exists(page):
    makefile = (PROJECT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named <= targets


@page_by_page
def test_every_link_of_a_page_leads_somewhere(page):
    for link in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text()):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


@page_by_page
def test_every_page_is_linked_from_the_readme(page):
    assert page == README or f"]({page.relative_to(PROJECT)})" in README.read_text()


def test_every_json_example_is_json():
    blocks = re.findall(r"```json\n(.*?)```", DATA, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        assert json.loads(block)


def test_the_local_stage_is_the_sandbox_on_its_default_ports():
    config = json.loads((PROJECT / ".chalice" / "config.json").read_text())
    stack = Stack(Endpoint("http://127.0.0.1:8102"), "local")

    environment = config["stages"]["local"]["environment_variables"]

    assert environment == stack.environment("http://127.0.0.1:8101", "sandbox")


def test_the_documented_cost_is_the_one_that_a_rehearsal_uses():
    (row,) = [line for line in DEPLOYING.splitlines() if line.startswith("| **total, about**")]
    assert [float(cost) for cost in re.findall(r"\*\*(\d+)\*\*", row)] == [
        dollars for _, dollars in PUBLISHED
    ]
