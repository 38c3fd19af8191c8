"""TFDS data sets: small ones prepared here, and the real MNIST where TF_DISCRETE_DATA_DIR holds it."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

import tf_discrete.datasets as datasets
from tf_discrete.datasets import image_cache, tfds_images

tfds = pytest.importorskip("tensorflow_datasets")

SPLITS = ("train", "validation", "test")
COUNTS = {"train": 30, "validation": 10, "test": 5}


def picture(split: str, i: int, sizes: bool) -> np.ndarray:
    height = 6 + i % 3 if sizes else 6
    random = np.random.RandomState(i + 100 * SPLITS.index(split))
    return random.randint(0, 256, (height, 5, 3)).astype(np.uint8)


def prepare(
    data_dir, name: str, splits=("train", "test"), sizes: bool = False, features=None
) -> None:
    """Prepares a data set of that name as TFDS does."""

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            shape = (None, None, 3) if sizes else (6, 5, 3)
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict(
                    features
                    or {
                        "image": tfds.features.Image(shape=shape),
                        "label": tfds.features.ClassLabel(num_classes=4),
                    }
                )
            )

        def _split_generators(self, download_manager):
            return {split: self._generate_examples(split) for split in splits}

        def _generate_examples(self, split):
            for i in range(COUNTS[split]):
                if features is None:
                    yield i, {"image": picture(split, i, sizes), "label": i % 4}
                else:
                    yield i, {key: np.zeros(f.shape, f.np_dtype) for key, f in features.items()}

    Builder.name = name
    builder = Builder(data_dir=str(data_dir))
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    builder.download_and_prepare(download_config=config)


def load(name: str, data_dir, **kwargs) -> dict[str, datasets.Split]:
    return {split: datasets.get(name, split, data_dir=str(data_dir), **kwargs) for split in SPLITS}


def identities(data: datasets.Split) -> set[bytes]:
    return {image.tobytes() for image in data.images}


def test_validation_is_the_end_of_train_and_test_is_the_official_one(tmp_path):
    prepare(tmp_path, "pictures")
    splits = load("pictures", tmp_path, validation_fraction=0.2)
    assert [len(splits[s]) for s in SPLITS] == [24, 6, 5]
    everything = {
        s: {picture(s, i, False).tobytes() for i in range(COUNTS[s])} for s in ("train", "test")
    }
    assert identities(splits["train"]) | identities(splits["validation"]) == everything["train"]
    assert identities(splits["test"]) == everything["test"]
    for data in splits.values():
        assert data.image_shape == (6, 5, 3) and data.num_classes == 4
        assert data.labels.dtype == np.int32
    assert len(datasets.get("pictures", "test", data_dir=str(tmp_path), max_examples=2)) == 2


def test_official_splits_are_used_and_a_missing_test_is_carved_from_train(tmp_path):
    prepare(tmp_path, "three", SPLITS)
    assert [len(d) for d in load("three", tmp_path).values()] == [30, 10, 5]
    prepare(tmp_path, "one", ["train"])
    splits = load("one", tmp_path)
    assert [len(splits[s]) for s in SPLITS] == [24, 3, 3]
    assert len(set.union(*map(identities, splits.values()))) == 30


def test_labels_belong_to_their_images(tmp_path):
    prepare(tmp_path, "pictures")
    expected = {picture("train", i, False).tobytes(): i % 4 for i in range(30)}
    data = datasets.get("pictures", "train", data_dir=str(tmp_path))
    for image, label in zip(data.images, data.labels, strict=True):
        assert expected[image.tobytes()] == label


def test_images_of_several_sizes_are_resized_if_asked(tmp_path):
    prepare(tmp_path, "sizes", sizes=True)
    message = r"all have one size. Give image_size.*'sizes' with images of shape \(None, None, 3\)"
    with pytest.raises(ValueError, match=message):
        datasets.get("sizes", "train", data_dir=str(tmp_path))
    data = datasets.get("sizes", "train", data_dir=str(tmp_path), image_size=(4, 3))
    assert data.images.shape == (27, 4, 3, 3)
    prepare(tmp_path, "pictures")
    assert datasets.get(
        "pictures", "test", data_dir=str(tmp_path), image_size=(4, 3)
    ).image_shape == (4, 3, 3)


def test_large_data_are_decoded_once_into_a_mapped_file(tmp_path, monkeypatch):
    prepare(tmp_path, "pictures")
    expected = load("pictures", tmp_path)
    monkeypatch.setattr(image_cache, "MEMORY_BYTES", 10)
    for _ in range(2):
        mapped = load("pictures", tmp_path)
        for split in SPLITS:
            assert isinstance(mapped[split].images, np.memmap)
            np.testing.assert_array_equal(mapped[split].images, expected[split].images)
            np.testing.assert_array_equal(mapped[split].labels, expected[split].labels)
    assert len(os.listdir(tmp_path / "pictures" / "decoded")) == 3
    assert [len(d) for d in load("pictures", tmp_path).values()] == [
        27,
        3,
        5,
    ]  # TFDS still finds its own


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            {"number": tfds.features.Scalar(np.int64)},
            r"must have one image per example.*'odd' with features \['number'\]",
        ),
        (
            {"a": tfds.features.Image(shape=(4, 4, 1)), "b": tfds.features.Image(shape=(4, 4, 1))},
            r"must have one image per example.*'odd' with features \['a', 'b'\]",
        ),
        (
            {"image": tfds.features.Image(shape=(4, 4, 1), dtype=np.uint16, encoding_format="png")},
            r"Images must be uint8.*'odd' with images of shape \(4, 4, 1\) and dtype uint16",
        ),
    ],
)
def test_data_sets_without_usable_images_are_refused(tmp_path, features, message):
    prepare(tmp_path, "odd", ["train"], features=features)
    with pytest.raises(ValueError, match=message):
        datasets.get("odd", "train", data_dir=str(tmp_path))


def test_an_only_image_may_have_any_key_and_a_data_set_no_labels(tmp_path):
    features = {"photo": tfds.features.Image(shape=(4, 4, 1))}
    prepare(tmp_path, "photos", ["train"], features=features)
    data = datasets.get("photos", "train", data_dir=str(tmp_path))
    assert data.images.shape == (24, 4, 4, 1) and data.labels is None and data.num_classes is None


def test_a_data_set_without_train_is_refused(tmp_path):
    prepare(tmp_path, "tests_only", ["test"])
    with pytest.raises(
        ValueError, match=r"must have a split named train.*'tests_only' with splits \['test'\]"
    ):
        datasets.get("tests_only", "test", data_dir=str(tmp_path))


def test_an_unknown_name_is_refused_with_near_matches(tmp_path):
    message = "must be a registered one.*Did you mean (.* or )?mnist( or .*)?. See .*. Received: name='mnits'"
    with pytest.raises(ValueError, match=message):
        datasets.get("mnits", "train", data_dir=str(tmp_path))
    with pytest.raises(ValueError, match="Did you mean digits"):
        datasets.get("digit", "train")
    with pytest.raises(ValueError, match="folder of images. See .*. Received: name='qqqqqqqq'"):
        datasets.get("qqqqqqqq", "train")


def test_a_failed_download_is_reported_with_its_cause(tmp_path, monkeypatch):
    def refuse(self, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", refuse)
    monkeypatch.setattr(tfds.core.DatasetInfo, "initialize_from_bucket", lambda self: None)
    message = (
        "could not be downloaded and prepared.*name='mnist'.*ConnectionError: no route to host"
    )
    with pytest.raises(RuntimeError, match=message):
        datasets.get("mnist", "train", data_dir=str(tmp_path))


def test_without_tfds_the_package_to_install_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    assert not tfds_images.knows("mnist", None)
    with pytest.raises(ImportError, match="pip install tensorflow-datasets importlib_resources"):
        datasets.get("mnist", "train")


@pytest.fixture
def real_data() -> str:
    data_dir = os.environ.get("TF_DISCRETE_DATA_DIR")
    if not data_dir:
        pytest.skip("TF_DISCRETE_DATA_DIR does not name a folder with prepared TFDS data")
    return data_dir


@pytest.mark.slow
def test_real_mnist(real_data):
    splits = load("mnist", real_data)
    assert [len(splits[s]) for s in SPLITS] == [54000, 6000, 10000]
    for data in splits.values():
        assert data.image_shape == (28, 28, 1) and data.num_classes == 10
        assert data.images.dtype == np.uint8 and data.images.max() == 255
        assert np.abs(np.bincount(data.labels) / len(data) - 0.1).max() < 0.02
    # All 70000 images of MNIST are distinct, so that a leak would show here.
    assert len(set.union(*map(identities, splits.values()))) == 70000
    assert abs(splits["train"].images.mean() / 255.0 - 0.1307) < 0.001


@pytest.mark.slow
def test_real_binarized_mnist(real_data):
    splits = load("binarized_mnist", real_data)
    assert [len(splits[s]) for s in SPLITS] == [50000, 10000, 10000]
    for data in splits.values():
        assert data.labels is None and data.num_classes is None
        assert set(np.unique(data.images)) == {0, 255}
    assert len(set.union(*map(identities, splits.values()))) == 70000
    batch = next(splits["test"].batches(100).as_numpy_iterator())
    assert set(np.unique(batch["image"])) == {0.0, 1.0}
    assert list(batch) == ["image"]


def test_streamed_data_are_those_in_memory(tmp_path):
    prepare(tmp_path, "streamed_pictures")
    for split in SPLITS:
        resident, streamed = (
            datasets.get("streamed_pictures", split, data_dir=tmp_path, stream=stream)
            for stream in (False, True)
        )
        np.testing.assert_array_equal(streamed.images[:], resident.images)
        np.testing.assert_array_equal(streamed.labels, resident.labels)
        assert streamed.class_names == resident.class_names
        assert (streamed.num_classes, streamed.white_levels) == (4, resident.white_levels)
