import numpy as np
import pytest

from tf_discrete import plots, schedules


def _line(figure, index=0):
    (line,) = figure.axes[index].lines
    return line


def test_callable_is_read_at_every_step():
    line = _line(plots.schedule(lambda step: 1.0 - step / 10, steps=5, name="weight"))
    assert line.get_xdata().tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(line.get_ydata(), [1.0, 0.9, 0.8, 0.7, 0.6])


def test_schedule_object_of_the_package():
    schedule = schedules.Exponential(initial=1.0, rate=1e-3, floor=0.5, update_period=100)
    line = _line(plots.schedule(schedule, steps=np.array([0, 99, 100, 5000])))
    np.testing.assert_allclose(line.get_ydata(), [1.0, 1.0, np.exp(-0.1), 0.5], rtol=1e-6)


def test_long_schedules_are_thinned_and_keep_their_ends():
    calls = []
    line = _line(plots.schedule(lambda s: calls.append(s) or 1.0, steps=10**6, max_points=50))
    assert len(calls) == 50 and line.get_xdata()[[0, -1]].tolist() == [0, 10**6 - 1]


def test_arrays_and_several_schedules():
    values = {"temperature": np.linspace(1, 0.5, 4), "KL weight": lambda step: step / 30}
    figure = plots.schedule(values, steps=[0, 10, 20, 30])
    assert [axes.get_ylabel() for axes in figure.axes] == ["temperature", "KL weight"]
    assert figure.axes[-1].get_xlabel() == "training step"
    np.testing.assert_allclose(_line(figure, 0).get_ydata(), np.linspace(1, 0.5, 4))
    np.testing.assert_allclose(_line(figure, 1).get_ydata(), [0, 1 / 3, 2 / 3, 1])


def test_the_picture_depends_on_the_schedule():
    one, two = (plots.schedule(lambda s, k=k: s**k, steps=20) for k in (1, 2))
    assert (plots.to_image(one) != plots.to_image(two)).any()


def test_constants_and_zeros_can_be_drawn():
    for value in (0.0, -1.0, 2.0):
        low, high = plots.schedule([value], steps=1).axes[0].get_ylim()
        assert low <= value <= high and low < high


@pytest.mark.parametrize("steps", [0, -3, 2.7, True, "3", [], [3, 2], [[1, 2]]])
def test_bad_steps_are_refused(steps):
    with pytest.raises(ValueError, match="steps must be .*Received: steps="):
        plots.schedule(lambda step: 1.0, steps)


def test_no_schedules_are_refused():
    with pytest.raises(ValueError, match="at least one schedule.*Received: values={}"):
        plots.schedule({}, 10)


@pytest.mark.parametrize("values", [[1.0, 2.0], [1.0, 2.0, np.nan], lambda step: np.inf])
def test_values_that_do_not_match_are_refused(values):
    with pytest.raises(ValueError, match="one finite number per step.*name='tau'"):
        plots.schedule({"tau": values}, 3)
