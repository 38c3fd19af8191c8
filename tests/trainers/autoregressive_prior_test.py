"""The prior's trainer on a finished run: what it reports and writes, and what it refuses."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator

from tests.trainers import small_runs
from tf_discrete import codes
from tf_discrete.models import AutoregressivePrior, StructuredPrediction
from trainers.common import callbacks, finished_run
from trainers.common.checkpoints import CheckpointFolder
from trainers.saved_runs import autoregressive_prior as trainer

pytest.importorskip("constriction", reason="constriction is an extra")

FLAGS = {"epochs": 6, "units": 8, "embedding_units": 4, "chunk_size": 3, "learning_rate": 0.02}


@pytest.fixture(scope="module")
def trained(finished, tmp_path_factory):
    """The folder of a prior and the result."""
    folder = tmp_path_factory.mktemp("prior") / "out"
    config = trainer.Config(run=str(finished), output_dir=str(folder), compress=True, **FLAGS)
    return folder, trainer.run(config)


def test_it_writes_the_prior_its_scores_and_a_picture(trained):
    folder, result = trained
    assert {path.name for path in folder.iterdir()} == {
        "checkpoints",
        "codes.bin",
        "config.json",
        "data.json",
        "metrics.json",
        "metrics.jsonl",
        "prior.keras",
        "samples.png",
        "tensorboard",
    }
    assert json.loads((folder / "metrics.json").read_text()) == result
    rows = small_runs.rows(folder)
    assert [row["epoch"] for row in rows] == list(range(1, 7))
    assert rows[-1]["validation/loss"] < rows[0]["validation/loss"]
    best = max(row["validation/log_prob_nats"] for row in rows)
    np.testing.assert_allclose(-result["validation/nats_per_item"], best, rtol=1e-4)


def test_its_charts_are_those_of_the_other_trainers(trained):
    folder, _ = trained
    events = event_accumulator.EventAccumulator(str(folder / "tensorboard/validation")).Reload()
    assert len(events.Tensors("objective/log_prob_nats")) == 6
    text = events.SummaryMetadata("objective/log_prob_nats").summary_description
    assert "log p(code)" in text and "best epoch" in text


def test_bits_on_test_are_those_of_the_saved_prior(trained, finished):
    folder, result = trained
    prior = keras.saving.load_model(folder / "prior.keras")
    run = finished_run.load(str(finished))
    test = codes.encode_batches(run.model, run.split("test").batches(7))
    np.testing.assert_allclose(result["test/bits_per_item"], prior.bits_per_item(test), rtol=1e-4)
    np.testing.assert_allclose(
        result["test/nats_per_item"], result["test/bits_per_item"] * np.log(2), rtol=1e-6
    )
    np.testing.assert_array_equal(codes.decompress(folder / "codes.bin", prior), test)
    assert result["compressed/bytes_on_disk"] == (folder / "codes.bin").stat().st_size
    assert result["test/bits_per_item_uniform"] == 4 * np.log2(3)


def test_the_independent_law_is_counted_on_train(trained, finished):
    run = finished_run.load(str(finished))
    train, test = (
        codes.encode_batches(run.model, run.split(name).batches(500)) for name in ("train", "test")
    )
    bits = 0.0
    for variable in range(4):
        counts = np.array([(train[:, variable] == value).sum() + 1 for value in range(3)])
        bits -= np.log2(counts / counts.sum())[test[:, variable]].mean()
    np.testing.assert_allclose(trained[1]["test/bits_per_item_independent"], bits)


def test_scores_have_the_error_of_two_images_or_more():
    prior = AutoregressivePrior(4, 3, units=4, embedding_units=2)
    draws = prior.sample(60, seed=0).numpy()
    codes_of = {"train": draws[:20], "validation": draws[:1], "test": draws[20:]}
    result = trainer.score(prior, codes_of)
    json.dumps(result, allow_nan=False)
    assert "validation/nats_per_item_standard_error" not in result
    bits = -prior.log_prob(codes_of["test"]).numpy().astype(float) / np.log(2)
    assert result["test/bits_per_item"] == pytest.approx(bits.mean(), rel=1e-6)
    error = bits.std(ddof=1) / np.sqrt(40)
    assert result["test/bits_per_item_standard_error"] == pytest.approx(error, rel=1e-5)


def test_the_average_of_the_weights_is_validated_scored_and_saved(finished, tmp_path):
    flags = {**FLAGS, "epochs": 2, "weight_average": 0.5}
    result = trainer.run(
        trainer.Config(run=str(finished), output_dir=str(tmp_path / "prior"), **flags)
    )
    best = max(row["validation/log_prob_nats"] for row in small_runs.rows(tmp_path / "prior"))
    np.testing.assert_allclose(-result["validation/nats_per_item"], best, rtol=1e-4)
    assert result["plain_test/nats_per_item"] != result["test/nats_per_item"]
    assert "plain_test/bits_per_item_standard_error" in result
    prior = keras.saving.load_model(tmp_path / "prior" / "prior.keras")
    run = finished_run.load(str(finished))
    test = codes.encode_batches(run.model, run.split("test").batches(500))
    np.testing.assert_allclose(result["test/bits_per_item"], prior.bits_per_item(test), rtol=1e-4)


def test_the_run_is_left_as_it_was(finished, trained):
    assert not (finished / "autoregressive_prior").exists()


@pytest.mark.slow
def test_a_stopped_run_goes_on_as_if_it_had_not(trained, finished, tmp_path, monkeypatch):
    flags = {"run": str(finished), "output_dir": str(tmp_path / "out"), **FLAGS}
    save = CheckpointFolder.save

    def killed(self, epoch):
        save(self, epoch)
        if epoch == 3 and self.folder.name == "last":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(CheckpointFolder, "save", killed)
        trainer.run(trainer.Config(**flags))
    assert len(small_runs.rows(tmp_path / "out")) == 3
    result = trainer.run(trainer.Config(**flags, compress=True))
    folder, expected = trained
    assert result == expected

    def untimed(folder):
        return [{**row, "seconds": 0} for row in small_runs.rows(folder)]

    assert untimed(tmp_path / "out") == untimed(folder)
    # Once more: nothing to train.
    assert trainer.run(trainer.Config(**flags, compress=True)) == expected
    assert untimed(tmp_path / "out") == untimed(folder)


def test_another_prior_is_not_written_over(trained, finished):
    folder, _ = trained
    flags = {**FLAGS, "units": 9}
    with pytest.raises(ValueError, match="another configuration.*units=8 there, 9 here"):
        trainer.run(trainer.Config(run=str(finished), output_dir=str(folder), **flags))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run": ""}, "Give --run. Received: run=''"),
        ({"units": 0}, "units must be at least 1"),
        ({"top_p": 1.5}, "top_p must be at most 1"),
        ({"chunk_size": 5}, "no more than the code.*chunk_size=5"),
        ({"batch_size": 10_000}, "Choose a smaller --batch_size. Received: batch_size=10000"),
    ],
)
def test_bad_flags_are_refused_before_training(finished, tmp_path, changes, message):
    flags = {"run": str(finished), "output_dir": str(tmp_path / "out"), **FLAGS, **changes}
    with pytest.raises(ValueError, match=message):
        trainer.run(trainer.Config(**flags))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("rows", "replicas", "message"),
    [
        (0, 1, "chosen by validation images.*Received: 0 validation images"),
        (1, 2, "fewer devices. Received: 1 validation image, 2 replicas"),
    ],
)
def test_too_few_validation_images_are_refused_before_the_folder_is_made(
    finished, tmp_path, monkeypatch, rows, replicas, message
):
    split = finished_run.FinishedRun.split

    def few(self, name):
        found = split(self, name)
        if name != "validation":
            return found
        return dataclasses.replace(found, images=found.images[:rows], labels=found.labels[:rows])

    class Strategy(tf.distribute.MirroredStrategy):
        num_replicas_in_sync = replicas

    monkeypatch.setattr(finished_run.FinishedRun, "split", few)
    monkeypatch.setattr(trainer.compiling, "make_strategy", lambda _: Strategy(["CPU:0"]))
    flags = {"run": str(finished), "output_dir": str(tmp_path / "out"), **FLAGS}
    with pytest.raises(ValueError, match=message):
        trainer.run(trainer.Config(**flags))
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_not_finite_is_an_error(finished, tmp_path):
    flags = {**FLAGS, "learning_rate": 1e38, "output_dir": str(tmp_path / "out")}
    with pytest.raises(callbacks.TrainingDiverged, match="Not finite at step .*: loss"):
        trainer.run(trainer.Config(run=str(finished), **flags))
    assert not (tmp_path / "out/checkpoints/last").exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]),
            "must be the model of a run.*it holds a Sequential",
        ),
        (
            lambda: StructuredPrediction((4,), num_variables=2),
            "must have discrete codes.*StructuredPrediction, without decode",
        ),
    ],
)
def test_a_model_without_codes_or_decoder_is_refused(copied, make, message):
    folder = copied()
    make().save(folder / "model.keras")
    with pytest.raises(ValueError, match=message):
        finished_run.load(str(folder))


def test_its_files_load_in_a_new_process_that_imports_the_package_alone(trained, tmp_path):
    assert small_runs.loaded_afresh(trained[0], tmp_path) == {
        "prior.keras",
        "checkpoints/best",
        "checkpoints/last",
    }
