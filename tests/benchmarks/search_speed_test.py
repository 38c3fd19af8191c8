"""The benchmark of search, on few codes: every method is measured, and the table says so."""

import json

import pytest

from benchmarks import search_speed

pytest.importorskip("faiss", reason="FAISS is an extra")


def test_every_method_is_measured_in_one_run(tmp_path, capsys):
    output = tmp_path / "result.json"
    flags = ["--codes=3000", "--clusters=30", "--queries=20", "--rounds=3", "--threads=1"]
    search_speed.main([*flags, f"--output={output}"])
    result = json.loads(output.read_text())
    assert list(result["methods"]) == list(search_speed.NAMES)
    for row in result["methods"].values():
        assert len(row["queries_per_second"]) == 3 and min(row["queries_per_second"]) > 0
        assert 0.5 < row["recall"] <= 1.0
    assert result["methods"]["faiss_flat"]["recall"] == 1.0
    assert result["methods"]["exact"]["mebibytes"] < 0.1
    assert result["command"].endswith(
        "--codes=3000 --clusters=30 --queries=20 --rounds=3 --threads=1"
    )
    printed = capsys.readouterr().out
    assert all(f"| {name} |" in printed for name in search_speed.NAMES.values())
