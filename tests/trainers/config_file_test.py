"""Flags from a file, and the help of the programs."""

from __future__ import annotations

import dataclasses
import json
import sys

import pytest
from absl import flags

from tests.trainers import small_runs
from trainers.flags import (
    config,
    config_file,
    evaluate,
    export,
    quantized_autoencoder,
    search,
    semi_supervised,
    state_tabulation,
    structured_prediction,
)
from trainers.flags import help as flag_help
from trainers.flags.categorical_vae import Config


def _parse(path, *words, of=Config):
    """Returns the configuration that a program makes of --config=PATH and further flags."""
    parsed = flags.FlagValues()
    config.define_flags(of, parsed)
    config_file.define(parsed)
    parsed(["program", f"--config={path}", *words])
    config_file.set_defaults(of, parsed[config_file.FLAG].value, parsed)
    return config.config_from_flags(of, parsed)


def test_the_configuration_of_a_run_comes_back(tmp_path):
    wanted = Config(
        dataset=str(tmp_path / "a, b.npz"),
        output_dir=str(tmp_path / "run"),
        num_variables=(8, 4),
        hidden_units=(),
        temperature=0.5,
        estimator=("gumbel_softmax", "reinmax"),
        classify_reconstructions=False,
        image_size=(8, 9),
    )
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"task": "categorical_vae", **config.to_json(wanted)}))
    assert _parse(path) == wanted
    changed = _parse(path, "--num_variables=7", "--classify_reconstructions", "--epochs=3")
    assert changed == dataclasses.replace(
        wanted, num_variables=7, classify_reconstructions=True, epochs=3
    )


def test_what_an_agent_has_seen_is_no_flag(tmp_path):
    path, wanted = tmp_path / "config.json", state_tabulation.Config(environment="h_maze")
    seen = {"task": "state_tabulation", "picture_shape": [14, 18, 1], "num_actions": 4}
    path.write_text(json.dumps({**seen, **config.to_json(wanted)}))
    assert _parse(path, of=state_tabulation.Config) == wanted


def test_code_is_named_on_the_command_line(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"import_module": ["evil"], "epochs": 2}))
    with pytest.raises(ValueError, match="are code.*--import_module=evil.*Received: config="):
        _parse(path)
    with pytest.raises(ValueError, match="are code"):
        _parse(path, "--import_module=mine")
    assert _parse(path, "--import_module=evil") == Config(import_module=("evil",), epochs=2)
    path.write_text(json.dumps({"import_module": [], "epochs": 2}))
    assert _parse(path) == Config(epochs=2)
    path.write_text(json.dumps({"run": "theirs", "trust_run": True}))
    with pytest.raises(ValueError, match="Give --trust_run there"):
        _parse(path, of=search.Config)
    assert _parse(path, "--trust_run", of=search.Config).trust_run


def test_lists_of_repeated_flags_come_back(tmp_path):
    path = tmp_path / "config.json"
    for query in ((), ("a.png", "b, c.png")):
        path.write_text(json.dumps({"query": query, "k": 3}))
        assert _parse(path, of=search.Config) == search.Config(query=query, k=3)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib is of Python 3.11")
def test_toml(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'epochs = 2\nhidden_units = [3, 4]\nlearning_rate = 1e-4\nestimator = "vimco"\n'
    )
    found = _parse(path, "--epochs=5")
    assert found == Config(epochs=5, hidden_units=(3, 4), learning_rate=1e-4, estimator="vimco")
    path.write_text("[model]\nepochs = 2\n")
    with pytest.raises(ValueError, match="Every key of a file of flags must be a flag"):
        _parse(path)


@pytest.mark.parametrize(
    "text,message",
    [
        ("{", "must name a JSON or .toml file of flags"),
        ("[1]", "must hold an object with a value for each flag. Received: .* with list"),
        ('{"epoch": 3}', "Did you mean 'epochs'.* with 'epoch'"),
        ('{"epochs": "many"}', "hold values that the flags take. .* epochs='many'"),
        ('{"epochs": {"a": 1}}', "epochs=.*tables are not read"),
        ('{"objective": "elb"}', "objective='elb'"),
        ('{"epochs": 0}', "epochs must be at least 1"),
        ('{"task": "semi_supervised"}', "Start trainers.semi_supervised with it"),
    ],
)
def test_what_a_file_cannot_say_is_refused(text, message, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        _parse(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="must name a file, such as the config.json"):
        _parse(tmp_path / "config.json")


def test_the_file_of_a_run_names_the_task_of_train(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"task": "structured_prediction"}')
    done = small_runs.call_fresh("-m", "trainers.train", f"--config={path}", "--help")
    assert done.returncode == 0 and "--layer_temperatures: " in done.stdout
    path.write_text('{"epochs": 3}')
    assert config_file.task(str(path)) == ""
    done = small_runs.call_fresh("-m", "trainers.train", f"--config={tmp_path / 'none'}")
    assert done.returncode == 1 and "must name a file" in done.stderr


@pytest.mark.parametrize(
    "of",
    [
        *(Config, structured_prediction.Config, search.Config, export.Config, evaluate.Config),
        *(quantized_autoencoder.Config, semi_supervised.Config, state_tabulation.Config),
    ],
)
def test_help_shows_every_flag_once_and_common_ones_first(of):
    found = flag_help.groups(of)
    names = [name for members in found.values() for name in members]
    assert sorted(names) == sorted(field.name for field in dataclasses.fields(of))
    if len(names) <= flag_help.FEW:
        assert list(found) == ["Flags:"]
    else:
        assert next(iter(found)) == "Common flags:" and len(found) >= 2


def test_the_environment_and_the_steps_of_an_agent_are_common():
    found = flag_help.groups(state_tabulation.Config)["Common flags:"]
    assert {"environment", "steps", "output_dir"} <= set(found)


def test_help_of_a_group_has_its_heading():
    found = flag_help.groups(Config)
    assert "data_dir" in found["Common flags:"]
    assert found["The schedules of the temperature and of the slope:"][0] == "temperature_schedule"
    parsed = flags.FlagValues()
    config.define_flags(Config, parsed)
    config_file.define(parsed)
    text = flag_help.text("What it does.", Config, ["config"], parsed)
    assert text.startswith("What it does.\n\nCommon flags:\n  --dataset: ")
    assert text.index("--config: ") < text.index("The schedules of the temperature")
    assert "--[no]centering: " in text and "(default: '20')" in text
