"""A folder is written by one process at a time."""

from __future__ import annotations

import os

import pytest

from tests import forked
from tf_discrete._internal import locking

_HOLD = """
import sys, time
from tf_discrete._internal import locking
with locking.lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(1000)
"""


def test_a_second_holder_is_refused_with_the_process_id(tmp_path):
    with locking.lock(tmp_path):
        with pytest.raises(locking.InUseError, match=rf"in use by process {os.getpid()} on "):
            with locking.lock(tmp_path):
                pytest.fail("two hold one folder")
    assert os.listdir(tmp_path) == []
    with locking.lock(tmp_path):
        pass


def test_an_error_releases_the_lock(tmp_path):
    with pytest.raises(KeyError), locking.lock(tmp_path):
        raise KeyError
    with locking.lock(tmp_path):
        pass


def test_a_kill_releases_the_lock(tmp_path):
    printed, tmp_path = tmp_path / "printed", tmp_path / "folder"
    tmp_path.mkdir()
    holder = forked.start("-c", _HOLD, str(tmp_path), stdout=printed)
    try:
        assert holder.first_line() == "held"
        with pytest.raises(locking.InUseError, match=f"process {holder.pid} "):
            with locking.lock(tmp_path):
                pytest.fail("two hold one folder")
    finally:
        holder.kill()
        holder.wait()
    with locking.lock(tmp_path):
        assert os.listdir(tmp_path) == [".lock"]
    assert os.listdir(tmp_path) == []


def test_a_holder_of_a_replaced_folder_leaves_the_lock_of_the_new_one(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with locking.lock(folder):
        os.rename(folder, tmp_path / "old")
        folder.mkdir()
        following = locking.lock(folder)
        following.__enter__()
    assert os.listdir(folder) == [".lock"]
    following.__exit__(None, None, None)
    assert os.listdir(folder) == []
