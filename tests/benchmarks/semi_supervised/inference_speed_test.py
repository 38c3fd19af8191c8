"""Operation counts, table and picture of the benchmark of marginalised against joint inference."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from benchmarks import memory
from benchmarks.semi_supervised import inference_speed as speed
from tf_discrete import models, plots


def test_multiply_adds():
    network = keras.Sequential(
        [
            keras.Input([8, 8, 1]),
            keras.layers.Conv2D(4, 3, strides=2, padding="same"),  # 16 places
            keras.layers.Conv2DTranspose(2, 3, strides=2, padding="same"),  # reads 16 places
            keras.layers.Flatten(),
            keras.layers.Dense(5),
        ]
    )
    assert speed.multiply_adds(network) == 16 * 36 + 16 * 72 + 128 * 5


def test_the_images_part_counts_once_in_the_predicted_ratio():
    model = models.SemiSupervisedVAE((10,), num_classes=4, style_size=3, hidden_units=(20, 7))
    classifier = 10 * 20 + 20 * 7 + 7 * 4
    head, decoder = 4 * 20 + 20 * 7 + 7 * 6, 7 * 7 + 7 * 20 + 20 * 10
    once, each = classifier + 10 * 20, head + decoder
    assert speed.predicted_ratio(model) == pytest.approx((once + 4 * each) / (once + each))


def test_table_and_picture():
    rows = [
        {
            "network": network,
            "classes": k,
            "steps_per_second": {"enumeration": 10.0 / k, "reinmax": 10.0},
            "ratio": float(k),
            "ratio_range": [0.5 * k, 2.0 * k],
            "predicted_ratio": 0.9 * k,
            "memory_mib": {
                "enumeration": {"peak": 100.0 * k, "step": 10.0 * k},
                "reinmax": {"peak": 100.0, "step": 10.0},
            },
        }
        for network in ("mlp", "conv")
        for k in (2, 10)
    ]
    lines = speed.table(rows, "reinmax").splitlines()
    assert lines[2] == "| mlp | 2 | 5, 10 | 2.00 (1.00 to 4.00) | 1.80 | 200, 100 | 20, 10 |"
    assert len(lines) == 6 and speed.memory_ratio(rows[1]) == 10.0
    figure = speed.picture(rows)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["mlp", "conv"]
    assert plots.to_image(figure).std() > 5


def test_memory_grows_with_what_a_step_holds():
    """In one process: an array that lives within the step is seen, and one that stays is not."""
    before = speed._settled()
    held = np.ones(2**24, np.uint8)  # 16 MiB.
    del held
    assert memory.peak() - before > 15
    stays = np.ones(2**24, np.uint8)
    between = speed._settled()
    assert stays.any() and memory.peak() - between < 8
