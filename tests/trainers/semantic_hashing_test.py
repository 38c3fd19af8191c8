"""The semantic hashing trainer: what a run leaves, its golden numbers, and that it goes on after a kill."""

from __future__ import annotations

import functools
import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator

from tests import shared
from tests.golden import categorical_vae as golden
from tests.golden import semantic_hashing as small
from tests.trainers import small_runs
from tf_discrete import datasets, evaluation, export
from tf_discrete.evaluation import image_classifiers
from tf_discrete.models import mlp_networks, networks
from trainers.common import data, results, run_directory
from trainers.saved_runs import evaluate
from trainers.tasks import semantic_hashing

PICTURES = ("reconstructions", "samples", "codes", "bits", "curves", "traversal", "schedules")


@pytest.fixture(scope="module")
def hashed(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of a finished small run. Not to be changed."""
    return shared.folder(
        tmp_path_factory,
        "semantic_hashing",
        lambda folder: semantic_hashing.run(small.config(folder)),
    )


def test_the_run_gives_the_golden_numbers(hashed):
    expected = golden.golden(small.FILE)
    tolerance, version = expected.pop("tolerance"), expected.pop("tensorflow")
    lines = golden.differences(golden.summary(hashed), expected, tolerance)
    assert lines == [], f"made with TensorFlow {version}; see {small.__name__}"


def test_files_and_history(hashed):
    names = {path.name for path in hashed.iterdir()}
    assert names == {
        *("config.json", "metrics.jsonl", "metrics.json", "checkpoints", "tensorboard"),
        *("data.json", "model.keras", "saved_model"),
        *(f"{name}.png" for name in PICTURES),
    }
    rows = small_runs.rows(hashed)
    for row in rows:
        assert row["train/loss"] == row["train/reconstruction_nats"]
        bound = -row["validation/hard_reconstruction_nats"] - 9 * np.log(2)
        assert row["validation/hard_elbo_nats"] == pytest.approx(bound, rel=1e-5)
    assert rows[-1]["validation/hard_elbo_nats"] > rows[0]["validation/hard_elbo_nats"] + 2
    fractions = [row["train/discrete_fraction"] for row in rows]
    assert fractions == pytest.approx([0.5 * min(1, step / 25) for step in (9, 19, 29, 39)])
    for name in PICTURES:
        image = tf.io.decode_png((hashed / f"{name}.png").read_bytes()).numpy()
        assert image[..., :3].std() > 5, name


def test_the_log_of_tensorboard(hashed):
    events = event_accumulator.EventAccumulator(str(hashed / "tensorboard/validation"))
    events.Reload()
    tags = set(events.Tags()["tensors"])
    assert {
        "discrete_path/hard_elbo_nats",
        "reconstructions",
        "samples",
        "codes",
        "posterior_probs",
    } <= tags


def test_the_saved_model_goes_from_images_to_bytes(hashed):
    model = keras.saving.load_model(hashed / "model.keras", compile=False)
    images = next(iter(datasets.get("digits", "test", max_examples=7).batches(7)))["image"]
    served = tf.saved_model.load(str(hashed / "saved_model")).signatures["encode_packed"]
    packed = served(image=images)["packed"].numpy()
    assert packed.dtype == np.uint8 and packed.shape == (7, 2)
    np.testing.assert_array_equal(packed, np.packbits(model.encode(images).numpy(), axis=1))
    manifest = export.load_manifest(hashed / "saved_model")
    assert manifest.signatures["encode_packed"]["outputs"]["packed"]["dtype"] == "uint8"


def test_evaluation_again_gives_the_same_numbers(hashed, tmp_path):
    config = evaluate.Config(run=str(hashed), bound_samples=10, output=str(tmp_path / "again"))
    found = evaluate.run(config)
    assert found["hard_reconstruction_nats"] == pytest.approx(
        small_runs.result(hashed)["test/hard_reconstruction_nats"], rel=1e-6
    )
    assert found["bound_nats"] == pytest.approx(
        small_runs.result(hashed)["test/bound_nats"], rel=1e-6
    )


class Killed(BaseException):
    """Nothing that a program would catch."""


@pytest.mark.slow
def test_a_killed_run_ends_as_one_that_was_not(hashed, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    append = run_directory.RunDirectory.append_history

    def append_and_die(self, row):
        append(self, row)
        if row["epoch"] == 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(run_directory.RunDirectory, "append_history", append_and_die)
        with pytest.raises(Killed):
            semantic_hashing.run(small.config(folder, pictures_every=0))
    assert len(small_runs.rows(folder)) == 2
    monkeypatch.setattr(results, "write_model", lambda *_: None)  # It changes no number.
    semantic_hashing.run(small.config(folder, pictures_every=0))
    small_runs.assert_same_run(folder, hashed)


@pytest.mark.slow
def test_samples_are_scored_by_a_classifier_that_is_kept(tmp_path, monkeypatch):
    short = functools.partial(evaluation.train_classifier, num_steps=40)
    monkeypatch.setattr(image_classifiers, "train_classifier", short)
    folder = tmp_path / "run"
    result = semantic_hashing.run(
        small.config(folder, epochs=1, generation_samples=200, pictures_every=0)
    )
    assert 1 <= result["test/inception_score"] <= 10
    assert 0 <= result["test/slides_score"] <= np.log(10) / 10
    assert result["test/slides_score_spread"] > 0
    classifier = keras.saving.load_model(folder / "classifier.keras")
    model = keras.saving.load_model(folder / "model.keras", compile=False)
    again = evaluation.evaluate_generation(model, classifier, 200, seed=0)
    assert again.inception_score.mean == pytest.approx(result["test/inception_score"], rel=1e-4)
    images, labels = (
        datasets.get("digits", "test", max_examples=300).images / np.float32(255),
        datasets.get("digits", "test", max_examples=300).labels,
    )
    read = evaluation.reconstruction_accuracy(classifier, model.reconstruct(images), labels)
    assert read == pytest.approx(result["test/reconstruction_accuracy"], abs=1e-6)
    assert json.loads((folder / "config.json").read_text())["generation_samples"] == 200


@pytest.mark.parametrize(
    "flag,value,message",
    [
        ("generation_samples", 63, "at least 64 samples.*Received: generation_samples=63"),
        ("num_bits", 0, "num_bits must be at least 1"),
        ("flip_probability", 0.5, r"flip_probability must lie in \[0, 0.5\)"),
        ("discrete_fraction", 1.5, "discrete_fraction must be at most 1"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(tmp_path, flag, value, message):
    with pytest.raises(ValueError, match=message):
        semantic_hashing.run(small.config(tmp_path / "run", **{flag: value}))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "changes,mean",
    [({}, True), ({"output_bias": "zero"}, False), ({"likelihood": "gaussian"}, False)],
)
def test_the_decoder_starts_at_the_mean_image(tmp_path, changes, mean):
    settings = small.config(tmp_path, **changes)
    split = data.load_split(settings, "train")
    model = semantic_hashing.build_model(settings, split, 1)
    semantic_hashing.start(model, settings, {"train": split})
    bias = model.decoder.layers[-2].bias
    expected = np.clip(split.images.mean(axis=0) / split.images.max(), 1e-3, 1 - 1e-3)
    expected = np.log(expected / (1 - expected)) if mean else np.zeros([8, 8])
    np.testing.assert_allclose(np.reshape(bias, [8, 8]), expected.reshape(8, 8), rtol=1e-4)


def test_other_pixels_do_not_start_at_the_mean_image(tmp_path):
    settings = small.config(tmp_path, output_bias="mean", likelihood="categorical_intensity")
    split = data.load_split(settings, "train")
    with pytest.raises(
        ValueError, match="Received: output_bias='mean', likelihood=CategoricalIntensity"
    ):
        semantic_hashing.build_model(settings, split, 1)


@networks.REGISTRY.restored()
def test_a_registered_network_keeps_its_start(tmp_path):
    def decoder(latent_shape, output_shape, hidden_units, activation):
        inputs = keras.Input(latent_shape)
        x = keras.layers.Dense(int(np.prod(output_shape)), use_bias=False)(inputs)
        return keras.Model(inputs, keras.layers.Reshape(output_shape)(x))

    networks.register("bare", mlp_networks.mlp_encoder, decoder)
    settings = small.config(tmp_path, encoder="bare")
    split = data.load_split(settings, "train")
    model = semantic_hashing.build_model(settings, split, 1)
    semantic_hashing.start(model, settings, {"train": split})
    assert model.decoder.count_params() == 9 * 64
    with pytest.raises(ValueError, match="The last layer must have a bias"):
        settings = small.config(tmp_path, encoder="bare", output_bias="mean")
        semantic_hashing.build_model(settings, split, 1)


def test_its_files_load_in_a_new_process_that_imports_the_package_alone(hashed, tmp_path):
    assert small_runs.loaded_afresh(hashed, tmp_path) == {
        "model.keras",
        "saved_model",
        "checkpoints/best",
        "checkpoints/last",
    }
