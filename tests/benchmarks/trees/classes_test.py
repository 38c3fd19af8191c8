"""The cost of very many classes: the table, and real steps."""

import pytest

from benchmarks.trees import classes


def test_table_leaves_out_what_was_not_measured():
    rows = [
        {"inference": kind, "num_classes": k, "milliseconds": [1.0, float(number), 100.0]}
        for number, (kind, k) in enumerate(classes.CASES, 2)
    ]
    made = {"processor": "P", "cores": 2, "date": "2026-11-30", "commit": "a" * 40}
    text = classes.table({"rows": rows, "provenance": made})
    assert "| 100 | 2.0 | 3.0 | 4.0 |" in text
    assert "| 10,000 | 5.0 | 6.0 |  |" in text
    assert "commit aaaaaaaa." in text


@pytest.mark.slow
def test_real_steps():
    (row,) = classes.run([("tree", 100)], steps=2, rounds=3)
    assert (row["inference"], row["num_classes"]) == ("tree", 100)
    assert len(row["milliseconds"]) == 3 and min(row["milliseconds"]) > 0
