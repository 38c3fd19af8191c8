"""Exports appear whole or not at all."""

from __future__ import annotations

import os
import stat

import pytest
import tensorflow as tf

from tf_discrete.export import atomic


def _write(path, text, overwrite=False):
    with atomic.new_path(path, overwrite) as folder:
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
        with atomic.new_path(tmp_path / "a", overwrite=True) as file:
            file.write_text(text)
    assert (tmp_path / "a").read_text() == "y"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there(tmp_path, error):
    _write(tmp_path / "a", "x")
    with pytest.raises(error), atomic.new_path(tmp_path / "a", overwrite=True) as folder:
        folder.mkdir()
        (folder / "file").write_text("half")
        raise error
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a" / "file").read_text() == "x"


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), tf.errors.DataLossError(None, None, "")]
)
def test_faults_of_the_file_system_name_the_path(tmp_path, error):
    with pytest.raises(OSError, match=r"free space or choose another one\. Received: path='.*/a'"):
        with atomic.new_path(tmp_path / "a", overwrite=False) as folder:
            folder.mkdir()
            raise error
    assert os.listdir(tmp_path) == []


def test_a_parent_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="must be able to write its path"):
        _write(tmp_path / "file" / "a", "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_told(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(OSError, match="Mend the permissions"):
        _write(tmp_path / "closed" / "a", "x")
