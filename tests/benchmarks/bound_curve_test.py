"""The bound against its number of samples."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
from scipy import special

from benchmarks import bound_curve, record
from tf_discrete import datasets, evaluation, seeds
from tf_discrete.models import CategoricalVAE
from tools import kept_runs


def test_bounds_are_means_over_disjoint_groups():
    log_weights = np.random.default_rng(0).normal(-100.0, 5.0, [12, 3]).astype(np.float32)
    wide = log_weights.astype(np.float64)
    np.testing.assert_allclose(bound_curve.bounds(log_weights, 1), wide.mean(axis=0), rtol=1e-12)
    whole = special.logsumexp(wide, axis=0) - np.log(12)
    np.testing.assert_allclose(bound_curve.bounds(log_weights, 12), whole, rtol=1e-12)
    halves = [special.logsumexp(wide[rows], axis=0) - np.log(6) for rows in (np.s_[:6], np.s_[6:])]
    np.testing.assert_allclose(bound_curve.bounds(log_weights, 6), np.mean(halves, 0), rtol=1e-12)


def test_more_samples_tighten_the_bound_to_that_of_the_evaluation():
    split = datasets.get("digits", "test", binarization="threshold")
    model = CategoricalVAE(split.image_shape, num_variables=3, num_categories=4, hidden_units=())
    few = next(iter(split.batches(20)))
    found = bound_curve.score(model, [few], (1, 10, 200))
    means = [found[m].mean() for m in (1, 10, 200)]
    assert means == sorted(means)
    seed = seeds.base(1)
    other = evaluation.importance_weighted_bound(model.log_weights, few["image"], 200, seed)
    assert means[-1] == pytest.approx(float(np.mean(other)), abs=0.1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "--run must name a finished run. Received: run=''"),
        ({"run": "nowhere"}, "Received: run='nowhere'"),
    ],
)
def test_only_finished_runs_are_scored(changes: dict[str, str], message: str):
    with pytest.raises(ValueError, match=message):
        bound_curve.run(bound_curve.Config(**changes))


@pytest.mark.parametrize("numbers", [(), (0, 10), (3, 10)])
def test_numbers_of_samples_divide_the_largest(tmp_path: pathlib.Path, numbers: tuple[int, ...]):
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(ValueError, match="each a divisor of the largest. Received: num_samples="):
        bound_curve.run(bound_curve.Config(run=str(tmp_path), num_samples=numbers))


def test_a_result_becomes_a_row_and_a_picture(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    monkeypatch.setattr(record, "IMAGES", tmp_path / "images")
    monkeypatch.setattr(kept_runs, "RESULTS", tmp_path)
    rows = [
        {"num_samples": m, "bound_nats": -100.0 + m, "standard_error_nats": 0.5} for m in (1, 10)
    ]
    result = {"name": "tiny", "estimator": "reinmax", "num_examples": 7, "bounds": rows}
    assert bound_curve.keep(result) == tmp_path / "bound_curve/tiny.json"
    assert (tmp_path / "images/bound_curve-tiny.png").exists()
    table = kept_runs.bound_curve()
    assert "| tiny | `reinmax` | 7 | -99.00 +- 0.50 | -90.00 +- 0.50 |" in table
