"""The package contains what Lambda needs, and nothing else."""

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.deploy.layer import RUNTIME
from ops.deploy.package import main
from ops.stages import known_stages
from tests.infrastructure.conftest import PROJECT, package

SHIPS = {"app.py"} | {
    str(path.relative_to(PROJECT)) for path in (PROJECT / "chalicelib").rglob("*.py")
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
SITE_PACKAGES = f"python/lib/{RUNTIME}/site-packages"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what is packaged."""
    copy = tmp_path / "project"
    (copy / ".chalice").mkdir(parents=True)
    for name in ("app.py", "requirements.lock", ".chalice/config.json"):
        shutil.copy(PROJECT / name, copy / name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "chalicelib", copy / "chalicelib", ignore=ignored)
    return copy


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as opened:
        return opened.namelist()


def test_the_code_is_the_service_and_chalice(packaged):
    ours = {name for name in names(packaged / "deployment.zip") if not name.startswith("chalice/")}

    assert ours == SHIPS


def test_the_layer_holds_the_libraries_that_are_named_and_what_they_need(packaged):
    layer = names(packaged / "layer-deployment.zip")
    libraries = {Path(name).relative_to(SITE_PACKAGES).parts[0] for name in layer}

    assert {name for name in libraries if not name.endswith(".dist-info")} == LIBRARIES


def test_the_layer_is_compiled_for_the_runtime_and_architecture_of_the_functions(packaged):
    compiled = [name for name in names(packaged / "layer-deployment.zip") if name.endswith(".so")]
    suffix = f"cpython-{RUNTIME.removeprefix('python').replace('.', '')}-aarch64-linux-gnu.so"

    assert compiled
    assert all(name.endswith(suffix) for name in compiled)


def test_every_library_of_the_layer_can_be_imported(python):
    modules = ", ".join(sorted(name.removesuffix(".py") for name in LIBRARIES))
    code = f"import sys; sys.path.append({str(python.libraries)!r}); import {modules}"

    done = subprocess.run(  # noqa: S603 - our own code, no shell
        [python.path, "-I", "-S", "-c", code], text=True, capture_output=True
    )

    assert done.returncode == 0, done.stderr


def test_the_functions_have_the_runtime_of_the_layer(packaged):
    export = json.loads((packaged / "chalice.tf.json").read_text())
    functions = export["resource"]["aws_lambda_function"].values()

    assert {function["runtime"] for function in functions} == {RUNTIME}


def test_it_is_small(packaged):
    size = sum(path.stat().st_size for path in packaged.glob("*.zip"))

    assert size < 12_000_000


def test_a_restrictive_umask_makes_the_same_package(packaged, project, tmp_path):
    for file in project.rglob("*"):
        file.chmod(0o700 if file.is_dir() else 0o600)

    output = package("dev", tmp_path / "out", project, umask=0o077)

    for name in ("deployment.zip", "layer-deployment.zip", "chalice.tf.json"):
        assert (tmp_path / "out" / name).read_bytes() == (packaged / name).read_bytes(), name
        assert str(tmp_path / "out" / name) in output.split()


def test_lambda_can_read_every_file(packaged):
    modes = {
        entry.external_attr >> 16
        for archive in packaged.glob("*.zip")
        for entry in zipfile.ZipFile(archive).infolist()
    }

    assert modes <= {0o100644, 0o100755}


def test_the_export_holds_nothing_that_current_terraform_refuses(packaged):
    export = json.loads((packaged / "chalice.tf.json").read_text())

    assert "terraform" not in export
    assert "null_data_source" not in export["data"]
    assert export["locals"]["packaged_stage"] == "dev"


def test_the_export_holds_nothing_that_version_6_of_the_provider_refuses(packaged):
    export = (packaged / "chalice.tf.json").read_text()
    (deployment,) = json.loads(export)["resource"]["aws_api_gateway_deployment"].values()

    assert set(deployment) == {"rest_api_id", "lifecycle"}
    assert "invoke_url" not in export


@pytest.mark.parametrize("library", ["no-such-package-as-this-one==1.0", "idna==3.10"])
def test_a_library_that_is_not_the_locked_one_fails_the_package(library, project, tmp_path):
    (project / "requirements.lock").write_text(f"{library} --hash=sha256:{64 * '0'}\n")

    with pytest.raises(AssertionError, match=library):
        package("dev", tmp_path / "out", project)


@pytest.mark.parametrize("stage", ["", "qa", "local"])
def test_packaging_an_unknown_stage_is_an_error(stage, tmp_path):
    result = CliRunner().invoke(main, ["--stage", stage, "--terraform", str(tmp_path)])

    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []
    assert stage in result.output
    assert all(known in result.output for known in known_stages())


def test_the_webhook_urls_are_passed_to_the_poll_only():
    """In the environment of the API they would be a cycle: they depend on the API deployment."""
    config = json.loads((PROJECT / ".chalice" / "config.json").read_text())
    deployed = config["stages"]["deployed"]

    assert deployed["lambda_functions"] == {
        "poll_orders": {
            "environment_variables": {
                "WEBHOOK_URL": "${module.api.url}/cart-converted",
                "ORDER_CHANGED_URL": "${module.api.url}/order-changed",
            }
        }
    }
    assert not {"WEBHOOK_URL", "ORDER_CHANGED_URL"} & set(deployed["environment_variables"])
