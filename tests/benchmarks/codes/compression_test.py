"""The benchmark of compression, on few digits: bytes and errors are those of real files."""

from __future__ import annotations

import os

import keras
import numpy as np
import pytest

from benchmarks import store
from benchmarks.codes import compression
from tf_discrete.models import (
    AutoregressivePrior,
    CategoricalVAE,
    SemanticHashingAutoencoder,
)
from trainers.common.finished_run import FinishedRun
from trainers.common.run_directory import RunDirectory
from trainers.flags.run import RunConfig

pytest.importorskip("constriction", reason="constriction is an extra")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of digits whose model has not been trained, and the prior of its codes, likewise."""
    keras.utils.set_random_seed(0)
    model = SemanticHashingAutoencoder((8, 8, 1), num_bits=12, hidden_units=(8,))
    prior = AutoregressivePrior.for_model(model, units=4)
    directory = RunDirectory(str(tmp_path_factory.mktemp("compression")))
    return FinishedRun(directory, RunConfig(max_examples=200), model), prior


@pytest.fixture(scope="module")
def finished(made):
    """The configuration of a small measurement, and its result."""
    folder = made[0].directory.path
    config = compression.Config(output_dir=str(folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "RESULTS", folder)
        patch.setattr(compression, "_TRIED", 20)
        patch.setattr(compression, "train", lambda config: made[0])
        patch.setattr(compression, "train_prior", lambda config, run: made[1])
        result = compression.run(config)
        assert store.newest("compression") == {"name": "compression", **result}
        return config, result


@pytest.mark.slow
def test_bytes_and_errors_are_measured(finished):
    config, result = finished
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
    jpeg, sheet = (row for name, row in rows.items() if name.startswith("JPEG"))
    assert jpeg["bytes_per_image"] > 100 > jpeg["payload_bytes_per_image"] > 1
    assert sheet["name"] == f"{jpeg['name']}, all in one sheet"
    assert (
        jpeg["bytes_per_image"] / 10 > sheet["bytes_per_image"] > sheet["payload_bytes_per_image"]
    )
    assert 0 < sheet["squared_error"] < 2 * jpeg["squared_error"]
    text = compression.table(result)
    assert "| codes, packed (12 x 2) | 2.00 | 2.00 | 0." in text
    assert "200 test images of digits" in text and "| lossless |" in text


def test_what_is_trained_is_used_again(made, monkeypatch, tmp_path):
    for module in (compression.semantic_hashing, compression.autoregressive_prior):
        monkeypatch.setattr(module, "run", lambda _: pytest.fail("trained again"))
    monkeypatch.setattr(compression.finished_run, "load", lambda run, data_dir: made[0])
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "metrics.json").write_text("{}")
    (tmp_path / "prior").mkdir()
    (tmp_path / "prior" / "metrics.json").write_text("{}")
    made[1].save(tmp_path / "prior" / "prior.keras")
    config = compression.Config(output_dir=str(tmp_path))
    assert compression.train(config) is made[0]
    assert compression.train_prior(config, "runs/any").num_variables == 12


def test_a_run_of_binarised_images_is_refused(made, monkeypatch):
    binarised = made[0]._replace(config=RunConfig(binarization="threshold"))
    monkeypatch.setattr(compression.finished_run, "load", lambda run, data_dir: binarised)
    with pytest.raises(ValueError, match="--binarization=none. Received: run='x'.*'threshold'"):
        compression.train(compression.Config(run="x"))


def test_the_weights_that_decode_are_counted_or_missed_before_work(made, monkeypatch):
    shapes = {"num_variables": 3, "num_categories": 2, "hidden_units": (5,)}
    vae = CategoricalVAE((8, 8, 1), latents="bernoulli", **shapes)
    deep = CategoricalVAE((8, 8, 1), latents="bernoulli", **{**shapes, "num_variables": (3, 2)})
    expected = (3 + 1) * 5 + (5 + 1) * 64
    for model in (vae, deep):
        assert compression.decoder_parameters("x", model) == expected
    other = made[0]._replace(model=keras.Sequential())
    monkeypatch.setattr(compression, "train", lambda config: other)
    with pytest.raises(ValueError, match="has a decoder. Received: run='x' with Sequential"):
        compression.run(compression.Config(run="x"))


def test_a_file_that_does_not_give_the_codes_back_is_an_error(made, monkeypatch, tmp_path):
    wrong = np.full([200, 12], -1)
    monkeypatch.setattr(compression.codes_lib, "decompress", lambda path, prior: wrong)
    with pytest.raises(RuntimeError, match="must give the codes back. Received: others from"):
        compression.compress_codes(*made, tmp_path / "codes.bin")


def test_a_jpeg_is_found_for_every_error():
    """The fewest bytes among those as bad as is asked for, to 5 %; smaller sides where quality is no help."""
    x = np.linspace(0, 3, 16)
    waves = [np.sin(x[:, None] * k + x) * 100 + 127 for k in (1, 2, 5)]
    images = np.stack(waves).astype(np.uint8)

    def error(jpeg):
        return compression.squared_error(images, jpeg.read(jpeg.store(images), images))

    def size(jpeg):
        files = jpeg.store(images, optimize=False)
        return sum(compression.image_bytes.jpeg_payload(data) for data in files)

    fine = compression.comparable_jpeg(images, 0.0)
    assert fine.share == 1 and fine.quality > 90
    wanted = error(compression.Jpeg(40, 0.5))
    found = compression.comparable_jpeg(images, wanted)
    assert error(found) == pytest.approx(wanted, rel=0.05)
    assert size(found) <= size(compression.Jpeg(40, 0.5))
    coarse = compression.comparable_jpeg(images, 1.0)
    assert error(coarse) >= error(compression.Jpeg(1, 1.0))


def test_a_sheet_gives_its_images_back():
    images = np.random.default_rng(0).integers(0, 255, [7, 4, 6, 3], dtype=np.uint8)
    sheet = compression.image_bytes.sheet(images)
    assert sheet.shape == (12, 18, 3)
    np.testing.assert_array_equal(compression.image_bytes.cut(sheet, 7, 4, 6), images)
    np.testing.assert_array_equal(sheet[4:8, 6:12], images[4])
