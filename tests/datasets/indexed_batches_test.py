"""Batches as indices are those of the pipeline, in blocks or one by one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from tests.datasets import pipeline_test
from tf_discrete import datasets
from tf_discrete.datasets import labels, pipeline

SEED = {"seed": 3, "start_epoch": 2}


def steps_of(
    batches: datasets.IndexedBatches, size: int, count: int
) -> list[dict[str, np.ndarray]]:
    """The first batches, read from blocks."""
    found: list[Any] = []
    for block in batches.blocks(size):
        for number in range(int(block.steps)):
            one = keras.tree.map_structure(lambda tensor, at=number: tensor[at], block.indices)
            found.append(batches.read(one))
        if block.has_rest:
            found.append(batches.read(block.rest))
        if len(found) >= count:
            break
    return [{name: value.numpy() for name, value in batch.items()} for batch in found[:count]]


@pytest.mark.one_in(4)
@pytest.mark.parametrize("mode", pipeline.BINARIZATIONS)
@pytest.mark.parametrize("drop_remainder", [False, True])
def test_a_stream_of_them_is_that_of_the_pipeline(mode, drop_remainder):
    data = pipeline_test.make(mode)
    options = {**SEED, "shuffle": True, "drop_remainder": drop_remainder}
    expected = pipeline_test.collect(data.batches(10, repeat=True, **options).take(7))
    found = data.indexed_batches(10, **options)
    pipeline_test.assert_same(pipeline_test.collect(found.stream().take(7)), expected)
    assert found.steps_per_epoch == (2 if drop_remainder else 3)
    assert found.samples == (mode == "dynamic") and found.in_memory


@pytest.mark.one_in(4)
@pytest.mark.parametrize("size", [1, 2, 3, 8])
@pytest.mark.parametrize("batch_size", [4, 5, 23, 30])
def test_blocks_hold_every_step_in_order(size, batch_size):
    """23 examples: a last batch of 3 at both sizes, one batch that is full, and none that is."""
    batches = pipeline_test.make("dynamic").indexed_batches(batch_size, **SEED)
    count = 2 * batches.steps_per_epoch + 1
    expected = pipeline_test.collect(batches.stream().take(count))
    pipeline_test.assert_same(steps_of(batches, size, count), expected)
    in_epoch = -(-batches.steps_per_epoch // size)
    ends = [int(block.steps) + int(block.has_rest) for block in batches.blocks(size).take(in_epoch)]
    assert sum(ends) == batches.steps_per_epoch


def test_blocks_have_one_shape():
    batches = pipeline_test.make().indexed_batches(5, drop_remainder=True)
    spec = batches.blocks(3).element_spec
    assert [leaf.shape for leaf in keras.tree.flatten(spec.indices)] == [(3, 5), (3, 2)]
    assert spec.rest == ()


def test_labelled_and_unlabelled_batches_in_blocks():
    data = datasets.get("digits", "train", binarization="dynamic", max_examples=90, seed=3)
    few, many = labels.divide(data, labels.choose(data.labels, 10, 2))
    batches = labels.indexed_batches(few, many, 6, 20, **SEED)
    expected = pipeline_test.collect(labels.batches(few, many, 6, 20, **SEED).take(9))
    found = steps_of(batches, 3, 9)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == {"image", "labelled_image", "labelled_label"}
        for name, value in one.items():
            np.testing.assert_array_equal(value, other[name])
    # It goes on where it stopped.
    later = labels.indexed_batches(few, many, 6, 20, seed=3, start_epoch=4)
    np.testing.assert_array_equal(steps_of(later, 2, 1)[0]["image"], expected[8]["image"])
    np.testing.assert_array_equal(
        steps_of(later, 2, 1)[0]["labelled_image"], expected[8]["labelled_image"]
    )


@pytest.mark.one_in(2)
@pytest.mark.parametrize("mode", pipeline.BINARIZATIONS)
def test_shares_make_up_the_batches(mode):
    data = pipeline_test.make(mode)
    whole = data.indexed_batches(8, **SEED, drop_remainder=True)
    shares = [
        pipeline_test.collect(whole.stream(datasets.Share(number, 4)).take(3))
        for number in range(4)
    ]
    for batch, *parts in zip(pipeline_test.collect(whole.stream().take(3)), *shares, strict=True):
        for name, values in batch.items():
            np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), values)


@pytest.mark.parametrize("mode", ["none", "dynamic"])
def test_shares_of_batches_that_are_not_full(mode):
    """23 examples: a last batch of 3 for two replicas."""
    data = pipeline_test.make(mode)
    options = {**SEED, "shuffle": True}
    shares = [
        pipeline_test.collect(data.batches(5, **options, share=datasets.Share(number, 2)))
        for number in range(2)
    ]
    sizes = [[len(batch["image"]) for batch in share] for share in shares]
    assert sizes == [[2, 2, 2, 2, 1], [3, 3, 3, 3, 2]]
    if mode == "none":
        for batch, *parts in zip(
            pipeline_test.collect(data.batches(5, **options)), *shares, strict=True
        ):
            joined = np.concatenate([part["image"] for part in parts])
            np.testing.assert_array_equal(joined, batch["image"])


def test_shares_of_labelled_and_unlabelled_rows():
    data = pipeline_test.make("dynamic")
    few, many = labels.divide(data, np.arange(8))
    both = labels.indexed_batches(few, many, 4, 6, seed=1)
    parts = [next(iter(both.stream(datasets.Share(number, 2)))) for number in range(2)]
    for name, values in next(iter(both.stream())).items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), values)
    with pytest.raises(ValueError, match=r"multiple of 4, also of labelled.*batch sizes \[4, 6\]"):
        both.stream(datasets.Share(0, 4))


def test_arrays_are_read_in_the_order_that_is_asked_for():
    """The options of `indexed_arrays`; all arrays of a batch hold the same examples."""
    arrays = {"x": np.arange(7), "twice": 2 * np.arange(7)}

    def read(epochs=1, **options):
        batches = datasets.indexed_arrays(arrays, 3, **options)
        found = steps_of(batches, 1, epochs * batches.steps_per_epoch)
        for batch in found:
            np.testing.assert_array_equal(batch["twice"], 2 * batch["x"])
        return [batch["x"].tolist() for batch in found]

    assert read(shuffle=False) == [[0, 1, 2], [3, 4, 5], [6]]
    assert read(shuffle=False, drop_remainder=True) == [[0, 1, 2], [3, 4, 5]]
    first, second = read(epochs=2, seed=1)[:3], read(epochs=2, seed=1)[3:]
    assert sorted(sum(first, [])) == sorted(sum(second, [])) == list(range(7))
    assert first != second and first != read(seed=2)
    assert read(seed=1, start_epoch=1) == second
