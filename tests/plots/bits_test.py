import numpy as np
import pytest
from matplotlib.colors import same_color

from tf_discrete import plots
from tf_discrete.plots import bits, canvas

CODES = np.array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0]])


def test_bars_show_the_share_and_mark_bits_that_never_change():
    bars = plots.bit_statistics(CODES).axes[0]
    assert [bar.get_height() for bar in bars.patches] == [0.75, 0.5, 1.0, 0.0]
    warned = [same_color(bar.get_facecolor(), canvas.VERMILION) for bar in bars.patches]
    assert warned == [False, False, True, True]
    marks = bars.lines[0]
    assert (list(marks.get_xdata()), list(marks.get_ydata())) == ([2, 3], [1.0, 0.0])
    assert "never changes" in bars.get_title(loc="left")


def test_correlations_are_those_of_numpy():
    random = np.random.RandomState(0).randint(2, size=[50, 6])
    np.testing.assert_allclose(bits.correlations(random), np.corrcoef(random.T), atol=1e-12)
    shown = plots.bit_statistics(CODES).axes[1].images[0].get_array()
    assert shown.mask.tolist() == [[False] * 2 + [True] * 2] * 2 + [[True] * 4] * 2
    assert shown[0, 1] == pytest.approx(np.corrcoef(CODES[:, :2].T)[0, 1])


@pytest.mark.parametrize("count", [1, 300])
def test_few_and_many_bits_can_be_drawn(count):
    codes = np.random.RandomState(0).randint(2, size=[9, count])
    assert plots.to_image(plots.bit_statistics(codes)).std() > 5


@pytest.mark.parametrize("codes", [[0, 1], np.zeros([0, 3]), [[0, 2]], [[0.5, 1]]])
def test_what_are_no_bits_is_refused(codes):
    with pytest.raises(ValueError, match=r"codes \[B, N\] of 0 and 1.*Received: bits.shape="):
        plots.bit_statistics(codes)
