from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tf_discrete.datasets import Split


def test_length_and_image_shape():
    data = Split("made", "test", np.zeros([3, 4, 5, 2], np.uint8), None, None)
    assert len(data) == 3
    assert data.image_shape == (4, 5, 2)
    assert data.resident.shape == (3, 4, 5, 2)


def test_it_is_frozen_and_prints_without_its_arrays():
    data = Split("made", "test", np.zeros([3, 4, 5, 2], np.uint8), np.zeros(3, np.int32), 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.binarization = "static"  # type: ignore[misc]
    assert len(repr(data)) < 120


def test_an_unknown_binarization_is_refused():
    message = "binarization must be one of none, threshold, static, dynamic.*'random'"
    with pytest.raises(ValueError, match=message):
        Split("made", "train", np.zeros([3, 4, 5, 2], np.uint8), None, None, "random")
