"""A shared folder is made once, and again after a failure."""

from __future__ import annotations

import pytest

from tests import shared


def test_a_folder_is_made_once_and_again_after_a_failure(tmp_path_factory):
    calls = []

    def make(folder):
        calls.append(folder)
        folder.mkdir()
        (folder / "half").touch()
        if len(calls) == 1:
            raise ValueError
        (folder / "whole").touch()

    name = f"test-{tmp_path_factory.mktemp('x').name}-{id(calls)}"
    with pytest.raises(ValueError):
        shared.folder(tmp_path_factory, name, make)
    made = [shared.folder(tmp_path_factory, name, make) for _ in range(2)]
    assert len(calls) == 2 and made == calls
    assert (made[0] / "whole").exists()


def test_workers_share_and_one_process_has_its_own(tmp_path_factory, monkeypatch):
    base = tmp_path_factory.getbasetemp()
    for worker, expected in ((None, base), ("gw0", base.parent)):
        monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
        if worker:
            monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        made = shared.folder(
            tmp_path_factory, f"whose-{id(monkeypatch)}", lambda path: path.mkdir()
        )
        assert made.parent == expected / "shared"
