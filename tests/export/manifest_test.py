"""The manifest: what it holds, and which ones are refused."""

from __future__ import annotations

import json
import os
import shutil

import keras
import pytest
import tensorflow as tf

import tf_discrete
from tests.export import small_models
from tf_discrete import codes, export
from tf_discrete.export import manifest as manifest_lib


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("manifest") / "saved_model"
    preprocessing = {"scale": 1 / 255, "binarization": "dynamic"}
    export.save(small_models.make("CategoricalVAE"), path, preprocessing=preprocessing)
    return path


@pytest.fixture
def file(path):
    """The manifest's file, restored afterwards."""
    file = path / manifest_lib.FILE_NAME
    text = file.read_text()
    yield file
    file.write_text(text)


def test_it_says_what_the_model_is(path):
    manifest = export.load_manifest(path)
    assert manifest.format_version == export.FORMAT_VERSION == 2
    assert manifest.model == "tf_discrete.models>CategoricalVAE"
    assert manifest.data_shape == (8, 8, 1)
    assert manifest.latent_shape == (3, 4)
    assert (manifest.latents, manifest.num_variables, manifest.num_categories) == (
        "categorical",
        3,
        4,
    )
    assert manifest.num_classes is None
    assert manifest.temperature == pytest.approx(
        float(small_models.make("CategoricalVAE").estimator.temperature.value)
    )
    assert manifest.preprocessing == {"scale": 1 / 255, "binarization": "dynamic"}
    assert manifest.metadata == {}
    assert manifest.versions == {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "tf_discrete": tf_discrete.__version__,
    }


def test_it_says_what_the_signatures_take_and_give(path):
    signatures = export.load_manifest(path).signatures
    assert list(signatures)[0] == "encode"
    assert signatures["sample"] == {
        "inputs": {
            "num": {"shape": [], "dtype": "int32", "minimum": 0, "maximum": 10_000},
            "seed": {"shape": [2], "dtype": "int32"},
        },
        "outputs": {
            "image": {"shape": [None, 8, 8, 1], "dtype": "float32"},
            "codes": {"shape": [None, 3], "dtype": "int32"},
        },
        "deterministic": False,
    }
    limits = {
        name: signatures["log_likelihood"]["inputs"][name] for name in ("image", "num_samples")
    }
    assert (limits["image"]["minimum"], limits["image"]["maximum"]) == (0, 1)
    assert (limits["num_samples"]["minimum"], limits["num_samples"]["maximum"]) == (1, 10_000)
    assert signatures["decode"]["inputs"]["codes"]["maximum"] == 3


def test_it_says_whose_codes_the_export_makes(tmp_path):
    model = small_models.make("CategoricalVAE")
    saved = export.save(model, tmp_path / "saved_model")
    assert saved.model_digest == codes.model_digest(model)
    assert export.load_manifest(tmp_path / "saved_model").model_digest == saved.model_digest


def test_it_says_how_codes_are_laid_out(path, tmp_path):
    layout = export.load_manifest(path).codes
    assert layout == {
        "dtype": "int32",
        "axes": ["batch", "variable"],
        "min": 0,
        "max": 3,
        "value": "category",
    }
    bits = export.save(small_models.make("bernoulli"), tmp_path / "bits")
    assert (bits.codes["max"], bits.codes["value"]) == (1, "bit")
    assert bits.latent_shape == (3,)
    assert bits.preprocessing is None


def test_an_unknown_version_is_refused(path, file):
    stored = json.loads(file.read_text())
    for version in (0, 1, 3):
        file.write_text(json.dumps({**stored, "format_version": version, "new": 1}))
        with pytest.raises(ValueError, match=rf"format version 2\..*format_version={version} in"):
            export.load_manifest(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ('{"format_version": 1', "Expecting"),
        ("[]", "it holds a list"),
        ("[" * 100_000, "RecursionError"),
        ("{}", "no object with a format_version"),
        ('{"format_version": "1"}', "no object with a format_version"),
        ('{"format_version": 2}', "'data_shape'"),
    ],
)
def test_a_corrupt_file_is_refused(path, file, text, reason):
    file.write_text(text)
    with pytest.raises(ValueError, match=rf"must be the manifest.*manifest\.json.*{reason}"):
        export.load_manifest(path)


@pytest.mark.parametrize(
    "change",
    [
        {"model_digest": None},
        {"num_variables": "3"},
        {"num_variables": True},
        {"num_categories": 1},
        {"latents": None},
        {"latents": "gaussian"},
        {"signatures": []},
        {"signatures": {"encode": 1}},
        {"data_shape": [8, "8", 1]},
        {"data_shape": [8, -8, 1]},
        {"temperature": float("nan")},
        {"temperature": [1.0, None]},
        {"metadata": {"a": float("inf")}},
        {"versions": {"keras": 3}},
        {"more": 1},
    ],
)
def test_fields_that_do_not_belong_are_named(path, file, change):
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(ValueError, match=rf"missing, wrong or unknown: \['{next(iter(change))}'\]"):
        export.load_manifest(path)


def test_bytes_that_are_no_text_are_refused(path, file):
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="must be the manifest"):
        export.load_manifest(path)
    file.write_text("restored by the fixture")


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "none", tmp_path / "file"):
        with pytest.raises(FileNotFoundError, match=r"export\.save has written.*Received: path="):
            export.load_manifest(path)


def test_a_pipe_in_place_of_the_manifest_is_refused_at_once(path, file):
    text = file.read_text()
    file.unlink()
    os.mkfifo(file)
    try:
        with pytest.raises(ValueError, match="not a regular file"):
            export.load_manifest(path)
    finally:
        file.unlink()
        file.write_text(text)


def _run(folder):
    (folder / "model.keras").write_text("weeks of training")


def _saved_model_of_another(folder):
    (folder / "saved_model.pb").write_text("x")
    (folder / "variables").mkdir()


def _export_with_notes(folder):
    shutil.copytree(_export_with_notes.path, folder, dirs_exist_ok=True)
    (folder / "assets.extra" / "tf_serving_warmup_requests").write_text("mine")


@pytest.mark.parametrize("fill", [_run, _saved_model_of_another, _export_with_notes])
def test_only_an_export_is_replaced(path, tmp_path, fill):
    _export_with_notes.path = path
    folder = tmp_path / "folder"
    folder.mkdir()
    fill(folder)
    before = sorted(folder.rglob("*"))
    assert not manifest_lib.is_export(folder)
    with pytest.raises(
        FileExistsError, match="Only a SavedModel of tf_discrete.*folder that holds"
    ):
        export.save(small_models.make("CategoricalVAE"), folder, overwrite=True)
    assert sorted(folder.rglob("*")) == before


def test_an_export_with_a_damaged_manifest_is_one(path, file):
    assert manifest_lib.is_export(path)
    file.write_text("{")
    assert manifest_lib.is_export(path)
    file.write_text("{}")
    assert not manifest_lib.is_export(path)


def test_home_is_expanded(path, monkeypatch):
    monkeypatch.setenv("HOME", str(path.parent))
    assert export.load_manifest("~/saved_model") == export.load_manifest(path)
