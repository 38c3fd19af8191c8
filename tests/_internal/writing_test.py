"""Files and folders are replaced whole or not at all."""

from __future__ import annotations

import errno
import os
import pathlib
import stat
import time

import pytest
import tensorflow as tf

from tests import forked
from tf_discrete._internal import locking, reading, writing


def _new_path(path, overwrite=True):
    return writing.new_path(path, overwrite, ours=lambda path: True, kind="export")


def _write(path, text, overwrite=False):
    with _new_path(path, overwrite) as folder:
        folder.mkdir()
        (folder / "file").write_text(text)


def test_a_folder_appears_with_its_parents(tmp_path):
    _write(tmp_path / "a" / "b", "x")
    assert (tmp_path / "a" / "b" / "file").read_text() == "x"
    assert os.listdir(tmp_path / "a") == ["b"]


def test_a_folder_is_readable_as_others_are(tmp_path):
    (tmp_path / "other").mkdir()
    _write(tmp_path / "a", "x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "other")}
    assert len(modes) == 1


def test_an_empty_folder_is_taken_and_a_full_one_refused(tmp_path):
    (tmp_path / "a").mkdir()
    _write(tmp_path / "a", "x")
    with pytest.raises(FileExistsError, match=r"overwrite=True.*Received: path="):
        _write(tmp_path / "a", "y")
    assert (tmp_path / "a" / "file").read_text() == "x"
    _write(tmp_path / "a", "y", overwrite=True)
    assert (tmp_path / "a" / "file").read_text() == "y"
    assert os.listdir(tmp_path) == ["a"]


def test_files_are_replaced_too(tmp_path):
    for text in ("x", "y"):
        with _new_path(tmp_path / "a") as file:
            file.write_text(text)
    assert (tmp_path / "a").read_text() == "y"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there(tmp_path, error):
    _write(tmp_path / "a", "x")
    with pytest.raises(error), _new_path(tmp_path / "a") as folder:
        folder.mkdir()
        (folder / "file").write_text("half")
        raise error
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a" / "file").read_text() == "x"


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), tf.errors.DataLossError(None, None, "")]
)
def test_faults_of_the_file_system_name_the_path(tmp_path, error):
    with pytest.raises(OSError, match=r"choose another path\. Received: path='.*/a'"):
        with _new_path(tmp_path / "a", overwrite=False) as folder:
            folder.mkdir()
            raise error
    assert os.listdir(tmp_path) == []


def test_a_parent_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="must be writable"):
        _write(tmp_path / "file" / "a", "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_told(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(OSError, match="Fix the permissions"):
        _write(tmp_path / "closed" / "a", "x")


def test_only_what_the_caller_writes_is_replaced(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.keras").write_text("weeks of training")
    with pytest.raises(FileExistsError, match=r"Only a index.*holds model\.keras"):
        with writing.new_path(
            tmp_path / "run", True, ours=lambda path: (path / "codes.npy").exists(), kind="index"
        ):
            pytest.fail("nothing may be written")
    assert (tmp_path / "run" / "model.keras").read_text() == "weeks of training"


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    writing.write_json("~/a.json", {"b": 1})
    assert (tmp_path / "a.json").read_text() == '{\n  "b": 1\n}\n'
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_file_is_not_replaced_by_way_of_a_folder_of_its_name(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("x")
    with pytest.raises(FileExistsError, match="holds b"):
        writing.write_text(tmp_path / "a", "y")


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_takes_the_place_of_a_folder(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(writing, "_exchange", lambda one, other: False)
    _write(tmp_path / "a", "x")
    _write(tmp_path / "a", "y", overwrite=True)
    assert (tmp_path / "a" / "file").read_text() == "y"
    assert os.listdir(tmp_path) == ["a"]


def test_what_a_killed_process_left_is_removed_and_what_lives_is_not(tmp_path):
    stale, living = tmp_path / ".a.tmp-00000001", tmp_path / ".a.tmp-00000002"
    (tmp_path / ".a.tmp-mine").mkdir()
    stale.mkdir()
    living.mkdir()
    (stale / "a").write_text("half")
    with locking.held(living):
        _write(tmp_path / "a", "x")
    assert sorted(os.listdir(tmp_path)) == [living.name, ".a.tmp-mine", "a"]


_LOOP = """
import sys, pathlib
from tf_discrete._internal import writing
target = pathlib.Path(sys.argv[1])
for i in range(10**9):
    with writing.new_path(target, True, ours=lambda path: True, kind="folder") as folder:
        folder.mkdir()
        for name in "abc":
            (folder / name).write_text(str(i))
"""


def test_readers_see_one_state_while_a_folder_is_replaced_and_a_kill_leaves_it_whole(tmp_path):
    target = tmp_path / "folder"
    writer = forked.start("-c", _LOOP, str(target))
    try:
        while not target.exists():
            assert writer.poll() is None
        states: set[tuple[str, ...]] = set()
        reads, end = 0, time.monotonic() + 120
        # A disk may need a second for each state, and a processor read the first 300 times before.
        while reads < 300 or len(states) < 3:
            states.add(_read(target))
            reads += 1
            assert writer.poll() is None and time.monotonic() < end, "the folder was never replaced"
    finally:
        writer.kill()
        writer.wait()
    assert all(len(set(state)) == 1 for state in states)
    assert len(set(_read(target))) == 1
    _write(target, "after", overwrite=True)
    assert os.listdir(tmp_path) == ["folder"]


def _read(folder: pathlib.Path) -> tuple[str, ...]:
    return reading.read_folder(
        folder, lambda path: tuple((path / name).read_text() for name in "abc")
    )


def test_a_symbolic_link_stays_and_what_it_names_is_replaced(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "a")
    for text in ("x", "y"):
        _write(tmp_path / "link", text, overwrite=True)
        assert (tmp_path / "disk" / "a" / "file").read_text() == text
    assert (tmp_path / "link").is_symlink() and os.listdir(tmp_path / "disk") == ["a"]


def test_the_folder_of_the_process_is_replaced(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    _write(".", "x")
    assert (tmp_path / "a" / "file").read_text() == "x"


def test_what_has_appeared_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(FileExistsError, match="overwrite=True"):
        with _new_path(tmp_path / "a", overwrite=False) as new:
            new.write_text("mine")
            (tmp_path / "a").write_text("another's")
    assert (tmp_path / "a").read_text() == "another's"


def test_a_kill_between_two_renames_is_undone_by_the_next_writer(tmp_path):
    left = tmp_path / ".a.tmp-01234567"
    left.mkdir()
    (left / "a.old").write_text("weeks of training")
    with pytest.raises(ValueError), _new_path(tmp_path / "a"):
        raise ValueError
    assert (tmp_path / "a").read_text() == "weeks of training"
    assert os.listdir(tmp_path) == ["a"]


def test_file_systems_without_locks_are_written(tmp_path, monkeypatch):
    def no_locks(descriptor):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locking, "_take", no_locks)
    _write(tmp_path / "a", "x")
    with locking.lock(tmp_path / "a"):
        pass
    assert (tmp_path / "a" / "file").read_text() == "x"
