import numpy as np
import pytest

from tf_discrete import plots


def test_columns_are_given_samples_mean_and_truth():
    random = np.random.default_rng(0)
    given, mean, truth = random.uniform(size=[3, 12, 8, 8, 1])
    figure = plots.completions(given, random.uniform(size=[4, 12, 8, 8, 1]), mean, truth)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["given", "1", "2", "3", "4", "mean", "truth"]
    picture = figure.axes[0].images[0].get_array()
    side = 96 + 6  # A tile and its gap; ten of the twelve rows are drawn.
    assert picture.shape == (10 * side - 6, 7 * side - 6, 3)
    np.testing.assert_array_equal(
        picture[side, -96::12, 0][:8], np.rint(truth[1, 0, :, 0] * 255).astype(np.uint8)
    )


def test_the_class_of_each_row_stands_left_of_it():
    images, samples = np.zeros([12, 8, 8]), np.zeros([2, 12, 8, 8])
    names = [f"class {i}" for i in range(12)]
    figure = plots.completions(images, samples, images, images, names)
    left = [text.get_text() for text in figure.axes[0].texts if text.get_position()[0] < 0]
    assert left == names[:10]
    with pytest.raises(ValueError, match="one entry per image.*Received: 3 labels"):
        plots.completions(images, samples, images, images, names[:3])


@pytest.mark.parametrize("samples", [[4, 11, 8, 8], [4, 12, 8, 7]])
def test_other_images_are_refused(samples):
    images = np.zeros([12, 8, 8])
    with pytest.raises(ValueError, match="must be the same images. Received: given.shape=.12, 8"):
        plots.completions(images, np.zeros(samples), images, images)
