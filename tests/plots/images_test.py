import numpy as np
import pytest
from matplotlib.colors import to_rgba

from tf_discrete import plots
from tf_discrete.plots import canvas, mosaic


def _pixels(figure):
    (picture,) = figure.axes[0].images
    return np.asarray(picture.get_array())


def _texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def _random(*shape):
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_originals_stand_above_their_reconstructions(channels):
    images, copies = _random(7, 6, 5, channels), _random(7, 6, 5, channels) // 2
    figure = plots.reconstructions(images, copies, columns=4)
    assert len(figure.axes) == 1
    pixels = _pixels(figure)
    tile = mosaic.tiles(mosaic.as_images(images), columns=4).shape[1]
    factor = tile // 6
    pitch_x, pitch_y = 5 * factor + mosaic.GAP, 2 * tile + 2 + 3 * mosaic.GAP
    for i in range(7):
        y, x = i // 4 * pitch_y, i % 4 * pitch_x
        original = pixels[y : y + tile : factor, x : x + 5 * factor : factor]
        y += tile + 2
        copy = pixels[y : y + tile : factor, x : x + 5 * factor : factor]
        np.testing.assert_array_equal(original, np.broadcast_to(images[i], [6, 5, 3]))
        np.testing.assert_array_equal(copy, np.broadcast_to(copies[i], [6, 5, 3]))
    assert _texts(figure) == ["original", "reconstruction"] * 2


def test_labels_stand_above_pairs():
    figure = plots.reconstructions(
        _random(3, 8, 8), _random(3, 8, 8), labels=["cat", "dog", "owl"], title="Pets"
    )
    assert _texts(figure)[:3] == ["cat", "dog", "owl"]
    assert [text.get_text() for text in figure.texts] == ["Pets"]


def test_further_pairs_are_left_out():
    images = _random(50, 8, 8)
    few = plots.reconstructions(images, images, max_images=10, labels=np.arange(50))
    assert len(_texts(few)) == 10 + 2
    np.testing.assert_array_equal(
        _pixels(few), _pixels(plots.reconstructions(images[:10], images[:10], np.arange(10)))
    )


def test_pairs_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match=r"one size.*shape=\(2, 8, 8\), .*shape=\(2, 8, 9\)"):
        plots.reconstructions(_random(2, 8, 8), _random(2, 8, 9))


def test_bad_reconstructions_are_named():
    with pytest.raises(ValueError, match=r"^reconstructions must be at least"):
        plots.reconstructions(_random(2, 8, 8), _random(2, 64))


def test_wrong_number_of_labels_is_refused():
    with pytest.raises(ValueError, match=r"one entry per image.*labels\.shape=\(3,\)"):
        plots.reconstructions(_random(2, 8, 8), _random(2, 8, 8), labels=[1, 2, 3])


def test_image_grid_goes_row_by_row():
    images = _random(5, 8, 8, 3)
    figure = plots.image_grid(images, columns=2, title="Draws")
    pixels = _pixels(figure)
    factor = mosaic.tiles(images, columns=2).shape[1] // 8
    pitch = 8 * factor + mosaic.GAP
    assert pixels.shape == (3 * pitch - mosaic.GAP, 2 * pitch - mosaic.GAP, 3)
    for i in range(5):
        y, x = i // 2 * pitch, i % 2 * pitch
        tile = pixels[y : y + 8 * factor : factor, x : x + 8 * factor : factor]
        np.testing.assert_array_equal(tile, images[i])
    assert (pixels[2 * pitch :, pitch:] == 255).all()  # the place without an image is blank


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 300, 20, 3), (3, 2, 70)])
def test_any_size_can_be_drawn(shape):
    image = plots.to_image(plots.image_grid(np.zeros(shape), title=""))
    assert (image == 0).any()


@pytest.mark.parametrize("limits", [{"columns": 0}, {"max_images": 0}])
def test_limits_must_be_positive(limits):
    with pytest.raises(ValueError, match="must be positive.*Received: columns=.*max_images="):
        plots.image_grid(_random(2, 8, 8), **limits)


def test_traversal_has_a_row_per_variable():
    images = _random(3, 4, 8, 8, 1)
    figure = plots.traversal(images)
    pixels = _pixels(figure)
    side = (pixels.shape[1] + mosaic.GAP) // 4 - mosaic.GAP
    factor, pitch = side // 8, side + mosaic.GAP
    for row in range(3):
        for k in range(4):
            y, x = row * pitch, k * pitch
            tile = pixels[y : y + side : factor, x : x + side : factor, :1]
            np.testing.assert_array_equal(tile, images[row, k])
    assert _texts(figure)[:5] == ["0", "1", "2", "3", "category"]
    assert _texts(figure)[5:] == ["variable 0", "variable 1", "variable 2"]
    assert not figure.axes[0].patches


def test_traversal_frames_the_original_code():
    figure = plots.traversal(_random(2, 4, 8, 8), codes=[3, 0], variables=[5, 17])
    pixels = _pixels(figure)
    pitch = (pixels.shape[1] + mosaic.GAP) // 4
    frames = figure.axes[0].patches
    assert [(frame.get_x() + 2, frame.get_y() + 2) for frame in frames] == [
        (3 * pitch, 0),
        (0, pitch),
    ]
    assert {frame.get_edgecolor() for frame in frames} == {to_rgba(canvas.VERMILION)}
    assert _texts(figure)[-2:] == ["variable 5", "variable 17"]
    assert "framed" in figure.texts[-1].get_text()


def test_traversal_of_many_categories_thins_the_numbers():
    numbers = [t for t in _texts(plots.traversal(_random(1, 100, 4, 4))) if t.isdigit()]
    assert numbers[0] == "0" and 10 < len(numbers) < 60


def test_traversal_refuses_flat_images():
    with pytest.raises(ValueError, match=r"Stack one row per variable.*shape=\(3, 4, 64\)"):
        plots.traversal(_random(3, 4, 64))


@pytest.mark.parametrize("codes", [[0, 4], [-1, 0], [0], [0.5, 1.0]])
def test_traversal_refuses_codes_that_do_not_fit(codes):
    with pytest.raises(ValueError, match=r"one category in \[0, 4\).*Received: codes=\["):
        plots.traversal(_random(2, 4, 8, 8), codes=codes)


def test_traversal_refuses_variables_that_do_not_fit():
    with pytest.raises(ValueError, match=r"one number per row.*Received: variables=\[1\]"):
        plots.traversal(_random(2, 4, 8, 8), variables=[1])


def test_long_names_of_classes_stay_above_their_image():
    images = np.zeros([20, 28, 28])
    figure = plots.reconstructions(images, images, ["a long name of a class"] * 10 + ["cat"] * 10)
    names = [text.get_text() for text in figure.axes[0].texts[:20]]
    assert names[10:] == ["cat"] * 10
    assert names[0].startswith("a long") and names[0].endswith("...")
    assert mosaic.text_width(names[0]) <= 84 + mosaic.GAP  # A tile of three pixels a pixel.
