"""The trainer of structured prediction: what a run leaves behind, and that it goes on after a kill."""

from __future__ import annotations

import inspect
import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import shared
from tests.trainers import small_runs
from tf_discrete import export
from tf_discrete.distributions.latent_spec import CODE_VALUES
from tf_discrete.models import StructuredPrediction
from tf_discrete.models import structured_prediction as model_lib
from trainers.common import results, run_directory
from trainers.saved_runs import evaluate
from trainers.tasks import structured_prediction
from trainers.tasks.structured_prediction import Config

FLAGS = {
    "dataset": "digits",
    "binarization": "dynamic",
    "max_examples": 200,
    "batch_size": 20,
    "epochs": 3,
    "num_variables": (4, 3),
    "num_categories": 3,
    "layer_temperatures": (0.7, 0.5),
    "estimator": "gumbel_softmax",
    "num_samples": 2,
    "objective": "multi_sample",
    "centering": True,
    "weight_decay": 1e-3,
    "learning_rate": 0.01,
    "bound_samples": 20,
    "pictures_every": 3,
}


def config(output_dir, **changes):
    return Config(output_dir=str(output_dir), **{**FLAGS, **changes})


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> pathlib.Path:
    return shared.folder(
        tmp_path_factory,
        "structured_prediction",
        lambda folder: structured_prediction.run(config(folder)),
    )


def test_files(finished):
    assert {path.name for path in finished.iterdir()} == {
        "config.json",
        "data.json",
        "metrics.jsonl",
        "metrics.json",
        "checkpoints",
        "tensorboard",
        "model.keras",
        "saved_model",
        *(f"{name}.png" for name in ("completions", "codes", "curves", "schedules")),
    }
    for path in finished.glob("*.png"):
        assert tf.io.decode_png(path.read_bytes()).numpy()[..., :3].std() > 5


def test_numbers(finished):
    rows = small_runs.rows(finished)
    terms = ("loss", "elbo_nats", "multi_sample_bound_nats", "hard_elbo_nats")
    assert {f"{split}/{term}" for split in ("train", "validation") for term in terms} <= set(
        rows[0]
    )
    assert (rows[0]["train/temperature"], rows[0]["train/temperature_2"]) == pytest.approx(
        (0.7, 0.5)
    )
    for row in rows:
        assert row["train/elbo_nats"] < row["train/multi_sample_bound_nats"]
        assert row["train/loss"] == pytest.approx(-row["train/multi_sample_bound_nats"], rel=1e-5)
    assert rows[-1]["validation/hard_elbo_nats"] > rows[0]["validation/hard_elbo_nats"] + 0.5
    result = json.loads((finished / "metrics.json").read_text())
    assert result["test/bound_nats"] > result["test/hard_elbo_nats"]
    assert result["test/num_examples"] == 200


def test_the_files_hold_the_model(finished):
    loaded = keras.saving.load_model(finished / "model.keras", compile=False)
    images = tf.random.stateless_uniform([3, 8, 8, 1], [0, 1])
    served = tf.saved_model.load(str(finished / "saved_model"))
    arguments = {"num": tf.constant(4), "seed": tf.constant([1, 2])}
    answer = served.signatures["sample"](input=images, **arguments)["output"]
    np.testing.assert_allclose(
        tf.transpose(answer, [1, 0, 2, 3, 4]),
        loaded.sample(images, 4, arguments["seed"]),
        rtol=1e-5,
    )
    manifest = export.load_manifest(finished / "saved_model")
    assert "structured" in manifest.model.lower()
    assert manifest.temperature == pytest.approx([0.7, 0.5])
    np.testing.assert_array_less(1e-6, np.abs(loaded.chain.centering.mean).max())


@pytest.mark.slow
def test_an_estimator_without_a_temperature_leaves_out_the_picture_of_schedules(tmp_path):
    changes = {"estimator": "vimco", "layer_temperatures": (), "pictures_every": 1, "epochs": 1}
    structured_prediction.run(config(tmp_path / "run", **changes))
    drawn = {path.name for path in (tmp_path / "run").glob("*.png")}
    assert "completions.png" in drawn and "schedules.png" not in drawn


def test_the_run_is_evaluated_again(finished, tmp_path):
    output = tmp_path / "again.json"
    again = evaluate.run(evaluate.Config(run=str(finished), bound_samples=20, output=str(output)))
    result = json.loads((finished / "metrics.json").read_text())
    assert again["bound_nats"] == pytest.approx(result["test/bound_nats"], abs=1e-4)


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_numbers(finished, tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    append = run_directory.RunDirectory.append_history

    def append_and_die(self, row):
        append(self, row)
        if row["epoch"] == 2:
            raise Killed

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(run_directory.RunDirectory, "append_history", append_and_die)
        with pytest.raises(Killed):
            structured_prediction.run(config(folder, pictures_every=0))
    monkeypatch.setattr(results, "write_model", lambda *_: None)  # It changes no number.
    structured_prediction.run(config(folder, pictures_every=0))
    small_runs.assert_same_run(folder, finished)


def test_flags_are_named_as_the_arguments_of_the_model():
    arguments = set(inspect.signature(StructuredPrediction).parameters)
    fields = Config.__dataclass_fields__
    # The shape comes from the data, whose images are cut in halves.
    assert arguments - set(fields) == {"data_shape", "output_shape", "mask", "kwargs"}
    for name in ("objective", "code_values"):
        choices = {"objective": tuple(model_lib.OBJECTIVES), "code_values": CODE_VALUES}[name]
        assert fields[name].metadata["choices"] == choices


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"layer_temperatures": (0.5,)}, "temperature must be one for all.*of the 2"),
        ({"num_variables": (4, 3, 2)}, "num_variables must be one for all layers"),
        ({"estimator": "rebar"}, "REBAR takes the reductions mean"),
        ({"image_size": (7, 8)}, "two halves along its first axis.*data_shape=.7, 8, 1"),
    ],
)
def test_bad_flags_are_refused_before_anything_is_written(changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        structured_prediction.run(config(tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


def test_its_files_load_in_a_new_process_that_imports_the_package_alone(finished, tmp_path):
    assert small_runs.loaded_afresh(finished, tmp_path) == {
        "model.keras",
        "saved_model",
        "checkpoints/best",
        "checkpoints/last",
    }
