import math

import numpy as np
import pytest

from tf_discrete import evaluation
from tf_discrete.evaluation import information


def _softmax(logits):
    weights = np.exp(logits)
    return weights / weights.sum(axis=-1, keepdims=True)


def _random(examples, variables=3, categories=4, seed=0):
    rng = np.random.default_rng(seed)
    probs = _softmax(2 * rng.normal(size=[examples, variables, categories]))
    return probs.argmax(axis=-1), probs


def _same(first, second):
    for name, one, two in zip(first._fields, first, second, strict=True):
        if one is None or two is None:
            assert one is two, name
        else:
            np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-14, err_msg=name)


def test_hand_made_case():
    codes = [[0, 2, 1], [0, 2, 1], [1, 2, 0], [1, 2, 2]]
    counter = evaluation.CodeUsage(num_variables=3, num_categories=3)
    counter.update(codes)
    result = counter.result()
    assert result.num_examples == 4
    assert result.counts.tolist() == [[2, 2, 0], [0, 0, 4], [1, 2, 1]]
    np.testing.assert_allclose(result.marginal[0], [0.5, 0.5, 0.0])
    np.testing.assert_allclose(result.perplexity, [2.0, 1.0, 2**1.5])
    np.testing.assert_allclose(result.used_fraction, [2 / 3, 1 / 3, 1.0])
    assert result.mutual_information is None
    assert result.active.tolist() == [True, False, True]
    assert result.active_units == 2 and result.collapsed == [1]


def test_batches_add_up_to_the_whole():
    codes, probs = _random(100)
    whole, parts = evaluation.CodeUsage(3, 4), evaluation.CodeUsage(3, 4)
    whole.update(codes, probs)
    for start, stop in ((0, 1), (1, 64), (64, 100)):
        parts.update(codes[start:stop], probs[start:stop])
    _same(whole.result(), parts.result())
    np.testing.assert_allclose(
        whole.result().mutual_information, information.mutual_information(probs), rtol=1e-12
    )


def test_merge_equals_one_accumulator():
    codes, probs = _random(50)
    whole, left, right = (evaluation.CodeUsage(3, 4) for _ in range(3))
    whole.update(codes, probs)
    left.update(codes[:20], probs[:20])
    right.update(codes[20:], probs[20:])
    before = right.result()
    left.merge(right)
    _same(whole.result(), left.result())
    _same(before, right.result())  # the other one is untouched
    left.update(codes[:5], probs[:5])
    _same(before, right.result())


def test_merge_with_an_empty_accumulator_changes_nothing():
    codes, probs = _random(10)
    counter, empty = evaluation.CodeUsage(3, 4), evaluation.CodeUsage(3, 4)
    counter.update(codes, probs)
    before = counter.result()
    counter.merge(empty)
    _same(before, counter.result())
    empty.merge(counter)
    _same(before, empty.result())


def test_noise_looks_used_but_carries_no_information():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, [1000, 1])
    with_probs, without = evaluation.CodeUsage(1, 2), evaluation.CodeUsage(1, 2)
    with_probs.update(codes, np.full([1000, 1, 2], 0.5))
    without.update(codes)
    assert with_probs.result().perplexity[0] > 1.99
    assert with_probs.result().collapsed == [0]
    assert without.result().collapsed == []


@pytest.mark.parametrize("spread, active", [(0.06, False), (0.08, True)])
def test_information_threshold_is_a_hundredth_nat(spread, active):
    # I = H(1/2) - H(1/2 + spread) is 0.0072 nats for 0.06 and 0.0129 nats for 0.08.
    counter = evaluation.CodeUsage(1, 2)
    counter.update([[1], [0]], [[[0.5 - spread, 0.5 + spread]], [[0.5 + spread, 0.5 - spread]]])
    assert counter.result().active.tolist() == [active]


@pytest.mark.parametrize("rare, active", [(0, False), (10, False), (11, True)])
def test_share_threshold_is_a_hundredth_of_the_examples(rare, active):
    codes = np.zeros([1000, 1], int)
    codes[:rare] = 1
    counter = evaluation.CodeUsage(1, 2)
    counter.update(codes)
    assert counter.result().active.tolist() == [active]


def test_many_categories_of_less_than_a_percent_each_are_active():
    counter = evaluation.CodeUsage(1, 500)
    counter.update(np.arange(500)[:, np.newaxis])
    assert counter.result().collapsed == []
    np.testing.assert_allclose(counter.result().perplexity, 500)


def test_binary_latents_take_probabilities_of_one():
    rng = np.random.default_rng(0)
    ones = rng.uniform(size=[30, 5])
    codes = ones > 0.5
    short, full = evaluation.CodeUsage(5, 2), evaluation.CodeUsage(5, 2)
    short.update(codes, ones)
    full.update(codes.astype(np.int32), np.stack([1 - ones, ones], axis=-1))
    _same(short.result(), full.result())
    assert short.result().counts[:, 1].tolist() == codes.sum(axis=0).tolist()


def test_low_precision_probabilities_are_normalised():
    codes, probs = _random(200)
    exact, low = evaluation.CodeUsage(3, 4), evaluation.CodeUsage(3, 4)
    exact.update(codes, probs)
    low.update(codes, probs.astype(np.float16))
    np.testing.assert_allclose(
        exact.result().mutual_information, low.result().mutual_information, atol=1e-3
    )


def test_empty_batches_change_nothing():
    counter = evaluation.CodeUsage(3, 4)
    counter.update(np.zeros([0, 3], np.int32))
    counter.update(np.zeros([0, 3]), np.zeros([0, 3, 4]))
    codes, probs = _random(10)
    counter.update(codes, probs)  # an empty batch without probs does not forbid this
    before = counter.result()
    counter.update(np.zeros([0, 3], np.int32))
    _same(before, counter.result())


def test_nothing_counted_gives_nan():
    result = evaluation.CodeUsage(3, 4).result()
    assert result.num_examples == 0 and result.active_units == 0 and result.collapsed == []
    assert np.isnan(result.perplexity).all() and np.isnan(result.marginal).all()
    assert result.counts.shape == (3, 4) and not result.counts.any()


def test_reset_starts_anew():
    counter = evaluation.CodeUsage(3, 4)
    counter.update(*_random(10))
    counter.reset()
    counter.update([[0, 1, 2]])  # without probabilities this time
    assert counter.num_examples == 1 and counter.result().mutual_information is None


def test_results_do_not_change_afterwards():
    counter = evaluation.CodeUsage(1, 2)
    counter.update([[0]])
    result = counter.result()
    counter.update([[1]])
    assert result.counts.tolist() == [[1, 0]]


@pytest.mark.parametrize("sizes", [(0, 2), (3, 1)])
def test_too_few_variables_or_categories_are_refused(sizes):
    with pytest.raises(
        ValueError, match="num_(variables|categories) must be at least [12]. Received"
    ):
        evaluation.CodeUsage(*sizes)


@pytest.mark.parametrize("shape", [(4,), (4, 2), (4, 3, 4)])
def test_codes_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"codes must be \[B, 3\].*codes\.shape=\(4"):
        evaluation.CodeUsage(3, 4).update(np.zeros(shape, int))


def test_codes_of_several_lengths_are_refused():
    with pytest.raises(ValueError, match="codes must be an array. Received: codes="):
        evaluation.CodeUsage(2, 4).update([[0], [0, 1]])


@pytest.mark.parametrize("codes", [[[4]], [[-1]], [[0.5]]])
def test_codes_out_of_range_are_refused(codes):
    counter = evaluation.CodeUsage(1, 4)
    with pytest.raises(
        ValueError, match=r"codes must (lie in .* = \[0, 4\)|be integers).*Received: "
    ):
        counter.update(codes)
    assert counter.num_examples == 0


@pytest.mark.parametrize("shape", [(2, 1, 4), (2, 1), (1, 1, 3)])
def test_probs_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"= \(2, 1, 3\).*Received: probs\.shape=\("):
        evaluation.CodeUsage(1, 3).update([[0], [1]], np.ones(shape))


@pytest.mark.parametrize("probs", [[0.5, 0.6], [-0.1, 1.1], [math.nan, 1.0], [3.0, -2.0]])
def test_probs_that_are_no_distribution_are_refused(probs):
    counter = evaluation.CodeUsage(1, 2)
    with pytest.raises(ValueError, match="Apply a softmax.*Received: minimum=.*sums between"):
        counter.update([[0]], [[probs]])
    with pytest.raises(ValueError, match="Apply a softmax"):
        evaluation.mutual_information([[probs]])
    assert counter.num_examples == 0


def test_probs_for_some_batches_only_are_refused():
    codes, probs = _random(10)
    counter, other = evaluation.CodeUsage(3, 4), evaluation.CodeUsage(3, 4)
    counter.update(codes, probs)
    with pytest.raises(ValueError, match="for every batch or for none.*probs=None, before=given"):
        counter.update(codes)
    other.update(codes)
    with pytest.raises(ValueError, match="for every batch or for none.*probs=given, before=None"):
        other.merge(counter)
    assert counter.num_examples == other.num_examples == 10


def test_merging_other_codes_is_refused():
    with pytest.raises(ValueError, match=r"same codes.*shapes=\(3, 4\) and \(3, 5\)"):
        evaluation.CodeUsage(3, 4).merge(evaluation.CodeUsage(3, 5))


def test_deterministic_codes_need_no_probabilities():
    usage = evaluation.CodeUsage(2, 3, deterministic=True)
    usage.update([[0, 1], [1, 1], [2, 1]])
    found = usage.result()
    np.testing.assert_allclose(found.mutual_information, [np.log(3), 0.0])
    assert found.collapsed == [1]
    with pytest.raises(ValueError, match="Deterministic codes have no probabilities"):
        usage.update([[0, 1]], np.full([1, 2, 3], 1 / 3))
