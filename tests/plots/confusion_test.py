"""The confusion matrix as a picture."""

import numpy as np
import pytest

from tf_discrete import plots


def test_shades_are_shares_and_numbers_counts():
    figure = plots.confusion([[8, 2], [0, 40]], names=["cat", "dog"])
    (axes,) = figure.axes
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.8, 0.2], [0.0, 1.0]])
    assert [text.get_text() for text in axes.texts] == ["8", "2", "40"]
    assert axes.get_title(loc="left") == "Confusion matrix, accuracy 96.00%"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["cat", "dog"]
    assert plots.to_image(figure).std() > 5


def test_many_classes_and_no_examples_can_be_drawn():
    figure = plots.confusion(np.zeros([100, 100], int))
    assert not figure.axes[0].texts
    assert len(figure.axes[0].get_xticks()) <= 40
    assert plots.to_image(figure).max() <= 255


@pytest.mark.parametrize("matrix", [[1, 2], [[1, 2]], [[-1]], np.zeros([0, 0])])
def test_other_matrices_are_refused(matrix):
    with pytest.raises(ValueError, match="must hold counts.*Received: matrix.shape="):
        plots.confusion(matrix)


def test_a_wrong_number_of_names_is_refused():
    with pytest.raises(ValueError, match="names must name every class. Give 2 names"):
        plots.confusion(np.eye(2, dtype=int), names=["one"])
