"""The guide's commands run as they are printed, in an empty folder, and give what the model gives."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tests.export import small_models
from tests.serving import guide

RUN = "runs/categorical_vae-digits"


def _execute(folder: pathlib.Path, language: str, code: str) -> str:
    """Runs code in a folder, with the project importable and this Python's programs first."""
    programs = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    command = [sys.executable, "-c", code] if language == "python" else ["bash", "-ec", code]
    environment = {**os.environ, "PATH": programs, "TF_CPP_MIN_LOG_LEVEL": "2"}
    if language == "bash":
        environment["PYTHONPATH"] = str(guide.ROOT)
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with a run in it, in which the guide has been followed."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / RUN).mkdir(parents=True)
    config = {"task": "categorical_vae", "binarization": "dynamic"}
    (folder / RUN / "config.json").write_text(json.dumps(config))
    small_models.make("CategoricalVAE").save(folder / RUN / "model.keras")
    printed = [
        _execute(folder, language, "\n".join(code for _, code in group))
        for language, group in itertools.groupby(guide.blocks(""), key=lambda block: block[0])
    ]
    (folder / "printed.txt").write_text("\n".join(printed))
    return folder


def test_the_guide_has_blocks_of_every_kind():
    languages = [language for language, _ in guide.blocks("")]
    assert languages == ["bash", "python", "python", "bash"]
    assert len(guide.blocks("client")) == len(guide.blocks("server")) == 1


@pytest.mark.slow
def test_the_shapes_are_printed(folder):
    printed = (folder / "printed.txt").read_text()
    assert "[8, 8, 1] [3, 4] {'scale': 0.00392" in printed
    assert "'binarization': 'dynamic'" in printed
    assert "(7, 3) (7, 8, 8, 1) -" in printed


@pytest.mark.slow
def test_the_command_line_shows_every_signature(folder):
    printed = (folder / "printed.txt").read_text()
    for name in small_models.make("CategoricalVAE").signatures():
        assert f"signature_def['{name}']" in printed


@pytest.mark.slow
def test_the_command_line_gives_what_the_model_gives(folder):
    model = small_models.make("CategoricalVAE")
    # The last command, `sample`, has written over the codes of `encode`.
    np.testing.assert_array_equal(
        np.load(folder / "answer/codes.npy"), model.sample_codes(4, [1, 2])
    )
    np.testing.assert_allclose(
        np.load(folder / "answer/image.npy"), model.sample(4, np.array([1, 2], np.int32)), atol=1e-6
    )
