import numpy as np
import pytest

from tf_discrete import plots
from tf_discrete.plots import mosaic


def test_floats_are_scaled_and_clipped():
    images = mosaic.as_images(np.array([[[0.0, 0.5, 1.0, 1.7, -2.0]]]))
    assert images.shape == (1, 1, 5, 3)
    assert images[0, 0, :, 0].tolist() == [0, 128, 255, 255, 0]


def test_integers_and_colours_pass_unchanged():
    images = np.random.default_rng(0).integers(0, 256, [2, 3, 4, 3], dtype=np.uint8)
    np.testing.assert_array_equal(mosaic.as_images(images), images)
    np.testing.assert_array_equal(mosaic.as_images(images.astype(np.int64)), images)


def test_booleans_are_black_and_white():
    assert mosaic.as_images(np.array([[[True, False]]]))[0, 0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize("shape", [(4, 64), (8, 8, 8, 2), (0, 8, 8), (1, 2, 8, 8, 1), (2, 0, 8)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"photos must be .*Reshape it to .*photos\.shape=\("):
        mosaic.as_images(np.zeros(shape), "photos")


def test_integers_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"\[0, 255\].*Received: minimum=-1, maximum=300"):
        mosaic.as_images(np.array([[[-1, 300]]]))


def test_non_finite_values_are_refused():
    with pytest.raises(ValueError, match="must be finite.*Received: 2 non-finite values"):
        mosaic.as_images(np.array([[[np.nan, np.inf, 0.0]]]))


def test_small_images_grow_by_a_whole_factor():
    images = np.random.default_rng(0).integers(0, 256, [3, 5, 8, 3], dtype=np.uint8)
    tiles = mosaic.tiles(images, columns=10)
    factor = tiles.shape[1] // 5
    assert factor > 1 and tiles.shape == (3, 5 * factor, 8 * factor, 3)
    np.testing.assert_array_equal(tiles[:, ::factor, ::factor], images)
    np.testing.assert_array_equal(tiles[:, factor - 1 :: factor, factor - 1 :: factor], images)


def test_large_images_shrink_by_averaging_and_keep_their_proportions():
    images = np.zeros([2, 1000, 500, 3], np.uint8)
    images[:, ::2] = 200
    tiles = mosaic.tiles(images, columns=10)
    assert tiles.shape[1] == 2 * tiles.shape[2] and tiles.shape[1] < 128
    assert abs(tiles.mean() - 100) < 2


def test_picture_pixels_are_figure_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, [60, 500, 3], dtype=np.uint8)
    grid = mosaic.grid_figure(pixels, left=40, top=10)
    image = plots.to_image(grid.figure)
    y, x = mosaic.MARGIN + 10, mosaic.MARGIN + 40
    np.testing.assert_array_equal(image[y : y + 60, x : x + 500], pixels)
    image[y : y + 60, x : x + 500] = 255
    assert (image == 255).all()


@pytest.mark.parametrize("text", ["title", "note"])
def test_texts_fit_above_and_below_narrow_pictures(text):
    grid = mosaic.grid_figure(np.zeros([20, 20, 3], np.uint8), **{text: "W" * 10 + "word " * 12})
    image = plots.to_image(grid.figure)
    assert (image < 200).any(axis=(1, 2)).sum() > 25  # the text is there, next to the picture
    assert (image[:, :4] == 255).all() and (image[:, -4:] == 255).all()
