import math

import numpy as np
import pytest
from matplotlib.colors import same_color

from tf_discrete import plots
from tf_discrete.plots import canvas

HISTORY = [
    {
        "epoch": epoch,
        "train/loss": 100.0 + 50 / epoch,
        "validation/loss": 105.0 + 50 / epoch,
        "validation/hard_elbo_nats": -110.0 - 40 / epoch,
        "validation/elbo_nats": -104.0 - 40 / epoch,
        "train/kl_nats": 20.0,
        "train/gradient_norm": 5.0 / epoch,
        "temperature": 1.0 / epoch,
        "run": "name",
        "train/unheard_of": 1.0,
    }
    for epoch in range(1, 31)
]


def _titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def _axes(figure, title):
    return next(a for a in figure.axes if a.get_title(loc="left").startswith(title))


def test_one_panel_per_known_quantity():
    assert _titles(plots.curves(HISTORY)) == [
        "Bound (higher is better)",
        "Loss (lower is better)",
        "KL to the prior",
        "Temperature",
        "Gradient norm",
    ]


def test_lines_hold_the_values_with_one_colour_per_split():
    train, validation = _axes(plots.curves(HISTORY), "Loss").lines
    assert train.get_xdata().tolist() == list(range(1, 31))
    assert train.get_ydata().tolist() == [row["train/loss"] for row in HISTORY]
    assert validation.get_ydata().tolist() == [row["validation/loss"] for row in HISTORY]
    assert same_color(train.get_color(), canvas.BLUE)
    assert same_color(validation.get_color(), canvas.VERMILION)


def test_hard_bound_and_the_trained_one_differ_in_style():
    axes = _axes(plots.curves(HISTORY), "Bound")
    hard, trained = axes.lines
    assert hard.get_linestyle() != trained.get_linestyle()
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["validation, hard", "validation, as trained"]


def test_axes_name_their_units():
    figure = plots.curves(HISTORY)
    assert _axes(figure, "KL").get_ylabel() == "nats per example"
    assert {axes.get_xlabel() for axes in figure.axes} == {"epoch"}
    assert _axes(figure, "Gradient").get_yscale() == "log"


def test_missing_and_non_finite_values_are_skipped():
    rows = [
        {"epoch": 1, "train/loss": 3.0},
        {"epoch": 2},
        {"epoch": 3, "train/loss": math.nan},
        {"epoch": 4, "train/loss": None},
        {"epoch": 5, "train/loss": np.float32(1.0)},
    ]
    (line,) = plots.curves(rows).axes[0].lines
    assert line.get_xdata().tolist() == [1, 5]
    assert line.get_ydata().tolist() == [3.0, 1.0]


def test_gradient_norms_of_zero_do_not_break_the_log_scale():
    rows = [{"gradient_norm": 0.0}, {"gradient_norm": 2.0}]
    (line,) = plots.curves(rows).axes[0].lines
    assert line.get_ydata().tolist() == [2.0]


def test_a_single_row_and_another_horizontal_axis():
    figure = plots.curves([{"step": 500, "train/loss": 3.0}], x="step")
    (axes,) = figure.axes
    assert axes.get_xlabel() == "step"
    assert axes.lines[0].get_xdata().tolist() == [500] and axes.lines[0].get_marker() == "o"


def test_own_panels():
    panels = [plots.Panel("Distance", "metres", {"distance": ""})]
    figure = plots.curves([{"test/distance": 1.0}], panels=panels, title="Walk")
    assert _titles(figure) == ["Distance"]
    assert same_color(figure.axes[0].lines[0].get_color(), canvas.GREEN)


def test_the_picture_depends_on_the_history():
    changed = [dict(row, **{"train/loss": 200.0}) for row in HISTORY]
    assert (plots.to_image(plots.curves(HISTORY)) != plots.to_image(plots.curves(changed))).any()


@pytest.mark.parametrize("rows", [[], [{"epoch": 1, "junk": 2.0}], [{"train/loss": math.inf}]])
def test_history_without_known_values_is_refused(rows):
    with pytest.raises(ValueError, match=r"finite value of a known field.*Received: keys=\["):
        plots.curves(rows)
