"""The BUILD files agree with the imports, and Bazel can read them."""

from __future__ import annotations

import ast
import pathlib
import re
import shutil
import subprocess

import pytest

from tools import build_files


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    """A small project with BUILD files that hold."""
    files = {
        "tf_discrete/__init__.py": "from tf_discrete.export import save\n",
        "tf_discrete/py.typed": "",
        "tf_discrete/types.py": "import tensorflow as tf\n",
        "tf_discrete/export/__init__.py": "from .export import save\n",
        "tf_discrete/export/export.py": (
            "import json\nfrom typing import TYPE_CHECKING\nimport sklearn.svm\n"
            "from tf_discrete import types\n"
            "if TYPE_CHECKING:\n    import tf_discrete\n"
            "def save():\n    from tf_discrete.models import vae\n"
        ),
        "tf_discrete/models/vae.py": "from .. import types\n",
        "tests/conftest.py": "import pytest\n",
        "tests/export/export_test.py": "import tf_discrete\n",
        "trainers/vae.py": 'if __name__ == "__main__":\n    pass\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert build_files.main(["--write"], root=tmp_path) == 0
    return tmp_path


def test_the_committed_build_files_hold():
    assert build_files.differences() == []


def test_every_third_party_import_is_a_declared_dependency():
    setup = ast.parse((build_files.ROOT / "setup.py").read_text())
    texts = {x.value for x in ast.walk(setup) if isinstance(x, ast.Constant)}
    declared = {re.split(r"[<>=\[]", x)[0] for x in texts if isinstance(x, str)}
    used = {x for target in build_files.targets() for x in target.distributions}
    assert "tensorflow" in used
    assert used - declared == set()


def test_targets_follow_the_imports(project: pathlib.Path):
    found = {target.label: target for target in build_files.targets(project)}
    module = found["//tf_discrete/export:export"]
    assert module.deps == ["//tf_discrete:types", "//tf_discrete/models:vae"]
    assert module.distributions == ["scikit-learn"]
    assert found["//tf_discrete/export:export_init"].deps == ["//tf_discrete/export:export"]
    assert found["//tf_discrete:tf_discrete"].deps == ["//tf_discrete/export:export_init"]
    assert found["//tf_discrete:tf_discrete"].data == ["py.typed"]
    assert found["//tf_discrete/models:vae"].deps == ["//tf_discrete:types"]
    assert found["//trainers:vae"].rule == "py_binary"
    test = found["//tests/export:export_test"]
    assert (test.rule, test.deps) == ("py_test", ["//tests:conftest", "//tf_discrete:tf_discrete"])


def test_build_text(project: pathlib.Path):
    assert (
        (project / "tf_discrete/export/BUILD").read_text()
        == """\
load("@rules_python//python:defs.bzl", "py_library")

package(default_visibility = ["//visibility:public"])

py_library(
    name = "export",
    srcs = ["export.py"],
    deps = [
        "//tf_discrete:types",
        "//tf_discrete/models:vae",
        # pip: scikit-learn
    ],
)

py_library(
    name = "export_init",
    srcs = ["__init__.py"],
    deps = [
        ":export",
    ],
)
"""
    )


def test_a_target_named_after_its_folder_has_a_short_label(project: pathlib.Path):
    assert '        "//tf_discrete",\n' in (project / "tests/export/BUILD").read_text()


def test_check_names_the_stanza_that_a_new_import_makes_wrong(project: pathlib.Path, capsys):
    assert build_files.main(["--check"], root=project) == 0
    (project / "tf_discrete/types.py").write_text("import numpy\n")
    assert build_files.main(["--check"], root=project) == 1
    report = capsys.readouterr().out
    assert 'tf_discrete/BUILD: missing or wrong:\npy_library(\n    name = "types"' in report
    assert "# pip: numpy" in report
    assert "make build-files" in report


def test_check_reports_a_missing_file_a_stale_file_and_a_wrong_order(project: pathlib.Path):
    build = project / "tf_discrete/BUILD"
    stanzas = build.read_text().strip().split("\n\n")
    build.write_text("\n\n".join([*stanzas[:2], *reversed(stanzas[2:])]))
    (project / "tf_discrete/models/BUILD").unlink()
    (project / "trainers/vae.py").unlink()
    report = "\n".join(build_files.differences(project))
    assert "tf_discrete/BUILD: stanzas repeated or out of order" in report
    assert "tf_discrete/models/BUILD: missing or wrong" in report
    assert "trainers/BUILD: not wanted:\npy_binary" in report
    build_files.main(["--write"], root=project)
    assert build_files.differences(project) == []
    assert not (project / "trainers/BUILD").exists()


def test_a_circle_of_imports_is_refused(project: pathlib.Path):
    (project / "tf_discrete/types.py").write_text("from tf_discrete.models import vae\n")
    with pytest.raises(SystemExit, match="Imports go round in a circle: .*models:vae"):
        build_files.main(["--check"], root=project)


def test_an_import_of_a_module_that_is_not_there_is_refused(project: pathlib.Path):
    (project / "tf_discrete/types.py").write_text("from tf_discrete.nowhere import x\n")
    with pytest.raises(SystemExit, match="types.py imports tf_discrete.nowhere, which is no file"):
        build_files.main(["--check"], root=project)


@pytest.mark.skipif(shutil.which("bazel") is None, reason="no bazel on the PATH")
def test_bazel_reads_every_target(tmp_path: pathlib.Path):
    # Not `//...`: that would enter the `bazel-*` links that a build leaves in the root.
    roots = [f"//{x}/..." for x in build_files.TOP_FOLDERS if (build_files.ROOT / x).is_dir()]
    query = " + ".join(["//:all", *roots])
    command = ["bazel", "--batch", f"--output_user_root={tmp_path}", "query", query]
    result = subprocess.run(command, cwd=build_files.ROOT, capture_output=True, text=True)
    # Bazel writes its cache read-only, which would keep pytest from removing the folder.
    subprocess.run(["chmod", "-R", "u+w", str(tmp_path)], check=True)
    assert result.returncode == 0, result.stderr
    assert {x.label for x in build_files.targets()} <= set(result.stdout.split())
