"""The compiled loop trains as the plain step does: weights, logs, schedules, any model, any estimator."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import datasets, estimators, optimizers, schedules, seeds
from tf_discrete._internal import fusion
from tf_discrete.datasets import labels
from tf_discrete.datasets.indexed_batches import IndexedBatches
from tf_discrete.models import (
    Augmentation,
    AutoregressivePrior,
    CategoricalVAE,
    DiscreteModel,
    Regularization,
    SemanticHashingAutoencoder,
    SemiSupervisedVAE,
    StructuredPrediction,
    compiled_loop,
)

SHAPE = (4, 4, 1)


def split(count: int = 23, binarization: str = "dynamic") -> datasets.Split:
    random = np.random.RandomState(1)
    images = random.randint(0, 256, (count, *SHAPE)).astype(np.uint8)
    return datasets.Split(
        "made", "train", images, np.arange(count, dtype=np.int32) % 3, 3, binarization
    )


def vae(**changes: Any) -> CategoricalVAE:
    arguments: dict[str, Any] = {"num_variables": 3, "num_categories": 3, "hidden_units": (6,)}
    return CategoricalVAE(SHAPE, **{**arguments, "monitor_every": 3, **changes})


def with_dropout() -> CategoricalVAE:
    encoder = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.3, seed=4),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(9),
        ]
    )
    return vae(encoder=encoder, decoder="mlp")


def regularized() -> CategoricalVAE:
    options = {"kernel_regularizer": "l2", "activity_regularizer": "l2"}
    layers = [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(9, **options)]
    return vae(encoder=keras.Sequential(layers), decoder="mlp")


MODELS = {
    "regularized": regularized,
    "small": lambda: vae(hidden_units=()),
    "categorical": lambda: vae(
        temperature=schedules.Linear(1.0, 0.5, 7), kl_weight=schedules.Linear(0.0, 1.0, 5)
    ),
    "bernoulli": lambda: vae(latents="bernoulli", num_categories=2, prior="learned"),
    "layers": lambda: vae(num_layers=2, centering=True),
    "score": lambda: vae(estimator="score_function"),
    "rebar": lambda: vae(estimator="rebar"),
    "bound": lambda: vae(estimator="vimco", objective="importance_weighted", num_samples=3),
    "dropout": with_dropout,
    "hashing": lambda: SemanticHashingAutoencoder(
        data_shape=SHAPE, num_bits=4, hidden_units=(6,), monitor_every=3
    ),
    "structured": lambda: StructuredPrediction(
        data_shape=SHAPE, num_variables=(3, 2), num_categories=3, monitor_every=3
    ),
    "code_prior": lambda: vae(code_prior=AutoregressivePrior),
    "semi_supervised": lambda: SemiSupervisedVAE(
        data_shape=SHAPE,
        num_classes=3,
        style_size=2,
        hidden_units=(6,),
        monitor_every=3,
        regularization=Regularization(
            dropout=0.2, augmentation=Augmentation(shift=1), consistency=0.5
        ),
    ),
}


WITH_REST = ("with_rest", "categorical", "bernoulli", "dropout", "bound", "regularized")


def batches_for(name: str, start_epoch: int = 0) -> IndexedBatches:
    """4 steps in an epoch, or 5 of which the last batch is partial."""
    data = split(23 if name in WITH_REST or name == "semi_supervised" else 20)
    if name == "semi_supervised":
        few, many = labels.divide(data, labels.choose(data.labels, 3, 2))
        return labels.indexed_batches(few, many, 3, 5, seed=2, start_epoch=start_epoch)
    return data.indexed_batches(5, seed=2, start_epoch=start_epoch)


def made(name: str = "small", optimizer: Any = None, **options: Any) -> DiscreteModel:
    keras.utils.set_random_seed(3)
    model = MODELS[name]()
    options = {"steps_per_execution": 3, "jit_compile": False, **options}
    model.compile(optimizer or optimizers.FusedAdam(0.01), **options)
    return model


def in_loop(model: DiscreteModel, batches: IndexedBatches, epochs: int = 2, **options: Any) -> Any:
    """Trains in the loop; a fallback is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model.fit(batches, epochs=epochs, verbose=0, **options).history


def streamed(model: DiscreteModel, batches: IndexedBatches, epochs: int = 2) -> Any:
    """Trains on the same batches by Keras' own train function, one step in each execution."""
    options = {"steps_per_epoch": batches.steps_per_epoch, "shuffle": False, "verbose": 0}
    return model.fit(batches.stream(), epochs=epochs, **options).history


def assert_same(model: DiscreteModel, reference: DiscreteModel, **tolerance: float) -> None:
    for one, other in zip(model.weights, reference.weights, strict=True):
        np.testing.assert_allclose(one, other, err_msg=one.path, **tolerance)
    for one, other in zip(model.optimizer.variables, reference.optimizer.variables, strict=True):
        np.testing.assert_allclose(one, other, err_msg=one.path, **tolerance)


FAST = ("categorical", "semi_supervised")
"""The others are left to `make test-slow`."""


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in MODELS],
)
def test_trains_as_the_plain_step_does(name):
    """Up to rounding: TensorFlow groups the operations of the two graphs in its own ways."""
    batches = batches_for(name)
    model, reference = made(name), made(name, steps_per_execution=1)
    history, expected = in_loop(model, batches), streamed(reference, batches)
    assert history.keys() == expected.keys()
    for term, values in expected.items():
        np.testing.assert_allclose(history[term], values, rtol=1e-5, atol=1e-6, err_msg=term)
    assert_same(model, reference, rtol=1e-5, atol=1e-6)
    assert int(model.micro_step) == 2 * batches.steps_per_epoch


@pytest.mark.parametrize("name", ["small", pytest.param("semi_supervised", marks=pytest.mark.slow)])
def test_parts_that_xla_compiles_do_not_change_it(name, monkeypatch):
    """They are those of many numbers; here of any."""
    batches = batches_for(name)
    reference = made(name)
    expected = in_loop(reference, batches)
    monkeypatch.setattr(fusion, "_MANY", 1)
    model = made(name)
    history = in_loop(model, batches)
    for term, values in expected.items():
        np.testing.assert_allclose(history[term], values, rtol=1e-4, atol=1e-5, err_msg=term)
    assert_same(model, reference, rtol=1e-4, atol=1e-4)
    graph = model._loop._steps.get_concrete_function(*spec_of(batches, model)).graph
    compiled = {name for name in functions_in(graph) if "gradient_of_logits" in name}
    assert compiled and not {n for n in functions_in(graph) if "sum_at" in n}


def spec_of(batches, model):
    spec = batches.blocks(model.steps_per_execution).element_spec
    return spec.indices, spec.steps


def functions_in(graph):
    return {function.signature.name for function in graph.as_graph_def().library.function}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("place", [0, 7, 15])
def test_refuses_a_number_outside_the_support_in_any_place(place, compiled, monkeypatch):
    if compiled:
        monkeypatch.setattr(fusion, "_MANY", 1)
    x = np.zeros([20, *SHAPE], "float32")
    x.reshape(20, 16)[3, place] = 7.5
    model = made()
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[0, 1\](.|\n)*maximum.*1.*7\.5"):
        model.fit(datasets.indexed_arrays(x, batch_size=5), epochs=1, verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small", "semi_supervised"])
def test_xla_compiles_the_loop(name, monkeypatch):
    """With one generator, XLA samples the same noise in the loop and in the plain step."""
    monkeypatch.setattr(seeds, "compiled_by_xla", contextlib.nullcontext)
    batches = batches_for(name)
    model = made(name, jit_compile=True)
    reference = made(name, steps_per_execution=1, jit_compile=True)
    history, expected = in_loop(model, batches), streamed(reference, batches)
    assert history.keys() == expected.keys()
    for term, values in expected.items():
        np.testing.assert_allclose(history[term], values, rtol=1e-3, err_msg=term)
    assert_same(model, reference, rtol=1e-3, atol=1e-4)
    assert model._loop is not None and model._loop.uses_xla


def test_blocks_of_any_size_and_a_later_epoch_continue_with_the_same_numbers():
    model, reference = made(steps_per_execution=3), made(steps_per_execution=50)
    whole = in_loop(reference, batches_for("small"), epochs=3)
    first = in_loop(model, batches_for("small"), epochs=1)
    rest = in_loop(model, batches_for("small", start_epoch=1), epochs=3, initial_epoch=1)
    for name, values in whole.items():
        assert first[name] + rest[name] == values
    assert_same(model, reference, rtol=0)


def test_two_traces_serve_all_epochs_whose_last_batch_is_partial():
    model, batches = made(), batches_for("with_rest")
    seen: list[int] = []
    note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    in_loop(model, batches, callbacks=[note])
    assert seen == [2, 5, 2, 5]  # 5 steps in blocks of 3.
    in_loop(model, batches, epochs=1)
    assert model._loop is not None
    assert model._loop._steps.experimental_get_tracing_count() == 2


def test_validation_and_other_data_are_those_of_fit():
    model = made()
    validation = split(7, "none").batches(3)
    history = in_loop(model, batches_for("small"), epochs=1, validation_data=validation)
    scores = model.evaluate(validation, verbose=0, return_dict=True)
    assert scores["loss"] == pytest.approx(history["val_loss"][0])
    x = np.zeros([6, *SHAPE], np.float32)
    model.fit(x, batch_size=2, verbose=0)
    assert int(model.micro_step) == 4 + 3


def test_says_why_it_streams_the_batches():
    batches = batches_for("small")
    model = made(run_eagerly=True)
    with pytest.warns(UserWarning, match="step by step.*compiled with run_eagerly=True"):
        model.fit(batches, verbose=0)
    large = IndexedBatches(batches.epochs, batches.read, 4, in_memory=False)
    assert compiled_loop.why_not(model, large) == "The data are too large to stay in memory."

    class Own(CategoricalVAE):
        def train_step(self, data):
            return super().train_step(data)

    own = Own(SHAPE, num_variables=2, hidden_units=())
    assert compiled_loop.why_not(own, batches) == "Own has a train_step of its own."
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        reason = compiled_loop.why_not(made(), batches)
    assert reason == "The model was made for several devices, by a OneDeviceStrategy."


def test_says_why_a_step_cannot_be_traced(monkeypatch):
    update = DiscreteModel.update

    def fails_in_a_loop(self, data, unseen):
        if "while" in tf.compat.v1.get_default_graph().name:
            raise RuntimeError("Not in a loop.")
        return update(self, data, unseen)

    monkeypatch.setattr(DiscreteModel, "update", fails_in_a_loop)
    model = made()
    with pytest.warns(UserWarning, match="cannot be traced in a loop: Not in a loop."):
        model.fit(batches_for("small"), epochs=2, verbose=0)
    # Keras would run 2 executions of 3 steps in an epoch of 4.
    assert int(model.micro_step) == 8 and model.steps_per_execution == 3


def test_says_why_xla_does_not_compile_it(monkeypatch):
    update = DiscreteModel.update

    def prints(self, data, unseen):
        tf.print("a step", output_stream="file:///dev/null")
        return update(self, data, unseen)

    monkeypatch.setattr(DiscreteModel, "update", prints)
    model = made(jit_compile=True)
    with pytest.warns(UserWarning, match="The loop runs without XLA, which refuses it: "):
        model.fit(batches_for("small"), verbose=0)
    assert int(model.micro_step) == 4


def test_refuses_what_the_batches_say_themselves():
    message = "Leave y and steps_per_epoch out. Received: y=None, steps_per_epoch=3"
    with pytest.raises(ValueError, match=message):
        made().fit(batches_for("small"), steps_per_epoch=3)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", estimators.names())
def test_every_estimator_runs_in_the_loop(name, jit_compile):
    latents = estimators.get_class(name).spec.supports[0]
    model = vae(estimator=name, latents=latents, num_categories=2 if latents == "bernoulli" else 3)
    model.compile("sgd", steps_per_execution=5, jit_compile=jit_compile)
    history = in_loop(model, batches_for("small"), epochs=1)
    assert np.isfinite(history["loss"]).all()
    assert model._loop is not None and model._loop.uses_xla == jit_compile
