"""Styles down, classes across."""

import numpy as np
import pytest

from tf_discrete import plots


@pytest.mark.parametrize("shape", [(3, 4, 8, 8), (3, 4, 9, 7, 1), (1, 12, 40, 30, 3)])
def test_one_name_for_each_class(shape):
    images = np.random.RandomState(0).uniform(size=shape)
    names = [text.get_text() for text in plots.class_grid(images).axes[0].texts]
    assert names == [*map(str, range(shape[1])), "class"]


def test_originals_stand_apart_on_the_left():
    images, originals = np.zeros([3, 4, 8, 8, 1]), np.ones([3, 8, 8, 1])
    figure = plots.class_grid(images, originals)
    pixels = np.asarray(figure.axes[0].images[0].get_array())
    alone = np.asarray(plots.class_grid(np.zeros([3, 5, 8, 8, 1])).axes[0].images[0].get_array())
    assert pixels.shape[1] > alone.shape[1]
    width = (alone.shape[1] - 4 * 6) // 5
    assert (pixels[:, :width] == 255).all()
    assert (pixels[:, -width:] == 0).mean() > 0.9
    assert figure.axes[0].texts[-1].get_text() in ("original", "of")


def test_the_classes_of_the_originals_stand_left_of_the_rows():
    images, originals = np.zeros([2, 3, 8, 8, 1]), np.ones([2, 8, 8, 1])
    figure = plots.class_grid(images, originals, labels=["Sandal", "Shirt"])
    left = [text.get_text() for text in figure.axes[0].texts if text.get_position()[0] < 0]
    assert left == ["Sandal", "Shirt"]


@pytest.mark.parametrize(
    "images,changes,message",
    [
        (np.zeros([3, 8, 8]), {}, "must be .num_styles, num_classes, H, W.*Received"),
        (np.zeros([3, 4, 8, 8]), {"names": ["a"]}, "Give 4 names. Received: names="),
        (np.zeros([3, 4, 8, 8]), {"labels": ["a"]}, "Give 3 names. Received: labels="),
        (np.zeros([3, 4, 8, 8]), {"originals": np.zeros([2, 8, 8])}, "one image for each row"),
    ],
)
def test_refused(images, changes, message):
    with pytest.raises(ValueError, match=message):
        plots.class_grid(images, **changes)
