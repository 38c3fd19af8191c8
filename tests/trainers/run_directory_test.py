from __future__ import annotations

import collections
import json
import pathlib
import shutil

import pytest

from trainers import run_directory
from trainers.run_directory import RunDirectory

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
    (tmp_path / "config.json.tmp").write_text('{"ep')
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
        OSError, match="must be able to write its folder.*mend the permissions.*denied"
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
    for epoch in (1, 2, 3):
        directory.append_history({"epoch": epoch})
    with open(directory.history_path, "a") as file:
        file.write('{"epoch": 4, "trai')
    assert [row["epoch"] for row in directory.history()] == [1, 2, 3]
    assert [row["epoch"] for row in directory.history(last_epoch=2)] == [1, 2]
    directory.append_history({"epoch": 3})
    assert directory.history_path.read_text() == '{"epoch": 1}\n{"epoch": 2}\n{"epoch": 3}\n'


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    run_directory.write_json(path, {"a": 1})

    def fail(self, text):
        with open(self, "w") as file:
            file.write(text[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_text", fail)
    with pytest.raises(OSError, match="No space left"):
        run_directory.write_json(path, {"a": 2})
    assert run_directory.read_json(path) == {"a": 1}
