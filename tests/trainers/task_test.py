"""A task of the user: a module outside the package, which is trained, evaluated, searched and exported."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.trainers import small_runs
from tf_discrete import export
from trainers.common import finished_run, task
from trainers.common.run_directory import RunDirectory
from trainers.flags import names
from trainers.flags.run import RunConfig
from trainers.saved_runs import evaluate, search
from trainers.saved_runs import export as export_program

OWN = """
import dataclasses

import numpy as np

from tf_discrete import datasets, models
from tf_discrete_trainers.common import results, run, task
from tf_discrete_trainers.flags.config import option
from tf_discrete_trainers.flags.run import RunConfig


@dataclasses.dataclass(frozen=True)
class Config(RunConfig):
    shade: int = option(9, "How bright the squares are, in tenths.", lower=1, upper=10)


def load_split(config, name):
    seed = {"train": 0, "validation": 1, "test": 2}[name]
    corner = np.random.default_rng(seed).integers(0, 4, [60, 2])
    images = np.zeros([60, 6, 6, 1], np.float32)
    for image, (row, column) in zip(images, corner):
        image[row : row + 3, column : column + 3] = config.shade / 10
    return datasets.Split("squares", name, images, None, None)


def build_model(config, split, steps_per_epoch):
    return models.CategoricalVAE(split.image_shape, 3, 4, hidden_units=(8,), seed=config.seed)


def finish(model, config, directory, splits):
    (directory.path / "own.txt").write_text(f"shade {config.shade}")
    results.write_model(model, directory)
    found = run.evaluate_split(model, splits["test"], config.bound_samples)
    return {f"test/{name}": value for name, value in found.items()}


task.register(task.Task("squares", Config, build_model, finish, load_split=load_split))
"""


_TRAIN = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("trainers.train", run_name="__main__", alter_sys=True)
"""


def _train(folder: pathlib.Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Calls `trainers.train` in a process that has the folder on its path."""
    words = ["--task=squares", "--import_module=users_own_task", *flags]
    return small_runs.call("-c", _TRAIN, str(folder), *words)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> pathlib.Path:
    """A folder with the module, and in `run` what a new process has trained."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "users_own_task.py").write_text(OWN)
    flags = ["--shade=7", "--epochs=1", "--batch_size=20", "--bound_samples=3"]
    done = _train(folder, *flags, "--pictures_every=0", f"--output_dir={folder / 'run'}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def own_module(trained, monkeypatch):
    """The module is on the path, and not imported yet."""
    monkeypatch.syspath_prepend(trained)
    yield {"run": str(trained / "run"), "import_module": ("users_own_task",)}
    sys.modules.pop("users_own_task", None)
    task._TASKS.pop("squares", None)


def test_the_run_names_its_task(trained):
    stored = json.loads((trained / "run/config.json").read_text())
    assert (stored["task"], stored["shade"]) == ("squares", 7)
    assert (trained / "run/own.txt").read_text() == "shade 7"


def test_it_is_evaluated(trained, own_module):
    with pytest.raises(ValueError, match="only if you name them.*--import_module=users_own_task"):
        evaluate.run(evaluate.Config(run=own_module["run"]))
    assert "users_own_task" not in sys.modules
    found = evaluate.run(evaluate.Config(**own_module, bound_samples=3))
    expected = json.loads((trained / "run/metrics.json").read_text())
    assert found["bound_nats"] == pytest.approx(expected["test/bound_nats"], abs=1e-4)
    assert found["num_examples"] == 60


def test_it_is_searched_in_its_own_data(own_module, tmp_path):
    flags = {"num_queries": 2, "k": 3, "index": str(tmp_path / "index"), "output": str(tmp_path)}
    found = search.run(search.Config(**own_module, **flags))
    assert (found["items"], found["queries"]) == (60, 2)


def test_it_is_exported(own_module, tmp_path):
    out = tmp_path / "exported"
    export_program.run(export_program.Config(**own_module, path=str(out)))
    assert export.load_manifest(out).metadata["run"]["task"] == "squares"
    served = tf.saved_model.load(str(out)).signatures["encode"](image=tf.zeros([2, 6, 6, 1]))
    assert served["codes"].shape == (2, 3)


def test_its_flags_are_explained(trained):
    done = _train(trained, "--help")
    assert done.returncode == 0
    assert "--shade: How bright the squares are" in done.stdout and "--task: " in done.stdout


def test_registration():
    def other(config):
        return None

    @dataclasses.dataclass(frozen=True)
    class Config(RunConfig):
        pass

    @dataclasses.dataclass(frozen=True)
    class Other(RunConfig):
        pass

    with pytest.raises(ValueError, match="must be new.*Received: name='categorical_vae'"):
        task.register(task.Task("categorical_vae", Config, other, other))
    with pytest.raises(ValueError, match="must derive from RunConfig.*Received: config_class="):
        task.register(task.Task("mine", dict, other, other))
    try:
        mine = task.register(task.Task("mine", Config, other, other))
        assert task.get("mine") is task.register(mine) is mine  # As when a module is reloaded.
        with pytest.raises(ValueError, match="must be new.*Received: name='mine'"):
            task.register(task.Task("mine", Other, other, other))
    finally:
        task._TASKS.pop("mine")


@pytest.mark.parametrize("name", names.TASKS)
def test_the_tasks_of_the_package(name):
    found = task.get(name)
    assert found.name == name
    assert found.config_class.__module__ == f"trainers.flags.{name}"


def test_a_finished_run_has_the_configuration_of_its_task(finished):
    found, config = finished_run.open_run(RunDirectory(finished))
    assert found is task.get("categorical_vae")
    assert config == small_runs.config(finished)
    assert np.isfinite(config.learning_rate)
