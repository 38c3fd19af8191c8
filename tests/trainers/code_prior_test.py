"""A prior of the codes that learns in the trainers: its numbers, pictures and exports."""

from __future__ import annotations

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import shared
from tests.golden import semantic_hashing as small
from tests.trainers import small_runs
from tf_discrete import datasets, evaluation, plots
from trainers.common import autoencoder_report, data
from trainers.common import run as run_lib
from trainers.tasks import categorical_vae, semantic_hashing


def config(folder, **changes):
    """The configuration of a small run with a prior."""
    settings = {"code_prior": "lstm", "code_prior_units": 8, "epochs": 2, "pictures_every": 0}
    return small.config(folder, **{**settings, "bound_samples": 2, **changes})


@pytest.fixture(scope="module")
def hashed(tmp_path_factory):
    """The folder of a run with a prior. Not to be changed."""
    return shared.folder(
        tmp_path_factory, "code_prior", lambda folder: semantic_hashing.run(config(folder))
    )


@pytest.mark.slow
def test_the_run_reports_and_exports_the_prior(hashed):
    result = json.loads((hashed / "metrics.json").read_text())
    rows = small_runs.rows(hashed)
    assert rows[1]["train/prior_nats"] < rows[0]["train/prior_nats"]
    assert 0 < result["test/prior_nats"] < 9 * np.log(2) + 1
    model = keras.saving.load_model(hashed / "model.keras", compile=False)
    assert model.code_prior.units == 8
    served = tf.saved_model.load(str(hashed / "saved_model")).signatures
    drawn = served["sample"](num=tf.constant(6), seed=tf.constant([1, 2]))
    np.testing.assert_array_equal(drawn["codes"], model.code_prior.sample(6, tf.constant([1, 2])))
    images = next(iter(datasets.get("digits", "test", max_examples=7).batches(7)))["image"]
    packed = served["encode_packed"](image=images)["packed"]
    np.testing.assert_array_equal(packed, np.packbits(model.encode(images), axis=1))


@pytest.mark.slow
def test_the_run_goes_on_with_its_prior(hashed, tmp_path, capsys):
    folder = shutil.copytree(hashed, tmp_path / "run")
    longer = config(folder, epochs=3)
    run_lib.train(semantic_hashing.TASK, longer, lambda *arguments: {})
    assert "after epoch 2" in capsys.readouterr().out
    nats = [row["train/prior_nats"] for row in small_runs.rows(folder)]
    assert len(nats) == 3 and nats[2] < nats[0]


def test_the_variables_of_several_layers_are_drawn(tmp_path):
    settings = small_runs.config(
        tmp_path, num_layers=2, num_variables=2, code_prior="lstm", code_prior_units=4
    )
    split = data.load_split(settings, "test")
    model = categorical_vae.build_model(settings, split, 10)
    assert model.code_prior.num_variables == 4 and model.code_prior.units == 4
    images, _ = data.some_images(split, 20)
    usage = evaluation.collect_usage(model, [images])
    figure = autoencoder_report.traversal(model, images[:1], usage)
    assert plots.to_image(figure).std() > 5


def test_without_the_flag_the_model_has_its_own_prior_only(tmp_path):
    settings = small_runs.config(tmp_path)
    split = data.load_split(settings, "test")
    assert categorical_vae.build_model(settings, split, 10).code_prior is None


@pytest.mark.slow
def test_its_files_load_in_a_new_process_that_imports_the_package_alone(hashed, tmp_path):
    assert small_runs.loaded_afresh(hashed, tmp_path) == {
        "model.keras",
        "saved_model",
        "checkpoints/best",
        "checkpoints/last",
    }
