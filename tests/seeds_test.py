"""Seeds: whole, stable, and different wherever anything differs."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import seeds


def numbers(seed):
    return tuple(seed.numpy().tolist())


def test_base_keeps_all_64_bits():
    values = [0, 1, -1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**62, -(2**63)]
    made = [seeds.base(value) for value in values]
    assert all(seed.dtype == tf.int32 and seed.shape == [2] for seed in made)
    assert len({numbers(seed) for seed in made}) == len(values)
    assert numbers(seeds.base(7)) == numbers(seeds.base(np.int64(7)))


def test_convert_takes_ints_and_seeds():
    for seed in (3, np.int64(3), np.int32(3), seeds.base(3), seeds.base(3).numpy(), [3, 0]):
        assert numbers(seeds.convert(seed)) == (3, 0)


@pytest.mark.parametrize("value", [0, 5, -5, 2**31 - 1, -(2**31), 2**31, 2**40 + 5, -(2**40)])
def test_an_int_and_its_int64_tensor_are_the_same_datum(value):
    """So a saved counter and a Python int that replaces it give the same draws."""
    tensor = seeds.fold(seeds.base(0), tf.constant(value, tf.int64))
    assert numbers(tensor) == numbers(seeds.fold(seeds.base(0), value))
    assert numbers(tensor) == numbers(seeds.fold(seeds.base(0), np.int64(value)))
    assert numbers(tensor) == numbers(seeds.fold(seeds.base(0), tf.Variable(value, dtype=tf.int64)))
    if -(2**31) <= value < 2**31:
        assert numbers(tensor) == numbers(seeds.fold(seeds.base(0), tf.constant(value, tf.int32)))


def test_int64_is_folded_whole():
    values = [5, 5 + 2**32, 5 + 2**33, -5, 2**31, -(2**31), 2**63 - 1]
    made = {numbers(seeds.fold(seeds.base(0), tf.constant(v, tf.int64))) for v in values}
    assert len(made) == len(values)


def test_one_wide_datum_is_not_two_narrow_ones():
    wide = seeds.fold(seeds.base(0), (3 << 32) | 5)
    assert numbers(wide) != numbers(seeds.fold(seeds.base(0), 5, 3))
    assert numbers(wide) != numbers(seeds.fold(seeds.base(0), 3, 5))
    assert numbers(seeds.fold(seeds.base(0), 5)) != numbers(seeds.fold(seeds.base(0), 5, 0))


def test_the_order_and_the_number_of_data_matter():
    data = [(), (0,), (0, 0), (1,), (0, 1), (1, 0), (1, 1), ("a",), ("a", "b"), ("b", "a"), ("ab",)]
    made = {numbers(seeds.fold(seeds.base(0), *items)) for items in data}
    assert len(made) == len(data)
    assert numbers(seeds.fold(seeds.fold(seeds.base(0), "a"), 1)) == numbers(
        seeds.fold(seeds.base(0), "a", 1)
    )


def test_no_collisions_over_steps_purposes_layers_and_chunks():
    """Every draw of 20 steps and of an evaluation has its own seed, from two base seeds."""
    purposes, layers, kinds = ("train", "evaluate", "prior"), ("z1", "z2"), ("noise", "mix")
    calls = list(itertools.product(range(2), purposes, layers, kinds, range(5)))

    @tf.function(autograph=False)
    def of(step):
        return tf.stack([seeds.fold(seeds.base(first), step, *rest) for first, *rest in calls])

    made = {
        tuple(seed) for step in tf.range(20, dtype=tf.int64) for seed in of(step).numpy().tolist()
    }
    assert len(made) == 2 * 20 * 3 * 2 * 2 * 5


def test_no_collisions_over_a_long_training():
    """A fold keeps all 64 bits of what was folded before it.

    With 32 bits kept, as `stateless_fold_in` does, 200 000 steps would repeat about 5 seeds.
    """
    steps = 200_000

    @tf.function
    def collect():
        made = tf.TensorArray(tf.int32, steps)
        for step in tf.range(steps, dtype=tf.int64):
            made = made.write(tf.cast(step, tf.int32), seeds.fold(seeds.base(0), step, "noise"))
        return made.stack()

    made = collect().numpy().astype(np.int64)
    assert len(np.unique(made[:, 0] * 2**32 + made[:, 1])) == steps


def test_draws_of_neighbouring_seeds_are_unrelated():
    draws = np.stack(
        [
            tf.random.stateless_normal([2000], seeds.fold(seeds.base(0), "noise", step)).numpy()
            for step in range(30)
        ]
    )
    correlation = np.corrcoef(draws)
    assert np.abs(correlation - np.eye(30)).max() < 5.5 / np.sqrt(2000)


def test_pinned_seeds():
    """Alike in every process, strings too; a change here changes every draw of every saved run."""
    assert numbers(seeds.base(2**33 - 1)) == (-1, 1)
    assert numbers(seeds.fold(seeds.base(0), "train", 3, 2**40)) == (-1954767571, -1701552187)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_in_a_graph(jit_compile):
    @tf.function(jit_compile=jit_compile)
    def fold(step):
        seed = seeds.fold(seeds.base(0), "train", step, 4)
        return seed, tf.random.stateless_uniform([3], seed)

    made = [fold(tf.constant(step, tf.int64)) for step in (0, 1, 2**32, 2**32 + 1)]
    assert len({numbers(seed) for seed, _ in made}) == 4
    assert len({tuple(draw.numpy()) for _, draw in made}) == 4
    if not jit_compile:
        assert numbers(made[1][0]) == numbers(seeds.fold(seeds.base(0), "train", 1, 4))


@pytest.mark.parametrize("datum", [0.5, tf.constant(0.5), tf.constant([1, 2]), tf.constant(True)])
def test_data_that_are_no_integers_are_refused(datum):
    with pytest.raises(
        ValueError, match="folded with an int, an integer scalar.*Received: a tensor of dtype"
    ):
        seeds.fold(seeds.base(0), datum)


def test_replica_id():
    assert int(seeds.replica_id()) == 0 and seeds.replica_id().dtype == tf.int32


def test_what_xla_compiles_samples_by_its_own_generator():
    def sample(alg: str) -> tf.Tensor:
        return tf.random.stateless_uniform([50], seeds.base(1), alg=alg)

    def ours() -> tf.Tensor:
        with seeds.compiled_by_xla():
            return sample(seeds.algorithm())

    assert seeds.algorithm() == "auto_select"
    found = tf.function(ours, jit_compile=True, autograph=False)()
    expected = tf.function(sample, jit_compile=True, autograph=False)("threefry")
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) == 50
    assert seeds.algorithm() == "auto_select"
