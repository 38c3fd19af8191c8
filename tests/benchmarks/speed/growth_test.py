"""How the time of a step grows: points, table, picture."""

import pytest

from benchmarks.speed import growth
from tf_discrete import plots

RECORD = {
    "command": "python -m benchmarks.speed.growth",
    "provenance": {"processor": "P", "cores": 2, "date": "2026-11-30", "commit": "a" * 40},
    "points": [
        {"axis": axis, "value": value, "milliseconds": [0.9 * ms, ms, 1.1 * ms]}
        for axis, values in {
            "batch": ((10, 1.0), (100, 2.0), (1000, 20.0)),
            "layers": ((1, 2.0), (2, 3.0)),
        }.items()
        for value, ms in values
    ],
}


def test_table_names_the_power_of_the_growth():
    lines = growth.table(RECORD).splitlines()
    assert "| images of a batch | 10: 1, 100: 2, 1,000: 20 | 1.00 |" in lines
    assert "| stochastic layers | 1: 2, 2: 3 | 0.58 |" in lines


def test_picture_has_a_panel_for_each_size(tmp_path):
    figure = growth.draw(RECORD)
    assert [axes.get_xlabel() for axes in figure.axes] == ["batch", "layers"]
    plots.save(figure, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 1000


def test_every_axis_holds_the_size_of_the_others():
    assert growth.AXES.keys() == growth.BASE.keys() == growth.TITLES.keys()
    assert all(growth.BASE[axis] in values for axis, values in growth.AXES.items())


@pytest.mark.slow
def test_real_points():
    found = growth.run({"batch": (10, 20), "layers": (2,), "samples": (2,)}, 0.0, turns=2)
    assert [(point["axis"], point["value"]) for point in found] == [
        *(("batch", 10), ("batch", 20)),
        *(("layers", 2), ("samples", 2)),
    ]
    assert all(ms > 0 for point in found for ms in point["milliseconds"])
