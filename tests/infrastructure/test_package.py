"""The package: what Lambda needs, and nothing else."""

import json
import zipfile
from pathlib import Path

import pytest

from tests.infrastructure.conftest import PROJECT, package

SHIPS = {"app.py"} | {
    str(path.relative_to(PROJECT)) for path in (PROJECT / "chalicelib").glob("*.py")
}
LIBRARIES = {
    "annotated_types",
    "certifi",
    "charset_normalizer",
    "idna",
    "pydantic",
    "pydantic_core",
    "requests",
    "standardwebhooks",
    "typing_extensions.py",
    "typing_inspection",
    "urllib3",
}


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packaged")
    package("dev", folder)
    return folder


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as opened:
        return opened.namelist()


def test_the_code_is_the_service_and_chalice(packaged):
    ours = {name for name in names(packaged / "deployment.zip") if not name.startswith("chalice/")}

    assert ours == SHIPS


def test_the_layer_holds_the_libraries_that_are_named_and_what_they_need(packaged):
    inside = {name.split("site-packages/")[1] for name in names(packaged / "layer-deployment.zip")}
    libraries = {name.split("/")[0] for name in inside}

    assert {name for name in libraries if not name.endswith(".dist-info")} == LIBRARIES


def test_what_is_compiled_is_compiled_for_the_functions_architecture(packaged):
    compiled = [name for name in names(packaged / "layer-deployment.zip") if name.endswith(".so")]

    assert compiled
    assert all("aarch64" in name for name in compiled)


def test_it_is_small(packaged):
    size = sum(path.stat().st_size for path in packaged.glob("*.zip"))

    assert size < 8_000_000


def test_the_same_source_makes_the_same_package(packaged, tmp_path):
    package("dev", tmp_path)

    for name in ("deployment.zip", "layer-deployment.zip", "chalice.tf.json"):
        assert (tmp_path / name).read_bytes() == (packaged / name).read_bytes(), name


def test_the_export_holds_nothing_that_current_terraform_refuses(packaged):
    export = json.loads((packaged / "chalice.tf.json").read_text())

    assert "terraform" not in export
    assert "null_data_source" not in export["data"]
    assert export["locals"]["packaged_stage"] == "dev"


def test_a_dependency_without_a_wheel_fails_the_package(tmp_path):
    project = tmp_path / "project"
    (project / ".chalice").mkdir(parents=True)
    (project / "chalicelib").mkdir()
    for name in ("app.py", ".chalice/config.json"):
        (project / name).write_bytes((PROJECT / name).read_bytes())
    for path in (PROJECT / "chalicelib").glob("*.py"):
        (project / "chalicelib" / path.name).write_bytes(path.read_bytes())
    (project / "requirements.txt").write_text("no-such-package-as-this-one==1.0\n")

    with pytest.raises(AssertionError, match="no-such-package-as-this-one"):
        package("dev", tmp_path / "out", project)


def test_every_deployed_stage_gets_the_same_environment():
    stages = json.loads((PROJECT / ".chalice" / "config.json").read_text())["stages"]
    deployed = [stages[name] for name in ("dev", "staging", "prod")]

    assert deployed[0] == deployed[1] == deployed[2]


def test_the_webhooks_url_is_told_to_the_poll_alone():
    """In the API's own environment it would be a circle: its URL comes from its deployment."""
    stages = json.loads((PROJECT / ".chalice" / "config.json").read_text())["stages"]
    told = {
        "poll_orders": {
            "environment_variables": {"WEBHOOK_URL": "${module.api.url}/cart-converted"}
        }
    }

    for name in ("dev", "staging", "prod"):
        assert stages[name]["lambda_functions"] == told
        assert "WEBHOOK_URL" not in stages[name]["environment_variables"]
