from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tf_discrete.datasets import Split


def test_length_and_image_shape():
    data = Split("made", "test", np.zeros([3, 4, 5, 2], np.uint8), None, None)
    assert len(data) == 3
    assert data.image_shape == (4, 5, 2)
    assert data.in_memory.shape == (3, 4, 5, 2)


def test_it_is_frozen_and_prints_without_its_arrays():
    data = Split("made", "test", np.zeros([3, 4, 5, 2], np.uint8), np.zeros(3, np.int32), 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.binarization = "static"  # type: ignore[misc]
    assert len(repr(data)) < 120


def test_an_unknown_binarization_is_refused():
    message = "binarization must be one of none, threshold, static, dynamic.*'random'"
    with pytest.raises(ValueError, match=message):
        Split("made", "train", np.zeros([3, 4, 5, 2], np.uint8), None, None, "random")


@pytest.mark.parametrize(
    "argument,value,message",
    [
        (
            "class_names",
            float("nan"),
            "a tuple of 2 names, one for each class, or None. Received: class_names=nan",
        ),
        ("class_names", ["zero", 1], "a tuple of 2 names.*Received: class_names=.'zero', 1."),
        ("class_names", ("zero",), "a tuple of 2 names.*Received: class_names="),
        (
            "white_levels",
            float("nan"),
            "a pair, of 8-bit and of 16-bit.*Received: white_levels=nan",
        ),
        ("white_levels", (255,), "a pair, of 8-bit and of 16-bit.*Received: white_levels=.255,."),
        ("white_levels", (255, 0), "white_levels must be at least 1. Received: white_levels=0"),
    ],
)
def test_names_and_levels_that_do_not_fit_are_refused(argument, value, message):
    images, labels = np.zeros([3, 4, 5, 2], np.uint8), np.zeros(3, np.int32)
    Split("made", "test", images, labels, 2, class_names=("zero", "one"), white_levels=(1, None))
    with pytest.raises(ValueError, match=message):
        Split("made", "test", images, labels, 2, **{argument: value})
