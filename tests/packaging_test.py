"""The wheel is complete, and its console scripts run where the sources are not."""

from __future__ import annotations

import configparser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
from packaging import requirements

from tests import shared

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGES = ("tf_discrete", "trainers")
SCRIPTS = (
    "tf-discrete-autoregressive-prior",
    "tf-discrete-categorical-vae",
    "tf-discrete-compare-estimators",
    "tf-discrete-encode",
    "tf-discrete-evaluate",
    "tf-discrete-explore",
    "tf-discrete-export",
    "tf-discrete-search",
    "tf-discrete-quantized-autoencoder",
    "tf-discrete-semantic-hashing",
    "tf-discrete-semantic-ids",
    "tf-discrete-semi-supervised",
    "tf-discrete-state-tabulation",
    "tf-discrete-structured-prediction",
    "tf-discrete-train",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The wheel, built from a copy so that no older build can leak into it."""
    folder = shared.folder(tmp_path_factory, "wheel", _build)
    (result,) = folder.glob("*.whl")
    return result


def _build(folder: pathlib.Path) -> None:
    source = folder / "source"
    source.mkdir(parents=True)
    for name in ("LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, source)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name)
    options = ["--quiet", "--no-deps", "--no-build-isolation", f"--wheel-dir={folder}"]
    _pip("wheel", *options, str(source))


@pytest.fixture(scope="module")
def site(wheel: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder that holds the installed wheel and nothing else."""

    def install(folder: pathlib.Path) -> None:
        _pip("install", "--quiet", "--no-deps", f"--target={folder}", str(wheel))

    return shared.folder(tmp_path_factory, "site", install)


def _run(site: pathlib.Path, folder: pathlib.Path, *command: str) -> subprocess.CompletedProcess:
    """Runs a program in `folder` with the installed wheel as the only first-party code."""
    environment = {**os.environ, "PYTHONPATH": str(site), "TF_CPP_MIN_LOG_LEVEL": "2"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_wheel_holds_every_module_and_nothing_else(wheel: pathlib.Path):
    names = {x for x in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in x}
    modules = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    paths = {path.relative_to(ROOT).as_posix() for path in modules}
    expected = {re.sub("^trainers/", "tf_discrete_trainers/", path) for path in paths}
    assert len(expected) > 10
    assets = (ROOT / "tf_discrete" / "explorer" / "assets").iterdir()
    expected |= {path.relative_to(ROOT).as_posix() for path in assets}
    assert names == expected | {"tf_discrete/py.typed"}


def test_the_readme_names_every_script():
    named = re.findall(r"`(tf-discrete-[a-z-]+)`", (ROOT / "README.md").read_text())
    assert sorted(named) == sorted(SCRIPTS)


def test_the_metadata_name_the_licence_the_scripts_and_the_bounds(wheel: pathlib.Path):
    archive = zipfile.ZipFile(wheel)
    files = {x.split(".dist-info/")[1]: x for x in archive.namelist() if ".dist-info/" in x}
    assert any(x.endswith("LICENSE") for x in files)
    entry_points = configparser.ConfigParser()
    entry_points.read_string(archive.read(files["entry_points.txt"]).decode())
    assert set(entry_points["console_scripts"]) == set(SCRIPTS)
    metadata = archive.read(files["METADATA"]).decode().splitlines()
    required = [x for x in metadata if x.startswith("Requires-Dist:") and "extra ==" not in x]
    assert len(required) > 5
    assert [x for x in required if ">=" not in x or "<" not in x] == []


def test_make_installs_the_engines_of_the_extra(wheel: pathlib.Path):
    archive = zipfile.ZipFile(wheel)
    (name,) = [x for x in archive.namelist() if x.endswith(".dist-info/METADATA")]
    text = archive.read(name).decode()
    extra = re.findall(r"""^Requires-Dist: (.*); extra == ["']engines["']$""", text, re.MULTILINE)
    recipe = (
        (ROOT / "Makefile").read_text().split("--target $(VENV)/engines", 1)[1].split("echo", 1)[0]
    )
    made = {requirements.Requirement(one) for one in re.findall(r'"([^"]+)"', recipe)}
    found = {requirements.Requirement(one) for one in extra}
    assert made == {one for one in found if one.name != "pyarrow"}  # The tests have it.
    assert len(made) == 5


def test_the_installed_copy_is_found_before_the_sources(site, tmp_path):
    code = "import importlib.util as u; print(u.find_spec('tf_discrete').origin)"
    result = _run(site, tmp_path, sys.executable, "-c", code)
    assert result.stdout.strip() == str(site / "tf_discrete" / "__init__.py"), result.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_console_script_explains_its_flags(site, tmp_path, script):
    result = _run(site, tmp_path, str(site / "bin" / script), "--help")
    assert result.returncode == 0 and result.stderr == "", result.stderr
    assert re.search(r"^ +--(output_dir|run|task|model)\b", result.stdout, re.MULTILINE), (
        result.stdout
    )


def test_a_package_of_the_user_may_be_called_trainers(site, tmp_path):
    (tmp_path / "trainers").mkdir()
    (tmp_path / "trainers/__init__.py").write_text("raise RuntimeError('That of the user.')")
    done = _run(site, tmp_path, sys.executable, "-m", "tf_discrete_trainers.export", "--help")
    assert done.returncode == 0 and "--tflite" in done.stdout, done.stderr
