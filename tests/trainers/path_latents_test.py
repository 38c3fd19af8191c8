"""A run with paths or a tree as codes: its flags, and that it goes on after it was killed."""

from __future__ import annotations

import dataclasses

import pytest

from tests.trainers import small_runs
from tf_discrete import datasets
from tf_discrete.optimizers import LazyAdam
from trainers.common import compiling, run_directory
from trainers.tasks import categorical_vae

FLAGS = {
    "latents": "path",
    "num_variables": 1,
    "num_categories": 50,
    "branching": (4, 4, 4),
    "digit_units": (5,),
    "estimator": "nvil",
    "prior": "learned",
    "epochs": 3,
}
TREE_FLAGS = {
    "latents": "tree",
    "num_variables": 1,
    "num_categories": 64,
    "branching": (4, 4, 4),
    "code_embedding": "table",
    "estimator": "reinmax",
    "epochs": 3,
}


def test_flags_make_the_model():
    split = datasets.get("digits", "train", binarization="threshold", max_examples=10)
    model = categorical_vae.build_model(small_runs.config("unused", **FLAGS), split, 7)
    assert model.latents == "path:4,4,4" and model.num_categories == 50
    assert model.get_config()["digit_units"] == (5,)
    given = {**FLAGS, "branching": (), "num_categories": 10**6 + 3, "code_embedding": "digit_sum"}
    model = categorical_vae.build_model(small_runs.config("unused", **given), split, 7)
    assert model.latents == "path:32,32,32,32"
    with pytest.raises(ValueError, match="must be one-hot. Choose an estimator such as reinmax"):
        given = {**FLAGS, "estimator": "gumbel_softmax"}
        categorical_vae.build_model(small_runs.config("unused", **given), split, 7)


def test_a_table_is_trained_by_its_own_optimizer():
    split = datasets.get("digits", "train", binarization="threshold", max_examples=10)
    settings = small_runs.config("unused", **TREE_FLAGS)
    model = categorical_vae.build_model(settings, split, 7)
    compiling.compile_model(model, settings, 7)
    assert model.latents == "tree:4,4,4" and isinstance(model.optimizer, LazyAdam)
    settings = dataclasses.replace(settings, optimizer="rectified_adam")
    with pytest.raises(ValueError, match="Leave --optimizer out. Received: optimizer='rect"):
        compiling.compile_model(model, settings, 7)


@pytest.mark.slow
@pytest.mark.parametrize("flags", [FLAGS, TREE_FLAGS], ids=["path", "tree"])
def test_a_killed_run_goes_on_with_the_same_numbers(flags, tmp_path, monkeypatch):
    """The moments of LazyAdam, which trains the table of the tree, are resumed too."""
    small_runs.train(tmp_path / "whole", **flags)
    append = run_directory.RunDirectory.append_history

    def append_and_die(self, row):
        append(self, row)
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_directory.RunDirectory, "append_history", append_and_die)
        with pytest.raises(KeyboardInterrupt):
            small_runs.train(tmp_path / "killed", **flags)
    small_runs.train(tmp_path / "killed", **flags)
    small_runs.assert_same_run(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.slow
def test_a_whole_run(tmp_path):
    categorical_vae.run(small_runs.config(tmp_path, **FLAGS))
    assert (tmp_path / "traversal.png").exists() and (tmp_path / "saved_model").exists()
