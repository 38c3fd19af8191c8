"""The comparison of estimators, small: what it trains, measures, keeps and refuses."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import signal
import subprocess
import time

import numpy as np
import pytest

from tests import forked, shared
from tests.trainers import small_runs
from trainers.common import run
from trainers.comparison import compare_estimators, gradient_report, settings
from trainers.flags.config import to_json

FLAGS = {
    "dataset": "digits",
    "max_examples": 200,
    "batch_size": 20,
    "epochs": 3,
    "num_variables": 3,
    "num_categories": 3,
    "bound_samples": 5,
    "estimators": ("straight_through", "score_function", "arm"),
    "num_seeds": 1,
    "num_checkpoints": 2,
    "gradient_draws": 40,
    "gradient_evaluations": 4,
    "gradient_examples": 20,
    "adaptation_steps": 5,
    "cost_rounds": 2,
}


def config(output_dir, **changes):
    return compare_estimators.Config(output_dir=str(output_dir), **{**FLAGS, **changes})


def report_config(folder, **changes):
    """A report of gradients, which has the flags of the run that it is of."""
    flags = {name: FLAGS[name] for name in FLAGS if name in settings.REPORTED}
    return compare_estimators.Config(gradient_report=str(folder), **{**flags, **changes})


def arguments(output_dir, **changes):
    values = {**FLAGS, **changes, "output_dir": output_dir}
    return [
        f"--{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in values.items()
    ]


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> pathlib.Path:
    """The folder of a finished comparison. Not to be changed."""
    return shared.folder(
        tmp_path_factory, "comparison", lambda folder: compare_estimators.run(config(folder))
    )


def read(folder: pathlib.Path, name: str = "comparison.json"):
    return json.loads((folder / name).read_text())


@pytest.mark.slow
def test_runs_with_an_average_of_their_weights_are_compared(tmp_path):
    changes = {"estimators": (), "epochs": 1, "num_checkpoints": 1, "cost_rounds": 0}
    compare_estimators.run(config(tmp_path, weight_average=0.5, **changes))
    found = read(tmp_path)["estimators"]["gumbel_softmax"]
    (one,) = found["runs"]
    assert "plain_test/bound_nats" in json.loads(
        (tmp_path / "runs/gumbel_softmax-0/metrics.json").read_text()
    )
    assert one["status"] == "finished" and len(found["gradients"]["rows"]) == 2


@pytest.mark.slow
def test_what_is_written(compared: pathlib.Path):
    comparison = read(compared)
    found = comparison["estimators"]
    assert sorted(found) == ["arm", "gumbel_softmax", "score_function", "straight_through"]
    assert "Received: latents='categorical'" in found["arm"]["skipped"]
    for name in ("gumbel_softmax", "score_function", "straight_through"):
        (one,) = found[name]["runs"]
        assert one["status"] == "finished"
        assert one["history"]["step"] == [10, 20, 30]
        assert one["result"]["test/bound_samples"] == 5
        assert np.isfinite(one["result"]["test/hard_elbo_nats"])
        assert found[name]["cost"]["ratio"] > 0
        rows = found[name]["gradients"]["rows"]
        assert [(row["epoch"], row["step"]) for row in rows] == [(0, 0), (1, 10), (2, 20), (3, 30)]
        assert {row["reference"] for row in rows} == {"exact"}  # 27 configurations.
        assert found[name]["gradients"]["evaluations"] == 4
        assert (compared / f"runs/{name}-0/machine.json").exists()
    assert found["gumbel_softmax"]["cost"] == {
        **found["gumbel_softmax"]["cost"],
        "ratio": 1.0,
        "evaluations": 1,
    }
    assert found["score_function"]["cost"]["evaluations"] == 2
    unbiased = found["score_function"]["gradients"]["rows"][-1]["groups"]["encoder"]
    assert unbiased["relative_bias"] < 2 * unbiased["bias_noise"]
    assert {path.name for path in compared.iterdir()} == {
        "bound_vs_seconds.png",
        "bound_vs_steps.png",
        "comparison.json",
        "config.json",
        "cost.json",
        "data.json",
        "gradient_variance.png",
        "gradients.json",
        "reference.npz",
        "runs",
        "table.md",
        "tensorboard",
    }
    assert "`straight_through`" in (compared / "table.md").read_text()


@pytest.mark.slow
def test_a_run_is_one_of_the_trainer(compared: pathlib.Path, tmp_path: pathlib.Path):
    """Alone, with the trainer's own command, it gives the same numbers."""
    mine = compare_estimators.run_config(config(compared), "straight_through", 0)
    assert read(compared, "runs/straight_through-0/config.json") == {
        "task": "categorical_vae",
        **to_json(mine),
    }
    alone = dataclasses.replace(mine, output_dir=str(tmp_path))
    run.train(compare_estimators.categorical_vae.TASK, alone, compare_estimators.finish)
    assert small_runs.rows(tmp_path) == small_runs.rows(compared / "runs/straight_through-0")
    assert small_runs.result(tmp_path) == small_runs.result(compared / "runs/straight_through-0")


@pytest.mark.slow
def test_more_may_be_added_and_nothing_is_repeated(compared, tmp_path, capsys):
    folder = tmp_path / "folder"
    subprocess.run(["cp", "-rp", str(compared), str(folder)], check=True)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/metrics.json")}
    assert len(before) == 3
    gradients = read(folder, "gradients.json")["estimators"]
    changes = {"estimators": ("reinmax",), "num_seeds": 2, "epochs": 2, "cost_rounds": 0}
    found = compare_estimators.run(config(folder, **changes))["estimators"]
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())
    seeds = {name: [r["seed"] for r in entry["runs"]] for name, entry in found.items()}
    assert seeds == {
        "gumbel_softmax": [0, 1],
        "reinmax": [0, 1],
        "score_function": [0],
        "straight_through": [0],
    }
    assert found["reinmax"]["runs"][0]["history"]["step"] == [10, 20]
    after = read(folder, "gradients.json")["estimators"]
    assert after == {**gradients, "reinmax": after["reinmax"]}
    assert not found["reinmax"].get("cost")
    printed = capsys.readouterr().out
    assert "run 1 of 4: gumbel_softmax, seed 0 is finished" in printed
    assert "run 2 of 4: reinmax, seed 0" in printed
    assert "run 3 of 4: gumbel_softmax, seed 1; about" in printed
    # Gradients and costs alone.
    changes = {"estimators": ("darn",), "num_seeds": 0}
    found = compare_estimators.run(config(folder, **changes))["estimators"]
    darn = found["darn"]
    assert "runs" not in darn and not (folder / "runs/darn-0").exists()
    # Ratios are of one run, so all are timed again.
    assert {name: bool(entry["cost"]) for name, entry in found.items()} == dict.fromkeys(
        [*seeds, "darn"], True
    )
    assert darn["cost"]["ratio"] > 0 and len(darn["gradients"]["rows"]) == 4
    (row,) = [line for line in (folder / "table.md").read_text().splitlines() if "`darn`" in line]
    assert row.split("|")[5].strip() == "0"

    with pytest.raises(ValueError, match="another configuration.*num_variables=3 there, 4 here"):
        compare_estimators.run(config(folder, num_variables=4))


@pytest.mark.slow
def test_a_run_that_diverges_does_not_end_the_comparison(tmp_path, monkeypatch, capsys):
    trained = []
    train = run.train

    def diverging(task, settings, *rest):
        trained.append(settings.estimator)
        if settings.estimator == "straight_through":
            settings = dataclasses.replace(settings, learning_rate=1e38)
        return train(task, settings, *rest)

    monkeypatch.setattr(run, "train", diverging)
    changes = {"estimators": ("straight_through", "reinmax"), "gradient_draws": 0, "cost_rounds": 0}
    for _ in range(2):
        found = compare_estimators.run(config(tmp_path / "folder", **changes))["estimators"]
        (failed,) = found["straight_through"]["runs"]
        assert failed["status"] == "diverged"
        assert "Not finite at step" in failed["message"]
        assert found["reinmax"]["runs"][0]["status"] == "finished"
        assert "| 0, 1 diverged |" in (tmp_path / "folder/table.md").read_text()
    assert trained == ["gumbel_softmax", "straight_through", "reinmax"]
    assert "has diverged; remove" in capsys.readouterr().out


@pytest.mark.slow
def test_a_killed_comparison_goes_on(compared: pathlib.Path, tmp_path: pathlib.Path):
    folder = tmp_path / "folder"
    flags = arguments(folder, gradient_draws=0, cost_rounds=0)
    words = ("-m", "trainers.compare_estimators", *flags)
    first = forked.start(*words, env=small_runs.environment())
    deadline = time.monotonic() + 240
    while not (folder / "runs/straight_through-0/metrics.jsonl").exists():
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.kill()
    assert first.wait() == -signal.SIGKILL
    assert not (folder / "runs/score_function-0").exists()
    done = read(folder)["estimators"]  # Of what was finished by then.
    assert done["gumbel_softmax"]["runs"][0]["status"] == "finished"

    second = small_runs.call(*words)
    assert second.returncode == 0, second.stderr
    assert "gumbel_softmax, seed 0 is finished" in second.stdout
    for name in ("gumbel_softmax", "straight_through", "score_function"):
        small_runs.assert_same_run(folder / f"runs/{name}-0", compared / f"runs/{name}-0")


@pytest.mark.slow
def test_the_gradients_of_a_run(finished, copied):
    folder = copied()
    names = ("score_function", "nvil", "arm")
    asked = report_config(folder, estimators=names)
    report = compare_estimators.run(asked)
    assert report["epoch"] == read(finished, "metrics.json")["best_epoch"]
    assert set(report["estimators"]) == {"gumbel_softmax", "score_function", "nvil"}
    assert list(report["skipped"]) == ["arm"]
    found = {name: row["groups"] for name, row in report["estimators"].items()}
    assert list(found["nvil"]) == [
        "all",
        *("encoder", "encoder/1", "encoder/2"),
        *("decoder", "decoder/1", "decoder/2"),
    ]
    assert report["estimators"]["score_function"]["reference"] == "exact"
    unbiased, biased = found["score_function"]["all"], found["gumbel_softmax"]["all"]
    assert unbiased["relative_bias"] < 2 * unbiased["bias_noise"]
    assert biased["relative_bias"] > 2 * biased["bias_noise"]
    assert biased["mean_cosine"] < unbiased["mean_cosine"]
    assert read(folder, "gradient_report.json") == report
    text = (folder / "gradient_report.md").read_text()
    assert "### encoder/2" in text
    assert "the exact gradient, by enumeration" in text
    assert "- `arm`: ARM" in text
    # The run itself stays what it was.
    small_runs.assert_same_run(folder, finished)


def test_the_gradients_at_a_checkpoint_that_is_not_there(copied):
    folder = str(copied())
    for checkpoint, said in (
        ("3", "epochs kept: none. Received: checkpoint='3'"),
        ("worst", "'best', 'last' or a number. Received: checkpoint='worst'"),
    ):
        asked = report_config(folder, checkpoint=checkpoint)
        with pytest.raises(ValueError, match=said):
            compare_estimators.run(asked)
    with pytest.raises(ValueError, match="folder of a run.*Received: gradient_report='nowhere'"):
        gradient_report.report("nowhere", "best", ("all",), lambda _: None)


@pytest.mark.parametrize(
    "changes,said",
    [
        ({"checkpoint": "last"}, "is of --gradient_report.*Received: checkpoint='last'"),
        (
            {"gradient_report": "somewhere"},
            "all but gradient_report, checkpoint, .*Received: .*epochs=3, .*num_seeds=1",
        ),
        ({"estimators": ("reinmx",)}, "Did you mean 'reinmax'.*Received: estimator='reinmx'"),
        ({"reference": "best"}, "estimator must be one of.*Received: estimator='best'"),
        (
            {"reference": "semantic_hashing", "estimators": ("reinmax",)},
            "SemanticHashing supports bernoulli latents only",
        ),
        (
            {"num_seeds": 0},
            "Train it in this folder first, with --num_seeds=1. Received: num_seeds=0",
        ),
        ({"latents": "path", "num_variables": 1}, "Take --latents=tree.*latents='path'"),
    ],
)
def test_what_is_refused(changes, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        compare_estimators.run(config(tmp_path / "folder", **changes))
    assert not (tmp_path / "folder").exists()


@pytest.mark.slow
def test_out_of_memory_does_not_end_the_comparison(tmp_path, monkeypatch, capsys):
    import tensorflow as tf

    train = run.train

    def exhausted(task, settings, *rest):
        if settings.estimator == "straight_through":
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")
        return train(task, settings, *rest)

    monkeypatch.setattr(run, "train", exhausted)
    changes = {"estimators": ("straight_through",), "gradient_draws": 0, "cost_rounds": 0}
    found = compare_estimators.run(config(tmp_path, **changes))["estimators"]
    assert list(found) == ["gumbel_softmax"]
    assert "is out of memory; the others go on: OOM" in capsys.readouterr().out


def test_help_shows_the_flags():
    done = small_runs.call("-m", "trainers.compare_estimators", "--help")
    text = " ".join(done.stdout.split())
    assert "Trains one model with every gradient estimator" in text
    for name in ("estimators", "num_seeds", "gradient_report", "reference", "cost_rounds"):
        assert f"--{name}:" in text


OWN = {
    "estimators",
    "num_seeds",
    "reference",
    "num_checkpoints",
    "gradient_draws",
    "gradient_evaluations",
    "gradient_examples",
    "adaptation_steps",
    "cost_rounds",
    "gradient_report",
    "checkpoint",
}
"""Flags that a comparison reads itself; the tests above see what they do."""


def test_every_other_flag_reaches_the_runs(tmp_path):
    names = {field.name for field in dataclasses.fields(compare_estimators.Config)}
    assert OWN < names
    own = {"output_dir": str(tmp_path / "runs/reinmax-0"), "seed": 3}
    for name in names - OWN:
        value = object()
        asked = dataclasses.replace(config(tmp_path), **{name: 2 if name == "seed" else value})
        if name == "output_dir":
            asked = dataclasses.replace(asked, output_dir=str(tmp_path))
        made = compare_estimators.run_config(asked, "reinmax", 1 if name == "seed" else 0)
        assert getattr(made, name) == own.get(name, value), name
