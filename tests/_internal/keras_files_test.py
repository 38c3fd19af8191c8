"""A `.keras` file is read whole and in safe mode, or refused with one clear error."""

from __future__ import annotations

import io
import json
import os
import zipfile

import h5py
import keras
import numpy as np
import pytest

from tf_discrete._internal import keras_files, reading


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(path)
    return path.read_bytes()


def _entries(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _packed(entries, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return file.getvalue()


def _hdf5(fill):
    file = io.BytesIO()
    with h5py.File(file, "w") as weights:
        fill(weights)
    return file.getvalue()


def _refused(tmp_path, data, match):
    path = tmp_path / "model.keras"
    path.write_bytes(data)
    with pytest.raises(reading.DamagedFileError, match=match) as caught:
        keras_files.load_keras(path)
    assert f"Received: path='{path}'" in str(caught.value)


def test_a_whole_file_is_read(tmp_path, monkeypatch, whole):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model.keras").write_bytes(whole)
    assert keras_files.load_keras("~/model.keras").count_params() == 8


def test_damaged_files_are_refused(tmp_path, whole):
    config = whole.index(b'{"module"')
    for data in (
        b"",
        b"no zip",
        whole[: len(whole) // 2],
        whole[:-1],
        whole[:config] + b"x" + whole[config + 1 :],
        whole[:-600] + bytes([whole[-600] ^ 1]) + whole[-599:],
    ):
        _refused(tmp_path, data, "must be a model, as Keras saves it.*Save the model again")


def test_no_file_a_pipe_and_a_folder_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="must exist: a model"):
        keras_files.load_keras(tmp_path / "none.keras")
    os.mkfifo(tmp_path / "pipe.keras")
    for path in (tmp_path, tmp_path / "pipe.keras"):
        with pytest.raises(reading.DamagedFileError, match="not a regular file"):
            keras_files.load_keras(path)


def test_bombs_and_entries_outside_are_refused(tmp_path, whole):
    entries = _entries(whole)
    bomb = [*entries.items(), ("assets/zeros", bytes(2**25))]
    _refused(tmp_path, _packed(bomb, zipfile.ZIP_DEFLATED), "bytes announced in a file of")
    _refused(tmp_path, _packed([*entries.items(), ("../evil", b"x")]), "outside the file")
    _refused(tmp_path, _packed(list(entries.items())[:1]), "no config.json and no model.weights")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused(tmp_path, whole):
    entries = list(_entries(whole).items())
    _refused(tmp_path, _packed([*entries, entries[0]]), "two entries of one name")


def test_weights_of_announced_size_or_in_other_files_are_refused(tmp_path, whole):
    entries = _entries(whole)

    def large(file):
        file.create_dataset("a", shape=[2**40], chunks=(1024,), dtype="f4")

    def external(file):
        file.create_dataset("a", shape=[4], dtype="u1", external=[("/etc/passwd", 0, 4)])

    def virtual(file):
        layout = h5py.VirtualLayout((4,), "u1")
        layout[:] = h5py.VirtualSource("/tmp/other.h5", "a", (4,))
        file.create_virtual_dataset("a", layout)

    def linked(file):
        file["a"] = h5py.ExternalLink("/tmp/other.h5", "a")

    for fill, match in (
        (linked, "lie elsewhere: a"),
        (large, "weights of 4398"),
        (external, "lie elsewhere: a"),
        (virtual, "lie elsewhere: a"),
    ):
        weights = {**entries, "model.weights.h5": _hdf5(fill)}
        _refused(tmp_path, _packed(weights.items()), match)


def test_weights_of_other_shapes_are_refused(tmp_path, whole):
    entries = _entries(whole)
    with h5py.File(io.BytesIO(entries["model.weights.h5"])) as file:
        names = []
        file.visit(names.append)
    dataset = next(name for name in names if name.endswith("/0") and "dense" in name)
    weights = _hdf5(lambda file: file.create_dataset(dataset, data=np.zeros([5, 5])))
    _refused(tmp_path, _packed({**entries, "model.weights.h5": weights}.items()), "must be a model")


def test_code_is_not_run_and_unknown_classes_have_their_own_remedy(tmp_path, whole):
    entries = _entries(whole)
    inputs = [keras.Input((3,)), keras.layers.Lambda(lambda x: x)]
    keras.Sequential(inputs).save(tmp_path / "code.keras")
    _refused(tmp_path, (tmp_path / "code.keras").read_bytes(), "must be a model.*[Ll]ambda")
    config = json.loads(entries["config.json"])
    config["config"]["layers"][1].update(
        module=None, registered_name="mine>Layer", class_name="Layer"
    )
    changed = _packed({**entries, "config.json": json.dumps(config)}.items())
    _refused(tmp_path, changed, "classes are registered. Import the module that registers")


def test_a_model_of_another_class_is_refused(tmp_path, whole):
    class Other(keras.Model):
        pass

    (tmp_path / "model.keras").write_bytes(whole)
    with pytest.raises(reading.DamagedFileError, match="it holds a Sequential"):
        keras_files.load_keras(tmp_path / "model.keras", kind=Other)
