"""The benchmark of compression, on few digits: bytes and errors are those of real files."""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np
import pytest

from benchmarks import compression

pytest.importorskip("constriction", reason="constriction is an extra")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small measurement: its configuration and its result."""
    folder = tmp_path_factory.mktemp("compression")
    config = compression.Config(
        output_dir=str(folder / "run"),
        dataset="digits",
        max_examples=200,
        num_bits=12,
        hidden_units=(8,),
        epochs=1,
        batch_size=50,
        prior_units=4,
        prior_epochs=1,
        result=str(folder / "result.json"),
    )
    return config, compression.run(config)


def test_bytes_and_errors_are_measured(finished):
    config, result = finished
    with open(config.result) as file:
        assert json.load(file) == result
    rows = {row["name"]: row for row in result["rows"]}
    assert rows["pixels"]["bytes_per_image"] == 64
    packed, coded = (
        rows["codes, packed (12 x 2)"],
        rows["codes, coded with the prior, all in one file"],
    )
    assert packed["bytes_per_image"] == packed["payload_bytes_per_image"] == 2
    assert coded["bytes_per_image"] * 200 == os.path.getsize(f"{config.output_dir}/test-codes.bin")
    assert 0.1 < coded["payload_bytes_per_image"] < 1.6
    assert 0 < coded["squared_error"] == packed["squared_error"] < 0.25
    assert rows["PNG"]["bytes_per_image"] == rows["PNG"]["payload_bytes_per_image"] + 57
    assert rows["PNG"]["squared_error"] == 0
    (jpeg,) = (row for name, row in rows.items() if name.startswith("JPEG"))
    assert jpeg["bytes_per_image"] > 100 > jpeg["payload_bytes_per_image"] > 2
    text = compression.table(result)
    assert "| codes, packed (12 x 2) | 2.00 | 2.00 | 0." in text
    assert "200 test images of digits" in text and "| lossless |" in text


def test_what_is_trained_is_used_again(finished, monkeypatch):
    config, result = finished
    for module in (compression.semantic_hashing, compression.autoregressive_prior):
        monkeypatch.setattr(module, "run", lambda _: pytest.fail("trained again"))
    given = dataclasses.replace(config, run=f"{config.output_dir}/model")
    assert compression.run(given)["rows"] == result["rows"]


def test_a_run_of_binarised_images_is_refused(finished, monkeypatch):
    config, _ = finished
    load = compression.finished_run.load

    def binarised(run, **options):
        made = load(run, **options)
        return made._replace(config=dataclasses.replace(made.config, binarization="threshold"))

    monkeypatch.setattr(compression.finished_run, "load", binarised)
    with pytest.raises(ValueError, match="--binarization=none. Received: .*'threshold'"):
        compression.train(config)


def test_a_file_that_does_not_give_the_codes_back_is_an_error(finished, monkeypatch, tmp_path):
    config, _ = finished
    made = compression.train(config)
    prior = compression.train_prior(config, f"{config.output_dir}/model")
    wrong = np.zeros([200, 12], np.int32)
    monkeypatch.setattr(compression.codes_lib, "decompress", lambda path, prior: wrong)
    with pytest.raises(RuntimeError, match="must give the codes back. Received: others from"):
        compression.compress_codes(made, prior, tmp_path / "codes.bin")


def test_the_quality_of_jpeg_comes_near_an_error():
    images = np.random.default_rng(0).integers(0, 255, [3, 16, 16], dtype=np.uint8)
    assert compression.nearest_quality(images, 0.0) > 90
    some = [compression.image_bytes.jpeg(image, 30) for image in images]
    decoded = np.stack([compression.image_bytes.read(data) for data in some])
    error = compression.squared_error(images, decoded)
    assert error == pytest.approx(np.square((images / 255.0) - (decoded / 255.0)).mean())
    assert compression.nearest_quality(images, error) == 30
    np.testing.assert_array_equal(
        compression.to_bytes(np.float32([[[[0.5], [1.2], [-1.0]]]])), [[[128, 255, 0]]]
    )
