"""The prior in integers against the prior in floats, and its independence of the batch."""

import numpy as np
import pytest

from tests.codes.compression_test import make
from tf_discrete.codes import fixed_point


def walk(fixed, symbols, batch_size):
    """Frequencies of every chunk for known symbols, [B, chunks] of those that were chosen."""
    parts = []
    for start in range(0, len(symbols), batch_size):
        part = symbols[start : start + batch_size]
        state, before = fixed.start(len(part)), np.full(len(part), fixed._embedding.shape[0] - 1)
        rows = []
        for chunk in range(fixed.num_chunks):
            frequencies, state = fixed.step(chunk, before, state)
            assert (frequencies >= 1).all()
            assert (frequencies.sum(axis=1) == 2**24).all()
            before = part[:, chunk]
            rows.append(frequencies[np.arange(len(part)), before])
        parts.append(np.stack(rows, axis=1))
    return np.concatenate(parts)


@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_frequencies_are_the_probabilities_of_the_float_prior(scale):
    prior = make(scale=scale)
    drawn = prior.sample(300, seed=1)
    found = walk(fixed_point.FixedPointPrior(prior), prior.symbols(drawn).numpy(), 300)
    log_prob = np.log(found / 2.0**24).sum(axis=1)
    np.testing.assert_allclose(log_prob, prior.log_prob(drawn), atol=0.03)
    assert abs(np.mean(log_prob - prior.log_prob(drawn))) < 0.003


def test_frequencies_do_not_depend_on_the_batch():
    prior = make()
    fixed, symbols = fixed_point.FixedPointPrior(prior), prior.symbols(prior.sample(50)).numpy()
    whole = walk(fixed, symbols, 50)
    for batch_size in (1, 7, 49):
        np.testing.assert_array_equal(walk(fixed, symbols, batch_size), whole)


def test_sums_are_integers_that_do_not_depend_on_their_order():
    fixed = fixed_point.FixedPointPrior(make(scale=5.0))
    order = np.random.default_rng(0).permutation(fixed.units)
    output = np.random.default_rng(1).integers(-(2**14), 2**14, [20, fixed.units]).astype(float)
    for weights in (fixed._recurrent, fixed._head):
        exact = output.astype(np.int64) @ weights.astype(np.int64)
        np.testing.assert_array_equal(output @ weights, exact)
        np.testing.assert_array_equal(output[:, order] @ weights[order], exact)


def test_tables_are_the_functions():
    tables = fixed_point._tables()
    x = np.arange(2**14 + 1) / 2**10
    np.testing.assert_array_equal(tables.sigmoid, np.rint(2**14 / (1 + np.exp(-x))))
    np.testing.assert_array_equal(tables.tanh, np.rint(2**14 * np.tanh(x)))
    exps = np.exp(-np.arange(2**15) / 2**10) * 2**32
    assert abs(tables.exp[:-1] - exps).max() < 0.51
    values = np.array([-(10**9), -2048, 0, 2048, 10**9])
    assert fixed_point._sigmoid(values).tolist() == [0, 1953, 8192, 14431, 16384]
    assert fixed_point._tanh(values).tolist() == [-16384, -15795, 0, 15795, 16384]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_weights_without_exact_sums_are_refused(value):
    prior = make()
    prior.head.bias.assign(np.full(prior.head.bias.shape, value))
    with pytest.raises(ValueError, match=r"below 2\*\*53.*Received: sums of up to"):
        fixed_point.FixedPointPrior(prior)
