from __future__ import annotations

import zlib

import numpy as np
import pytest
import tensorflow as tf

import tf_discrete.datasets as datasets
from tests import forked
from tf_discrete import seeds
from tf_discrete.datasets import pipeline


def make(
    binarization: str = "none",
    split: str = "train",
    count: int = 23,
    seed: int = 5,
    dtype: str = "uint8",
) -> datasets.Split:
    images = np.random.RandomState(0).randint(0, 256, (count, 6, 5, 2)).astype(np.uint8)
    if dtype == "float32":
        images = (images / 255.0).astype(np.float32)
    labels = np.arange(count, dtype=np.int32)
    return datasets.Split("made", split, images, labels, count, binarization, seed)


def collect(batches: tf.data.Dataset) -> list[dict[str, np.ndarray]]:
    return list(batches.as_numpy_iterator())


def whole(data: datasets.Split, batch_size: int = 4, **kwargs) -> np.ndarray:
    return np.concatenate([b["image"] for b in collect(data.batches(batch_size, **kwargs))])


def assert_same(first: list[dict], second: list[dict]) -> None:
    assert len(first) == len(second) > 0
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a["image"], b["image"])
        np.testing.assert_array_equal(a["label"], b["label"])


def test_batches_hold_every_example_once_in_order_with_a_last_partial_batch():
    data = make()
    got = collect(data.batches(10))
    assert [len(b["image"]) for b in got] == [10, 10, 3]
    assert got[0]["image"].dtype == np.float32 and got[0]["label"].dtype == np.int32
    np.testing.assert_array_equal(np.concatenate([b["label"] for b in got]), np.arange(23))
    np.testing.assert_array_equal(
        np.concatenate([b["image"] for b in got]), data.images.astype(np.float32) / np.float32(255)
    )


def test_white_is_exactly_one_and_black_exactly_zero():
    images = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
    data = datasets.Split("made", "train", images, None, None)
    (element,) = collect(data.batches(2))
    assert element["image"].ravel().tolist() == [0.0, 1.0]
    assert "label" not in element


def test_float_images_are_passed_on_unchanged():
    data = make(dtype="float32")
    np.testing.assert_array_equal(whole(data), data.images)


@pytest.mark.parametrize("batch_size", [1, 23, 100])
def test_batches_of_one_of_all_and_of_more_than_all(batch_size):
    got = collect(make().batches(batch_size))
    assert [len(b["label"]) for b in got] == ([1] * 23 if batch_size == 1 else [23])


def test_drop_remainder_leaves_out_the_partial_batch_and_fixes_the_shape():
    data = make()
    batches = data.batches(10, drop_remainder=True)
    assert batches.element_spec["image"].shape == (10, 6, 5, 2)
    assert len(collect(batches)) == data.steps_per_epoch(10, drop_remainder=True) == 2
    assert data.steps_per_epoch(10) == 3
    assert data.batches(10).element_spec["image"].shape.as_list() == [None, 6, 5, 2]


def test_each_epoch_is_another_permutation():
    got = [b["label"] for b in collect(make().batches(10, shuffle=True, repeat=True).take(6))]
    first, second = np.concatenate(got[:3]), np.concatenate(got[3:])
    for epoch in (first, second):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(23))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, np.arange(23))


@pytest.mark.one_in(3)
@pytest.mark.parametrize("mode", pipeline.BINARIZATIONS)
@pytest.mark.parametrize("drop_remainder", [False, True])
def test_a_restarted_run_sees_what_the_uninterrupted_one_would_have_seen(mode, drop_remainder):
    kwargs = {"seed": 3, "shuffle": True, "repeat": True, "drop_remainder": drop_remainder}
    steps = make().steps_per_epoch(10, drop_remainder)
    uninterrupted = collect(make(mode).batches(10, **kwargs).take(4 * steps))
    restarted = collect(make(mode).batches(10, start_epoch=2, **kwargs).take(2 * steps))
    assert_same(uninterrupted[2 * steps :], restarted)
    one_epoch = collect(make(mode).batches(10, start_epoch=2, **{**kwargs, "repeat": False}))
    assert_same(restarted[:steps], one_epoch)


def test_a_new_process_sees_the_same_batches():
    code = """if True:
        import zlib
        import tf_discrete.datasets as datasets
        data = datasets.get("digits", "train", binarization="dynamic", seed=2)
        kwargs = dict(shuffle=True, repeat=True, start_epoch=1)
        for batch in data.batches(500, **kwargs).take(2).as_numpy_iterator():
            print(zlib.crc32(batch["image"].tobytes()), zlib.crc32(batch["label"].tobytes()))
    """
    ended = forked.run("-c", code)
    assert ended.returncode == 0, ended.stderr
    data = datasets.get("digits", "train", binarization="dynamic", seed=2)
    uninterrupted = collect(data.batches(500, shuffle=True, repeat=True).take(5))
    here = [
        f"{zlib.crc32(b['image'].tobytes())} {zlib.crc32(b['label'].tobytes())}"
        for b in uninterrupted[3:]
    ]
    assert ended.stdout.splitlines() == here


def test_the_seed_changes_order_and_draws_and_may_be_a_tensor():
    data = make("dynamic")
    labels = [
        np.concatenate([b["label"] for b in collect(data.batches(10, seed=s, shuffle=True))])
        for s in (0, 1)
    ]
    assert not np.array_equal(*labels)
    assert not np.array_equal(whole(data, seed=0), whole(data, seed=1))
    np.testing.assert_array_equal(whole(data, seed=seeds.base(1)), whole(data, seed=1))
    np.testing.assert_array_equal(whole(data), whole(data, seed=data.seed))


def test_threshold_is_strict_at_one_half():
    images = np.array([0.0, 0.5, 0.50001, 1.0], np.float32).reshape(4, 1, 1, 1)
    data = datasets.Split("made", "train", images, None, None, "threshold")
    assert whole(data).ravel().tolist() == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("mode", ["threshold", "static", "dynamic"])
def test_black_and_white_pixels_survive_binarisation(mode):
    images = np.random.RandomState(1).choice([0, 255], (40, 3, 3, 1)).astype(np.uint8)
    data = datasets.Split("made", "train", images, None, None, mode)
    np.testing.assert_array_equal(whole(data), images / 255.0)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("mode", ["static", "dynamic"])
@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_draws_have_the_intensity_as_their_mean(mode, split, dtype):
    """z-test on 50176 pixels at each of two intensities, at 6 standard errors (2e-9 for each test).

    The standard error is at most 0.0022, so that a bias of 0.015 is found with power 0.8 or more.
    """
    for value in (51, 102):
        images = np.full((64, 28, 28, 1), value, np.uint8)
        if dtype == "float32":
            images = (images / 255.0).astype(np.float32)
        drawn = whole(datasets.Split("made", split, images, None, None, mode), 10)
        assert set(np.unique(drawn)) == {0.0, 1.0}
        mean = value / 255.0
        error = np.sqrt(mean * (1 - mean) / drawn.size)
        assert abs(drawn.mean() - mean) < 6 * error
        assert 6 * error + 0.85 * error < 0.016


def agreement_z(first: np.ndarray, second: np.ndarray, mean: float) -> float:
    """How far the share of equal pixels is from that of independent draws, in standard errors."""
    share = mean**2 + (1 - mean) ** 2
    return abs((first == second).mean() - share) / np.sqrt(share * (1 - share) / first.size)


def test_dynamic_draws_of_two_epochs_batches_and_seeds_are_independent():
    images = np.full((40, 28, 28, 1), 51, np.uint8)
    data = datasets.Split("made", "train", images, None, None, "dynamic")
    first, second = whole(data, 10), whole(data, 10, start_epoch=1)
    assert agreement_z(first, second, 0.2) < 5
    assert agreement_z(first[:10], first[10:20], 0.2) < 5
    assert agreement_z(first, whole(data, 10, seed=9), 0.2) < 5
    assert agreement_z(first[::2], first[1::2], 0.2) < 5
    np.testing.assert_array_equal(first, whole(data, 10))


def test_static_draws_are_the_same_in_every_epoch_batch_size_order_and_run_seed():
    data = make("static")
    expected = whole(data, 23)
    assert 0.0 < expected.mean() < 1.0
    for batch_size in (1, 7, 100):
        np.testing.assert_array_equal(whole(data, batch_size), expected)
    np.testing.assert_array_equal(whole(data, 7, start_epoch=3, seed=8), expected)
    for batch in collect(data.batches(7, shuffle=True)):
        np.testing.assert_array_equal(batch["image"], expected[batch["label"]])
    np.testing.assert_array_equal(whole(make("static", seed=5)), expected)
    assert not np.array_equal(whole(make("static", seed=6)), expected)
    assert not np.array_equal(whole(make("static", split="test")), expected)


def test_static_draws_of_two_examples_are_independent():
    images = np.full((40, 28, 28, 1), 51, np.uint8)
    drawn = whole(datasets.Split("made", "train", images, None, None, "static"), 10)
    assert agreement_z(drawn[::2], drawn[1::2], 0.2) < 5


@pytest.mark.parametrize("split", ["validation", "test"])
def test_dynamic_evaluation_images_are_drawn_once_from_a_fixed_seed(split):
    expected = whole(make("dynamic", split, seed=1), 4)
    np.testing.assert_array_equal(
        whole(make("dynamic", split, seed=2), 9, start_epoch=4, seed=3), expected
    )
    assert not np.array_equal(expected, whole(make("none", split)))


@pytest.mark.one_in(4)
@pytest.mark.parametrize("mode", pipeline.BINARIZATIONS)
@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_data_read_from_disk_give_the_same_batches_as_data_in_memory(
    monkeypatch, tmp_path, mode, split, dtype
):
    data = make(mode, split, dtype=dtype)
    expected = collect(data.batches(10, shuffle=True))
    monkeypatch.setattr(pipeline, "RESIDENT_BYTES", 0)
    np.save(tmp_path / "images.npy", data.images)
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    mapped = datasets.Split("made", split, images, data.labels, 23, mode, 5)
    assert_same(collect(mapped.batches(10, shuffle=True)), expected)


def test_an_endless_data_set_says_so_and_a_finite_one_knows_its_length():
    assert make().batches(10, repeat=True).cardinality() == tf.data.INFINITE_CARDINALITY
    assert make().batches(10).cardinality() == 3


def test_batches_are_dealt_to_replicas_without_loss_or_change():
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    data = make("dynamic")
    dealt = strategy.experimental_distribute_dataset(data.batches(10, shuffle=True))
    got = [
        {k: strategy.experimental_local_results(v)[0].numpy() for k, v in b.items()} for b in dealt
    ]
    assert_same(got, collect(data.batches(10, shuffle=True)))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1.* Received: batch_size=0"),
        ({"batch_size": -3}, "batch_size must be at least 1.* Received: batch_size=-3"),
        (
            {"batch_size": 24, "drop_remainder": True},
            "batch_size must not be larger than the data.* at most 23, .* Received: batch_size=24",
        ),
        (
            {"batch_size": 4, "start_epoch": -1},
            "start_epoch must be at least 0. Received: start_epoch=-1",
        ),
    ],
)
def test_bad_arguments_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        make().batches(**kwargs)
