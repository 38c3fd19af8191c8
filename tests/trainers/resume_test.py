"""A run that was killed, wherever, ends with the numbers of one that was not."""

from __future__ import annotations

import json
import pathlib
import signal
import time

import pytest

from tests import forked
from tests.trainers import small_runs
from tf_discrete import export
from trainers.common import run_directory
from trainers.common.history_fields import MONITORED
from trainers.tasks import categorical_vae


class Killed(BaseException):
    """Nothing that a program would catch."""


@pytest.mark.slow
def test_kill_9_in_mid_epoch(finished: pathlib.Path, tmp_path: pathlib.Path):
    # One step an execution makes the epochs long. It changes no number, and pictures do not either.
    flags = small_runs.arguments(tmp_path / "run", steps_per_execution=1, pictures_every=0)
    words = ["-m", "trainers.categorical_vae", *flags]
    history, last = tmp_path / "run/metrics.jsonl", tmp_path / "run/checkpoints/last/checkpoint"
    log = tmp_path / "log"
    process = forked.start(*words, env=small_runs.environment(), stdout=log, stderr=log)
    deadline = time.monotonic() + 240
    while not (last.exists() and "ckpt-2" in last.read_text()):  # Epoch 3 begins.
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    killed_after = len(history.read_text().splitlines())
    assert 2 <= killed_after < small_runs.FLAGS["epochs"]
    assert not (tmp_path / "run/metrics.json").exists()

    again = small_runs.call(*words)
    assert again.returncode == 0, again.stderr
    assert "Continuing" in again.stdout
    small_runs.assert_same_run(tmp_path / "run", finished)


@pytest.mark.slow
def test_killed_between_row_and_checkpoint_and_while_finishing(
    finished: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "run"
    append = run_directory.RunDirectory.append_history

    def append_and_die(self, row):
        append(self, row)
        if row["epoch"] == 2:
            with open(self.history_path, "a") as file:  # Cut off in the middle of a line.
                file.write(json.dumps(row)[:40])
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(run_directory.RunDirectory, "append_history", append_and_die)
        with pytest.raises(Killed):
            categorical_vae.run(small_runs.config(folder, pictures_every=0))
    assert (folder / "metrics.jsonl").read_text().count("\n") == 2
    assert len(list((folder / "checkpoints/last").glob("*.index"))) == 1

    def die(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(export, "save", die)
        with pytest.raises(Killed):
            categorical_vae.run(small_runs.config(folder, pictures_every=0))
    assert len(small_runs.rows(folder)) == small_runs.FLAGS["epochs"]
    assert (folder / "model.keras").exists() and not (folder / "metrics.json").exists()

    with monkeypatch.context() as patch:  # Only the end is missing.
        patch.setattr("trainers.common.run.fit", die)
        categorical_vae.run(small_runs.config(folder, pictures_every=0))
    small_runs.assert_same_run(folder, finished)
    assert (folder / "saved_model/saved_model.pb").exists()


def test_a_finished_run_is_not_trained_again(copied, monkeypatch, capsys):
    folder = copied()
    before = (folder / "metrics.json").read_bytes()
    for name in ("fit", "evaluate_split"):
        monkeypatch.setattr(f"trainers.common.run.{name}", None)
    result = categorical_vae.run(small_runs.config(folder))
    assert "is finished; nothing to train" in capsys.readouterr().out
    assert result == json.loads(before)
    assert (folder / "metrics.json").read_bytes() == before


@pytest.mark.parametrize("changes", [{}, {"likelihood": "gaussian", "binarization": "none"}])
def test_a_run_with_another_automatic_output_bias_goes_on(changes, tmp_path):
    flags = {"epochs": 1, "max_examples": 120, **changes}
    small_runs.train(tmp_path, output_bias="zero", **flags)
    small_runs.train(tmp_path, **{**flags, "epochs": 2})
    assert json.loads((tmp_path / "config.json").read_text())["output_bias"] == "zero"
    assert len(small_runs.rows(tmp_path)) == 2
    with pytest.raises(ValueError, match="output_bias='zero' there, 'mean' here"):
        small_runs.train(tmp_path, output_bias="mean", **flags)


def test_more_epochs_go_on_from_the_last(copied, monkeypatch):
    folder = copied()
    # No numbers of the shorter run must survive where the longer one is killed before it ends.
    with monkeypatch.context() as patch:
        patch.setattr(
            "trainers.common.run.write_json", lambda *args: (_ for _ in ()).throw(Killed())
        )
        with pytest.raises(Killed):
            small_runs.train(folder, epochs=7)
    assert not (folder / "metrics.json").exists()
    rows = small_runs.rows(folder)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert [row["step"] for row in rows] == [10 * (i + 1) for i in range(7)]
    assert json.loads((folder / "config.json").read_text())["epochs"] == 7
    result = small_runs.train(folder, epochs=7)
    assert (result["epochs"], result["steps"]) == (7, 70)


def test_a_moved_run_goes_on(copied, capsys):
    categorical_vae.run(small_runs.config(copied("elsewhere")))
    assert "is finished" in capsys.readouterr().out


@pytest.mark.slow
def test_early_stopping_by_the_hard_validation_bound(tmp_path: pathlib.Path, capsys):
    # Steps too small to change a weight: no epoch after the first has a better bound.
    standing = {"learning_rate": 1e-30, "epochs": 9, "kl_warmup_steps": 0}
    result = small_runs.train(tmp_path, early_stopping=2, **standing)
    rows = small_runs.rows(tmp_path)
    bounds = [row[MONITORED] for row in rows]
    assert len(rows) == 3 and len(set(bounds)) == 1
    assert (result["best_epoch"], result["epochs"]) == (1, 3)

    assert small_runs.train(tmp_path, early_stopping=2, **standing) == result
    assert "nothing to train" in capsys.readouterr().out
    # With more patience it goes on.
    assert small_runs.train(tmp_path, early_stopping=4, **standing)["epochs"] == 5


def test_a_damaged_last_checkpoint_costs_an_epoch_and_not_the_run(
    finished: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "run"
    small_runs.train(folder, epochs=3)
    last = max((folder / "checkpoints/last").glob("ckpt-*.data*"))
    whole = last.read_bytes()
    last.write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    small_runs.train(folder)
    told = capsys.readouterr().out
    assert "Left out" in told and "ckpt-3" in told and "Continuing" in told
    assert small_runs.rows(folder) == small_runs.rows(finished)
