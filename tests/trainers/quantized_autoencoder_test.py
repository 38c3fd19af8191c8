"""The trainer of quantised autoencoders: what a run leaves, and which quantisers its flags make."""

from __future__ import annotations

import pathlib
from typing import Any

import keras
import numpy as np
import pytest

from tests.trainers import small_runs
from tf_discrete import codes, datasets, models
from trainers.common import run
from trainers.common.run_directory import RunDirectory
from trainers.saved_runs import evaluate
from trainers.tasks import quantized_autoencoder

FLAGS: dict[str, Any] = {
    "dataset": "digits",
    "max_examples": 300,
    "batch_size": 30,
    "epochs": 3,
    "num_vectors": 3,
    "vector_size": 4,
    "num_categories": 16,
    "hidden_units": (12,),
    "learning_rate": 0.01,
    "pictures_every": 0,
}


def config(folder: Any, **changes: Any) -> quantized_autoencoder.Config:
    return quantized_autoencoder.Config(output_dir=str(folder), **{**FLAGS, **changes})


def test_a_run(tmp_path: pathlib.Path):
    result = quantized_autoencoder.run(config(tmp_path))
    names = {path.name for path in tmp_path.iterdir()}
    assert {"model.keras", "saved_model", "reconstructions.png", "codes.png"} <= names
    rows = small_runs.rows(tmp_path)
    for row in rows:
        bound = -row["validation/hard_reconstruction_nats"] - 3 * np.log(16)
        assert row["validation/hard_elbo_nats"] == pytest.approx(bound, rel=1e-5)
    assert rows[-1]["validation/hard_elbo_nats"] > rows[0]["validation/hard_elbo_nats"] + 1
    assert result["test/bound_nats"] == pytest.approx(result["test/hard_elbo_nats"], rel=1e-4)
    model = keras.saving.load_model(tmp_path / "model.keras")
    encoded = codes.encode_batches(model, datasets.get("digits", "test").batches(50))
    assert encoded.shape[1] == 3
    (tmp_path / "empty").mkdir()
    assert small_runs.loaded_afresh(tmp_path, tmp_path / "empty") == {
        "model.keras",
        "saved_model",
        "checkpoints/best",
        "checkpoints/last",
    }


@pytest.mark.parametrize("name", quantized_autoencoder.QUANTIZERS)
def test_flags_make_every_quantizer(name):
    flags = config("unused", quantizer=name, num_parts=2, quantizer_loss_weight=0.5)
    made = quantized_autoencoder.make_quantizer(flags)
    made.build((None, 4))
    assert made.num_categories in (16, 240, 256)
    quantized_autoencoder.check(flags)
    model = models.QuantizedAutoencoder((4, 4, 1), made, latent_shape=(2, 4), hidden_units=(3,))
    assert model.quantizer.loss_weight == 0.5


def test_grids_have_a_vector_for_each_cell():
    made = quantized_autoencoder.make_latent_shape(
        config("unused", encoder="conv_grid", hidden_units=(5, 6)), (28, 20, 1)
    )
    assert made == (7, 5, 4)


def test_codebooks_start_at_the_k_means_of_training_images(tmp_path: pathlib.Path):
    train = datasets.get("digits", "train", max_examples=40)
    settings = config(tmp_path, k_means_start=True)
    model = quantized_autoencoder.build_model(settings, train, 1)
    quantized_autoencoder.start(model, settings, {"train": train})
    assert len(np.unique(model.encode(next(iter(train.batches(40)))["image"]))) == 16
    many = {"k_means_start": True, "num_categories": 121}
    with pytest.raises(ValueError, match="at least as many vectors.*120 vectors.*_categories=121"):
        quantized_autoencoder.divide(config(tmp_path, **many), {"train": train})
    for other in ({"k_means_start": False}, {"quantizer": "finite_scalar"}):
        quantized_autoencoder.divide(config(tmp_path, **{**many, **other}), {"train": train})


def test_only_a_run_that_begins_anew_starts_at_k_means(tmp_path: pathlib.Path, monkeypatch):
    adapt, adapted = models.QuantizedAutoencoder.adapt, []

    def counted(model, x):
        adapted.append(len(x))
        adapt(model, x)

    monkeypatch.setattr(models.QuantizedAutoencoder, "adapt", counted)
    settings = config(tmp_path, k_means_start=True, epochs=1)
    for _ in range(2):
        run.train(quantized_autoencoder.TASK, settings, lambda *arguments: {})
    evaluate.restore(quantized_autoencoder.TASK, settings, RunDirectory(tmp_path), "last")
    assert len(small_runs.rows(tmp_path)) == 1
    assert len(adapted) == 1


def test_what_cannot_be_built_is_refused_before_data_are_read():
    for changes, message in (
        ({"quantizer": "grouped", "num_parts": 3}, "num_groups must divide"),
        ({"gradient": "diveq"}, "Give codebook='gradient'"),
        ({"quantizer": "lookup_free", "bits_per_code": 3}, "bits_per_code must divide num_bits"),
        ({"bound_samples": 100}, "more samples is that of one.*bound_samples=100"),
    ):
        with pytest.raises(ValueError, match=message):
            quantized_autoencoder.check(config("unused", **changes))
