"""Who may import whom, and where the few things that stand only once stand."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
CHALICELIB = PROJECT / "chalicelib"

PURE = {"clock", "items", "jobs", "models", "orders"}
EDGES = {"aws", "bigcommerce", "dynamodb", "hooks", "pacing", "sns", "sqs", "ssm"}
USE_CASES = {"batches", "polling", "replication", "watching", "webhooks"}
FOR_USERS = {"stream"}
WIRING = {"settings", "wiring"}

MAY_IMPORT = {
    **dict.fromkeys(PURE, PURE),
    **dict.fromkeys(EDGES, PURE | EDGES),
    **dict.fromkeys(USE_CASES, PURE | EDGES | USE_CASES),
    **dict.fromkeys(FOR_USERS, PURE),
    "settings": PURE,
    "wiring": PURE | EDGES | USE_CASES | {"settings"},
}

ONLY_IN = {
    "chalice": {"app"},
    # app.py, since a user's own handler may call a system of theirs.
    "requests": {"bigcommerce", "app"},
    "standardwebhooks": {"webhooks"},
}


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a module imports; those for type checkers alone do not count."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(node)
        for guard in ast.walk(tree)
        if isinstance(guard, ast.If) and getattr(guard.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(guard)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def modules() -> list[Path]:
    return [path for path in sorted(CHALICELIB.glob("*.py")) if path.stem != "__init__"]


def test_every_module_of_the_service_has_its_place():
    assert {path.stem for path in modules()} == set(MAY_IMPORT)


def test_chalicelib_is_flat():
    assert [path for path in CHALICELIB.iterdir() if path.is_dir() and path.stem[0] != "_"] == []


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_a_module_imports_only_what_its_place_allows(path):
    inner = {
        name.removeprefix("chalicelib.") for name in imports(path) if name.startswith("chalicelib")
    }
    assert inner <= MAY_IMPORT[path.stem]


@pytest.mark.parametrize("path", [PROJECT / "app.py", *modules()], ids=lambda path: path.stem)
def test_a_library_is_imported_only_where_it_belongs(path):
    for name in imports(path):
        top = name.split(".")[0]
        assert path.stem in ONLY_IN.get(top, {path.stem}), f"{path.name} imports {top}"
        assert top not in {"sandbox", "ops", "tests", "benchmarks", "examples", "moto"}


def test_the_pure_modules_import_nothing_that_talks_to_the_world():
    for path in modules():
        if path.stem in PURE:
            tops = {name.split(".")[0] for name in imports(path)}
            assert not tops & {"botocore", "requests", "urllib3", "os", "socket"}


def test_the_sandbox_reaches_the_service_only_through_app_py():
    for path in (PROJECT / "sandbox").rglob("*.py"):
        tops = {name.split(".")[0] for name in imports(path)}
        assert not tops & {"chalicelib", "app", "tests", "benchmarks"}, path


def test_only_app_py_reads_the_environment():
    readers = {
        path.name
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    assert readers == set()


def test_any_exception_at_all_is_caught_in_two_places():
    catchers = [
        path.name
        for path in [PROJECT / "app.py", *modules()]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"})
    ]
    assert catchers == ["app.py", "batches.py"]
