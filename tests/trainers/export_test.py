"""The export of a run: what it writes, and which runs it refuses."""

from __future__ import annotations

import json
import os
import sys

import keras
import pytest
import tensorflow as tf

from tests.export import small_models
from tests.trainers import small_runs
from tf_discrete import export
from trainers.saved_runs import export as trainer

TASK = {"task": "categorical_vae"}
SETTINGS = {**TASK, "binarization": "static", "image_size": [8, 8], "dtype_policy": "float32"}


@pytest.fixture
def run(tmp_path):
    """The folder of a finished run."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(SETTINGS))
    small_models.make("CategoricalVAE").save(folder / "model.keras")
    return folder


def _main(folder, *arguments):
    return small_runs.call("-m", "trainers.export", *arguments, cwd=folder)


def test_both_files_are_written_from_the_command_line(run, tmp_path):
    result = _main(tmp_path, "--run=run", "--path=out/saved_model", "--tflite=out/model.tflite")
    assert result.returncode == 0, result.stderr
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [
        "SavedModel out/saved_model ...",
        "SavedModel out/saved_model",
        "TFLite file out/model.tflite ...",
        "TFLite file out/model.tflite",
    ]
    assert sorted(os.listdir(tmp_path / "out")) == ["model.tflite", "saved_model"]
    manifest = export.load_manifest(tmp_path / "out" / "saved_model")
    assert manifest.metadata == {"run": SETTINGS}
    assert manifest.preprocessing == {
        "scale": 1 / 255,
        "binarization": "static",
        "image_size": [8, 8],
        "white_levels": [None, None],  # This run has no record of its data.
    }
    model = small_models.make("CategoricalVAE")
    image = tf.random.stateless_uniform([5, 8, 8, 1], [1, 2])
    served = tf.saved_model.load(str(tmp_path / "out" / "saved_model"))
    codes = served.signatures["encode"](image=image)["codes"]
    assert codes.numpy().tolist() == model.encode(image).numpy().tolist()


def test_help_explains_every_flag_and_errors_are_one_line(tmp_path):
    shown = _main(tmp_path, "--help").stdout
    for name in ("run", "path", "tflite", "overwrite", "import_module"):
        assert f"--{name}" in shown or f"--[no]{name}" in shown
    result = _main(tmp_path, "--run=none", "--path=out")
    assert result.returncode == 1
    assert result.stderr.strip().splitlines()[-1].startswith("FileNotFoundError: run must be")
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_the_precision_of_the_run_is_kept(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**TASK, "dtype_policy": "mixed_bfloat16"}))
    small_models.make("mixed_bfloat16").save(folder / "model.keras")
    model = trainer.load_model(trainer.RunDirectory(folder), "mixed_bfloat16")
    assert model.encoder.layers[-1].compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"
    trainer.run(trainer.Config(run=str(folder), path=str(tmp_path / "out")))
    served = tf.saved_model.load(str(tmp_path / "out"))
    probs = served.signatures["encode_probs"](image=tf.ones([2, 8, 8, 1]))["probs"]
    assert probs.dtype == tf.float32


def test_an_export_is_written_over_only_if_asked(run, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/saved_model.pb").touch()
    asked = {"run": str(run), "path": str(tmp_path / "out"), "tflite": str(tmp_path / "x.tflite")}
    with pytest.raises(FileExistsError, match="not written over"):
        trainer.run(trainer.Config(**asked))
    seen = []
    for name in ("save", "save_tflite"):
        monkeypatch.setattr(export, name, lambda *_, overwrite, **__: seen.append(overwrite))
    for overwrite in (True, False):
        trainer.run(trainer.Config(**asked, overwrite=overwrite))
    assert seen == [True, True, False, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"Give --run\. Received: run=''"),
        ({"run": "x"}, r"Give --path.*Received: path='', tflite=''"),
    ],
)
def test_there_must_be_something_to_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        trainer.run(trainer.Config(**arguments))


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    for name in ("none", "."):
        with pytest.raises(FileNotFoundError, match=r"Give the --output_dir.*Received: run="):
            trainer.run(trainer.Config(run=str(tmp_path / name), path="out"))


def test_a_run_that_names_no_task_or_an_unknown_one_is_refused(run):
    for name, said in (
        (None, "must name its task.*train again.*Received: run="),
        (
            "nothing",
            "A task must be one of categorical_vae, .*Received: task='nothing' in .*/config.json",
        ),
        (["a"], r"A task must be one of .*Received: task=\['a'\]"),
        ("compare_estimators", "one training of a model.*a folder of trainers.compare_estimators"),
    ):
        (run / "config.json").write_text(json.dumps({} if name is None else {"task": name}))
        with pytest.raises(ValueError, match=said):
            trainer.run(trainer.Config(run=str(run), path="out"))


def test_an_unfinished_run_is_refused(run):
    (run / "model.keras").unlink()
    with pytest.raises(FileNotFoundError, match=r"when it ends\. Start the training again"):
        trainer.run(trainer.Config(run=str(run), path="out"))


@pytest.mark.parametrize(
    ("file", "text"), [("config.json", "{"), ("config.json", "[]"), ("model.keras", "x")]
)
def test_corrupt_files_are_named(run, file, text):
    (run / file).write_text(text)
    with pytest.raises(ValueError, match=rf"The file must be .*Received: path='.*/{file}'"):
        trainer.run(trainer.Config(run=str(run), path=str(run / "out")))
    assert not (run / "out").exists()


def test_a_truncated_model_is_named(run):
    data = (run / "model.keras").read_bytes()
    (run / "model.keras").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"The file must be .*Received: path='.*model\.keras'"):
        trainer.run(trainer.Config(run=str(run), path=str(run / "out")))


@pytest.mark.parametrize("where", ["flag", "config"])
def test_modules_that_do_not_exist_are_named(run, where):
    modules, trust = ("no_such_module",), False
    if where == "config":
        (run / "config.json").write_text(json.dumps({**TASK, "import_module": modules}))
        modules, trust = (), True
    config = trainer.Config(run=str(run), path="out", import_module=modules, trust_run=trust)
    with pytest.raises(ValueError, match="Received: import_module='no_such_module'"):
        trainer.run(config)


def test_the_modules_of_a_run_are_code_and_are_imported_on_request_only(run, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "evil_module_of_a_run.py").write_text("raise SystemExit('executed')")
    (run / "config.json").write_text(
        json.dumps({**TASK, "import_module": ["evil_module_of_a_run"]})
    )
    with pytest.raises(ValueError, match="only if you name them.*--import_module=evil_module"):
        trainer.run(trainer.Config(run=str(run), path=str(tmp_path / "out")))
    with pytest.raises(SystemExit, match="executed"):
        trainer.run(trainer.Config(run=str(run), path=str(tmp_path / "out"), trust_run=True))


_LAYER = """
import keras

@keras.saving.register_keras_serializable("tests.trainers")
class Doubled(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs
"""


def test_own_layers_come_by_import_module(run, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_layers_of_a_user.py").write_text(_LAYER)
    layers = __import__("own_layers_of_a_user")
    encoder = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(12), layers.Doubled()]
    )
    model = small_models.models.CategoricalVAE((8, 8, 1), 3, 4, encoder=encoder, decoder="mlp")
    model.save(run / "model.keras")
    del sys.modules["own_layers_of_a_user"]
    keras.saving.get_custom_objects().pop("tests.trainers>Doubled")
    config = trainer.Config(run=str(run), path=str(tmp_path / "out"))
    with pytest.raises(ValueError, match=r"by --import_module\. Received: path='.*model\.keras'"):
        trainer.run(config)
    trainer.run(trainer.Config(**{**config.__dict__, "import_module": ("own_layers_of_a_user",)}))
    assert export.load_manifest(tmp_path / "out").num_variables == 3
