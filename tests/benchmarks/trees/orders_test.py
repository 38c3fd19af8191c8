"""The order of a hundred classes: the table, the classes, and a real training."""

import dataclasses

import numpy as np
import pytest

from benchmarks import store
from benchmarks.trees import orders
from tf_discrete import datasets


def _record(order: str, seed: int, accuracy: float) -> dict:
    return {
        "order": order,
        "seed": seed,
        "epochs": 4,
        "labels_per_class": 5,
        "train_images": 54_000,
        "test_images": 10_000,
        "accuracy": accuracy,
        "digit_accuracy": 0.9,
        "same_digit": 0.5,
        "provenance": {"processor": "P", "cores": 2, "date": "2026-11-30"},
    }


def test_table_has_a_row_for_each_order():
    records = [_record("at random", 0, 0.7), _record("at random", 1, 0.8)]
    records.append(_record("learned", 0, 0.75))
    text = orders.table({str(number): record for number, record in enumerate(records)})
    assert "| at random | 75.0 +- 7.1 | 90.0 +- 0.0 | 50.0 +- 0.0 | 2 |" in text
    assert "| learned | 75.0 | 90.0 | 50.0 | 1 |" in text and "clustered" not in text
    assert "54,000 training images" in text


def test_pairs_of_one_row():
    assert orders.same_group(np.zeros([3, 4])) == 1.0
    assert orders.same_group(np.arange(12).reshape(3, 4)) == 0.0


def test_kinds_are_parts_of_digits():
    splits = {name: datasets.get("digits", name) for name in ("train", "validation", "test")}
    kinds = orders.with_kinds(splits)
    for name, split in kinds.items():
        assert split.num_classes == 100
        np.testing.assert_array_equal(split.labels // 10, splits[name].labels)
    assert len(np.unique(kinds["train"].labels)) == 100
    numbers = np.arange(100, dtype=np.int32)[::-1]
    other = orders.renumbered(kinds, numbers)["test"]
    np.testing.assert_array_equal(other.labels, 99 - kinds["test"].labels)


@pytest.mark.slow
def test_a_real_study_of_digits(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    flags = {"dataset": "digits", "epochs": 1, "num_seeds": 1, "labels_per_class": 1}
    config = orders.Config(**flags, hidden_units=(8,), batch_size=50)
    text = orders.run(config)
    assert all(f"| {name} |" in text for name in orders.ORDERS)
    records = store.read(orders.RESULTS)
    assert records["the digit first, seed 0"]["same_digit"] == 1.0
    assert records["at random, seed 0"]["same_digit"] < 0.2
    monkeypatch.setattr(orders, "measure", None)  # What is there is not trained again.
    assert orders.run(dataclasses.replace(config)) == text
