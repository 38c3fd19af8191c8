"""The page of a run: what it holds, how large it is, and which runs are refused."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import types

import numpy as np
import pytest

from tests.explorer import small_pages
from tests.trainers import small_runs
from tf_discrete import explorer, models
from tf_discrete._internal.writing import write_json
from tf_discrete.codes.digest import model_digest
from tf_discrete.explorer import packed
from tf_discrete.layers import quantizers
from trainers.saved_runs import explore

TASK = {"task": "categorical_vae", "dataset": "digits", "max_examples": 60}
_PAYLOAD = re.compile(r'id="payload">(.*?)</script>', re.DOTALL)


@pytest.fixture(scope="module")
def model():
    return small_pages.categorical(code_prior=None)


@pytest.fixture
def run(model, tmp_path):
    """The folder of a finished run."""
    return folder_of(model, tmp_path / "run", binarization="dynamic")


def folder_of(model, folder, **settings):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**TASK, **settings}))
    model.save(folder / "model.keras")
    return folder


def payload_of(path):
    return json.loads(_PAYLOAD.search(path.read_text())[1])


def test_a_page_is_written_of_the_images_as_the_model_reads_them(run, model, capsys):
    path = explore.run(explore.Config(run=str(run), num_images=20))
    assert path == run / "explorer.html" and explorer.is_page(path)
    found = payload_of(path)
    assert (found["title"], found["precision"]) == ("CategoricalVAE of digits", "int16")
    examples = found["examples"]
    pixels = packed.unpack(examples["pixels"])
    assert pixels.shape == (20, 8, 8, 1) and len(set(pixels.ravel())) > 2
    codes = np.asarray(model.encode((pixels > 127.5).astype(np.float32)))
    np.testing.assert_array_equal(packed.unpack(examples["codes"]), codes)
    assert all(examples["labels"].count(label) == 2 for label in range(10))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Model:") and "Page ..." in lines
    assert (
        lines[-1].startswith(f"{path}: 0.") and "20 images, weights as int16; pixels" in lines[-1]
    )
    before = path.read_text()
    explore.run(explore.Config(run=str(run), num_images=20))
    assert path.read_text() == before, "reproducible, and its own page is replaced"


def test_the_page_of_a_semi_supervised_run(tmp_path):
    folder = folder_of(small_pages.class_and_style(), tmp_path / "m2", task="semi_supervised")
    found = payload_of(explore.run(explore.Config(run=str(folder), num_images=5, split="train")))
    assert found["kind"] == "class_style" and len(found["examples"]["labels"]) == 5


def test_images_of_all_classes_in_turn():
    labels = np.array([7, 7, 7, -1, 1, 7])
    assert explore.in_turn(labels, 6, 4).tolist() == [0, 1, 3, 4]
    assert explore.in_turn(None, 3, 10).tolist() == [0, 1, 2]


def test_a_page_that_is_too_large_takes_fewer_bits_or_is_refused(run):
    path = explore.run(explore.Config(run=str(run), num_images=5, weights="int16"))
    limit = path.stat().st_size / 1e6 - 1e-5
    config = explore.Config(run=str(run), num_images=5, size_limit=limit)
    assert payload_of(explore.run(config))["precision"] == "int12"
    message = r"at most 0\.001 MB\. Give fewer --num_images.*Received: a page of 0\.1 MB with weights as int8"
    with pytest.raises(ValueError, match=message):
        explore.run(explore.Config(run=str(run), num_images=5, size_limit=0.001))


def test_images_make_space_for_weights_that_are_precise_enough(run, monkeypatch, capsys):
    monkeypatch.setattr(explore, "FEWEST", 10)
    path = explore.run(explore.Config(run=str(run), num_images=60))
    limit = (path.stat().st_size - len(json.dumps(payload_of(path)["examples"])) // 2) / 1e6
    config = explore.Config(run=str(run), num_images=60, size_limit=limit)
    found = payload_of(explore.run(config))
    assert found["largest_error"] <= 1e-3 and path.stat().st_size <= 1e6 * limit
    left = found["examples"]["pixels"]["shape"][0]
    assert 10 <= left < 60 and len(found["examples"]["labels"]) == left
    assert "Notice" not in capsys.readouterr().out
    monkeypatch.setattr(explore, "FEWEST", 60)
    with pytest.raises(ValueError, match="Give fewer --num_images"):
        explore.run(config)
    explore.run(explore.Config(run=str(run), num_images=60, weights="int8"))
    assert "differ from the model's by more than 0.001" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("overhead", "precision", "left"), [(0, "int16", 150), (600, "int12", 200)]
)
def test_a_page_that_fits_is_the_last_resort(overhead, precision, left, monkeypatch):
    """Fewer images may need more space for each, so that the better page does not fit with enough of them."""

    def of_model(model, images, prior, precision, title):
        count = len(images.pixels)
        error = 0.0 if precision == "int16" else 0.01
        return {"precision": precision, "largest_error": error, "examples": "x" * (10 * count - 2)}

    def page(payload):
        images = len(payload["examples"]) + 2
        weights = 3000 if payload["precision"] == "int16" else 2000
        return "x" * (weights + images + (overhead if images < 2000 else 0))

    monkeypatch.setattr(explore.explorer, "of_model", of_model)
    monkeypatch.setattr(explore.explorer, "page", page)
    finished = types.SimpleNamespace(model=None, config=types.SimpleNamespace(dataset="digits"))
    images = explorer.Examples(np.zeros([200, 2, 2, 1], np.uint8), np.zeros([200, 2, 2, 1]))
    found = explore.build(finished, images, None, explore.Config(run="run", size_limit=0.0045))
    assert (found.payload["precision"], found.image_size) == (precision, 10 * left)


def test_the_prior_of_a_run_is_found_and_checked(run, model, tmp_path):
    prior = models.AutoregressivePrior(4, 3, units=4, embedding_units=2)
    folder = run / "autoregressive_prior"
    folder.mkdir()
    prior.save(folder / "prior.keras")
    write_json(folder / "data.json", {"model": model_digest(model)})
    config = explore.Config(run=str(run), num_images=3)
    assert payload_of(explore.run(config))["code_prior"]["kind"] == "lstm"
    moved = shutil.move(folder, tmp_path / "prior")
    assert payload_of(explore.run(config))["code_prior"] is None
    config = explore.Config(run=str(run), num_images=3, prior=str(moved))
    assert payload_of(explore.run(config))["code_prior"]["kind"] == "lstm"
    write_json(tmp_path / "prior" / "data.json", {"model": "of another"})
    with pytest.raises(ValueError, match="of the codes of this model.*Received: prior='.*prior'"):
        explore.run(config)
    with pytest.raises(FileNotFoundError, match="prior must be the folder of a finished prior"):
        explore.run(explore.Config(run=str(run), prior=str(tmp_path)))


def test_a_file_of_someone_else_is_not_replaced(run, tmp_path):
    other = tmp_path / "mine.html"
    other.write_text("<p>mine</p>")
    with pytest.raises(FileExistsError, match="page of trainers.explore"):
        explore.run(explore.Config(run=str(run), output=str(other), num_images=3))
    assert other.read_text() == "<p>mine</p>"


def test_runs_that_cannot_be_shown_are_refused(run, tmp_path):
    for changes, error, message in (
        ({"run": ""}, ValueError, "Give --run"),
        ({"run": str(tmp_path / "none")}, FileNotFoundError, "Give the --output_dir"),
        ({"num_images": 0}, ValueError, "num_images must be at least 1"),
    ):
        with pytest.raises(error, match=message):
            explore.run(explore.Config(**{"run": str(run), **changes}))
    many = quantizers.LookupFreeQuantizer(18)
    quantized = models.QuantizedAutoencoder(small_pages.SHAPE, many, (2, 4), hidden_units=(4,))
    folder = folder_of(quantized, tmp_path / "vq", task="quantized_autoencoder")
    with pytest.raises(ValueError, match="at most 8192 vectors of codes"):
        explore.run(explore.Config(run=str(folder)))
    (run / "model.keras").unlink()
    with pytest.raises(FileNotFoundError, match="The run must have a model.keras, which training"):
        explore.run(explore.Config(run=str(run)))


def test_the_weights_are_those_that_a_page_holds():
    (field,) = (field for field in dataclasses.fields(explore.Config) if field.name == "weights")
    assert field.metadata["choices"] == ("auto", *packed.PRECISIONS)


@pytest.mark.slow
def test_the_command_line(run, tmp_path):
    result = small_runs.call(
        "-m", "trainers.explore", "--run=run", "--output=out/page.html", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert explorer.is_page(tmp_path / "out" / "page.html")
    result = small_runs.call("-m", "trainers.explore", "--run=none", cwd=tmp_path)
    assert result.stderr.strip().splitlines()[-1].startswith("FileNotFoundError: run must be")


def test_an_atlas_of_all_images_is_written_too(run, model, tmp_path, capsys):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is in tf-discrete[parquet]")
    path = tmp_path / "codes.parquet"
    config = {"num_images": 3, "atlas": str(path), "atlas_neighbors": 4}
    explore.run(explore.Config(run=str(run), **config))
    table = parquet.read_table(path).to_pydict()
    assert len(table["code"]) == len(table["label"]) == 60
    assert all(len(row["ids"]) == 4 for row in table["neighbors"])
    assert f"embedding-atlas {path} --image=image --x=" in capsys.readouterr().out
    folder = folder_of(small_pages.class_and_style(), tmp_path / "m2", task="semi_supervised")
    with pytest.raises(ValueError, match="An atlas shows codes.*model=SemiSupervisedVAE"):
        explore.run(explore.Config(run=str(folder), **config))
