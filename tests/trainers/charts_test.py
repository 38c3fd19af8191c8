"""The custom layout of TensorBoard, as its own reader gives it."""

from __future__ import annotations

import argparse
import json
import pathlib
import re

import tensorflow as tf
from tensorboard import context
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
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
