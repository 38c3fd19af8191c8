"""Codes of one variable of a million categories: the table, and a real training."""

import numpy as np
import pytest

from benchmarks import store
from benchmarks.trees import codes


def _record(name: str, seed: int, elbo: float) -> dict:
    return {
        "code": name,
        "seed": seed,
        "epochs": 10,
        "estimator": "reinmax",
        "elbo_nats": elbo,
        "bound_nats": elbo + 2,
        "bound_samples": 100,
        "train_images": 60_000,
        "train_codes": 1000 + seed,
        "train_collisions": 0.5,
        "test_collisions": 0.25,
        "training_seconds": 60.4,
        "provenance": {"processor": "P", "cores": 2, "date": "2026-11-30"},
    }


def test_table_has_a_row_for_each_code():
    one, two = list(codes.CODES)[:2]
    records = [_record(one, 0, -100.0), _record(one, 1, -102.0), _record(two, 0, -99.0)]
    text = codes.table({str(number): record for number, record in enumerate(records)})
    row = next(line for line in text.splitlines() if line.startswith(f"| {one}"))
    assert "| -101.00 +- 1.41 | -99.00 +- 1.41 | 1,000 | 50.0% | 25.0% | 2 |" in row
    assert text.count("| 1 |\n") == 1


def test_table_names_every_machine_and_commit_once():
    records = [_record(name, 0, -100.0) for name in list(codes.CODES)[:3]]
    records[2]["provenance"] = {**records[2]["provenance"], "commit": "0123456789"}
    text = codes.table({str(number): record for number, record in enumerate(records)})
    assert text.count("Command: `python -m benchmarks.trees.codes") == 2
    assert text.count("commit not kept") == text.count("commit 01234567") == 1


def test_codes_have_twenty_bits():
    for (variables, categories), _ in codes.CODES.values():
        assert variables * np.log2(categories) == 20


def test_use_counts_images_that_share_a_code(monkeypatch):
    found = np.array([[1], [1], [2], [3], [3], [3]])
    monkeypatch.setattr(codes.codes_lib, "encode_batches", lambda model, batches: found)

    class Split:
        def batches(self, size):
            return None

    assert codes.use(None, Split()) == {"images": 6, "codes": 3, "collisions": 5 / 6}


@pytest.mark.slow
def test_a_real_study_of_digits(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    flags = {"dataset": "digits", "max_examples": 200, "epochs": 1, "num_seeds": 1}
    config = codes.Config(**flags, bound_samples=2, hidden_units=(8,), batch_size=50)
    text = codes.run(config)
    assert all(name in text for name in codes.CODES)
    assert len(store.read(codes.RESULTS)) == len(codes.CODES)
    monkeypatch.setattr(codes, "measure", None)  # What is there is not trained again.
    assert codes.run(config) == text
