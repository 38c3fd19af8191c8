"""The semi-supervised trainer: what a run leaves, its golden numbers, kill and resume, bad input."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing import event_accumulator

from tests import shared
from tests.golden import categorical_vae as golden
from tests.golden import semi_supervised as small
from tests.trainers import small_runs
from tf_discrete import datasets, evaluation, export
from tf_discrete.datasets import labels as few_labels
from tf_discrete.models import Augmentation, CategoricalVAE, Regularization, SemiSupervisedVAE
from tf_discrete.models import semi_supervised as semi_supervised_model
from trainers.common import classification, results, run_directory
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
    assert {"accuracy", "calibration_error", "confusion", "class_grid", "analogies"} <= tags


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


def test_batches_of_a_run_that_goes_on():
    config = small.config("unused", labelled_batch_size=16)
    splits = semi_supervised.load_splits(config)
    steps = splits["train"].steps_per_epoch(30, drop_remainder=True)
    whole = list(semi_supervised.batches(config, splits, 0).stream().take(3 * steps))
    rest = list(semi_supervised.batches(config, splits, 2).stream().take(steps))
    for one, other in zip(whole[2 * steps :], rest, strict=True):
        for name in ("labelled_image", "labelled_label", "image"):
            np.testing.assert_array_equal(one[name], other[name])
    assert whole[0]["labelled_image"].shape == (16, 8, 8, 1)
    assert all((batch["labelled_label"] >= 0).numpy().all() for batch in whole)


def make_npz(path: pathlib.Path, labels: np.ndarray, test_labels: np.ndarray) -> str:
    images = np.zeros([len(labels), 6, 6], np.uint8)
    images[:, 2:4] = 40 * labels[:, None, None] % 256
    np.savez(
        path,
        image_train=images,
        label_train=labels,
        image_test=images[: len(test_labels)],
        label_test=test_labels,
    )
    return str(path)


def test_own_data_with_some_labels_missing(tmp_path):
    """A folder with an `unlabelled` subfolder; validation and test have unlabelled images too."""
    random = np.random.RandomState(0)
    for name, count in (("cat", 15), ("dog", 15), ("unlabelled", 60)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(count):
            pixels = random.randint(0, 120, [6, 6]) + 100 * (name == "cat" or i % 2)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"data/{name}/{i}.png")
    config = small.config(
        tmp_path / "run",
        dataset=str(tmp_path / "data"),
        binarization="none",
        labels_per_class=0,
        max_examples=0,
        batch_size=20,
    )
    splits = semi_supervised.load_splits(config)
    assert (splits["test"].labels < 0).any() and (splits["labelled"].labels >= 0).all()
    assert len(splits["train"]) > len(splits["labelled"]) > 10
    model = semi_supervised.build_model(config, splits["train"], 3)
    model.compile("adam", run_eagerly=True)
    batch = next(iter(semi_supervised.batches(config, splits, 0).stream()))
    assert np.isfinite(list(model.train_on_batch(batch, return_dict=True).values())).all()
    probs, labels = classification.read(model.classify, splits["test"])
    assert probs.shape == (len(labels), 2) and len(labels) < len(splits["test"])
    validation = splits["validation"].batches(4)
    assert np.isfinite(list(model.evaluate(validation, verbose=0, return_dict=True).values())).all()


@pytest.mark.slow
def test_a_run_on_colours_whose_labels_are_those_of_training_alone(tmp_path):
    """What is a mean over labelled rows is left out where none has a label."""
    random = np.random.RandomState(0)
    labels = np.arange(60) % 3
    labels[20:] = -1
    images = random.randint(0, 255, [100, 6, 6, 3]).astype(np.uint8)
    splits = {"train": (images[:60], labels)}
    splits |= {"validation": (images[60:80], None), "test": (images[80:], np.full(20, -1))}
    arrays = {f"image_{name}": images for name, (images, _) in splits.items()}
    arrays |= {f"label_{name}": label for name, (_, label) in splits.items() if label is not None}
    np.savez(tmp_path / "data.npz", **arrays)
    options = {"binarization": "none", "labels_per_class": 0, "max_examples": 0, "epochs": 1}
    config = small.config(
        tmp_path / "run", dataset=str(tmp_path / "data.npz"), batch_size=20, **options
    )
    result = semi_supervised.run(config)
    row = small_runs.rows(tmp_path / "run")[-1]
    for name in semi_supervised_model.LABELLED_TERMS:
        assert f"validation/{name}" not in row and f"test/{name}" not in result
        assert f"train/{name}" in row
    assert np.isfinite([row["validation/hard_elbo_nats"], result["test/bound_nats"]]).all()
    assert result["labels"] == 20
    assert Image.open(tmp_path / "run/analogies.png").mode in ("RGB", "RGBA")
    assert (tmp_path / "run/saved_model").is_dir()


REFUSED = {
    "too many": (
        {"labels_per_class": 40},
        "Each of the 10 classes needs 40 label.s..*ask for fewer.*class 0 with [23]",
    ),
    "estimator": ({"estimator": "enumerate"}, "Did you mean 'enumeration'"),
    "bernoulli": ({"estimator": "arm"}, "supports bernoulli latents only"),
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


LABELS = np.arange(60) % 3
BAD_LABELS = {
    "none": (np.full(60, -1), LABELS, "some labels.*Received: labels=-1 of all 5. images"),
    "a class without": (np.where(LABELS == 1, -1, LABELS), LABELS, "class 1 with 0"),
    "range": (LABELS[:60] % 2, LABELS * 9, "classes needs 1 label"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_bad_labels_are_refused_before_training(case, tmp_path):
    labels, test_labels, message = BAD_LABELS[case]
    data = make_npz(tmp_path / "data.npz", labels, test_labels[:10])
    config = small.config(
        tmp_path / "run", dataset=data, labels_per_class=0, max_examples=0, batch_size=20
    )
    with pytest.raises(ValueError, match=message):
        semi_supervised.run(config)
    assert not (tmp_path / "run").exists()


def test_accuracy_cannot_choose_the_epoch_without_validation_labels(tmp_path):
    images = np.zeros([40, 6, 6], np.uint8)
    np.savez(
        tmp_path / "data.npz",
        image_train=images,
        label_train=np.arange(40) % 2,
        image_validation=images[:5],
        label_validation=np.full(5, -1),
    )
    config = small.config(
        tmp_path / "run", dataset=str(tmp_path / "data.npz"), labels_per_class=0, monitor="accuracy"
    )
    with pytest.raises(ValueError, match="without labels in the validation.*monitor='accuracy'"):
        semi_supervised.load_splits(config)
    auto = small.config("unused", dataset=str(tmp_path / "data.npz"), labels_per_class=0)
    splits = semi_supervised.load_splits(auto)
    assert semi_supervised.monitored(auto, splits) == "validation/hard_elbo_nats"
    assert classification.metrics(np.zeros([0, 2]), np.zeros([0], int)) == {}


def test_all_rows_labelled():
    config = small.config("unused", labels_per_class=0, max_examples=60)
    splits = semi_supervised.load_splits(config)
    assert len(splits["labelled"]) == len(splits["train"]) == 60
    assert (splits["train"].labels == -1).all()


def test_features_of_a_run(tmp_path):
    config = small.config(
        "unused", features=str(tmp_path / "run"), augment_shift=0, max_examples=60
    )
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.json").write_text(json.dumps({"dtype_policy": "float32"}))
    m1 = CategoricalVAE((8, 8, 1), num_variables=2, num_categories=3, hidden_units=(5,))
    m1.save(tmp_path / "run/model.keras")
    split = datasets.get("digits", "test", max_examples=20)
    model = semi_supervised.build_model(config, split, 1)
    images = next(iter(split.batches(5)))["image"]
    assert model.feature_shape == (6,) and model.transfer(images).shape == (5, 10, 8, 8, 1)
    other = datasets.get("digits", "test", max_examples=20, image_size=(6, 6))
    with pytest.raises(ValueError, match="on images of the same shape. Received: features="):
        semi_supervised.build_model(config, other, 1)


@pytest.mark.slow
def test_features_are_learned_from_partly_labelled_data(tmp_path, monkeypatch):
    """M1 of a user's images, of which few have a label; its judge learns from those."""
    short = functools.partial(evaluation.train_classifier, num_steps=40)
    monkeypatch.setattr(evaluation.classification, "train_classifier", short)
    train = datasets.get("digits", "train", max_examples=120)
    labels = np.full(120, -1)
    known = few_labels.choose(train.labels, 10, per_class=4)
    labels[known] = train.labels[known]
    test = datasets.get("digits", "test", max_examples=40)
    np.savez(
        tmp_path / "data.npz",
        image_train=train.images,
        label_train=labels,
        image_test=test.images,
        label_test=np.where(np.arange(40) % 3, test.labels, -1),
    )
    options = {"dataset": str(tmp_path / "data.npz"), "max_examples": 0, "pictures_every": 0}
    first = small_runs.config(
        tmp_path / "m1", **options, epochs=1, classify_reconstructions=True, early_stopping=0
    )
    result = categorical_vae.run(first)
    assert 0 <= result["test/reconstruction_accuracy"] <= 1
    second = small.config(
        tmp_path / "m2",
        **options,
        features=str(tmp_path / "m1"),
        labels_per_class=1,
        augment_shift=0,
        epochs=1,
    )
    assert 0 <= semi_supervised.run(second)["test/accuracy"] <= 1


def test_features_that_are_no_run_are_refused_by_their_flag():
    config = small.config("unused", features="nowhere", augment_shift=0, max_examples=60)
    with pytest.raises(FileNotFoundError, match="features must be the folder.*features='nowhere'"):
        semi_supervised.build_model(config, datasets.get("digits", "test", max_examples=20), 1)


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
