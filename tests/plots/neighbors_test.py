"""The picture of a search: what stands where."""

import numpy as np
import pytest

from tf_discrete import plots
from tf_discrete.plots import mosaic

RANDOM = np.random.default_rng(6)


def test_a_query_stands_left_of_its_neighbours_with_their_distances():
    queries = RANDOM.integers(0, 256, [3, 4, 5], dtype=np.uint8)
    found = RANDOM.integers(0, 256, [3, 2, 4, 5], dtype=np.uint8)
    distances = np.array([[0, 3], [1, 12], [2, -1]])
    axes = plots.neighbors(queries, found, distances).axes[0]
    pixels = np.asarray(axes.images[0].get_array())
    tile = mosaic.tiles(mosaic.as_images(queries), 3).shape[1:3]
    factor, pitch = tile[0] // 4, tile[0] + 22 + mosaic.GAP
    left = [0] + [
        tile[1] + mosaic.GAP + 4 * mosaic.GAP + i * (tile[1] + mosaic.GAP) for i in range(2)
    ]
    for row in range(3):
        y = row * pitch + 22
        for x, image in zip(left, [queries[row], *found[row]], strict=True):
            part = pixels[y : y + tile[0] : factor, x : x + tile[1] : factor, 0]
            if (row, x) == (2, left[2]):
                assert (part == 255).all()  # Nothing was found.
            else:
                np.testing.assert_array_equal(part, image)
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["query", "0", "3", "query", "1", "12", "query", "2"]


def test_names_of_classes_that_are_wider_than_a_tile_are_cut():
    images = np.zeros([2, 10, 28, 28])
    names = [["Sandal"] * 10, ["golden retriever"] * 10]
    figure = plots.neighbors(
        images[:, 0], images, np.zeros([2, 10]), query_names=["Sandal", "dog"], found_names=names
    )
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[:2] == ["Sandal", "0 Sandal"]
    assert texts[11] == "dog" and texts[12].startswith("0 golden") and texts[12].endswith("...")


def test_further_queries_are_left_out():
    figure = plots.neighbors(
        np.zeros([5, 4, 4]), np.zeros([5, 1, 4, 4]), np.zeros([5, 1]), max_queries=2
    )
    assert len(figure.axes[0].texts) == 4


@pytest.mark.parametrize(
    ("found", "distances"), [((2, 3, 4, 4), (2, 2)), ((3, 2, 4, 4), (3, 2)), ((2, 2, 4, 4), (4,))]
)
def test_shapes_must_match(found, distances):
    with pytest.raises(ValueError, match=r"k neighbours of each query.*Received: queries.shape="):
        plots.neighbors(np.zeros([2, 4, 4]), np.zeros(found), np.zeros(distances))
