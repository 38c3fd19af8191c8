"""The folder of checkpoints: what is read, and what is removed."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete._internal import reading
from trainers.common.checkpoints import CheckpointFolder


def _folder(path, keep=2):
    value = tf.Variable(np.zeros(3))
    return CheckpointFolder(tf.train.Checkpoint(value=value), path, keep), value


def _save(path, *epochs):
    folder, value = _folder(path)
    for epoch in epochs:
        value.assign(np.full(3, epoch))
        folder.save(epoch)
    return folder, value


@pytest.mark.parametrize(
    "text",
    [
        'model_checkpoint_path: "{other}/ckpt-1"\nall_model_checkpoint_paths: "{other}/ckpt-1"\n'
        'all_model_checkpoint_paths: "{other}/ckpt-2"\nall_model_checkpoint_paths: "ckpt-3"\n',
        'model_checkpoint_path: "../../other/ckpt-2"\n',
        "\x00\xff no text of a protocol",
        "",
    ],
)
def test_the_text_file_checkpoint_has_no_other_files_read_or_removed(tmp_path, text):
    other, own = tmp_path / "other", tmp_path / "run" / "last"
    _save(other, 1, 2)
    before = {path.name: path.read_bytes() for path in other.iterdir()}
    folder, value = _save(own, 3)
    (own / "checkpoint").write_text(text.format(other=other), encoding="latin-1")
    folder, value = _folder(own)
    assert folder.epochs() == [3]
    folder.read(3)
    assert value.numpy().tolist() == [3.0] * 3
    for epoch in (4, 5, 6):
        folder.save(epoch)
    assert folder.epochs() == [6, 5]
    assert {path.name: path.read_bytes() for path in other.iterdir()} == before
    assert tf.train.latest_checkpoint(str(own)) == str(own / "ckpt-6")


@pytest.mark.parametrize("linked", ["run/checkpoints/last", "run/checkpoints"])
def test_a_link_to_the_checkpoints_of_another_run_is_refused(tmp_path, linked):
    _save(tmp_path / "other" / "checkpoints" / "last", 1)
    (tmp_path / linked).parent.mkdir(parents=True)
    other = str(tmp_path / linked).replace("/run/", "/other/")
    (tmp_path / linked).symlink_to(other)
    with pytest.raises(ValueError, match="must lie in its folder.*Received: .*, a link to .*other"):
        _folder(tmp_path / "run" / "checkpoints" / "last")
    assert len(os.listdir(tmp_path / "other" / "checkpoints" / "last")) == 3


def test_what_a_killed_process_left_is_removed_and_other_files_stay(tmp_path):
    _save(tmp_path, 1)
    (tmp_path / "ckpt-7_temp").mkdir()
    (tmp_path / "ckpt-7.data-00000-of-00001").write_text("half")
    (tmp_path / "notes.txt").write_text("mine")
    folder, _ = _folder(tmp_path)
    folder.save(2)
    names = {name.split(".")[0] for name in os.listdir(tmp_path)}
    assert names == {"ckpt-1", "ckpt-2", "checkpoint", "notes"}


@pytest.mark.parametrize("ending", ["index", "data-00000-of-00001"])
def test_a_damaged_file_is_named(tmp_path, ending):
    folder, _ = _save(tmp_path, 1)
    (tmp_path / f"ckpt-1.{ending}").write_bytes(b"x")
    with pytest.raises(reading.DamagedFileError, match=rf"ckpt-1\.{ending}.*Received: path="):
        folder.read(1)
