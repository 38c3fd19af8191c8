"""Checks of single arguments: what they pass, in which type, and what they say."""

import math
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete._internal import checks

NAN = float("nan")


def test_what_is_right_comes_back_in_its_type():
    assert checks.choice("mode", "joint", ("joint", "other")) == "joint"
    assert checks.flag("learn", np.bool_(True)) is True
    assert type(checks.whole("count", np.int64(3))) is int
    assert checks.whole("count", 0, lowest=0) == 0
    assert type(checks.number("decay", np.float32(0.5), 0.0, 1.0)) is float
    assert checks.number("gap", 3, lowest=0.0) == 3.0
    assert checks.number("top_p", 1, above=0, highest=1) == 1.0
    assert checks.fraction("rate", 0) == 0.0 and checks.fraction("rate", 1) == 1.0
    assert checks.sizes("units", [5, np.int32(7)]) == (5, 7) and checks.sizes("units", ()) == ()
    assert checks.sizes("shape", tf.TensorShape([2, 3])) == (2, 3)
    assert checks.positive("a", 2) == 2.0
    assert checks.seed("seed", -1) == -1 and checks.seed("seed", 2**64 - 1) == 2**64 - 1
    assert checks.text("name", "") == ""
    assert checks.path("path", pathlib.Path("a/b")) == "a/b"
    assert checks.optional(checks.whole, "count", None, lowest=2) is None
    assert checks.optional(checks.whole, "count", 3, lowest=2) == 3
    assert checks.keras_part("activation", "relu", keras.activations.get) is keras.activations.relu


@pytest.mark.parametrize("number", [np.array(3), tf.constant(3), np.uint8(3)])
def test_numbers_without_axes_count_as_the_number_that_they_hold(number):
    assert checks.whole("count", number) == 3 and type(checks.whole("count", number)) is int
    assert checks.number("weight", number) == 3.0
    assert checks.seed("seed", number) == 3
    with pytest.raises(ValueError, match="True or False"):
        checks.flag("flag", number)
    assert checks.flag("flag", tf.constant(False)) is False
    assert checks.positive("a", tf.constant(0.5)) == 0.5


@pytest.mark.parametrize(
    "check,message",
    [
        (lambda: checks.choice("a", "x", ("b", "c")), "a must be one of b, c. Received: a='x'"),
        (lambda: checks.flag("a", 1), "a must be True or False. Received: a=1"),
        (lambda: checks.flag("a", "False"), "a must be True or False. Received: a='False'"),
        (lambda: checks.whole("a", 1.0), "a must be an integer >= 1. Received: a=1.0"),
        (lambda: checks.whole("a", True), "a must be an integer >= 1. Received: a=True"),
        (lambda: checks.whole("a", np.float32(2.0), 2), "an integer >= 2. Received: a=np.float32"),
        (lambda: checks.whole("a", 1, lowest=2), "a must be at least 2. Received: a=1"),
        (lambda: checks.whole("a", 2**31), "a must be at most 2147483647. Received: a=2147483648"),
        (lambda: checks.number("a", "1"), "a must be a finite number. Received: a='1'"),
        (lambda: checks.number("a", np.bool_(True)), "a must be a finite number. Received: a="),
        (lambda: checks.number("a", 10**400), "a must be a finite number. Received: a=1000"),
        (lambda: checks.number("a", math.inf), "a must be a finite number. Received: a=inf"),
        (lambda: checks.number("a", -1, lowest=0.0), "a finite number >= 0. Received: a=-1"),
        (lambda: checks.number("a", 0, above=0), "a must be a finite number > 0. Received: a=0"),
        (lambda: checks.number("a", 3, highest=2), "a finite number <= 2. Received: a=3"),
        (lambda: checks.number("a", 1, 0.0, 1.0), r"a must be in \[0, 1\). Received: a=1"),
        (lambda: checks.number("a", 0, above=0, highest=1), r"in \(0, 1\]. Received: a=0"),
        (lambda: checks.fraction("a", NAN), r"a must be in \[0, 1\]. Received: a=nan"),
        (lambda: checks.sizes("a", (0,), "layer"), r"one for each layer. Received: a=\(0,\)"),
        (lambda: checks.sizes("a", 3), "one for each axis. Received: a=3"),
        (lambda: checks.sizes("a", {3}), "one for each axis. Received: a=.3."),
        (lambda: checks.sizes("a", "33"), "one for each axis. Received: a='33'"),
        (lambda: checks.positive("a", NAN), "positive and finite. Received: a=nan"),
        (lambda: checks.positive("a", 1e-320), "smallest number in float32. Received: a=1e-320"),
        (lambda: checks.number("a", 1e300), "largest number in float32. Received: a=1e.300"),
        (lambda: checks.positive("a", 0), "positive and finite. Received: a=0"),
        (lambda: checks.seed("a", 1.0), "an integer of at most 64 bits. Received: a=1.0"),
        (lambda: checks.seed("a", 2**64), "an integer of at most 64 bits. Received: a=1844"),
        (lambda: checks.text("a", b"x"), "a must be a string. Received: a=b'x'"),
        (lambda: checks.text("a", "\0"), r"printable characters. Received: a='\\x00'"),
        (lambda: checks.path("a", ""), "a must be a path, .* Received: a=''"),
        (lambda: checks.path("a", b"x"), "a must be a path, .* Received: a=b'x'"),
        (lambda: checks.path("a", "x\0"), "a must be a path, .* Received: a='x"),
        (lambda: checks.instance("a", 3, str, "a word"), "a must be a word. Received: a=3"),
        (
            lambda: checks.having("a", 3, ["fit"], "a model"),
            "a must be a model, with fit. Rec.*a=3",
        ),
        (
            lambda: checks.keras_part("a", int, keras.activations.get),
            "a must be a name, object or config that Keras knows. Received: a=<class 'int'>",
        ),
        (
            lambda: checks.keras_part("a", 3, keras.initializers.get),
            "a must be a name, object or config that Keras knows. Received: a=3",
        ),
    ],
)
def test_what_is_wrong_is_refused(check, message):
    with pytest.raises(ValueError, match=message):
        check()


def test_a_value_is_shown_on_one_line_and_not_for_ever():
    assert checks.shown(np.zeros([30, 30])).endswith("...")
    assert "\n" not in checks.shown(np.zeros([3, 3])) and len(checks.shown("x" * 1000)) == 203
    assert checks.shown(10**5000) == "<int>"
