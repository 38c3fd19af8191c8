from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest

import tf_discrete.datasets as datasets

SPLITS = ("train", "validation", "test")
RANDOM = np.random.RandomState(0)
IMAGES = RANDOM.randint(0, 256, (100, 6, 5, 3)).astype(np.uint8)
LABELS = np.repeat(np.arange(4), 25)


def save(tmp_path: pathlib.Path, **arrays) -> str:
    path = str(tmp_path / "mine.npz")
    np.savez_compressed(path, **arrays)
    return path


def load(path: str, **kwargs) -> dict[str, datasets.Split]:
    return {split: datasets.get(path, split, **kwargs) for split in SPLITS}


@pytest.mark.parametrize(("image", "label"), [("image", "label"), ("images", "labels")])
def test_one_array_is_split_into_three(tmp_path, image, label):
    path = save(tmp_path, **{image: IMAGES, label: LABELS})
    splits = load(path)
    assert [len(splits[s]) for s in SPLITS] == [81, 9, 10]
    found = np.concatenate([splits[s].images.reshape(-1, 90) for s in SPLITS])
    np.testing.assert_array_equal(
        np.unique(found, axis=0), np.unique(IMAGES.reshape(-1, 90), axis=0)
    )
    for data in splits.values():
        assert data.images.dtype == np.uint8 and data.num_classes == 4
        assert set(data.labels) == {0, 1, 2, 3}  # the file is sorted by class
        for picture, number in zip(data.images, data.labels, strict=True):
            (place,) = np.flatnonzero((IMAGES == picture).all((1, 2, 3)))
            assert LABELS[place] == number


def test_the_test_set_is_fixed(tmp_path):
    path = save(tmp_path, image=IMAGES)
    first = datasets.get(path, "test", seed=1)
    second = datasets.get(path, "test", seed=2, validation_fraction=0.5)
    np.testing.assert_array_equal(first.images, second.images)
    assert first.labels is None and first.num_classes is None


@pytest.mark.parametrize(("image", "label"), [("image_", "label_"), ("x_", "y_")])
def test_explicit_splits_are_kept_and_a_missing_one_is_carved_from_train(tmp_path, image, label):
    arrays = {f"{image}train": IMAGES[:80], f"{image}test": IMAGES[80:]}
    labels = {f"{label}train": LABELS[:80] % 3, f"{label}test": LABELS[80:]}
    splits = load(save(tmp_path, **arrays, **labels))
    assert [len(splits[s]) for s in SPLITS] == [72, 8, 20]
    np.testing.assert_array_equal(splits["test"].images, IMAGES[80:])
    np.testing.assert_array_equal(splits["test"].labels, LABELS[80:])
    assert {splits[s].num_classes for s in SPLITS} == {4}

    arrays[f"{image}validation"] = IMAGES[60:80]
    arrays[f"{image}train"] = IMAGES[:60]
    splits = load(save(tmp_path, **arrays), max_examples=15)
    assert [len(splits[s]) for s in SPLITS] == [15, 15, 15]
    found = {image.tobytes() for image in splits["validation"].images}
    assert len(found) == 15 and found < {image.tobytes() for image in IMAGES[60:80]}
    assert found != {image.tobytes() for image in IMAGES[60:75]}  # Files are often sorted.
    assert len(datasets.get(save(tmp_path, **arrays), "train")) == 60


def test_a_missing_test_split_is_carved_from_train(tmp_path):
    path = save(tmp_path, image_train=IMAGES[:60], image_validation=IMAGES[60:])
    assert [len(data) for data in load(path).values()] == [54, 40, 6]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_float_images_stay_floats(tmp_path, dtype):
    images = RANDOM.uniform(size=(10, 6, 5)).astype(dtype)
    data = datasets.get(save(tmp_path, image=images), "train")
    assert data.images.dtype == np.float32 and data.image_shape == (6, 5, 1)
    assert data.images.ravel()[0] in images.astype(np.float32)
    small = datasets.get(save(tmp_path, image=images), "train", image_size=(3, 3))
    assert small.images.dtype == np.float32 and small.image_shape == (3, 3, 1)


@pytest.mark.parametrize("dtype", [np.int64, np.uint16])
def test_other_integers_become_uint8(tmp_path, dtype):
    splits = load(save(tmp_path, image=IMAGES.astype(dtype)))
    expected = load(save(tmp_path, image=IMAGES))
    for split in SPLITS:
        np.testing.assert_array_equal(splits[split].images, expected[split].images)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32])
def test_black_and_white_are_zero_and_255(tmp_path, dtype):
    data = datasets.get(save(tmp_path, image=(IMAGES > 99).astype(dtype)), "train")
    assert data.images.dtype == np.uint8
    assert set(np.unique(data.images)) == {0, 255}
    assert data.white_levels == (1, None)


def test_black_and_white_is_decided_over_all_splits(tmp_path):
    dark = IMAGES % 2
    path = save(tmp_path, image_train=IMAGES, image_test=dark)
    np.testing.assert_array_equal(datasets.get(path, "test").images, dark)
    assert {data.white_levels for data in load(path).values()} == {(255, None)}
    path = save(tmp_path, image_train=dark, image_test=dark)
    np.testing.assert_array_equal(datasets.get(path, "test").images, dark * 255)


def test_thin_lines_survive_resizing(tmp_path):
    lines = np.zeros([10, 32, 32], np.uint8)
    lines[:, 7] = 1
    data = datasets.get(save(tmp_path, image=lines), "train", image_size=(8, 8))
    assert data.images.max() == 40


def test_unlabelled_examples_and_a_column_of_labels(tmp_path):
    labels = np.where(np.arange(100) < 90, -1, LABELS)[:, np.newaxis]
    data = datasets.get(save(tmp_path, image=IMAGES, label=labels), "train")
    assert data.labels.shape == (81,) and set(data.labels) == {-1, 3}
    assert data.num_classes == 4
    data = datasets.get(save(tmp_path, image=IMAGES, label=np.full(100, -1)), "train")
    assert data.num_classes is None


NAN = np.zeros([9, 4, 4], np.float32)
NAN[3, 1, 1] = np.nan
INFINITE = np.zeros([9, 4, 4], np.float32)
INFINITE[3, 1, 1] = np.inf
GOOD = IMAGES[:9]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"image": NAN},
            "Float images must be finite and in .0, 1.*key image: values from nan to nan",
        ),
        ({"image": INFINITE}, "Float images must be finite.*values from 0.0 to inf"),
        (
            {"image": np.full([9, 4, 4], 255.0)},
            "Float images must be.*store uint8.*from 255.0 to 255.0",
        ),
        ({"image": np.full([9, 4, 4], -0.1)}, "Float images must be.*values from -0.1 to -0.1"),
        (
            {"image": np.full([9, 4, 4], 256)},
            "Integer images must be in 0..255.*values from 256 to 256",
        ),
        (
            {"image": np.full([9, 4, 4], -1)},
            "Integer images must be in 0..255.*values from -1 to -1",
        ),
        ({"image": np.full([9, 4, 4], 1j)}, "Images must be numbers.*dtype complex128"),
        ({"image": np.full([9, 4, 4], "a")}, "Images must be numbers.*dtype <U1"),
        (
            {"image": np.zeros([9, 16])},
            r"Images must be an array \[n, height, width\].*shape \(9, 16\)",
        ),
        (
            {"image": np.zeros([9, 3, 8, 8])},
            r"1 to 4 channels. See docs/your_data.md. Received.*shape \(9, 3, 8, 8\)",
        ),
        ({"image": np.zeros([0, 8, 8])}, r"at least one image.*shape \(0, 8, 8\)"),
        ({"image": np.zeros([9, 0, 8])}, r"Images must be an array.*shape \(9, 0, 8\)"),
        ({"image": GOOD[:1]}, "must hold enough images.*mine.npz' with 1 image"),
        (
            {"image": GOOD, "label": np.arange(8)},
            "one label for every image.*8 labels in label for 9 images",
        ),
        (
            {"image": GOOD, "label": np.zeros(9)},
            r"Labels must be an integer array.*\(9,\), dtype float64",
        ),
        ({"image": GOOD, "label": np.eye(9, dtype=int)}, r"with argmax.*key label: shape \(9, 9\)"),
        (
            {"image": GOOD, "label": np.full(9, -2)},
            "Labels must be classes from 0.*values from -2 to -2",
        ),
        (
            {"picture": GOOD},
            r"one of these sets of keys:\n  image .*(.|\n)*with keys \['picture'\]",
        ),
        (
            {"image": GOOD, "x_train": GOOD},
            r"one of these sets of keys(.|\n)*\['image', 'x_train'\]",
        ),
        ({"image_test": GOOD}, r"one of these sets of keys(.|\n)*\['image_test'\]"),
        (
            {"image": GOOD, "lable": np.arange(9)},
            r"Did you mean 'label' for 'lable'\?.*Received: .*with \['lable'\] next to \['image'\]",
        ),
        (
            {"image_train": GOOD, "labels_train": np.arange(9)},
            "Did you mean 'label_train' for 'labels_train'",
        ),
        ({"x_train": GOOD, "Y_train": np.arange(9)}, "Did you mean 'y_train' for 'Y_train'"),
        (
            {"images": GOOD, "labels": np.arange(9), "filenames": np.arange(9)},
            r"Every key of an .npz file must be one that is read. Rename or remove.*\['filenames'\]",
        ),
        (
            {"image": GOOD, "label": np.arange(9) + 2_000_000_000},
            "look like ids.*return_inverse.*9 different labels up to 2000000008",
        ),
        ({"image": GOOD, "label": np.arange(9) * 125}, "9 different labels up to 1000"),
    ],
)
def test_bad_arrays_are_refused_with_the_name_of_the_file(tmp_path, arrays, message):
    path = save(tmp_path, **arrays)
    with pytest.raises(ValueError, match=message) as error:
        datasets.get(path, "train")
    assert path in str(error.value)


def damage(path: str, kind: str) -> None:
    content = pathlib.Path(path).read_bytes()
    middle = len(content) // 2
    pathlib.Path(path).write_bytes(
        {
            "empty": b"",
            "text": b"not a zip file",
            "truncated": content[:middle],
            "corrupt": content[:middle]
            + bytes(255 - c for c in content[middle : middle + 40])
            + content[middle + 40 :],
        }[kind]
    )


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "corrupt"])
def test_damaged_files_are_refused(tmp_path, kind):
    path = save(tmp_path, image=IMAGES)
    damage(path, kind)
    with pytest.raises(
        ValueError, match=r"The .npz file must be readable.*Write it again.*mine.npz"
    ):
        datasets.get(path, "train")


@pytest.mark.parametrize("key", ["image", "label"])
def test_pickled_objects_are_refused_with_what_to_do(tmp_path, key):
    ragged = np.empty(9, object)
    ragged[:] = [np.zeros([i + 1, 3]) for i in range(9)]
    path = save(tmp_path, **{"image": GOOD, "label": np.arange(9), key: ragged})
    message = f"hold numbers, not Python objects. Stack .*mine.npz', key {key}: dtype object"
    with pytest.raises(ValueError, match=message):
        datasets.get(path, "train")


def test_labels_up_to_999_or_ten_times_their_number_are_classes(tmp_path):
    path = save(tmp_path, image=GOOD, label=np.arange(9) + 991)
    assert datasets.get(path, "train").num_classes == 1000
    path = save(tmp_path, image=np.zeros([300, 1, 1]), label=np.arange(300) * 10)
    assert datasets.get(path, "train").num_classes == 2991


def test_a_single_array_is_refused(tmp_path):
    path = str(tmp_path / "mine.npz")
    np.save(tmp_path / "one.npy", IMAGES)
    os.rename(tmp_path / "one.npy", path)
    with pytest.raises(ValueError, match="it holds a single array"):
        datasets.get(path, "train")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match="must exist. Check the path. See docs/your_data.md. Received: name='.*nothing.npz'",
    ):
        datasets.get(str(tmp_path / "nothing.npz"), "train")


NAMES = np.array(["cat", "dog", "cow", "pig"])


def test_classes_have_the_names_of_the_file(tmp_path):
    splits = load(save(tmp_path, image=IMAGES, label=LABELS, class_names=NAMES))
    assert {data.class_names for data in splits.values()} == {("cat", "dog", "cow", "pig")}
    parts = {f"x_{name}": IMAGES for name in ("train", "test")}
    labels = {f"y_{name}": np.minimum(LABELS, 2) for name in ("train", "test")}
    splits = load(save(tmp_path, **parts, **labels, class_names=NAMES))
    assert splits["train"].num_classes == 4 and splits["test"].class_names == tuple(NAMES)


@pytest.mark.parametrize(
    ("names", "label", "message"),
    [
        (NAMES[:3], LABELS, "a name for each class.*3 class_names and a label 3"),
        (NAMES, None, "Give labels.*4 class_names and no labels"),
        (np.arange(4), LABELS, "different strings.*dtype int64"),
        (NAMES[:, np.newaxis], LABELS, r"different strings.*shape \(4, 1\)"),
        (np.array(["cat", "cat", "cow", "pig"]), LABELS, "different strings"),
    ],
)
def test_refuses_names_that_do_not_fit(tmp_path, names, label, message):
    arrays = {"image": IMAGES, "class_names": names}
    path = save(tmp_path, **arrays, **({} if label is None else {"label": label}))
    with pytest.raises(ValueError, match=message):
        datasets.get(path, "train")
