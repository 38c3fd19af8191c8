"""The semi-supervised trainer: what a run leaves, its golden numbers, kill and resume, its flags."""

from __future__ import annotations

import dataclasses
import inspect
import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator

from tests import shared
from tests.golden import categorical_vae as golden
from tests.golden import semi_supervised as small
from tests.trainers import small_runs
from tf_discrete import datasets, export
from tf_discrete.models import Augmentation, Regularization, SemiSupervisedVAE
from trainers.common import class_orders, classification, results, run_directory
from trainers.flags.config import check
from trainers.saved_runs import evaluate
from trainers.tasks import categorical_vae, semi_supervised

PICTURES = (
    *("confusion", "class_grid", "analogies", "reconstructions", "samples", "curves"),
    "schedules",
)


class Killed(BaseException):
    """Nothing that a program would catch."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of a finished small run. Not to be changed."""
    return shared.folder(
        tmp_path_factory,
        "semi_supervised",
        lambda folder: semi_supervised.run(small.config(folder)),
    )


def test_the_run_gives_the_golden_numbers(finished):
    expected = golden.golden(small.FILE)
    tolerance, version = expected.pop("tolerance"), expected.pop("tensorflow")
    lines = golden.differences(golden.summary(finished), expected, tolerance)
    assert lines == [], f"made with TensorFlow {version}; see {small.__name__}"


@pytest.mark.parametrize(
    "changes,temperature",
    [
        ({}, 0.5),
        ({"estimator": "straight_through_gumbel_softmax"}, 0.5),
        ({"estimator": "reinmax"}, 0.0),
        ({"temperature": 0.7}, 0.7),
        ({"temperature_schedule": "exponential"}, 0.0),
    ],
)
def test_the_default_temperature_is_constant_and_low(changes, temperature):
    config = semi_supervised.with_temperature(semi_supervised.Config(**changes))
    assert config.temperature == temperature


def test_files_and_history(finished):
    names = {path.name for path in finished.iterdir()}
    assert names == {
        *("config.json", "labels.json", "metrics.jsonl", "metrics.json", "checkpoints"),
        *("data.json", "tensorboard", "model.keras", "saved_model"),
        *(f"{name}.png" for name in PICTURES),
    }
    rows = small_runs.rows(finished)
    fields = ("accuracy", "calibration_error", "elbo_labelled_nats", "elbo_unlabelled_nats")
    assert {f"validation/{name}" for name in fields} <= rows[-1].keys()
    assert rows[-1]["validation/accuracy"] > max(0.2, rows[0]["validation/accuracy"])
    result = small_runs.result(finished)
    assert result["labels"] == 40
    best = max(rows, key=lambda row: row["validation/accuracy"])
    assert result["best_epoch"] == best["epoch"]
    assert result["validation/accuracy"] == best["validation/accuracy"]
    for name in PICTURES:
        image = tf.io.decode_png((finished / f"{name}.png").read_bytes()).numpy()
        assert image[..., :3].std() > 5, name


def test_the_choice_of_labels_is_kept_with_the_run(finished):
    kept = json.loads((finished / "labels.json").read_text())
    train = datasets.get("digits", "train", max_examples=300)
    np.testing.assert_array_equal(train.labels[kept["index"]], kept["label"])
    np.testing.assert_array_equal(np.bincount(kept["label"]), [4] * 10)


def test_the_log_of_tensorboard(finished):
    events = event_accumulator.EventAccumulator(str(finished / "tensorboard/validation"))
    events.Reload()
    tags = set(events.Tags()["tensors"])
    assert {
        "classification/accuracy",
        "classification/calibration_error",
        "confusion",
        "class_grid",
        "analogies",
    } <= tags
    for tag in ("confusion", "class_grid", "analogies"):
        assert events.SummaryMetadata(tag).summary_description, tag


def test_metrics_and_saved_model_agree_with_the_model(finished):
    model = keras.saving.load_model(finished / "model.keras", compile=False)
    test = datasets.get("digits", "test", binarization="dynamic", max_examples=300)
    probs, labels = classification.read(model.classify, test)
    result = small_runs.result(finished)
    assert (probs.argmax(-1) == labels).mean() == pytest.approx(result["test/accuracy"])
    served = tf.saved_model.load(str(finished / "saved_model"))
    images = next(iter(test.batches(7)))["image"]
    answer = served.signatures["classify"](image=images)["probs"]
    np.testing.assert_allclose(answer, probs[:7], rtol=1e-4, atol=1e-6)
    assert set(served.signatures) == {
        *("classify", "encode", "generate", "log_likelihood", "serving_default")
    }
    assert export.load_manifest(finished / "saved_model").num_classes == 10


def test_evaluation_again_gives_the_same_numbers(finished, tmp_path):
    config = evaluate.Config(run=str(finished), bound_samples=10, output=str(tmp_path / "again"))
    found, result = evaluate.run(config), small_runs.result(finished)
    for name in ("accuracy", "calibration_error", "bound_nats", "elbo_unlabelled_nats"):
        assert found[name] == pytest.approx(result[f"test/{name}"], rel=1e-5)


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_numbers(finished, tmp_path, monkeypatch):
    append = run_directory.RunDirectory.append_history

    def append_and_die(self, row):
        append(self, row)
        if row["epoch"] == 2:  # Epoch 2 is in the history, and in no checkpoint.
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(run_directory.RunDirectory, "append_history", append_and_die)
        with pytest.raises(Killed):
            semi_supervised.run(small.config(tmp_path / "run", pictures_every=0))
    monkeypatch.setattr(results, "write_model", lambda *_: None)  # It changes no number.
    semi_supervised.run(small.config(tmp_path / "run", pictures_every=0))
    small_runs.assert_same_run(tmp_path / "run", finished)


REFUSED = {
    "too many": (
        {"labels_per_class": 40},
        "Each of the 10 classes needs 40 label.s..*ask for fewer.*class 0 with [23]",
    ),
    "estimator": ({"estimator": "enumerate"}, "Did you mean 'enumeration'"),
    "bernoulli": ({"estimator": "arm"}, "supports bernoulli latents only"),
    "branching": ({"branching": (2, 5)}, "Only trees and paths have a branching. Set latents=tree"),
    "tree": ({"latents": "tree", "branching": (3, 5)}, "branching"),
    "order": ({"class_order": "learned"}, "Set --latents=tree, or leave --class_order out"),
    "batch": ({"batch_size": 301}, "A batch must fit into the training data"),
    "rate": ({"classifier_dropout": 1.0}, "classifier_dropout must be at most 0.99"),
    "views": (
        {"augment_shift": 0, "classifier_dropout": 0.0, "input_noise": 0.0},
        "An image and its view must differ",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything_is_written(case, tmp_path):
    changes, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        semi_supervised.run(small.config(tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_classes_may_be_paths_through_a_tree(tmp_path):
    flags = {"latents": "tree", "branching": (2, 5), "pictures_every": 0, "epochs": 1}
    semi_supervised.run(small.config(tmp_path / "run", **flags))
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    assert model.class_spec.latents == "tree:2,5"
    assert model.classify(np.zeros([3, 8, 8, 1], np.float32)).shape == [3, 10]
    assert 0 <= small_runs.result(tmp_path / "run")["test/accuracy"] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("class_order", ["clustered", "learned"])
def test_a_killed_run_has_the_same_order_of_classes(class_order, tmp_path, monkeypatch):
    flags = {
        "latents": "tree",
        "branching": (2, 5),
        "pictures_every": 0,
        "class_order": class_order,
    }
    monkeypatch.setattr(results, "write_model", lambda *_: None)
    semi_supervised.run(small.config(tmp_path / "whole", **flags))
    append = run_directory.RunDirectory.append_history

    def append_and_die(self, row):
        append(self, row)
        if row["epoch"] == 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(run_directory.RunDirectory, "append_history", append_and_die)
        with pytest.raises(Killed):
            semi_supervised.run(small.config(tmp_path / "killed", **flags))
    semi_supervised.run(small.config(tmp_path / "killed", **flags))
    small_runs.assert_same_run(tmp_path / "killed", tmp_path / "whole")


def test_workers_have_the_given_order_alone():
    flags = {"class_order": "clustered", "latents": "tree", "distribute": "multi_worker"}
    with pytest.raises(ValueError, match="Leave --class_order or --distribute out"):
        class_orders.check(semi_supervised.Config(**flags))


def test_an_average_of_a_learned_prior_has_no_learned_order():
    flags = {"latents": "tree", "prior": "learned", "weight_average": 0.9}
    with pytest.raises(ValueError, match="cannot follow an order.*weight_average=0.9"):
        class_orders.check(semi_supervised.Config(class_order="learned", **flags))
    class_orders.check(semi_supervised.Config(class_order="clustered", **flags))


@pytest.mark.slow
def test_the_files_of_a_run_have_its_order_of_classes(tmp_path):
    flags = {
        "latents": "tree",
        "branching": (2, 5),
        "pictures_every": 0,
        "class_order": "clustered",
    }
    semi_supervised.run(small.config(tmp_path / "run", epochs=1, **flags))
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    order = model.class_order.array()
    assert (order != np.arange(10)).any()
    images = np.float32(datasets.get("digits", "test", max_examples=20).images / 255)
    served = tf.saved_model.load(str(tmp_path / "run" / "saved_model"))
    probs = served.signatures["classify"](image=images)["probs"]
    np.testing.assert_allclose(probs, model.classify(images), rtol=1e-4, atol=1e-6)
    leaves = model.posterior(images).code_probs[:, 0].numpy()
    np.testing.assert_allclose(probs.numpy()[:, order], leaves, rtol=1e-4, atol=1e-6)


def test_flags_are_explained_and_named_as_the_arguments_of_the_model():
    fields = {field.name: field for field in dataclasses.fields(semi_supervised.Config)}
    for name, field in fields.items():
        assert field.metadata["help"].rstrip().endswith("."), name
    arguments = set(inspect.signature(SemiSupervisedVAE).parameters)
    # Shape and classes come from the data, the networks of features from --features; the regularization
    # has flags of its own.
    assert arguments - fields.keys() == {
        *("data_shape", "num_classes", "feature_extractor", "feature_decoder", "kwargs"),
        "regularization",
    }
    changes = {
        "classifier_dropout": 0.3,
        "input_noise": 0.5,
        "augment_shift": 2,
        "augment_rotation": 15.0,
        "augment_zoom": 0.2,
        "consistency": 0.7,
        "balance": 0.6,
    }
    assert semi_supervised.make_regularization(semi_supervised.Config(**changes)) == Regularization(
        dropout=0.3,
        augmentation=Augmentation(shift=2, rotation=15.0, zoom=0.2, noise_stddev=0.5),
        consistency=0.7,
        balance=0.6,
    )
    check(semi_supervised.Config())
    inherited = semi_supervised.Config().temperature_final
    assert inherited == categorical_vae.Config().temperature_final
    with pytest.raises(ValueError, match="temperature_final must be positive"):
        check(semi_supervised.Config(temperature_final=0.0))


def test_its_files_load_in_a_new_process_that_imports_the_package_alone(finished, tmp_path):
    assert small_runs.loaded_afresh(finished, tmp_path) == {
        "model.keras",
        "saved_model",
        "checkpoints/best",
        "checkpoints/last",
    }
