"""The provenance of a result, and the command that repeats it."""

from __future__ import annotations

import subprocess

import pytest

from benchmarks import provenance, store
from trainers.flags.config import to_json
from trainers.tasks import categorical_vae


def test_a_record_says_when_on_what_and_from_which_commit():
    made = provenance.record(["scipy", "none-such"])
    assert set(made) >= {"date", "commit", "load", "versions", "processor", "cores"}
    assert {"python", "keras", "numpy", "scipy"} <= set(made["versions"])
    assert "none-such" not in made["versions"] and made["load"] >= 0
    assert provenance.machine(made).startswith(f"{made['processor']}, {made['cores']} core")


def test_the_line_of_a_table_says_what_is_known():
    made = {"processor": "P", "cores": 2}
    assert provenance.line(made, "python -m b ") == "P, 2 cores. Command: `python -m b`.\n"
    made |= {"load": 0.5, "date": "2026-11-30", "commit": "0123456789+"}
    assert provenance.line(made, "c") == (
        "P, 2 cores, load before the run 0.5; 2026-11-30, commit 01234567+. Command: `c`.\n"
    )
    assert provenance.machine({"processor": "P", "cores": 1}) == "P, 1 core"
    assert provenance.short({"commit": "0123456789"}) == "01234567"
    assert provenance.short({"commit": None}) == "not kept"


def test_the_commit_tells_of_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROOT", tmp_path)
    assert provenance.commit() is None
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    tables = tmp_path / "benchmarks" / "results"
    tables.mkdir(parents=True)
    (tables / "study.jsonl").write_text("")
    (tmp_path / "file").write_text("1")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    first = provenance.commit()
    assert first is not None and len(first) == 40
    (tables / "study.jsonl").write_text("{}")  # What a study that goes on has added.
    assert provenance.commit() == first
    (tmp_path / "file").write_text("2")
    assert provenance.commit() == f"{first}+"


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({}, ""),
        ({"data_dir": "/data", "output_dir": "here"}, " --data_dir=$TF_DISCRETE_DATA_DIR"),
        ({"hidden_units": (5, 6), "sweep": True}, " --sweep --hidden_units=5,6"),
        ({"dataset": "two words"}, " --dataset='two words'"),
    ],
)
def test_a_command_has_the_flags_that_differ(changes, flags):
    command = provenance.command(to_json(categorical_vae.Config(**changes)), categorical_vae.TASK)
    program, *found = command.split(" --")
    assert program == "python -m trainers.categorical_vae"
    assert sorted(found) == sorted(flags.split(" --")[1:])
