"""The custom layout of TensorBoard, as its own reader gives it."""

from __future__ import annotations

import argparse
import json
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
from tensorboard import context
from tensorboard.backend.event_processing import (
    data_provider,
    event_accumulator,
    plugin_event_multiplexer,
)
from tensorboard.plugins import base_plugin
from tensorboard.plugins.custom_scalar import custom_scalars_plugin

from trainers.common import charts, tensorboard


def read_layout(folder: pathlib.Path) -> tuple[dict[str, dict[str, list[str]]], set[str]]:
    """Returns the layout of the runs of a folder, group -> title -> patterns, and the tags of scalars."""
    events = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(folder))
    events.Reload()
    found = data_provider.MultiplexerDataProvider(events, str(folder))
    plugin = custom_scalars_plugin.CustomScalarsPlugin(
        base_plugin.TBContext(data_provider=found, flags=argparse.Namespace())
    )
    layout = plugin.layout_impl(context.RequestContext(), "")
    scalars = {
        tag
        for run in events.Runs()
        for tag in events.PluginRunToTagToContent("scalars").get(run, ())
    }
    return {
        category["title"]: {
            chart["title"]: chart["multiline"]["tag"] for chart in category["chart"]
        }
        for category in json.loads(layout)["category"]
    }, scalars


def check_layout(folder: pathlib.Path) -> dict[str, dict[str, list[str]]]:
    """Returns the layout, each of whose patterns must match one scalar."""
    layout, scalars = read_layout(folder)
    for group in layout.values():
        for patterns in group.values():
            for pattern in patterns:
                assert len([tag for tag in scalars if re.match(pattern, tag)]) == 1, pattern
    return layout


def test_the_layout_groups_charts_by_question_in_order(tmp_path):
    names = ("temperature", "usage/perplexity", "usage/perplexity_min", "temperature_2", "loss")
    names += ("hard_elbo_nats", "elbo_nats")
    tags = [charts.chart(name).tag for name in names]
    with tensorboard.file_writer(tmp_path / "train").as_default(step=1):
        for tag in tags:
            tf.summary.scalar(tag, 1.0)
        tensorboard.write_layout(tags)
        tf.summary.flush()
    result = {"steps": 5, "test/bound_nats": -80.0, "test/hard_elbo_nats": -90.0, "test/text": "a"}
    result["test/bound_standard_error_nats"] = 0.5
    tensorboard.write_test_scalars(tmp_path, result)
    found = check_layout(tmp_path)
    assert list(found) == ["objective", "discrete path", "codes", "optimisation", "test"]
    assert list(found["objective"]) == ["loss", "elbo_nats"]
    drift = ["^discrete_path/hard_elbo_nats$", "^objective/elbo_nats$"]
    assert found["discrete path"] == {"hard_elbo_nats": drift}
    assert found["codes"]["perplexity"] == ["^codes/perplexity$", "^codes/perplexity_min$"]
    layers = ["^optimisation/temperature$", "^optimisation/temperature_2$"]
    assert found["optimisation"] == {"temperature": layers}
    assert found["test"] == {"bound_nats": ["^test/bound_nats$", drift[0]]}


def test_a_run_without_test_scalars_has_no_group_of_them(tmp_path):
    tensorboard.write_test_scalars(tmp_path, {"steps": 5, "test/hard_elbo_nats": -90.0})
    events = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(tmp_path))
    events.Reload()
    assert not events.PluginRunToTagToContent("custom_scalars").get("validation")


def histogram_of(folder, values, monkeypatch):
    """The buckets that are written of values, float [30, 3]: left and right edge, number of values."""
    with monkeypatch.context() as patch:  # It takes 30 numbers of 64 bits for each value.
        patch.setattr(tf.summary, "histogram", None)
        with tf.summary.create_file_writer(str(folder)).as_default(step=7):
            charts.write_histogram("weights/kernel", values)
    events = event_accumulator.EventAccumulator(str(folder))
    events.Reload()
    (event,) = events.Tensors("weights/kernel")
    about = events.SummaryMetadata("weights/kernel")
    assert event.step == 7 and about.plugin_data.plugin_name == "histograms"
    assert about.summary_description == charts.WEIGHTS
    return tf.make_ndarray(event.tensor_proto)


def test_a_histogram_counts_all_finite_values(tmp_path, monkeypatch):
    values = np.arange(60.0, dtype=np.float32).reshape(4, 15)
    found = histogram_of(tmp_path / "all", values, monkeypatch)
    np.testing.assert_allclose(found[:, 0], 59 / 30 * np.arange(30), rtol=1e-5)
    np.testing.assert_allclose(found[:-1, 1], found[1:, 0])
    assert found[-1, 1] == 59 and set(found[:, 2]) == {2}
    masked = tf.constant(
        [0.0, 3.0, -np.inf, np.nan], tf.bfloat16
    )  # As logits of masked categories.
    found = histogram_of(tmp_path / "masked", masked, monkeypatch)
    assert (found[0, 0], found[-1, 1], found[:, 2].sum()) == (0.0, 3.0, 2)
    assert histogram_of(tmp_path / "none", [np.inf], monkeypatch)[:, 2].sum() == 0
    assert histogram_of(tmp_path / "same", [2.0, 2.0], monkeypatch)[:, 2].sum() == 2


NEARLY_EQUAL, EXTREME = ([1.0, 1.0 + 1.2e-7], [100.0, 100.0001]), ([-3e38, 3e38], [0.0, 1e-45])


@pytest.mark.parametrize("values", [*NEARLY_EQUAL, *EXTREME])
def test_a_histogram_of_nearly_equal_or_extreme_values(values, tmp_path, monkeypatch):
    values = np.array(values, np.float32)
    found = histogram_of(tmp_path, values, monkeypatch)
    assert found[0, 0] == values[0] < values[1] == found[-1, 1]
    assert found[0, 2] == found[-1, 2] == 1 and not found[1:-1, 2].any()
    assert (np.diff(found[:, 0]) > 0).all()
