"""How a run is executed: steps per call, XLA, precision, devices, the user's own modules."""

from __future__ import annotations

import contextlib
import json
import pathlib
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests import registries
from tests.trainers import small_runs
from tf_discrete import datasets, export
from tf_discrete.optimizers import FusedAdam, RectifiedAdam
from trainers.common import compiling, results, run
from trainers.flags.run import RunConfig
from trainers.saved_runs import evaluate
from trainers.saved_runs import export as export_trainer
from trainers.tasks import categorical_vae

OWN_MODULE = """
import keras
from tf_discrete import estimators, likelihoods
from tf_discrete.models import mlp_networks, networks


@estimators.register("own_estimator")
class OwnEstimator(estimators.get_class("straight_through")):
    pass


@likelihoods.register("own_likelihood")
class OwnLikelihood(likelihoods.Bernoulli):
    pass


@keras.saving.register_keras_serializable("own")
def doubled(x):
    return 2.0 * x


def encoder(data_shape, num_outputs, hidden_units, activation):
    inputs = keras.Input(data_shape)
    x = keras.layers.Flatten()(inputs)
    return keras.Model(inputs, keras.layers.Dense(num_outputs, activation=doubled)(x))


networks.register("own_network", encoder, mlp_networks.mlp_decoder)
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """A user's module on the path; returns a function that makes this process forget it."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/users_own_module.py").write_text(OWN_MODULE)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    with contextlib.ExitStack() as stack:

        def forget():
            sys.modules.pop("users_own_module", None)
            stack.close()
            stack.enter_context(registries.restored())

        forget()
        yield forget
        forget()


@pytest.mark.slow
def test_own_modules_serve_training_evaluation_and_export(
    own_module, tmp_path: pathlib.Path, monkeypatch
):
    folder = tmp_path / "run"
    own = {
        "estimator": "own_estimator",
        "likelihood": "own_likelihood",
        "encoder": "own_network",
        "import_module": ("users_own_module",),
        "epochs": 1,
        "bound_samples": 2,
        "pictures_every": 0,
    }
    with monkeypatch.context() as patch:  # The run is exported below.
        patch.setattr(export, "save", lambda *_, **__: None)
        trained = categorical_vae.run(small_runs.config(folder, **own))
    own_module()
    message = "likelihood must be one of.*Received: likelihood='own_like"
    with pytest.raises(ValueError, match=message):
        categorical_vae.run(small_runs.config(tmp_path / "no", **{**own, "import_module": ()}))
    assert not (tmp_path / "no").exists()

    with pytest.raises(ValueError, match="--import_module=users_own_module.*Received: run="):
        evaluate.run(evaluate.Config(run=str(folder), bound_samples=2))
    own_module()
    named = {"run": str(folder), "import_module": ("users_own_module",)}
    again = evaluate.run(evaluate.Config(**named, bound_samples=2))
    assert again["bound_nats"] == trained["test/bound_nats"]
    own_module()
    export_trainer.run(
        export_trainer.Config(run=str(folder), path=str(tmp_path / "exported"), trust_run=True)
    )
    own_module()
    served = tf.saved_model.load(str(tmp_path / "exported"))
    image = tf.ones([2, 8, 8, 1])
    assert served.signatures["reconstruct"](image=image)["image"].shape == (2, 8, 8, 1)


OWN_LATENTS = """
import tensorflow as tf
from tf_discrete import distributions


@distributions.register
class Mine(distributions.Categorical):
    latents = "mine"
"""


@pytest.mark.slow
def test_own_kinds_of_latents_are_taken_from_the_command_line(tmp_path: pathlib.Path):
    (tmp_path / "own_kind_of_latents.py").write_text(OWN_LATENTS)
    own = {"latents": "mine", "import_module": "own_kind_of_latents", "estimator": "score_function"}
    flags = small_runs.arguments(tmp_path / "run", **own, epochs=1, bound_samples=2)
    path = f"{small_runs.ROOT}:{tmp_path}"
    done = small_runs.call_fresh("-m", "trainers.categorical_vae", *flags, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert np.isfinite(small_runs.result(tmp_path / "run")["test/bound_nats"])


def test_steps_per_execution_do_not_change_the_numbers(finished, tmp_path: pathlib.Path, capsys):
    # 4 does not divide the 10 steps of an epoch.
    small_runs.train(tmp_path / "run", steps_per_execution=4, epochs=2, loop="fit")
    assert "steps_per_execution=2: it must divide the 10 steps" in capsys.readouterr().out
    assert small_runs.rows(tmp_path / "run") == small_runs.rows(finished)[:2]


@pytest.mark.parametrize(
    "asked,steps,chosen",
    [(0, 12, 12), (0, 540, 20), (0, 23, 1), (1, 12, 1), (5, 12, 4), (99, 12, 12), (4, 12, 4)],
)
def test_steps_per_execution_divide_an_epoch(asked, steps, chosen):
    settings = RunConfig(steps_per_execution=asked)
    assert compiling.choose_steps_per_execution(settings, steps) == chosen


def test_mirrored_takes_one_step_per_execution():
    assert compiling.choose_steps_per_execution(RunConfig(distribute="mirrored"), 12) == 1


@pytest.mark.parametrize(
    "flag,distribute,gpus,expected",
    [
        ("auto", "none", 0, False),
        ("auto", "none", 1, True),
        ("auto", "none", 2, False),
        ("auto", "mirrored", 1, False),
        ("on", "none", 0, True),
        ("off", "none", 1, False),
    ],
)
def test_choice_of_xla(flag, distribute, gpus, expected, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU"] * gpus)
    settings = RunConfig(jit_compile=flag, distribute=distribute)
    assert compiling.use_xla(settings) is expected


@pytest.mark.slow
def test_xla(finished, tmp_path: pathlib.Path, recwarn):
    small_runs.train(tmp_path, jit_compile="on", loop="compiled", epochs=1)
    assert not any("XLA" in str(warning.message) for warning in recwarn)
    (row,), reference = small_runs.rows(tmp_path), small_runs.rows(finished)[0]
    # XLA draws other noise, but the model is the same.
    for name in ("train/loss", "validation/hard_elbo_nats"):
        assert row[name] == pytest.approx(reference[name], rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_from_training_to_the_saved_model(policy, finished, tmp_path):
    result = categorical_vae.run(small_runs.config(tmp_path / "run", dtype_policy=policy, epochs=2))
    for row, reference in zip(
        small_runs.rows(tmp_path / "run"), small_runs.rows(finished), strict=False
    ):
        assert all(np.isfinite(value) for value in row.values())
        assert row["train/loss"] == pytest.approx(reference["train/loss"], rel=0.01)
    assert np.isfinite(result["test/bound_nats"])
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(
        path.name for path in finished.iterdir()
    )
    export.load_manifest(tmp_path / "run/saved_model")
    again = evaluate.run(evaluate.Config(run=str(tmp_path / "run"), bound_samples=30))
    assert again["bound_nats"] == result["test/bound_nats"]


@pytest.mark.slow
def test_float64_and_a_profile(finished, tmp_path: pathlib.Path):
    settings = {"dtype_policy": "float64", "profile": True, "steps_per_execution": 1}
    small_runs.train(tmp_path, epochs=1, **settings)
    assert list((tmp_path / "tensorboard").rglob("*.xplane.pb"))
    loss = small_runs.rows(tmp_path)[0]["train/loss"]
    assert loss == pytest.approx(small_runs.rows(finished)[0]["train/loss"], rel=0.03)
    weights = small_runs.checkpoint(tmp_path)
    assert any(value.dtype == np.float64 and value.ndim == 2 for value in weights.values())


@pytest.mark.slow
def test_two_devices(tmp_path: pathlib.Path):
    done = small_runs.call("-m", "tests.trainers.two_devices", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "distribute=mirrored: one step per execution, no XLA" in done.stdout
    answer = json.loads(done.stdout.splitlines()[-1])
    mirrored, one = answer["rows"]["mirrored"], answer["rows"]["one"]
    assert len(mirrored) == len(one) == 2
    for row, reference in zip(mirrored, one, strict=True):
        for name in ("train/loss", "train/kl_nats", "validation/loss", "validation/elbo_nats"):
            assert row[name] == pytest.approx(reference[name], rel=1e-4), name
        # That of half a batch is noisier, hence longer, but of the same size.
        ratio = row["train/gradient_norm"] / reference["train/gradient_norm"]
        assert 0.9 < ratio < 2.0
        assert row["validation/hard_elbo_nats"] == pytest.approx(
            reference["validation/hard_elbo_nats"], rel=0.02
        )
    assert answer["common_noise"] == 0
    assert {"model.keras", "saved_model", "metrics.json", "samples.png"} <= set(answer["files"])
    assert answer["result"]["test/bound_nats"] > -60


@pytest.mark.parametrize("name,kind", [("adam", FusedAdam), ("rectified_adam", RectifiedAdam)])
def test_the_optimizer_of_its_flag(name, kind, tmp_path: pathlib.Path):
    split = datasets.get("digits", "train", max_examples=60)
    settings = small_runs.config(tmp_path, optimizer=name, weight_decay=0.1)
    model = categorical_vae.build_model(settings, split, 10)
    compiling.compile_model(model, settings, 10, weight_average=0.9)
    optimizer = model.optimizer
    assert type(optimizer) is kind
    assert (optimizer.weight_decay, optimizer.use_ema, optimizer.ema_momentum) == (0.1, True, 0.9)


def test_cosine_learning_rate(tmp_path: pathlib.Path):
    split = datasets.get("digits", "train", max_examples=60)
    settings = small_runs.config(tmp_path, learning_rate_schedule="cosine", epochs=4)
    model = categorical_vae.build_model(settings, split, 10)
    compiling.compile_model(model, settings, 10)
    rates = []
    for step in (0, 20, 40):
        model.optimizer.iterations.assign(step)
        rates.append(float(np.asarray(model.optimizer.learning_rate)))
    assert rates == pytest.approx([0.003, 0.0015, 0.0], abs=1e-9)


def test_the_folder_is_named_after_the_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr(run, "train", lambda task, settings: seen.append(settings) or {"a": 1.0})
    categorical_vae.run(categorical_vae.Config(dataset="somewhere/mine.npz"))
    assert seen[0].output_dir == "runs/categorical_vae-mine.npz"


def test_table(capsys):
    results.print_table("Title", {"loss": 1.23456, "long_name": 7, "nothing": None})
    assert capsys.readouterr().out.splitlines() == [
        "",
        "Title",
        "  loss       1.235",
        "  long_name  7",
        "  nothing    None",
    ]
