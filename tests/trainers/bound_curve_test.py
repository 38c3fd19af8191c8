"""The bound against its number of samples."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import numpy as np
import pytest
from scipy import special

from tf_discrete import datasets, evaluation, seeds
from tf_discrete.models import CategoricalVAE
from trainers.saved_runs import bound_curve, evaluate


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


@pytest.mark.parametrize("numbers", [(0, 10), (3, 10)])
def test_numbers_of_samples_divide_the_largest(tmp_path: pathlib.Path, numbers: tuple[int, ...]):
    with pytest.raises(ValueError, match="each a divisor of the largest. Received: bound_curve="):
        bound_curve.write(None, None, numbers, 5, tmp_path)


@pytest.mark.slow
def test_an_evaluation_writes_the_curve_if_asked(copied):
    """The bounds of the run, of as many examples as are asked for, and none by default."""
    folder = copied()
    settings = evaluate.Config(run=str(folder), bound_samples=2)
    evaluate.run(settings)
    assert not list(folder.glob("bound_curve*"))
    more = dataclasses.replace(settings, bound_curve=(1, 20), bound_curve_examples=30)
    evaluate.run(more)
    result = json.loads((folder / "bound_curve-test.json").read_text())
    assert result["num_examples"] == 30 and result["split"] == "test"
    one, many = result["bounds"]
    assert (one["num_samples"], many["num_samples"]) == (1, 20)
    assert one["bound_nats"] < many["bound_nats"] < 0 < many["standard_error_nats"]
    assert (folder / "bound_curve-test.png").stat().st_size > 1000


def test_the_curve_of_one_image_has_no_standard_error(tmp_path: pathlib.Path):
    split = datasets.get("digits", "test", binarization="threshold")
    model = CategoricalVAE(split.image_shape, num_variables=2, num_categories=2, hidden_units=())
    bound_curve.write(model, split, (1, 2), 1, tmp_path)
    text = (tmp_path / "bound_curve-test.json").read_text()
    bounds = json.loads(text)["bounds"]
    json.dumps(bounds, allow_nan=False)
    assert [set(one) for one in bounds] == [{"num_samples", "bound_nats"}] * 2
