import numpy as np
import pytest

from tf_discrete import plots
from tf_discrete.plots import canvas
from tf_discrete.plots.comparison import _apart

NAMES = [f"estimator_{number:02}" for number in range(26)]
STEPS = np.arange(1, 31)


def _panel(title="Bound", names=NAMES, **options):
    lines = {
        name: plots.Line(STEPS, -100.0 - 0.1 * number - 50 * np.exp(-STEPS / 5.0))
        for number, name in enumerate(names)
    }
    return plots.LinePanel(title, "step", "nats", lines, **options)


def _labels(axes):
    return {text.get_text().split("  ")[0]: text for text in axes.texts}


def test_every_line_has_its_label_and_none_overlap():
    (axes,) = plots.comparison([_panel()]).axes
    labels = _labels(axes)
    assert sorted(labels) == NAMES
    assert labels["estimator_25"].get_text() == "estimator_25  -102.6"
    renderer = axes.figure.canvas.get_renderer()
    boxes = sorted((t.get_window_extent(renderer) for t in labels.values()), key=lambda b: b.y0)
    # Of the letters themselves; a box has some air above and below them.
    for lower, upper in zip(boxes[:-1], boxes[1:], strict=True):
        assert upper.y0 - lower.y0 > 0.8 * lower.height
    assert max(box.x1 for box in boxes) < axes.figure.bbox.x1
    order = sorted(labels, key=lambda name: -labels[name].get_position()[1])
    assert order == NAMES  # From the highest end to the lowest.


def test_names_look_the_same_everywhere_and_no_two_look_alike():
    left, right = plots.comparison([_panel(), _panel("Cosine", NAMES[3:8])]).axes
    colours = {name: text.get_color() for name, text in _labels(left).items()}
    assert {n: t.get_color() for n, t in _labels(right).items()} == {
        name: colours[name] for name in NAMES[3:8]
    }
    looks = [(line.get_color(), str(line._unscaled_dash_pattern)) for line in left.lines[:26]]
    assert len(set(looks)) == 26


def test_a_line_far_below_leaves_the_panel():
    panel = _panel()
    lines = {**panel.lines, "diverging": plots.Line(STEPS, -100.0 - STEPS * 1000.0)}
    (axes,) = plots.comparison([panel._replace(lines=lines)]).axes
    assert axes.get_ylim()[0] > -300
    assert _labels(axes)["diverging"].get_text() == "diverging  -3.01e+04 (not shown)"
    inside = [name for name, text in _labels(axes).items() if "not shown" not in text.get_text()]
    assert sorted(inside) == NAMES


def test_a_line_alone_shows_its_course():
    (axes,) = plots.comparison([_panel(names=NAMES[:1])]).axes
    low, high = axes.get_ylim()
    fourth_of_thirty = -100.0 - 50 * np.exp(-4 / 5.0)
    assert low < fourth_of_thirty and high > -100.2


def test_a_whole_panel_shows_every_point():
    lines = {
        "low": plots.Line([1, 2], [-300.0, -100.0]),
        "high": plots.Line([1, 2], [-105.0, -99.0]),
    }
    bottoms = [
        plots.comparison([_panel()._replace(lines=lines, whole=whole)]).axes[0].get_ylim()[0]
        for whole in (False, True)
    ]
    assert bottoms[0] > -300 > bottoms[1]


def test_bands_and_logarithmic_axes():
    lines = {
        "a": plots.Line([0, 1, 10], [1.0, 2.0, 3.0], [0.5, 1.5, 2.5], [1.5, 2.5, 3.5]),
        "b": plots.Line([1, 10], [1.0, 0.0]),
    }
    panel = plots.LinePanel("t", "x", "y", lines, log_x=True, log_y=True)
    (axes,) = plots.comparison([panel]).axes
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert len(axes.collections) == 1
    drawn = {tuple(line.get_xdata()) for line in axes.lines}
    assert {(1.0, 10.0), (1.0,)} <= drawn  # What a logarithm does not have is left out.


def test_missing_values_are_left_out():
    lines = {"a": plots.Line([0, 1, 2], [1.0, np.nan, 3.0]), "b": plots.Line([0], [np.nan])}
    (axes,) = plots.comparison([plots.LinePanel("t", "x", "y", lines)]).axes
    assert list(_labels(axes)) == ["a"]
    assert list(axes.lines[0].get_xdata()) == [0, 2]


def test_nothing_to_draw_is_refused():
    empty = plots.LinePanel("Empty", "x", "y", {"a": plots.Line([0], [-1.0])}, log_y=True)
    with pytest.raises(ValueError, match=r"finite value.*Received: title='Empty', lines=\['a'\]"):
        plots.comparison([empty])


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_moved_apart_and_no_further(seed):
    wanted = np.sort(np.random.default_rng(seed).beta(0.5, 0.5, size=12))
    placed = _apart(wanted, 0.06)
    assert (np.diff(placed) > 0.06 - 1e-9).all()
    assert placed.min() >= -1e-9
    assert placed.max() <= 1 + 1e-9
    np.testing.assert_allclose(_apart(np.array([0.1, 0.5, 0.9]), 0.06), [0.1, 0.5, 0.9])


def test_the_picture_is_rendered_whole(tmp_path):
    path = canvas.save(plots.comparison([_panel(), _panel("Other")]), tmp_path / "c.png", dpi=60)
    assert path.stat().st_size > 10_000


def test_panels_stand_below_one_another_where_a_row_is_full():
    one, two, three = plots.comparison([_panel(), _panel(), _panel()], columns=2).axes
    boxes = [axes.get_position() for axes in (one, two, three)]
    assert boxes[0].y0 == boxes[1].y0 > boxes[2].y1 and boxes[0].x0 == boxes[2].x0 < boxes[1].x0
    for columns in (0, 1.5, True):
        with pytest.raises(ValueError, match="columns must be .*Received: columns="):
            plots.comparison([_panel()], columns=columns)
