"""Checkpoints that are kept for good, and runs without pictures."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainers import small_runs
from tf_discrete import datasets
from trainers.common import compiling
from trainers.common.run_checkpoints import Checkpoints
from trainers.common.run_directory import RunDirectory
from trainers.tasks import categorical_vae


@pytest.mark.slow
def test_every_so_many_epochs_are_kept(finished, tmp_path):
    small_runs.train(tmp_path / "run", epochs=2, early_stopping=0, keep_every=2, pictures_every=0)
    # Going on keeps what was kept, and may keep other epochs from there on.
    settings = small_runs.config(
        tmp_path / "run", epochs=3, early_stopping=0, keep_every=1, pictures_every=0
    )
    small_runs.train(tmp_path / "run", epochs=3, early_stopping=0, keep_every=1, pictures_every=0)
    split = datasets.get("digits", "train", max_examples=300)
    model = categorical_vae.build_model(settings, split, 10)
    compiling.compile_model(model, settings, 10)
    kept = Checkpoints(model, RunDirectory(tmp_path / "run"), 0, 10)
    assert sorted(kept.kept_epochs()) == [0, 2, 3]
    weights = {}
    for epoch in (0, 2, 3):
        assert kept.restore_kept(epoch)
        assert kept.epoch == epoch
        assert int(np.asarray(model.optimizer.iterations)) == 10 * epoch
        weights[epoch] = model.encoder.get_weights()[0]
    assert not kept.restore_kept(1)
    assert np.abs(weights[2] - weights[0]).max() > 1e-3
    assert np.abs(weights[3] - weights[2]).max() > 1e-3
    assert small_runs.rows(tmp_path / "run") == small_runs.rows(finished)[:3]
    assert not (finished / "checkpoints/kept").exists()
    # Without pictures there are neither files nor a projector.
    assert not [*tmp_path.rglob("*.png"), *tmp_path.rglob("projector_config.pbtxt")]
    assert list((tmp_path / "run/tensorboard/train").glob("events.out.*"))
