"""What cannot work is refused with a clear message, and leaves nothing behind."""

from __future__ import annotations

import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.trainers import small_runs
from tf_discrete import estimators
from tf_discrete.models import CategoricalVAE
from trainers.common import callbacks
from trainers.saved_runs import evaluate
from trainers.tasks import categorical_vae

REFUSED = {
    "data set": (
        {"dataset": "no_such_data"},
        ["no_such_data"],
    ),
    "npz": ({"dataset": "nowhere/file.npz"}, ["must exist", "Received: name='nowhere/file.npz'"]),
    "folder": ({"dataset": "./nowhere"}, ["must exist", "Received: name='./nowhere'"]),
    "batch": (
        {"batch_size": 301},
        [
            "must fit into the training data",
            "--batch_size",
            "Received: batch_size=301, 300 training",
        ],
    ),
    "one image": ({"max_examples": 1}, ["must fit into", "batch_size=30, 1 training images"]),
    "temperature": ({"temperature": -1.0}, ["must be at least 0", "Received: temperature=-1.0"]),
    "final temperature": (
        {"temperature_final": 0.0},
        ["must be positive", "Received: temperature_final=0.0"],
    ),
    "categories": ({"num_categories": 1}, ["at least 2", "Received: num_categories=1"]),
    "categories of bits": (
        {"latents": "bernoulli"},
        ["Bernoulli latents have 2 categories. Set num_categories=2.", "num_categories=3"],
    ),
    "estimator": (
        {"estimator": "gumbel_sofmax"},
        ["estimator must be one of", "Did you mean 'gumbel_softmax'?", "estimator='gumbel_sofmax'"],
    ),
    "likelihood": (
        {"likelihood": "gausian"},
        ["likelihood must be one of", "Did you mean 'gaussian'?", "likelihood='gausian'"],
    ),
    "network": (
        {"encoder": "convv"},
        [
            "encoder must be one of conv, conv_grid, mlp, or a Keras model",
            "Received: encoder='convv'",
        ],
    ),
    "activation": ({"activation": "rellu"}, ["activation", "rellu"]),
    "relaxed objective": (
        {"objective": "relaxed_elbo", "estimator": "straight_through"},
        ["needs a relaxed estimator such as gumbel_softmax", "estimator=StraightThrough"],
    ),
    "free bits": (
        {"objective": "relaxed_elbo", "free_bits": 0.1},
        ["free_bits needs the exact KL of objective='elbo'", "free_bits=0.1"],
    ),
    "samples": (
        {"estimator": "score_function", "num_samples": 1},
        ["needs at least 2 samples. Set num_samples", "num_samples=1"],
    ),
    "enumeration": (
        {"estimator": "enumeration", "num_variables": 10},
        ["take an estimator that only samples", "59049 configurations"],
    ),
    "mirrored steps": (
        {"distribute": "mirrored", "steps_per_execution": 4},
        ["one step per execution and no XLA", "Received: distribute='mirrored', steps_per_exec"],
    ),
    "mirrored XLA": (
        {"distribute": "mirrored", "jit_compile": "on"},
        ["one step per execution and no XLA", "Received: distribute='mirrored', jit_compile='on'"],
    ),
    "mirrored loop": (
        {"distribute": "mirrored", "loop": "compiled"},
        ["one step per execution and no XLA", "Received: distribute='mirrored', loop='compiled'"],
    ),
    "workers and steps": (
        {"distribute": "multi_worker", "steps_per_execution": 4},
        ["Multi-worker training takes one step per execution and no XLA", "steps_per_execution=4"],
    ),
    "workers and XLA": (
        {"distribute": "multi_worker", "jit_compile": "measure"},
        ["one step per execution and no XLA", "jit_compile='measure'"],
    ),
    "workers and loop": (
        {"distribute": "multi_worker", "loop": "compiled"},
        ["one step per execution and no XLA", "loop='compiled'"],
    ),
    "no TF_CONFIG": (
        {"distribute": "multi_worker"},
        ["TF_CONFIG must be set for --distribute=multi_worker", "Received: TF_CONFIG=''"],
    ),
    "workers and a sweep": (
        {"distribute": "multi_worker", "sweep": True},
        ["A sweep trains several runs in one process", "distribute='multi_worker'"],
    ),
    "module": (
        {"import_module": ("no.such.module",)},
        ["import_module must name modules on the Python path", "import_module='no.such.module'"],
    ),
    "image size": ({"image_size": (4,)}, ["image_size must be (height, width)", "(4,)"]),
    "seed": ({"seed": -2}, ["seed must be at least 0", "Received: seed=-2"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything_is_written(case, tmp_path: pathlib.Path):
    changes, parts = REFUSED[case]
    if case == "data set":
        changes = {**changes, "data_dir": str(tmp_path / "data")}
        (tmp_path / "data").mkdir()
    with pytest.raises((ValueError, OSError, RuntimeError)) as caught:
        categorical_vae.run(small_runs.config(tmp_path / "run", **changes))
    for part in parts:
        assert part in str(caught.value), str(caught.value)
    assert not (tmp_path / "run").exists()


def test_an_estimator_for_other_latents_is_refused(tmp_path: pathlib.Path, monkeypatch):
    only_categorical = estimators.get_class("straight_through").spec._replace(only=("categorical",))
    monkeypatch.setattr(estimators.get_class("straight_through"), "spec", only_categorical)
    changes = {"estimator": "straight_through", "latents": "bernoulli", "num_categories": 2}
    with pytest.raises(ValueError, match="supports categorical latents only.*latents='bernoulli'"):
        categorical_vae.run(small_runs.config(tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


def test_images_of_two_sizes_are_refused(tmp_path: pathlib.Path):
    zeros = np.zeros([40, 6, 6], np.uint8)
    np.savez(tmp_path / "two.npz", image_train=zeros, image_test=zeros[:, :5])
    with pytest.raises(ValueError, match="must have one shape. Resize.*--image_size.*(5, 6, 1)"):
        categorical_vae.run(
            small_runs.config(tmp_path / "run", dataset=str(tmp_path / "two.npz"), batch_size=8)
        )
    assert not (tmp_path / "run").exists()


def test_a_bad_test_split_is_refused_before_training(tmp_path: pathlib.Path):
    good = np.zeros([40, 6, 6], np.float32)
    np.savez(tmp_path / "bad.npz", image_train=good, image_test=good + np.nan)
    with pytest.raises(ValueError, match="must be finite and in .0, 1.*image_test"):
        categorical_vae.run(
            small_runs.config(tmp_path / "run", dataset=str(tmp_path / "bad.npz"), batch_size=8)
        )
    assert not (tmp_path / "run").exists()


def test_another_configuration_is_refused(copied):
    folder = copied()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(
        ValueError, match="another configuration.*Received: kl_weight=1.0 there, 0.5"
    ):
        categorical_vae.run(small_runs.config(folder, kl_weight=0.5))
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_is_refused(backend):
    done = small_runs.call_fresh("-c", "import tf_discrete", KERAS_BACKEND=backend)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        "ImportError: tf_discrete needs the TensorFlow backend of Keras 3. Set "
        f"KERAS_BACKEND=tensorflow before Python starts. Received: KERAS_BACKEND='{backend}'"
    )


def test_a_command_line_that_cannot_work_says_why_in_one_line(tmp_path: pathlib.Path):
    done = small_runs.call(
        "-m", "trainers.categorical_vae", f"--output_dir={tmp_path / 'run'}", "--batch_size=9999"
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1] == (
        "ValueError: A batch must fit into the training data. Choose a smaller --batch_size. "
        "Received: batch_size=9999, 1294 training images"
    )
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: pathlib.Path, monkeypatch):
    """The weights are spoilt in the third of the epochs; the second is kept."""
    objective = CategoricalVAE.objective

    def spoilt(self, x, seed, training):
        terms = objective(self, x, seed, training)
        bad = training & (tf.convert_to_tensor(self.micro_step) == 24)
        nan = tf.where(bad, float("nan"), 0.0)
        return terms._replace(
            loss=terms.loss + nan, terms={**terms.terms, "kl_nats": terms.terms["kl_nats"] + nan}
        )

    monkeypatch.setattr(CategoricalVAE, "objective", spoilt)
    with pytest.raises(callbacks.TrainingDiverged) as caught:
        small_runs.train(tmp_path / "run")
    message = str(caught.value)
    assert message.startswith("Not finite at step 25: ")
    terms = message.split(": ")[1].split(". ")[0].split(", ")
    assert {"loss", "kl_nats"} <= set(terms)
    assert "reconstruction_nats" not in terms
    assert "The last good checkpoint is kept. Try a smaller --learning_rate" in message

    assert [row["epoch"] for row in small_runs.rows(tmp_path / "run")] == [1, 2]
    assert not (tmp_path / "run/metrics.json").exists()
    for value in small_runs.checkpoint(tmp_path / "run").values():
        assert np.isfinite(value).all()
    again = evaluate.run(
        evaluate.Config(run=str(tmp_path / "run"), checkpoint="last", bound_samples=2)
    )
    assert again["epoch"] == 2 and np.isfinite(again["bound_nats"])


def test_weights_that_the_last_step_of_an_epoch_spoils_are_not_kept(tmp_path: pathlib.Path):
    with pytest.raises(callbacks.TrainingDiverged, match="Not finite at step 1: .*val_loss"):
        # All losses of training are finite: the only update comes after the only batch.
        small_runs.train(
            tmp_path / "run", batch_size=300, learning_rate=1e30, likelihood="gaussian"
        )
    assert not list((tmp_path / "run/checkpoints").rglob("*.index"))
    assert not (tmp_path / "run/metrics.jsonl").exists()


def test_a_run_that_does_not_exist_or_has_no_checkpoint_is_not_evaluated(tmp_path: pathlib.Path):
    with pytest.raises(ValueError, match="--run must name the folder of a run. Received: run="):
        evaluate.run(evaluate.Config(run=str(tmp_path / "nothing")))
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_checkpoint_is_not_evaluated(copied):
    folder = copied()
    shutil.rmtree(folder / "checkpoints")
    before = sorted(folder.iterdir())
    with pytest.raises(
        ValueError, match="must have finished an epoch; it has no checkpoint yet. Rec"
    ):
        evaluate.run(evaluate.Config(run=str(folder)))
    assert sorted(folder.iterdir()) == before
