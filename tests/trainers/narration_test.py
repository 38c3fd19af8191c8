"""What a run says: its data, its model, each phase of its end, and its notices."""

from __future__ import annotations

import importlib.util
import shlex
import time

import numpy as np
import pytest
import tensorflow as tf

from tests.trainers import small_runs
from tf_discrete import datasets, likelihoods, models
from trainers.common import (
    data,
    likelihood_words,
    narration,
    notices,
    references,
    results,
    run,
    standard_errors,
)
from trainers.flags import semi_supervised
from trainers.tasks import categorical_vae


@pytest.fixture(scope="module")
def splits():
    return {name: datasets.get("digits", name) for name in ("train", "validation", "test")}


def test_a_run_says_what_was_read_and_what_is_trained(splits, capsys):
    model = categorical_vae.build_model(small_runs.config("unused"), splits["train"], 10)
    narration.say_start(
        "digits", splits, model, epochs=3, steps=10, monitored="validation/hard_elbo_nats"
    )
    printed = capsys.readouterr().out
    assert (
        "144 validation (from train) and 359 test (from train) images of 8 x 8 x 1; 10 classes"
        in printed
    )
    assert "CategoricalVAE, 4 variables of 3 categories, gumbel_softmax, " in printed
    count = sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)
    assert f"{count:,} parameters" in printed
    assert (
        "3 epochs of 10 steps; the best epoch has the highest validation/hard_elbo_nats" in printed
    )


def test_a_tree_is_named_by_its_categories(splits):
    flags = {"latents": "tree", "num_variables": 1, "num_categories": 1000, "branching": (10, 100)}
    settings = small_runs.config("unused", **flags)
    model = categorical_vae.build_model(settings, splits["train"], 10)
    assert ", 1 variable of 1,000 categories in 2 digits, " in narration.model_words(model)


def test_a_single_thing_is_not_plural(splits, capsys):
    model = categorical_vae.build_model(
        small_runs.config("unused", num_variables=(1,)), splits["train"], 1
    )
    narration.say_start("digits", splits, model, epochs=1, steps=1, monitored="validation/loss")
    printed = capsys.readouterr().out
    assert "1 variable of 3 categories" in printed and "1 epoch of 1 step; the best" in printed
    rows = results.table_rows({"bound_nats": -90.0, "bound_samples": 1})
    assert rows == [("bound_nats", "-90", "1 sample")]


def test_terms_have_the_errors_of_their_own_samples(splits):
    model = categorical_vae.build_model(small_runs.config("unused"), splits["train"], 10)
    model.compile()
    test = splits["test"]
    result = run.evaluate_split(model, test, 1)
    terms = []
    for number, batch in enumerate(test.batches(100)):
        x, number = batch["image"], tf.constant(number, tf.int64)
        trained = model.objective(x, model.step_seed(number, "evaluate"), training=False)
        hard = model.hard_terms(x, model.step_seed(number, "evaluate_hard"))
        terms.append({"loss": trained.loss, **trained.terms, **hard})
    for name in ("loss", "elbo_nats", "kl_nats", "reconstruction_nats", "hard_elbo_nats"):
        values = np.concatenate([batch[name] for batch in terms])
        assert result[name] == pytest.approx(values.mean(), rel=1e-5)
        error = values.std(ddof=1) / len(values) ** 0.5
        assert result[standard_errors.error_name(name)] == pytest.approx(error, rel=1e-4)


def test_a_term_of_some_examples_has_the_error_over_these():
    model = models.SemiSupervisedVAE((4, 4, 1), num_classes=3, style_size=2, hidden_units=(4,))
    images = np.random.default_rng(0).uniform(size=[6, 4, 4, 1]).astype(np.float32)
    labels = np.array([0, 2, -1, 1, -1, -1])
    batches = [{"image": images[part], "label": labels[part]} for part in (slice(4), slice(4, 6))]
    errors = standard_errors.term_errors(model, batches)
    first = model.evaluation_terms(batches[0], tf.constant(0, tf.int64))["elbo_labelled_nats"]
    values = np.asarray(first.values)[[0, 1, 3]]
    expected = values.std(ddof=1) / 3**0.5
    assert errors["elbo_labelled_standard_error_nats"] == pytest.approx(expected, rel=1e-5)
    assert standard_errors.term_errors(model, [{"image": images[:1], "label": labels[:1]}]) == {}


@pytest.mark.parametrize(
    "name,binarization,bound_of",
    [
        ("gaussian", "none", "log density"),
        ("bernoulli", "none", "negative cross-entropy of grey pixels"),
        ("bernoulli", "threshold", "log probability"),
        ("categorical_intensity", "none", "log probability"),
    ],
)
def test_a_bound_is_named_for_what_it_is(name, binarization, bound_of):
    split = datasets.get("digits", "test", binarization=binarization)
    likelihood = likelihoods.get(name)
    assert likelihood_words.bound_of(split, likelihood) == bound_of
    assert ("may be positive" in likelihood_words.pixels(split, likelihood)) == (name == "gaussian")


def test_a_likelihood_of_features_is_not_one_of_pixels():
    split, likelihood = datasets.get("digits", "test"), likelihoods.get("bernoulli")
    assert (
        likelihood_words.bound_of(split, likelihood, features=True) == "of features of the images"
    )
    words = likelihood_words.pixels(split, likelihood, features=True)
    assert "features of the images, not of the pixels" in words and "--binarization" not in words


def test_a_likelihood_that_says_nothing_of_its_numbers_gets_no_name():
    split = datasets.get("digits", "test")
    assert likelihood_words.bound_of(split, likelihoods.Likelihood()) == ""
    assert likelihood_words.bound_of(split, None) == ""


@pytest.mark.parametrize("name", likelihoods.names())
def test_the_likelihoods_of_the_package_say_whether_they_are_densities(name):
    assert likelihoods.get(name).density in (True, False) or name == "cosine_similarity"


def test_classes_are_named(splits):
    names = tuple("abcdefghij")
    named = datasets.Split("mine", "test", splits["test"].images, splits["test"].labels, 10)
    assert data.class_names_of(named, np.array([3, -1])) == ["3", ""]
    named = datasets.Split("mine", "test", named.images, named.labels, 10, class_names=names)
    assert data.class_names_of(named, np.array([3, -1])) == ["d", ""]
    assert data.class_names_of(named, None) is None
    assert "10 classes: 0 a, 1 b," in narration.data_words("mine", {**splits, "train": named})


def test_a_long_phase_says_how_far_it_is(capsys, monkeypatch):
    clock = iter([0.0, 10.0, 40.0, 50.0])
    monkeypatch.setattr(narration.time, "monotonic", lambda: next(clock))
    with narration.phase("Bound", 100) as advance:
        advance(10)
        advance(10)
    assert capsys.readouterr().out.splitlines() == [
        "Bound ...",
        "Bound: 20 of 100 images, 3 min left",
        "Bound: 50 s",
    ]


def test_a_phase_without_an_end_in_sight_says_that_it_goes_on(capsys, monkeypatch):
    monkeypatch.setattr(narration, "SECONDS", 0.001)
    with narration.phase("Terms"):
        told, deadline = "", time.monotonic() + 60
        while "so far" not in told and time.monotonic() < deadline:
            told += capsys.readouterr().out
    assert told.splitlines()[0] == "Terms ..." and "Terms: " in told and " so far" in told


def test_a_phase_that_fails_does_not_say_that_it_ended(capsys):
    with pytest.raises(OSError), narration.phase("Bound"):
        raise OSError
    assert capsys.readouterr().out == "Bound ...\n"


def _row(train: float, validation: float) -> dict[str, float]:
    return {"train/accuracy": train, "validation/accuracy": validation}


def test_memorised_labels_are_noticed_when_validation_stalls():
    stalled = [_row(0.5, 0.6), _row(1.0, 0.7), *[_row(1.0, 0.69)] * 10]
    assert "has been 1 for 11 epochs" in notices.memorised(stalled)
    assert notices.memorised(stalled[:-1]) == ""  # Not for long enough.
    assert notices.memorised([*stalled, _row(1.0, 0.71)]) == ""  # It rises.
    assert notices.memorised([*stalled, _row(0.9, 0.69)]) == ""  # Train is not 1.
    assert notices.memorised([_row(1.0, 1.0)] * 20) == ""  # All is well.
    assert notices.memorised([{"train/accuracy": 1.0}] * 20) == ""  # No labels.


def test_a_memorised_run_is_told_once(capsys):
    log = notices.NoticeLog([_row(1.0, 0.7)] * 10)
    for epoch in range(3):
        log.on_epoch_end(epoch, {"accuracy": 1.0, "val_accuracy": 0.7})
    assert capsys.readouterr().out.count("Notice: ") == 1


@pytest.mark.parametrize(
    "changes,said",
    [
        ({}, None),
        ({"bound_nats": 3.0}, "The bound of 3 nats cannot be one: a Bernoulli"),
        ({"elbo_nats": -80.0}, "is no bound of the discrete model"),
        ({"hard_elbo_nats": -80.0}, "more samples cannot lower a bound"),
        ({"hard_elbo_nats": -89.0}, None),  # Within the error.
        ({"reconstruction_mse": 0.2, "mean_image_mse": 0.1}, "The mean training image is nearer"),
        ({"reconstruction_mse": 0.1, "mean_image_mse": 0.2}, None),
    ],
)
def test_numbers_that_cannot_be_bounds_are_noticed(changes, said):
    result = {
        "bound_nats": -90.0,
        "bound_standard_error_nats": 0.5,
        "bound_samples": 100,
        "elbo_nats": -95.0,
        "hard_elbo_nats": -95.0,
    }
    found = notices.of_result({**result, **changes}, likelihoods.get("bernoulli"))
    assert len(found) == (said is not None)
    assert said is None or said in found[0]
    assert notices.of_result({}, None) == []


def test_a_positive_bound_of_a_density_is_no_mistake():
    result = {"bound_nats": 270.0, "bound_standard_error_nats": 1.0}
    assert notices.of_result(result, likelihoods.Gaussian(0.2)) == []


def test_a_classifier_that_a_linear_one_equals_is_noticed():
    result = {"test/accuracy": 0.686, "test/linear_accuracy": 0.69}
    config = semi_supervised.Config(augment_shift=1)
    (notice,) = notices.of_classifier(result, config)
    assert "is right for 69.0 % of the test images, this model for 68.6 %" in notice
    assert "--consistency=1" in notice and "--augment_shift" not in notice
    assert notices.of_classifier({**result, "test/accuracy": 0.8}, config) == []
    assert notices.of_classifier({"test/accuracy": 0.1}, config) == []


class _Mean:
    """Reconstructs every image as the mean image."""

    def __init__(self, mean):
        self.mean = mean

    def reconstruct(self, images):
        return tf.zeros_like(images) + tf.cast(self.mean, tf.float32)


def test_reconstructions_are_measured_against_the_mean_image(splits):
    mean = references.mean_image(splits["train"])
    np.testing.assert_allclose(mean, (splits["train"].images / 255).mean(axis=0))
    found = references.image_errors(_Mean(mean), splits["test"], splits["train"])
    assert found["reconstruction_mse"] == pytest.approx(found["mean_image_mse"], rel=1e-5)
    expected = np.square(splits["test"].images / 255 - mean).mean(axis=(1, 2, 3))
    assert found["reconstruction_mse"] == pytest.approx(expected.mean(), rel=1e-5)
    error = expected.std(ddof=1) / len(expected) ** 0.5
    assert found["reconstruction_mse_standard_error"] == pytest.approx(error, rel=1e-4)


def test_the_linear_classifier_reads_the_same_labels(splits):
    few = datasets.get("digits", "train", max_examples=100)
    found = references.linear_accuracy(few, splits["test"])
    assert 0.8 < found["test/linear_accuracy"] < 1  # 100 labels of the digits.
    unlabelled = datasets.Split("mine", "test", splits["test"].images, None, None)
    assert references.linear_accuracy(few, unlabelled) == {}
    assert references.linear_accuracy(unlabelled, splits["test"]) == {}


def test_results_stand_next_to_their_references(capsys):
    results.print_table(
        "Title",
        {
            "test/bound_nats": -90.0,
            "test/bound_standard_error_nats": 0.51,
            "test/bound_samples": 100,
            "test/bound_of": "log probability",
            "test/reconstruction_accuracy": 0.25,
            "test/reconstruction_accuracy_standard_error": 0.01,
            "test/original_accuracy": 0.98,
            "test/original_accuracy_standard_error": 0.003,
        },
    )
    assert capsys.readouterr().out.splitlines()[2:] == [
        "  test/bound_nats               -90 +- 0.51  (100 samples, log probability)",
        "  test/reconstruction_accuracy  0.25 +- 0.01  (on the originals: 0.98 +- 0.003)",
    ]


def test_printed_commands_can_be_pasted_in_any_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    results.print_result(small_runs.config("my runs/a"), {"test/accuracy": 0.5})
    commands = [shlex.split(line) for line in capsys.readouterr().out.splitlines()[-3:]]
    runs = [word.partition("=")[2] for command in commands for word in command if "my runs" in word]
    assert runs == [str(tmp_path / "my runs" / "a")] * 3


def test_commands_name_the_installed_package(monkeypatch):
    spec = importlib.util.find_spec("trainers")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    assert "tf_discrete_trainers.evaluate" in results.program_command("evaluate")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert " trainers.evaluate" in results.program_command("evaluate")
