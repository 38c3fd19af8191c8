"""The data of the semi-supervised trainer: batches, labels that are missing or bad, features of a run."""

from __future__ import annotations

import functools
import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from tests.golden import semi_supervised as small
from tests.trainers import small_runs
from tf_discrete import datasets, evaluation
from tf_discrete.datasets import labels as few_labels
from tf_discrete.models import CategoricalVAE
from tf_discrete.models import semi_supervised as semi_supervised_model
from trainers.common import classification
from trainers.tasks import categorical_vae, semi_supervised


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
    monkeypatch.setattr(evaluation.image_classifiers, "train_classifier", short)
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
