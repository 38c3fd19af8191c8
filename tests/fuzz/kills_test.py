"""A writer that is killed loses nothing, and readers never see parts of two states."""

from __future__ import annotations

from tests.trainers import small_runs


def test_killed_writers_lose_nothing(tmp_path):
    words = ["-m", "tests.fuzz.kills", "--kills=8", "index", "history", "checkpoint", "cache"]
    ended = small_runs.call(*words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    last = ended.stdout.splitlines()[-1]
    assert last.startswith("Counts(kills=8, ") and last.endswith("lost=0, mixed=0, stale=0)")
