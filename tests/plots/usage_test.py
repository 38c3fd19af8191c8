import numpy as np
import pytest
from matplotlib.colors import same_color

from tf_discrete import plots
from tf_discrete.plots import canvas

COUNTS = np.array([[4, 4, 0], [8, 0, 0], [2, 2, 4]])


def test_heat_map_shows_the_shares_and_hides_zeros():
    figure = plots.code_usage(COUNTS)
    heat = figure.axes[0]
    shown = heat.images[0].get_array()
    expected = [[0.5, 0.5, -1], [1, -1, -1], [0.25, 0.25, 0.5]]
    np.testing.assert_array_equal(shown.filled(-1.0), expected)
    assert (heat.get_xlabel(), heat.get_ylabel()) == ("category", "variable")


def test_bars_show_the_perplexity():
    heat, _, bars = plots.code_usage(COUNTS).axes
    widths = [bar.get_width() for bar in bars.patches]
    np.testing.assert_allclose(widths, [2.0, 1.0, np.exp(1.5 * np.log(2))], rtol=1e-12)
    assert bars.get_ylim() == heat.get_ylim()  # row and bar stand at one height
    assert bars.lines[0].get_xdata() == [3, 3]


def test_given_perplexity_is_drawn():
    _, _, bars = plots.code_usage(COUNTS, [1.5, 2.5, 3.0]).axes
    assert [bar.get_width() for bar in bars.patches] == [1.5, 2.5, 3.0]


def test_collapsed_variables_stand_out():
    _, _, bars = plots.code_usage(COUNTS, collapsed=[1]).axes
    warned = [same_color(bar.get_facecolor(), canvas.VERMILION) for bar in bars.patches]
    assert warned == [False, True, False]
    assert "collapsed" in bars.get_title(loc="left")


@pytest.mark.one_in(3)
@pytest.mark.parametrize("shape", [(1, 2), (200, 2), (3, 1000)])
def test_binary_and_large_latents(shape):
    counts = np.random.default_rng(0).integers(0, 9, shape)
    image = plots.to_image(plots.code_usage(counts))
    assert image.shape[0] < 1400 and image.shape[1] < 1500
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 10


def test_no_counts_at_all_can_be_drawn():
    assert plots.to_image(plots.code_usage(np.zeros([3, 4]))).any()


@pytest.mark.parametrize("shape", [(3,), (3, 1), (2, 3, 4), (0, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"\[num_variables, num_categories\].*counts\.shape=\("):
        plots.code_usage(np.ones(shape))


def test_negative_counts_are_refused():
    with pytest.raises(ValueError, match="finite and >= 0.*Received: minimum=-1"):
        plots.code_usage([[1, -1]])


def test_perplexity_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"one number per variable.*perplexity\.shape=\(2,\)"):
        plots.code_usage(COUNTS, [1.0, 2.0])
