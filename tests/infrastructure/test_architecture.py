"""A folder is a layer: what each may import, and the few things that stand only once."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.domain.rules import MOVE_MAY_TAKE
from sandbox.container import timeout

PROJECT = Path(__file__).resolve().parents[2]
CHALICELIB = PROJECT / "chalicelib"

MAY_IMPORT = {
    "chalicelib.domain": {"chalicelib.domain"},
    "chalicelib.edges": {"chalicelib.domain", "chalicelib.edges", "chalicelib.clock"},
    "sandbox.store": {"sandbox.store"},
    # These two put the console in front of the sandbox, which knows nothing of it.
    "sandbox.console": {"sandbox", "ops.console"},
    "sandbox.live": {"sandbox", "ops.console"},
    "sandbox": {"sandbox"},
}
"""What a package may import of this project; the innermost package that is named here counts."""

NEVER_SHIPPED = {"sandbox", "ops", "tests", "benchmarks", "examples", "moto"}

ONLY_IN = {
    "chalice": {"app.py"},
    # app.py, since a user's own handler may call a system of theirs.
    "requests": {"chalicelib/edges/bigcommerce.py", "app.py"},
    "standardwebhooks": {"chalicelib/authentication.py"},
    "boto3": {
        "chalicelib/edges/aws.py",
        "chalicelib/edges/dynamodb.py",
        "chalicelib/edges/dynamodb_alerts.py",
        "chalicelib/edges/dynamodb_jobs.py",
        "chalicelib/domain/items.py",
    },
}


def python_files(folder: str) -> list[Path]:
    return sorted((PROJECT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    """The dotted name of a module; of a package for its __init__."""
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, *, type_checking: bool = False) -> Iterator[str]:
    """Dotted names that a module imports, `from package import module` as the module."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(node)
        for guard in ast.walk(tree)
        if isinstance(guard, ast.If) and getattr(guard.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(guard)
        if not type_checking
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = (PROJECT / f"{full.replace('.', '/')}.py").is_file()
                yield full if is_module else node.module


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


SHIPPED = [PROJECT / "app.py", *python_files("chalicelib")]
OURS = ("app", "chalicelib", "ops", "sandbox", "benchmarks", "tests")


@pytest.mark.parametrize(
    "path", [*python_files("chalicelib"), *python_files("sandbox")], ids=name_of
)
def test_a_module_imports_only_what_its_folder_allows(path):
    layers = [layer for layer in MAY_IMPORT if is_within(name_of(path), layer)]
    if not layers:
        return
    allowed = MAY_IMPORT[max(layers, key=len)]
    ours = {name for name in imports(path) if name.split(".")[0] in OURS}
    assert {n for n in ours if not any(is_within(n, package) for package in allowed)} == set()


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_what_ships_to_lambda_imports_nothing_that_does_not(path):
    assert not {name.split(".")[0] for name in imports(path)} & NEVER_SHIPPED


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_a_library_is_imported_only_where_it_belongs(path):
    here = str(path.relative_to(PROJECT))
    for name in imports(path):
        assert here in ONLY_IN.get(name.split(".")[0], {here}), f"{here} imports {name}"


def test_the_domain_imports_nothing_that_talks_to_the_world():
    for path in python_files("chalicelib/domain"):
        tops = {name.split(".")[0] for name in imports(path)}
        assert not tops & {"botocore", "requests", "urllib3", "os", "socket"}


def test_no_import_goes_round_in_a_circle():
    """Imports for type checkers alone count, too: they hold modules together all the same."""
    paths = [path for top in OURS[1:5] for path in python_files(top)] + [PROJECT / "app.py"]
    names = {name_of(path) for path in paths}
    graph = {
        name_of(path): {name for name in imports(path, type_checking=True) if name in names}
        - {name_of(path)}
        for path in paths
    }
    assert _circle(graph) == []


def _circle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one circle in the order of import, or none."""
    finished: set[str] = set()

    def visit(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return trail[trail.index(name) :]
        if name in finished:
            return []
        for imported in sorted(graph[name]):
            if circle := visit(imported, [*trail, name]):
                return circle
        finished.add(name)
        return []

    return next((circle for name in sorted(graph) if (circle := visit(name, []))), [])


def test_the_root_of_ops_stays_small():
    assert len(list((PROJECT / "ops").glob("*.py"))) <= 12


def test_only_app_py_reads_the_environment():
    readers = {
        path.name
        for path in python_files("chalicelib")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    assert readers == set()


def test_any_exception_at_all_is_caught_in_two_places():
    catchers = [
        path.name
        for path in SHIPPED
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"})
    ]
    assert catchers == ["app.py", "consumer.py"]


def test_a_move_is_in_flight_for_no_longer_than_the_function_runs():
    assert MOVE_MAY_TAKE.total_seconds() == timeout("replicate_orders")
