from __future__ import annotations

import collections
import json
import pathlib
import shutil

import pytest

from tests import forked
from tests.trainers import small_runs
from trainers.common import run_directory, sweep
from trainers.common.run_directory import RunDirectory
from trainers.comparison import compare_estimators
from trainers.tasks import categorical_vae

CONFIG = {"seed": 1, "epochs": 3}
Usage = collections.namedtuple("Usage", "total used free")


def test_a_new_folder_is_made_with_the_configuration(tmp_path):
    directory = RunDirectory(tmp_path / "a/b")
    directory.claim(CONFIG)
    assert json.loads((tmp_path / "a/b/config.json").read_text()) == CONFIG
    assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["config.json"]


def test_a_run_can_be_continued_with_what_may_differ(tmp_path):
    RunDirectory(tmp_path).claim(CONFIG)
    RunDirectory(tmp_path).claim({**CONFIG, "epochs": 9}, may_differ=("epochs",))
    assert run_directory.read_json(tmp_path / "config.json")["epochs"] == 9


def test_another_configuration_is_refused_and_the_old_one_kept(tmp_path):
    RunDirectory(tmp_path).claim(CONFIG)
    with pytest.raises(ValueError) as caught:
        RunDirectory(tmp_path).claim({**CONFIG, "seed": 2, "epochs": 9}, may_differ=("epochs",))
    assert "holds a run with another configuration. Choose another --output_dir" in str(
        caught.value
    )
    assert str(caught.value).endswith("Received: seed=1 there, 2 here")
    assert run_directory.read_json(tmp_path / "config.json") == CONFIG


def test_a_run_from_before_a_field_has_its_default(tmp_path):
    RunDirectory(tmp_path).claim(CONFIG)
    RunDirectory(tmp_path).claim({**CONFIG, "newer": 0.0}, defaults={"newer": 0.0})
    assert json.loads((tmp_path / "config.json").read_text()) == {**CONFIG, "newer": 0.0}
    with pytest.raises(ValueError, match="Received: newest=1 there, 2 here"):
        RunDirectory(tmp_path).claim(
            {**CONFIG, "newer": 0.0, "newest": 2}, defaults={"newer": 0.0, "newest": 1}
        )


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match=r"must be empty\..*which holds 'thesis\.tex'"):
        RunDirectory(tmp_path).claim(CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_whose_first_file_was_cut_off_is_taken(tmp_path):
    (tmp_path / ".config.json.tmp-0123abcd").mkdir()
    (tmp_path / ".config.json.tmp-0123abcd/config.json").write_text('{"ep')
    (tmp_path / ".lock").write_text("process 1 on nowhere")
    with RunDirectory(tmp_path).lock():
        RunDirectory(tmp_path).claim(CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_no_space_is_refused_and_nothing_made(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 7 * 2**20))
    with pytest.raises(OSError, match=r"A run needs 200 MiB of space\. Free some.*Received: 7 MiB"):
        RunDirectory(tmp_path / "a/b").claim(CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_no_permission_is_refused(tmp_path, monkeypatch):
    def refuse(path, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(pathlib.Path, "mkdir", refuse)
    with pytest.raises(
        OSError, match="must be able to write its folder.*fix the permissions.*denied"
    ):
        RunDirectory(tmp_path / "a").claim(CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file/run"):
        with pytest.raises(
            OSError, match="must be able to write its folder.*Received: output_dir="
        ):
            RunDirectory(path).claim(CONFIG)


def test_history_forgets_a_half_written_line_and_later_epochs(tmp_path):
    directory = RunDirectory(tmp_path)
    assert directory.history() == []
    rows = [{"epoch": epoch, "step": 10 * epoch, "seconds": 0.5} for epoch in (1, 2, 3)]
    for row in rows:
        directory.append_history(row)
    with open(directory.history_path, "a") as file:
        file.write('{"epoch": 4, "trai')
    assert directory.history() == rows
    assert directory.history(last_epoch=2) == rows[:2]
    directory.append_history(rows[2])
    lines = [json.dumps(row) + "\n" for row in rows]
    assert directory.history_path.read_text() == "".join(lines)


@pytest.mark.parametrize(
    "line",
    ["", '{"epoch": 2, "st', "[2]", '{"epoch": 2}', "\x00" * 9, "[" * 100_000]
    + ['{"epoch": 1, "step": 2, "seconds": 1}', '{"epoch": 2, "step": "2", "seconds": 1}'],
)
def test_a_damaged_line_before_the_last_is_named_and_nothing_is_cut(tmp_path, line):
    directory = RunDirectory(tmp_path)
    rows = [json.dumps({"epoch": epoch, "step": epoch, "seconds": 1}) for epoch in (1, 2, 3, 4)]
    text = "\n".join([rows[0], line, *rows[2:], ""])
    directory.history_path.write_text(text)
    for last_epoch in (None, 3):
        with pytest.raises(ValueError, match=r"remove it: .*Received: .*metrics\.jsonl.*line 2: "):
            directory.history(last_epoch)
    assert directory.history_path.read_text() == text


def test_a_removed_line_leaves_the_others(tmp_path):
    directory = RunDirectory(tmp_path)
    for epoch in (1, 3, 4):
        directory.append_history({"epoch": epoch, "step": epoch, "seconds": 1})
    assert [row["epoch"] for row in directory.history(last_epoch=3)] == [1, 3]


def test_a_second_process_is_refused_with_the_id_of_the_first(tmp_path):
    program = (
        "import sys, time\n"
        "from trainers.common.run_directory import RunDirectory\n"
        "with RunDirectory(sys.argv[1]).lock():\n"
        "    print('locked', flush=True)\n"
        "    time.sleep(1000)\n"
    )
    process = forked.start("-c", program, str(tmp_path / "run"), stdout=tmp_path / "printed")
    assert process.first_line() == "locked"
    tmp_path = tmp_path / "run"
    for program in (
        lambda: small_runs.train(tmp_path),
        lambda: sweep.run(categorical_vae.TASK, small_runs.config(tmp_path, sweep=True)),
        lambda: compare_estimators.run(
            compare_estimators.Config(
                output_dir=str(tmp_path), estimators=("straight_through",), max_examples=100
            )
        ),
    ):
        with pytest.raises(OSError, match=rf"one process at a time.*process {process.pid} on"):
            program()
    process.kill()  # The kernel releases the lock.
    process.wait()
    with RunDirectory(tmp_path).lock():
        assert (tmp_path / ".lock").exists()
    assert list(tmp_path.iterdir()) == []
