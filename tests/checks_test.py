"""Checks of single arguments: what they pass, in which type, and what they say."""

import numpy as np
import pytest

from tf_discrete import checks


def test_what_is_right_comes_back_in_its_type():
    assert checks.choice("mode", "joint", ("joint", "other")) == "joint"
    assert checks.flag("learn", np.bool_(True)) is True
    assert type(checks.whole("count", np.int64(3))) is int
    assert checks.whole("count", 0, lowest=0) == 0
    assert type(checks.number("decay", np.float32(0.5), 0.0, 1.0)) is float
    assert checks.number("gap", 3, lowest=0.0) == 3.0
    assert checks.sizes("units", [5, np.int32(7)]) == (5, 7) and checks.sizes("units", ()) == ()
    assert checks.positive("a", 2) == 2.0


@pytest.mark.parametrize(
    "check,message",
    [
        (lambda: checks.choice("a", "x", ("b", "c")), "a must be one of b, c. Received: a='x'"),
        (lambda: checks.flag("a", 1), "a must be True or False. Received: a=1"),
        (lambda: checks.whole("a", 1.0), "a must be a whole number. Received: a=1.0"),
        (lambda: checks.whole("a", 1, lowest=2), "a must be at least 2. Received: a=1"),
        (lambda: checks.number("a", "1"), "a must be a finite number. Received: a='1'"),
        (lambda: checks.number("a", -1, lowest=0.0), "a finite number >= 0. Received: a=-1"),
        (lambda: checks.number("a", 1, 0.0, 1.0), r"a must be in \[0, 1\). Received: a=1"),
        (lambda: checks.sizes("a", (0,), "layer"), r"one for each layer. Received: a=\(0,\)"),
        (lambda: checks.sizes("a", 3), "one for each axis. Received: a=3"),
        (lambda: checks.positive("a", float("nan")), "positive and finite. Received: a=nan"),
        (lambda: checks.positive("a", 0), "positive and finite. Received: a=0"),
    ],
)
def test_what_is_wrong_is_refused(check, message):
    with pytest.raises(ValueError, match=message):
        check()
