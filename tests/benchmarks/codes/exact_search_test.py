"""The benchmark of exact search, on few codes: codes of distorted images, every method, table and picture."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import store
from benchmarks.codes import exact_search, linear_codes
from tf_discrete import datasets

GENERATOR = np.random.default_rng(0)


def moved(images, generator):
    """Images [B, 8, 8, 1] moved, turned about their centre and scaled, as the generator draws it."""
    down, right = generator.uniform(-linear_codes.SHIFT, linear_codes.SHIFT, 2)
    angle = np.radians(linear_codes.ANGLE) * generator.uniform(-1, 1)
    scale = linear_codes.SCALE ** generator.uniform(-1, 1)
    # A pixel (x, y) of the result is read at (a x + b y + c, -b x + a y + d).
    a, b = np.cos(angle) / scale, np.sin(angle) / scale
    c, d = 3.5 - a * (3.5 + right) - b * (3.5 + down), 3.5 + b * (3.5 + right) - a * (3.5 + down)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.constant([[a, b, c, -b, a, d, 0.0, 0.0]], tf.float32),
        output_shape=[8, 8],
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=0.0,
    ).numpy()


def test_a_distorted_kernel_gives_the_logits_of_distorted_images():
    kernel = GENERATOR.normal(size=[64, 5]).astype(np.float32)
    encoder = linear_codes.LinearEncoder(kernel, np.zeros(5, np.float32), 8)
    images = GENERATOR.random([3, 8, 8, 1], np.float32)
    found = images.reshape(3, 64) @ linear_codes.distorted(encoder, np.random.default_rng(7))
    expected = moved(images, np.random.default_rng(7)).reshape(3, 64) @ kernel
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_noise_of_pixels_is_noise_of_logits():
    kernel = GENERATOR.normal(size=[16, 8]).astype(np.float32)
    encoder = linear_codes.LinearEncoder(kernel, np.zeros(8, np.float32), 4)
    images = np.zeros([20_000, 16], np.float32)
    (packed,) = linear_codes.packed_codes(encoder, images, 20_000, 0, 0.3, 1)
    bits = np.unpackbits(packed, axis=1).astype(float)
    # Signs of Gaussians agree with probability 1/2 + asin(correlation) / pi.
    cosine = kernel.T @ kernel
    scale = np.sqrt(np.diag(cosine))
    agree = 0.5 + np.arcsin(np.clip(cosine / np.outer(scale, scale), -1, 1)) / np.pi
    found = bits.T @ bits / len(bits) + (1 - bits).T @ (1 - bits) / len(bits)
    np.testing.assert_allclose(found, agree, atol=0.02)  # 5 standard deviations are 0.018.


@pytest.mark.slow
def test_every_method_is_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    small = datasets.get("digits", "train")
    monkeypatch.setattr(exact_search.datasets, "get", lambda *names, **options: small)
    pytest.importorskip("faiss", reason="FAISS is an extra")
    exact_search.main(
        [
            *(
                "--sizes=1500,3000",
                "--max_graph=1500",
                "--queries=10",
                "--rounds=2",
                "--epochs=1",
                "--k=3",
            ),
            "--duplicates_radius=1",
            f"--picture={tmp_path / 'picture.png'}",
        ]
    )
    results = store.read(exact_search.RESULTS)
    assert [result["setting"]["size"] for result in results.values()] == [1500, 3000]
    for result in results.values():
        rows = result["methods"]
        assert {"exact_index", "scan", "faiss_flat", "faiss_ivf"} <= set(rows)
        for row in rows.values():
            assert row["peak_mebibytes"] >= row["memory_mebibytes"]
        for name in ("exact_index", "scan", "faiss_flat"):
            assert rows[name]["recall"] == 1.0
            assert rows[name]["distance"] == rows["exact_index"]["distance"]
    report = exact_search.methods_by_size(results)[3000]["exact_index"]["near_duplicates"]
    assert len(report["pairs_by_distance"]) == 2 and report["num_distinct"] <= 3000
    printed = capsys.readouterr().out
    assert "| 1,500 | `ExactIndex`, exact |" in printed
    assert "Near duplicates among 3,000 codes" in printed
    assert (tmp_path / "picture.png").stat().st_size > 1000


def test_the_last_measurement_of_each_method_counts(tmp_path, monkeypatch):
    """The last that was added, whatever the names of the records are."""
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    for name, size, methods in (
        ("10, scan", 10, {"scan": {"a": 0}}),
        ("10, scan,faiss_flat", 10, {"faiss_flat": {"a": 1}, "scan": {"a": 1}}),
        ("20, scan", 20, {"scan": {"a": 3}}),
        ("10, scan", 10, {"scan": {"a": 2}}),
    ):
        record = {"name": name, "setting": {"size": size}, "methods": methods}
        store.append(exact_search.RESULTS, record)
    found = exact_search.methods_by_size(store.oldest_first(exact_search.RESULTS))
    assert found == {10: {"scan": {"a": 2}, "faiss_flat": {"a": 1}}, 20: {"scan": {"a": 3}}}
    assert list(found[10]) == ["scan", "faiss_flat"]


@pytest.mark.parametrize("methods", ["faiss_hnsw", "scan,faiss", ""])
def test_methods_without_an_exact_one_are_refused(methods, monkeypatch, capsys):
    """Their recall would be measured against themselves."""
    monkeypatch.setattr(exact_search, "make_codes", lambda *_: pytest.fail("work has begun"))
    with pytest.raises(SystemExit):
        exact_search.main([f"--methods={methods}"])
    said = " ".join(capsys.readouterr().err.split())
    assert f"against which recall is measured. Received: methods='{methods}'" in said
