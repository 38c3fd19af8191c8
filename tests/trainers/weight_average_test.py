"""Runs that evaluate an average of their weights: what is averaged, tested, kept and continued."""

from __future__ import annotations

import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainers import small_runs
from tf_discrete.models import CategoricalVAE
from trainers.common import run, weight_average
from trainers.comparison import compare_estimators
from trainers.flags import evaluate as flags
from trainers.saved_runs import evaluate
from trainers.tasks import categorical_vae

SETTINGS = {"max_examples": 60, "epochs": 2, "weight_average": 0.5, "pictures_every": 0}


def small_model() -> CategoricalVAE:
    model = CategoricalVAE((2, 2, 1), num_variables=1, num_categories=2, hidden_units=())
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), run_eagerly=True)
    model.optimizer.build(model.trainable_variables)
    return model


def test_the_average_is_that_of_the_steps_and_goes_back():
    model, x = small_model(), tf.ones([3, 2, 2, 1])
    expected = None
    for _ in range(3):
        model.train_on_batch(x)
        weights = [v.numpy() for v in model.trainable_variables]
        expected = (
            weights
            if expected is None
            else [0.5 * old + 0.5 * new for old, new in zip(expected, weights, strict=True)]
        )
    average = weight_average.WeightAverage(model)
    with average.used():
        for variable, value in zip(model.trainable_variables, expected, strict=True):
            np.testing.assert_allclose(variable, value, rtol=1e-5, atol=1e-7)
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.slow
def test_a_run_evaluates_keeps_and_continues_with_the_average(tmp_path: pathlib.Path):
    seen = {}

    def finish(model, config, directory, splits):
        seen["average"] = [v.numpy() for v in model.trainable_variables]
        return run.evaluate_split(model, splits["test"], config.bound_samples)

    for name, epochs in (("whole", (2,)), ("parts", (1, 2))):
        for number in epochs:
            settings = small_runs.config(tmp_path / name, **{**SETTINGS, "epochs": number})
            result = run.train(categorical_vae.TASK, settings, finish)
        rows = small_runs.rows(tmp_path / name)
        assert len(rows) == 2
        seen[name] = (result, rows, seen["average"])
    whole, parts = seen["whole"], seen["parts"]
    assert whole[1] == parts[1]
    for one, other in zip(whole[2], parts[2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole[0]["bound_nats"] != whole[0]["plain_test/bound_nats"]
    # The validation of the best epoch saw the average that was kept.
    best = max(rows, key=lambda row: row["validation/hard_elbo_nats"])
    assert best["epoch"] == whole[0]["best_epoch"]


@pytest.mark.slow
def test_the_files_hold_the_average(tmp_path: pathlib.Path):
    categorical_vae.run(small_runs.config(tmp_path, **SETTINGS))
    result = json.loads((tmp_path / "metrics.json").read_text())
    model = keras.saving.load_model(tmp_path / "model.keras")
    settings = small_runs.config(tmp_path, **SETTINGS)
    splits = categorical_vae.TASK.divide(
        settings, run.data.load_splits(settings, categorical_vae.TASK.load_split)
    )
    found = run.evaluate_split(model, splits["test"], settings.bound_samples)
    assert found["hard_elbo_nats"] == pytest.approx(result["test/hard_elbo_nats"], rel=1e-5)
    assert found["hard_elbo_nats"] != pytest.approx(result["plain_test/hard_elbo_nats"], rel=1e-5)
    evaluated = evaluate.run(flags.Config(run=str(tmp_path), bound_samples=settings.bound_samples))
    for name in ("hard_elbo_nats", "bound_nats"):
        assert evaluated[name] == result[f"test/{name}"]


@pytest.mark.slow
def test_the_gradients_of_a_run_with_an_average_are_reported(tmp_path: pathlib.Path):
    settings = small_runs.config(tmp_path, **{**SETTINGS, "epochs": 1})
    run.train(categorical_vae.TASK, settings, lambda *_: {})
    few = {"gradient_draws": 2, "gradient_examples": 4, "gradient_evaluations": 2}
    asked = compare_estimators.Config(
        gradient_report=str(tmp_path), checkpoint="last", estimators=("reinmax",), **few
    )
    report = compare_estimators.run(asked)
    assert report["epoch"] == 1 and "reinmax" in report["estimators"]
