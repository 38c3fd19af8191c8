"""The steps that all models share, seen on a small categorical VAE."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import small_models
from tf_discrete import likelihoods, schedules, seeds
from tf_discrete.schedules import ScheduledVariable

CONV = {"data_shape": (9, 8, 1), "encoder": "conv", "hidden_units": (6,)}


class Draws:
    """Notes the seed of every draw; folding a seed is none."""

    def __init__(self, monkeypatch):
        self.seeds = []
        for name in ("stateless_uniform", "stateless_normal", "stateless_categorical"):
            monkeypatch.setattr(tf.random, name, self.noting(getattr(tf.random, name)))
        monkeypatch.setattr(seeds, "fold", self.silently(seeds.fold))
        self.silent = False

    def noting(self, draw):
        def noted(shape, seed, *args, **kwargs):
            if not self.silent:
                self.seeds.append(tuple(np.asarray(seed).tolist()))
            return draw(shape, seed, *args, **kwargs)

        return noted

    def silently(self, fold):
        def folded(*args):
            self.silent = True
            try:
                return fold(*args)
            finally:
                self.silent = False

        return folded

    def take(self):
        taken, self.seeds = self.seeds, []
        return taken


@pytest.mark.one_in(3)
@pytest.mark.parametrize("estimator", ["gumbel_softmax", "score_function", "gumbel_rao"])
def test_all_draws_of_training_and_evaluation_differ(estimator, monkeypatch):
    model = small_models.compiled(
        small_models.make(estimator=estimator, monitor_every=1), run_eagerly=True
    )
    draws = Draws(monkeypatch)
    x = small_models.data()
    for _ in range(3):
        model.train_step(x)
    training = draws.take()
    model.reset_metrics()
    for _ in range(2):
        model.test_step(x)
    evaluation = draws.take()
    bound = model.log_likelihood(x, 7, chunk=3)
    chunks = draws.take()
    # Training: noise and the discrete path. Evaluation: the same. The bound: 3 + 3 + 1 samples.
    assert len(training) >= 6 and len(evaluation) >= 4 and len(chunks) == 3
    together = training + evaluation + chunks
    assert len(set(together)) == len(together)
    assert np.isfinite(bound).all()

    model.reset_metrics()
    for _ in range(2):
        model.test_step(x)
    assert draws.take() == evaluation


def test_gradient_accumulation_does_not_repeat_noise(monkeypatch):
    optimizer = keras.optimizers.SGD(0.01, gradient_accumulation_steps=4)
    model = small_models.compiled(small_models.make(monitor_every=100), optimizer, run_eagerly=True)
    model.train_step(small_models.data())  # The first step evaluates the discrete path too.
    draws = Draws(monkeypatch)
    for _ in range(7):
        model.train_step(small_models.data())
    noise = draws.take()
    assert int(model.optimizer.iterations) == 2 and int(model.micro_step) == 8
    assert len(noise) >= 7 and len(set(noise)) == len(noise)


def test_two_models_with_one_seed_agree_and_with_another_differ():
    x = small_models.data()
    found = []
    for seed in (0, 0, 1):
        model = small_models.compiled(small_models.make(seed=seed))
        found.append([model.train_step(x[i : i + 3]) for i in (0, 3)][-1])
    assert found[0] == found[1]
    assert found[0]["loss"] != found[2]["loss"]


def test_evaluation_twice_gives_the_same_numbers_and_leaves_training_alone():
    x = small_models.data(count=7)
    with_evaluation, without = (
        small_models.compiled(small_models.make(), run_eagerly=True) for _ in range(2)
    )
    first = with_evaluation.evaluate(x, batch_size=3, return_dict=True, verbose=0)
    second = with_evaluation.evaluate(x, batch_size=3, return_dict=True, verbose=0)
    assert first == second
    assert set(first) == {
        "loss",
        "elbo_nats",
        "reconstruction_nats",
        "kl_nats",
        "hard_elbo_nats",
        "hard_reconstruction_nats",
    }
    for model in (with_evaluation, without):
        model.fit(x, batch_size=7, shuffle=False, verbose=0)
    for one, two in zip(with_evaluation.weights, without.weights, strict=True):
        if one.name != "evaluation_step":
            np.testing.assert_array_equal(one, two, err_msg=one.path)


def test_a_partial_batch_counts_by_its_size():
    """The mean over the data, not over the batches; exact, for enumeration draws nothing."""
    x = small_models.data(count=7)
    model = small_models.compiled(small_models.make(estimator="enumeration"), run_eagerly=True)
    found = model.evaluate(x, batch_size=3, return_dict=True, verbose=0)
    expected = small_models.truth(model, x)["elbo"].mean()
    assert found["elbo_nats"] == pytest.approx(expected, rel=1e-5)
    assert found["loss"] == pytest.approx(-expected, rel=1e-5)


@pytest.mark.parametrize(
    "changes", [{}, pytest.param(CONV, marks=pytest.mark.slow)], ids=["mlp", "conv"]
)
def test_batches_of_any_size(changes):
    model = small_models.compiled(small_models.make(**changes))
    spec = tf.TensorSpec([None, *model.data_shape])
    steps = [
        tf.function(f, input_signature=[spec], autograph=False)
        for f in (model.train_step, model.test_step)
    ]
    for size in (0, 1, 3):
        model.reset_metrics()
        _check_batch(model, steps, size)


def _check_batch(model, steps, size):
    shape = model.data_shape
    x = small_models.data(shape, count=size)
    for step in steps:
        logs = {name: float(value) for name, value in step(x).items()}
        assert all(np.isfinite(value) for value in logs.values()), logs
        assert (logs["loss"] == 0) == (size == 0)
    assert all(np.isfinite(variable.numpy()).all() for variable in model.weights)
    codes = model.encode(x)
    assert codes.shape == (size, 2) and codes.dtype == tf.int32
    assert model.encode_probs(x).shape == (size, 2, 3)
    assert model.decode(codes).shape == (size, *shape)
    assert model.decode(codes, seed=seeds.base(1)).shape == (size, *shape)
    assert model.reconstruct(x).shape == (size, *shape)
    assert model(x).shape == (size, *shape)
    assert model.log_likelihood(x, 3).shape == (size,)
    assert model.sample(size).shape == (size, *shape)


def test_an_empty_batch_teaches_nothing():
    model = small_models.compiled(small_models.make(), keras.optimizers.SGD(0.1))
    before = [variable.numpy() for variable in model.trainable_variables]
    model.train_step(small_models.data(count=0))
    for old, new in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new)


def test_schedules_follow_the_step_of_the_optimizer():
    model = small_models.compiled(
        small_models.make(
            temperature=schedules.Linear(1.0, 0.5, 10), kl_weight=schedules.Linear(0.0, 1.0, 4)
        ),
        steps_per_execution=2,
    )
    history = model.fit(small_models.data(), batch_size=1, epochs=2, verbose=0).history
    # The value of the last step, 5 and 11.
    assert history["temperature"] == pytest.approx([0.75, 0.5])
    assert history["kl_weight"] == pytest.approx([1.0, 1.0])
    assert {value.name for value in model.scheduled.values()} == {"temperature", "kl_weight"}
    assert all(isinstance(value, ScheduledVariable) for value in model.scheduled.values())


def test_a_weight_of_0_leaves_the_kl_out_of_the_loss():
    x = small_models.data()
    model = small_models.make(estimator="enumeration", kl_weight=schedules.Linear(0.0, 1.0, 10))
    terms = model.objective(x, seeds.base(0), training=True)
    np.testing.assert_allclose(terms.loss, terms.terms["reconstruction_nats"], rtol=1e-6)
    model.scheduled["kl_weight"].update(5)
    terms = model.objective(x, seeds.base(0), training=True)
    half = terms.terms["reconstruction_nats"] + 0.5 * terms.terms["kl_nats"]
    np.testing.assert_allclose(terms.loss, half, rtol=1e-6)


def test_the_hard_path_is_looked_at_in_every_epoch():
    x = small_models.data(count=5)
    rare = small_models.compiled(small_models.make(monitor_every=1000), run_eagerly=True)
    history = rare.fit(x, batch_size=3, epochs=3, verbose=0).history
    assert all(value < 0 for value in history["hard_elbo_nats"])
    assert all(value > 0 for value in history["gradient_norm"])


def test_the_gradient_norm_is_that_of_the_mean_loss():
    x = small_models.data()
    model = small_models.compiled(
        small_models.make(estimator="enumeration"), keras.optimizers.SGD(0.0)
    )
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model.objective(x, seeds.base(0), training=True).loss)
    expected = tf.linalg.global_norm(
        tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    )
    assert float(model.train_step(x)["gradient_norm"]) == pytest.approx(float(expected), rel=1e-5)
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.0))
    model = small_models.compiled(small_models.make(estimator="enumeration"), scaled)
    assert float(model.train_step(x)["gradient_norm"]) == pytest.approx(float(expected), rel=1e-5)


def test_an_overflow_under_a_loss_scale_is_not_reported_as_divergence():
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.1), initial_scale=2.0**127
    )
    model = small_models.compiled(
        small_models.make(monitor_every=1, likelihood="gaussian"), optimizer
    )
    before = model.trainable_variables[0].numpy()
    logs = model.train_step(100 * small_models.data())
    assert float(logs["gradient_norm"]) == 0.0  # Of no step yet.
    assert all(np.isfinite(float(value)) for value in logs.values())
    np.testing.assert_array_equal(model.trainable_variables[0], before)
    assert float(optimizer.dynamic_scale) == 2.0**126


def test_a_gradient_that_is_not_finite_is_reported_without_a_loss_scale():
    model = small_models.compiled(small_models.make())
    model.decoder.weights[0].assign(tf.fill(model.decoder.weights[0].shape, float("inf")))
    logs = model.train_step(small_models.data())
    assert not np.isfinite(float(logs["gradient_norm"]))


@keras.saving.register_keras_serializable("base_test")
class OfAnyValue(likelihoods.Bernoulli):
    """Lets NaN through to the loss."""

    support = None


def test_the_first_step_that_is_not_finite_is_remembered():
    model = small_models.compiled(small_models.make(likelihood=OfAnyValue()), steps_per_execution=3)
    x = small_models.data().numpy()
    x[3] = np.nan
    data = tf.data.Dataset.from_tensor_slices(x).batch(1)
    model.fit(data, verbose=0, shuffle=False)
    assert int(model.nonfinite_step) == 4


@keras.saving.register_keras_serializable("base_test")
class Unused(keras.layers.Layer):
    """Has a weight that nothing reads."""

    def build(self, shape):
        self.unused = self.add_weight(shape=(3,), name="unused")

    def call(self, inputs):
        return inputs


def own_networks(regularizer=None):
    encoder = keras.Sequential(
        [keras.Input((4,)), Unused(), keras.layers.Dense(6, kernel_regularizer=regularizer)]
    )
    decoder = keras.Sequential([keras.Input((2, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])
    return {"encoder": encoder, "decoder": decoder}


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_weights_that_nothing_reads():
    model = small_models.compiled(small_models.make(**own_networks()), keras.optimizers.SGD(0.1))
    logs = model.train_step(small_models.data())
    assert np.isfinite(float(logs["gradient_norm"]))


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_the_losses_of_own_layers_are_minimised_too():
    x = small_models.data()
    changes = []
    for strength in (0.0, 0.5):
        networks = own_networks(keras.regularizers.L2(strength))
        model = small_models.compiled(
            small_models.make(estimator="enumeration", **networks), keras.optimizers.SGD(0.1)
        )
        kernel = next(v for v in model.trainable_variables if v.shape == (4, 6))
        before = kernel.numpy()
        model.train_step(x)
        changes.append(kernel.numpy() - before)
    np.testing.assert_allclose(changes[1] - changes[0], -0.1 * 2 * 0.5 * before, rtol=1e-4)


@pytest.mark.parametrize("argument", ["sample_weight", "class_weight"])
def test_weights_of_examples_are_refused(argument):
    model = small_models.make()
    model.compile(optimizer="sgd", run_eagerly=True)
    weights = {"sample_weight": np.ones(8), "class_weight": {0: 1.0, 1: 2.0}}[argument]
    with pytest.raises(
        ValueError, match=r"Leave sample_weight and class_weight out.*weight.shape=\("
    ):
        model.fit(np.ones([8, 4]), np.arange(8) % 2, verbose=0, **{argument: weights})


def test_fit_traces_the_step_once(monkeypatch):
    """A step that creates variables, such as those of the optimizer, is traced a second time."""
    model, calls = small_models.make(), []
    original = model.objective

    def counted(*args, **kwargs):
        calls.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(type(model), "objective", staticmethod(counted))
    model.compile("adam")
    model.fit(small_models.data(), epochs=2, verbose=0)
    assert len(calls) == 1


def test_monitor_every_is_checked():
    with pytest.raises(
        ValueError, match="monitor_every must be at least 1. Received: monitor_every=0"
    ):
        small_models.make(monitor_every=0)
