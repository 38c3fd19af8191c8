"""The output of the bulk encoder: what kills leave is no obstacle, and shards are those of their records."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tf_discrete.codes import code_files
from trainers.bulk import output

PLAN = {"model": "of the model", "num_variables": 16, "num_categories": 2, "input": []}
LAYOUT = code_files.CodeLayout(16, 2, "of the model")


def shard(seed=0):
    """Codes of shard 0."""
    packed = np.random.default_rng(seed).integers(0, 256, [5, 2], np.uint8)
    return output.Encoded(0, np.arange(5), packed, np.full(5, -1), [])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out" / output.RECORDS).mkdir(parents=True)
    return tmp_path / "out"


def test_a_shard_is_never_gone_while_it_is_written_again(folder, monkeypatch):
    output.write_shard(folder, shard(), LAYOUT)
    whole = (folder / output.shard_file(0)).read_bytes()
    write = output.write_codes

    def watched(*arguments):
        assert (folder / output.shard_file(0)).read_bytes() == whole
        return write(*arguments)

    monkeypatch.setattr(output, "write_codes", watched)
    output.write_shard(folder, shard(), LAYOUT)
    assert output.finish(folder, [0], PLAN)["count"] == 5


def test_a_damaged_shard_is_replaced(folder):
    (folder / output.shard_file(0)).write_bytes(b"no Parquet")
    output.write_shard(folder, shard(), LAYOUT)
    assert output.is_done(folder, 0)


def test_a_file_that_another_worker_has_replaced_is_not_that_of_the_record(folder, monkeypatch):
    """Its file comes between the file and the record of the first one."""
    write, pending = output.writing.write_json, [shard(seed=1)]

    def overtaken(path, value):
        if pending:
            output.write_shard(folder, pending.pop(), LAYOUT)
        write(path, value)

    monkeypatch.setattr(output.writing, "write_json", overtaken)
    output.write_shard(folder, shard(), LAYOUT)
    with pytest.raises(ValueError, match=r"Run the same command again.*such as codes-000000"):
        output.finish(folder, [0], PLAN)
    assert not (folder / output.MANIFEST).exists()
    output.write_shard(folder, shard(), LAYOUT)
    output.finish(folder, [0], PLAN)
    assert len(code_files.CodeFiles(folder)) == 5


def test_a_shard_that_is_missing_at_the_end_is_named(folder):
    output.write_shard(folder, shard(), LAYOUT)
    with pytest.raises(ValueError, match=r"1 shards that are missing.*codes-000001"):
        output.finish(folder, [0, 1], PLAN)


def test_rejects_alone_are_an_error(folder):
    reject = {"id": 0, "name": "a.png", "reason": "no image"}
    nothing = shard()._replace(
        ids=np.zeros(0, np.int64), packed=np.zeros([0, 2], np.uint8), labels=np.zeros(0, np.int64)
    )
    output.write_shard(folder, nothing._replace(rejects=[reject]), LAYOUT)
    with pytest.raises(
        ValueError, match=r"1 rejects and no image; the first is 'a\.png': no image"
    ):
        output.finish(folder, [0], PLAN)
    assert len((folder / output.REJECTS).read_text().splitlines()) == 1
    output.write_shard(folder, nothing, LAYOUT)  # An input without images.
    assert output.finish(folder, [0], PLAN)["count"] == 0


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


@pytest.mark.parametrize(("before", "now"), [({}, {"score": False}), ({"score": False}, {})])
def test_a_flag_that_is_off_may_be_left_out_of_the_plan(tmp_path, before, now):
    output.start(tmp_path, {**PLAN, **before})
    output.start(tmp_path, {**PLAN, **now})


@pytest.mark.parametrize(
    ("before", "now"),
    [({}, {"score": True}), ({"score": True}, {}), ({"score": True}, {"score": False})],
)
def test_a_flag_that_is_turned_on_or_off_is_noticed(tmp_path, before, now):
    output.start(tmp_path, {**PLAN, **before})
    with pytest.raises(ValueError, match="same model, images and flags.*differs in score"):
        output.start(tmp_path, {**PLAN, **now})


def test_other_files_are_an_obstacle(tmp_path):
    (tmp_path / "letter").write_text("hello")
    with pytest.raises(FileExistsError, match="new or empty folder"):
        output.start(tmp_path, PLAN)
    assert os.listdir(tmp_path) == ["letter"]
