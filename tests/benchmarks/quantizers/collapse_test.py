"""Codebooks do not collapse: one seed of the benchmark, and its record and table."""

from __future__ import annotations

import pytest
import tensorflow as tf

from benchmarks import store
from benchmarks.quantizers import collapse
from tf_discrete.layers import quantizers


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in collapse.QUANTIZERS if name[:6] == "Vector"])
def test_codebooks_are_in_use_and_near_k_means(name):
    x = collapse.vectors_of(0)
    layer = collapse.QUANTIZERS[name](0)
    collapse.train(layer, x, 30, 0)
    use, error = collapse.measure(layer, x)
    assert use >= 0.95 and error < 1.05 * collapse.lloyd(x, 0)[1]


def test_a_small_codebook_is_in_use():
    x = collapse.vectors_of(0)[:1024]
    layer = quantizers.VectorQuantizer(64)
    collapse.train(layer, x, 4, 0)
    assert collapse.measure(layer, x)[0] >= 0.95


def test_the_records_and_their_table(monkeypatch, tmp_path):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    monkeypatch.setattr(
        collapse, "vectors_of", lambda seed: tf.random.stateless_normal([1024, 16], [0, 1])
    )
    names = ("VectorQuantizer", "LookupFreeQuantizer")
    small = {name: collapse.QUANTIZERS[name] for name in names}
    monkeypatch.setattr(collapse, "QUANTIZERS", small)
    collapse.run(collapse.Config(seeds=1, epochs=1))
    lines = collapse.table(store.read(collapse.RESULTS)).splitlines()
    assert [line.split(" | ")[:2] for line in lines[2:4]] == [[f"| {name}", "1"] for name in names]
