"""What a SavedModel answers where this package is not, for every model."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import forked, shared
from tests.export import small_models
from tf_discrete import export, models
from tf_discrete.export import saved_model
from tf_discrete.export.signature import Signature

SCRIPT = pathlib.Path(__file__).with_name("answer_requests.py")
BATCH_SIZES = (0, 1, 7)
REQUESTS = [(size, small_models.SEEDS[0]) for size in BATCH_SIZES] + [(7, small_models.SEEDS[1])]


def run_python(*arguments: str, cwd: pathlib.Path, **options) -> subprocess.CompletedProcess:
    """A fresh Python that cannot find this project."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-I", *arguments],
        cwd=cwd,
        env={**environment, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        timeout=600,
        **options,
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], pathlib.Path]:
    """Finds the folder of a model by name, exported, with requests that a fresh process has answered.

    One process answers those of `make test`, another those of `make test-slow`.
    """

    def find(name: str) -> pathlib.Path:
        whole = name in small_models.WHOLE
        names = tuple(n for n in small_models.NAMES if (n in small_models.WHOLE) == whole)
        make = functools.partial(_answers, names=names)
        return shared.folder(tmp_path_factory, f"exported_{names[0]}", make) / name

    return find


def _answers(folder: pathlib.Path, names: tuple[str, ...]) -> None:
    for name in names:
        model = small_models.make(name)
        path = folder / name / "saved_model"
        manifest = export.save(model, path, metadata={"note": "x"})
        assert manifest == export.load_manifest(path)
        categories = model.manifest_entries()["num_categories"]
        for key, signature in model.signatures().items():
            live = small_models.compiled(signature)
            for number, (size, seed) in enumerate(REQUESTS):
                inputs = small_models.inputs(signature, size, seed, categories)
                np.savez(folder / name / f"{key}-{number}.npz", **inputs)
                expected = {k: v.numpy() for k, v in live(*inputs.values()).items()}
                np.savez(folder / name / f"{key}-{number}.expected.npz", **expected)
    result = run_python(str(SCRIPT), str(folder), cwd=folder)
    assert result.returncode == 0, result.stderr


def test_the_fresh_process_has_never_heard_of_this_package(exported):
    loaded = json.loads((exported("CategoricalVAE").parent / "modules.json").read_text())
    assert "tensorflow" in loaded
    packages = {name.split(".")[0] for name in loaded}
    assert packages & {"tf_discrete", "trainers", "tensorflow_probability", "tf_keras"} == set()


@small_models.every_model
def test_every_signature_answers_as_the_live_model(exported, name):
    compared = 0
    for file in sorted(exported(name).glob("*.expected.npz")):
        expected = np.load(file)
        answer = np.load(str(file).replace(".expected.", ".answer."))
        assert answer and set(answer) == set(expected)
        size, _ = REQUESTS[int(file.name.split(".")[0].split("-")[1])]
        for key in expected:
            assert len(answer[key]) == size, (file.name, key)
            assert np.isfinite(answer[key]).all(), (file.name, key)
            assert answer[key].dtype == expected[key].dtype, (file.name, key)
            assert answer[key].dtype in (np.float32, np.int32, np.uint8)
            np.testing.assert_allclose(
                answer[key], expected[key], rtol=1e-5, atol=1e-5, err_msg=f"{file.name} {key}"
            )
            compared += 1
    assert compared >= 4 * len(small_models.make(name).signatures())


@small_models.every_model
def test_draws_differ_between_seeds_and_nothing_else_does(exported, name):
    for key, signature in small_models.make(name).signatures().items():
        same, other = (np.load(exported(name) / f"{key}-{i}.answer.npz") for i in (2, 3))
        equal = all(np.array_equal(same[output], other[output]) for output in same)
        certain = (name, key) == (
            "QuantizedAutoencoder",
            "log_likelihood",
        )  # One code has all of q.
        assert equal == (signature.deterministic or certain), key


@small_models.every_class
def test_the_manifest_holds_for_the_answers(exported, name):
    manifest = export.load_manifest(exported(name) / "saved_model")
    assert list(manifest.signatures) == list(small_models.make(name).signatures())
    assert manifest.model.endswith(name) and manifest.metadata == {"note": "x"}
    assert manifest.codes["max"] == manifest.num_categories - 1
    for key, signature in manifest.signatures.items():
        for kind, file in (("inputs", "npz"), ("outputs", "answer.npz")):
            arrays = np.load(exported(name) / f"{key}-2.{file}")
            assert set(arrays) == set(signature[kind])
            for argument, spec in signature[kind].items():
                array = arrays[argument]
                assert array.dtype.name == spec["dtype"]
                assert len(array.shape) == len(spec["shape"])
                for size, stated in zip(array.shape, spec["shape"], strict=True):
                    assert stated in (None, size)


def test_the_first_signature_is_the_default(exported):
    folder = exported("CategoricalVAE")
    served = tf.saved_model.load(str(folder / "saved_model"))
    image = np.load(folder / "encode-2.npz")["image"]
    default = served.signatures["serving_default"](image=tf.constant(image))
    assert np.array_equal(default["codes"], np.load(folder / "encode-2.answer.npz")["codes"])


def bad_values(name, spec, manifest):
    """Values of one input of a signature that it must refuse, with what the message says."""
    shape = [2, *spec["shape"][1:]]
    if name == "seed":
        return
    if not spec["shape"]:
        for count in (-1, 10**9):
            yield np.array(count, np.int32), rf"{name} must be in {spec['minimum']}\.\.\d+"
    elif spec["dtype"] == "int32":
        for code in (-1, spec["maximum"] + 1):
            values = np.zeros(shape, np.int32)
            values[1, ...] = 0
            values.reshape(-1)[-1] = code  # Of the last layer, where there are several.
            yield values, rf"must be in 0\.\.{spec['maximum']}"
        if len(shape) > 1:
            yield np.zeros([2, shape[1] + 1], np.int32), "not compatible with expected shape"
    else:
        good = np.full(shape, 0.5, np.float32)
        yield np.moveaxis(good, -1, 1)[..., np.newaxis], "not compatible with expected shape"
        for value in (np.nan, np.inf, *([255.0, -1.0] if "maximum" in spec else [])):
            values = good.copy()
            values[1, ..., -1] = value
            yield values, r"must be finite.*Received: examples outside, minimum, maximum =\] \[1\]"
        if len(shape) == 4:  # Channels first: the same numbers in another order.
            yield np.moveaxis(good, -1, 1), "not compatible with expected shape"


@small_models.every_model
def test_a_served_model_refuses_what_it_was_not_made_for(exported, name):
    """Shapes, ranges, codes and counts, one input after the other, in every signature."""
    folder, refused = exported(name), 0
    served = tf.saved_model.load(str(folder / "saved_model"))
    manifest = export.load_manifest(folder / "saved_model")
    for key, signature in manifest.signatures.items():
        arguments = dict(np.load(folder / f"{key}-1.npz"))
        arguments |= {k: np.repeat(v, 2, axis=0) for k, v in arguments.items() if len(v.shape) > 0}
        arguments |= {k: v[:2] for k, v in arguments.items() if k == "seed"}
        for argument, spec in signature["inputs"].items():
            for value, message in bad_values(argument, spec, manifest):
                tensors = {k: tf.constant(v) for k, v in {**arguments, argument: value}.items()}
                with pytest.raises(tf.errors.InvalidArgumentError, match=message):
                    served.signatures[key](**tensors)
                refused += 1
    assert refused >= 10


def test_training_state_stays_out_of_the_export(exported, tmp_path):
    model = small_models.make("CategoricalVAE")
    model.compile("adam")
    model.optimizer.build(model.trainable_variables)
    model.train_step(tf.ones([4, 8, 8, 1]))
    export.save(model, tmp_path / "after")
    files = exported("CategoricalVAE") / "saved_model", tmp_path / "after"
    sizes = [
        (file / "variables" / "variables.data-00000-of-00001").stat().st_size for file in files
    ]
    assert model.optimizer.variables
    # The names of layers are in the file too; the moments of Adam are twice the weights.
    assert sizes[1] < 1.2 * sizes[0]


def test_each_weight_is_written_once(tmp_path):
    model = models.CategoricalVAE((8, 8, 1), 4, 4, hidden_units=(300,))
    export.save(model, tmp_path / "saved_model")
    files = (tmp_path / "saved_model" / "variables").glob("variables.data-*")
    weights = sum(np.asarray(weight).nbytes for weight in model.trainable_variables)
    assert weights <= sum(file.stat().st_size for file in files) < 1.1 * weights


def test_a_table_that_a_network_looks_values_up_in_is_exported(tmp_path):
    class Lookup(keras.layers.Layer):
        def build(self, shape):
            keys = tf.range(3, dtype=tf.int64)
            values = tf.lookup.KeyValueTensorInitializer(keys, 10 * keys)
            self.table = tf.lookup.StaticHashTable(values, default_value=0)

        def call(self, x):
            return tf.cast(self.table.lookup(tf.cast(x, tf.int64)), tf.float32)

    layer = Lookup()
    layer(tf.zeros([1]))
    signature = Signature(lambda x: {"y": layer(x)}, (tf.TensorSpec([None], name="x"),))
    saved_model.write(layer, {"look_up": signature}, tmp_path / "saved")
    loaded = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.look_up(tf.constant([2.0, 1.0, 5.0]))["y"], [20, 10, 0])


def test_a_model_trained_further_replaces_the_old_export(exported, tmp_path):
    model = small_models.make("CategoricalVAE")
    path = tmp_path / "saved_model"
    shutil.copytree(exported("CategoricalVAE") / "saved_model", path)
    before = tf.saved_model.load(str(path)).signatures["decode"](codes=tf.zeros([1, 3], tf.int32))
    with pytest.raises(FileExistsError, match=r"not written over what is there.*Received: path="):
        export.save(model, path)
    for weight in model.trainable_variables:
        weight.assign(-weight)
    export.save(model, path, overwrite=True)
    after = tf.saved_model.load(str(path)).signatures["decode"](codes=tf.zeros([1, 3], tf.int32))
    assert not np.allclose(before["image"], after["image"])
    assert os.listdir(tmp_path) == ["saved_model"]
    (path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"Only a SavedModel of tf_discrete may be replaced"):
        export.save(model, path, overwrite=True)
    assert (path / "notes.txt").read_text() == "mine"


def test_models_without_signatures_are_refused(tmp_path):
    with pytest.raises(TypeError, match=r"Only a model that says what it offers.*Received: model="):
        export.save(keras.Sequential(), tmp_path / "saved_model")
    with pytest.raises(NotImplementedError):
        export.save(models.DiscreteModel(), tmp_path / "saved_model")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("argument", ["preprocessing", "metadata"])
@pytest.mark.parametrize("value", [{"a": np.zeros(2)}, {"a": float("nan")}])
def test_what_json_cannot_hold_is_refused(tmp_path, argument, value):
    model = small_models.make("CategoricalVAE")
    with pytest.raises(
        ValueError, match=rf"{argument} must be what JSON holds.*Received: {argument}"
    ):
        export.save(model, tmp_path / "saved_model", **{argument: value})
    assert os.listdir(tmp_path) == []


_FULL_DISK = """
import os, resource
from tests.export import small_models
from tf_discrete import export
model = small_models.make("CategoricalVAE")
os.mkdir("out")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
for save in (export.save, export.save_tflite):
    try:
        save(model, "out/model")
    except OSError as error:
        print(type(error).__name__, os.listdir("out"), error)
"""


def test_a_disk_without_space_leaves_nothing_behind(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(forked.ROOT)}
    result = forked.run("-c", _FULL_DISK, cwd=tmp_path, env=environment)
    lines = [
        x
        for x in result.stdout.splitlines()
        if x.startswith("OSError [] The path must be writable")
    ]
    assert len(lines) == 2, result.stdout + result.stderr
    assert all("Received: path='out/model'" in line for line in lines)
