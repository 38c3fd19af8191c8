"""Runs in the compiled loop: the numbers of runs that take the batches one by one, or a notice."""

from __future__ import annotations

import os
import pathlib
import tempfile

import keras
import pytest
import tensorflow as tf

from tests.trainers import small_runs
from tf_discrete import datasets
from tf_discrete.datasets import pipeline
from trainers.common import compiling, run
from trainers.flags.run import RunConfig
from trainers.tasks import semi_supervised


def test_the_loop_changes_no_number(finished, tmp_path: pathlib.Path, capsys):
    small_runs.train(tmp_path / "fit", loop="fit", epochs=2)
    small_runs.train(tmp_path / "loop", loop="compiled", epochs=2, steps_per_execution=4)
    assert capsys.readouterr().out.count("steps_per_execution=") == 0  # 4 need not divide 10.
    reference = small_runs.rows(finished)[:2]
    assert small_runs.rows(tmp_path / "fit") == small_runs.rows(tmp_path / "loop") == reference
    small_runs.assert_same_run(tmp_path / "fit", tmp_path / "loop")


@pytest.mark.slow
def test_a_run_of_few_labels_in_the_loop(tmp_path: pathlib.Path):
    """Up to rounding, which Adam magnifies where a gradient is nearly 0.

    After 10 steps of SGD the weights differ by 3e-8, after 10 of Adam at 1e-3 by 2e-3, in weights that
    matter little.
    """
    rows = {}
    for loop in ("fit", "compiled"):
        settings = semi_supervised.Config(
            output_dir=str(tmp_path / loop),
            loop=loop,
            max_examples=200,
            batch_size=20,
            labelled_batch_size=10,
            labels_per_class=3,
            epochs=1,
            hidden_units=(8,),
            pictures_every=0,
        )
        run.train(semi_supervised.TASK, settings, lambda *arguments: {})
        (rows[loop],) = small_runs.rows(tmp_path / loop)
    for name, value in rows["fit"].items():
        tolerance = 1e-4 if name.startswith("train/") else 0.03
        assert rows["compiled"][name] == pytest.approx(value, rel=tolerance), name


def test_what_is_not_in_memory_is_streamed_with_a_notice(monkeypatch, capsys):
    split = datasets.get("digits", "train", max_examples=60)
    batches = split.indexed_batches(10)
    one = tf.distribute.get_strategy()
    assert compiling.training_data(RunConfig(), batches, one) is batches
    fit = compiling.training_data(RunConfig(loop="fit"), batches, one)
    assert isinstance(fit, tf.data.Dataset)
    mirrored = RunConfig(distribute="mirrored")
    assert isinstance(compiling.training_data(mirrored, batches, one), tf.data.Dataset)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(pipeline, "RESIDENT_BYTES", 0)
    large = split.indexed_batches(10)
    assert isinstance(compiling.training_data(RunConfig(), large, one), tf.data.Dataset)
    assert "loop=fit: the data are too large" in capsys.readouterr().out
    own = batches.stream()
    assert compiling.training_data(RunConfig(loop="compiled"), own, one) is own
    assert "loop=fit: the task gives its batches one by one" in capsys.readouterr().out


@pytest.mark.parametrize("asked,steps,chosen", [(0, 23, 20), (5, 12, 5), (99, 12, 12)])
def test_blocks_need_not_divide_an_epoch(asked, steps, chosen):
    settings = RunConfig(steps_per_execution=asked)
    assert compiling.choose_steps_per_execution(settings, steps, in_loop=True) == chosen


@pytest.mark.slow
def test_a_streamed_run_has_the_numbers_of_one_in_memory(tmp_path: pathlib.Path):
    write_images(tmp_path / "in", "folder")
    flags = {"dataset": str(tmp_path / "in"), "batch_size": 10, "epochs": 2, "loop": "fit"}
    with tempfile.TemporaryDirectory() as folder:
        runs = [pathlib.Path(folder) / name for name in ("streamed", "resident")]
        for path in runs:
            small_runs.train(path, stream=path.name == "streamed", **flags)
        assert small_runs.rows(runs[0]) == small_runs.rows(runs[1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "shards", "tfds"])
def test_a_streamed_run_that_goes_on_has_the_numbers_of_a_whole_one(
    tmp_path: pathlib.Path, kind: str
):
    flags = {"batch_size": 10, "loop": "fit", "stream": True, "shuffle_buffer": 15}
    if kind == "tfds":
        if "TF_DISCRETE_DATA_DIR" not in os.environ:
            pytest.skip("no prepared TFDS data: TF_DISCRETE_DATA_DIR is not set")
        flags |= {"dataset": "mnist", "data_dir": os.environ["TF_DISCRETE_DATA_DIR"]}
        flags |= {"max_examples": 60}
    else:
        write_images(tmp_path / "in", kind)
        flags |= {"dataset": str(tmp_path / "in")}
    small_runs.train(tmp_path / "parts", epochs=1, **flags)
    for name in ("parts", "whole"):
        small_runs.train(tmp_path / name, epochs=2, **flags)
    assert small_runs.rows(tmp_path / "parts") == small_runs.rows(tmp_path / "whole")
    assert len(small_runs.rows(tmp_path / "whole")) == 2


def write_images(folder: pathlib.Path, kind: str) -> None:
    """Writes 60 digits as PNG files, or into three TFRecord files."""
    folder.mkdir()
    images = datasets.get("digits", "train", max_examples=60).images
    if kind == "folder":
        for number, image in enumerate(images):
            keras.utils.save_img(f"{folder}/{number:03d}.png", image, scale=False)
        return
    for part in range(3):
        path = f"{folder}/digits.tfrecord-{part:05d}-of-00003"
        with tf.io.TFRecordWriter(path) as writer:
            for image in images[part * 20 : (part + 1) * 20]:
                value = tf.train.BytesList(value=[tf.io.encode_png(image).numpy()])
                features = tf.train.Features(feature={"image": tf.train.Feature(bytes_list=value)})
                writer.write(tf.train.Example(features=features).SerializeToString())
