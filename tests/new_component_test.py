"""make new-estimator, new-likelihood and new-dataset write components that work at once."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from tools import build_files, new_component

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDERS = ("benchmarks", "docs", "examples", "tests", "tf_discrete", "tools", "trainers")
NEW = {"estimator": "brand_new", "likelihood": "brand_new_noise", "dataset": "brand_new_images"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the repository with one new component of each kind."""
    root = tmp_path_factory.mktemp("project")
    for folder in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", "images")
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    (root / "docs" / "images").symlink_to(ROOT / "docs" / "images")
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, root)
    for kind, name in NEW.items():
        for path in new_component.write(kind, name, root):
            assert path.is_file()
    new_component.bring_up_to_date(root, environment=environment(root))
    return root


def environment(root):
    return {**os.environ, "PYTHONPATH": str(root), "TF_CPP_MIN_LOG_LEVEL": "2"}


def run(root, *command):
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=root,
        env=environment(root),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


@pytest.mark.slow
def test_what_is_written_is_formatted_linted_and_in_the_build_files(project):
    run(project, "ruff", "format", "--check", ".")
    run(project, "ruff", "check", ".")
    assert build_files.differences(project) == []
    for name in NEW.values():
        assert name in (project / "CHANGELOG.md").read_text()


@pytest.mark.slow
def test_what_is_written_passes_its_tests(project):
    conformance = ("exactness", "estimator_documents", "datasets", "likelihoods")
    run(
        project,
        "pytest",
        *("-n", "0", "-q", "-p", "no:cacheprovider", "-k", "brand_new"),
        *(f"tests/conformance/{name}_test.py" for name in conformance),
        *(f"tests/{new_component.PACKAGES[kind]}/{name}_test.py" for kind, name in NEW.items()),
        *(f"tf_discrete/{new_component.PACKAGES[kind]}/{name}.py" for kind, name in NEW.items()),
    )


@pytest.mark.slow
def test_what_is_written_passes_all_tests_of_its_kind(project):
    run(project, "mypy")
    pytest_arguments = ("pytest", "-n", "0", "-q", "-p", "no:cacheprovider")
    run(project, *pytest_arguments, "-k", "brand_new", "tests", "tf_discrete")
    lists = ("tests/documents_test.py", "tests/conformance/estimator_documents_test.py")
    run(project, *pytest_arguments, "-k", "not pictures_exist and not code_blocks", *lists)


@pytest.mark.parametrize("name", ["Mine", "my-own", "_mine", "mine_", "1st", "../mine", ""])
def test_names_that_are_no_snake_case_are_refused(name, tmp_path):
    with pytest.raises(ValueError, match="must be in snake case.*Received: name="):
        new_component.write("estimator", name, tmp_path)
    assert not any(tmp_path.iterdir())


def test_nothing_is_replaced():
    with pytest.raises(FileExistsError, match="must not replace a file.*name='reinmax'"):
        new_component.write("estimator", "reinmax")
