"""Every embedded data set keeps what `datasets.get` promises. A new one is tested with no further code."""

import numpy as np
import pytest

from tf_discrete import datasets

SPLITS = ("train", "validation", "test")
every_name = pytest.mark.parametrize("name", datasets.names())


@every_name
@pytest.mark.parametrize("split", SPLITS)
def test_images_labels_and_classes(name, split):
    data = datasets.get(name, split)
    images = data.images
    assert images.ndim == 4 and len(data) == len(images) > 0
    assert images.dtype == np.uint8 or (
        images.dtype == np.float32 and images.min() >= 0 and images.max() <= 1
    )
    if data.labels is None:
        assert data.num_classes is None
        return
    assert data.labels.dtype == np.int32 and data.labels.shape == (len(data),)
    assert data.labels.min() >= -1 and data.labels.max() < data.num_classes
    assert data.class_names is None or len(data.class_names) == data.num_classes


@every_name
def test_a_split_is_the_same_each_time_and_test_depends_on_no_argument(name):
    for split in SPLITS:
        first, again = datasets.get(name, split), datasets.get(name, split, seed=1)
        np.testing.assert_array_equal(first.images, again.images)
    other = datasets.get(name, "test", validation_fraction=0.4)
    np.testing.assert_array_equal(other.images, first.images)


@every_name
def test_arguments_are_honoured(name):
    few = datasets.get(name, "train", max_examples=7, image_size=(16, 12))
    assert few.images.shape[:3] == (7, 16, 12)
    batch = next(iter(few.batches(7)))
    assert batch["image"].shape[:3] == [7, 16, 12]


@every_name
def test_it_is_described(name):
    from tf_discrete.datasets.source import REGISTRY

    doc = REGISTRY.entry(name).__doc__
    assert doc and "Example:" in doc
