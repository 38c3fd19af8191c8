"""The output of the bulk encoder: what kills leave is no obstacle, and shards are those of their records."""

from __future__ import annotations

import os

import pytest

from trainers.bulk import output

PLAN = {"model": "of the model", "num_variables": 16, "num_categories": 2, "input": []}


def test_what_a_kill_leaves_of_the_plan_is_no_obstacle(tmp_path, monkeypatch):
    left = tmp_path / ".plan.json.tmp-0123abcd"
    left.mkdir()
    (left / output.PLAN).write_text("{")
    (tmp_path / ".lock").touch()
    output.start(tmp_path, PLAN)
    assert not left.exists() and (tmp_path / output.PLAN).exists()
    (tmp_path / output.PLAN).unlink()
    left.mkdir()
    monkeypatch.setattr(output.writing, "sweep", lambda *_: None)  # A file system without locks.
    output.start(tmp_path, PLAN)
    assert (tmp_path / output.PLAN).exists()


def test_other_files_are_an_obstacle(tmp_path):
    (tmp_path / "letter").write_text("hello")
    with pytest.raises(FileExistsError, match="new or empty folder"):
        output.start(tmp_path, PLAN)
    assert os.listdir(tmp_path) == ["letter"]
