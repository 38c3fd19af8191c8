"""Codebooks on two replicas are those of one device, and replaced on both at once."""

from __future__ import annotations

import contextlib

import keras
import numpy as np
import tensorflow as tf

from tests.conformance import merge_checks
from tests.conformance.replicated import X, merges, on_replicas, strategy
from tf_discrete import models, seeds, types
from tf_discrete._internal import replicas
from tf_discrete.layers import quantizers
from tf_discrete.models import training_step


class _Codes(training_step.TrainingStep):
    """Trains a quantiser on vectors, with a penalty before it."""

    def __init__(self, quantizer):
        super().__init__(seed=0, monitor_every=10)
        self.dense = keras.layers.Dense(12, kernel_initializer="identity", use_bias=False)
        self.quantizer = quantizer
        self.dense.build([None, 12])
        self.quantizer.build([None, 12])
        self.track_metrics((), ("hard",))
        self.built = True

    def objective(self, x, seed, training):
        vectors = self.dense(x)
        with replicas.summing(self.dense):
            found = self.quantizer.quantize_vectors(vectors, training)
        error = tf.reduce_sum(tf.square(found.vectors - x), axis=-1)
        return types.ObjectiveTerms(error + found.loss, tf.zeros_like(error), {})

    def hard_terms(self, x, seed, encoded=None):
        return {"hard": tf.zeros(tf.shape(x)[:1])}


QUANTIZERS = {
    "moving_average": lambda: quantizers.VectorQuantizer(4, decay=0.8),
    "gradient": lambda: quantizers.VectorQuantizer(4, "gradient", "diveq", decay=0.8),
    "residual": lambda: quantizers.ResidualQuantizer(quantizers.VectorQuantizer(4, decay=0.8), 2),
}


def codebook_after(scope, make, far, steps):
    """The float weights after steps on one batch; codewords that start far away stand for nothing."""
    keras.utils.set_random_seed(0)
    with scope:
        model = _Codes(make())
        model.compile(keras.optimizers.SGD(0.01), jit_compile=False)
        for layer in model._flatten_layers():
            if isinstance(layer, quantizers.codebook.Codebook):
                layer.assign(X[:4] + 1000.0 * np.array(far)[:, np.newaxis])
    x = np.tile(X[:16], [steps, 1])
    model.fit(x, batch_size=16, epochs=1, shuffle=False, verbose=0)
    return [w for w in model.quantizer.weights if "float" in w.dtype]


BY_BATCH = {
    "finite_scalar": lambda: quantizers.FiniteScalarQuantizer((4, 4, 4), spread_weight=3.0),
    "lookup_free": lambda: quantizers.LookupFreeQuantizer(6, entropy_weight=1.0),
}
"""Quantisers whose loss is not linear in the batch."""


def test_codebooks_are_those_of_one_device():
    for name, make in {**QUANTIZERS, **BY_BATCH}.items():
        alone = codebook_after(contextlib.nullcontext(), make, [0, 0, 0, 0], 3)
        mirrored = codebook_after(strategy().scope(), make, [0, 0, 0, 0], 3)
        for a, b in zip(alone, mirrored, strict=True):
            first, second = on_replicas(b)
            np.testing.assert_array_equal(first, second, err_msg=name)
            np.testing.assert_allclose(first, a, rtol=1e-4, atol=1e-4, err_msg=(name, a.path))


def test_dead_codewords_come_back_on_all_replicas():
    for name in ("moving_average", "gradient"):
        weights = codebook_after(strategy().scope(), QUANTIZERS[name], [0, 0, 1, 1], 20)
        for weight in weights:
            first, second = on_replicas(weight)
            np.testing.assert_array_equal(first, second, err_msg=name)
            if "use" not in weight.path:
                assert 0 < np.abs(first).max() < 100, (name, weight.path)


def autoencoder(quantizer, encoder):
    with strategy().scope():
        model = models.QuantizedAutoencoder((12,), quantizer, (2, 6), encoder, "mlp", ())
        model(tf.constant(X[:4]))
    return model


def forward_of(model):
    """The forward pass of a training step."""
    with replicas.synchronized():
        return model.objective(tf.constant(X[:4]), seeds.base(0), training=True)


def test_only_an_objective_sums_over_replicas_and_not_after_losses_of_the_encoder():
    for name, make in BY_BATCH.items():
        plain = autoencoder(make(), "mlp")
        assert merges(lambda model=plain: forward_of(model)) > 0, name
        assert merges(lambda model=plain: model.objective(X[:4], seeds.base(0), True)) == 0, name
        penalised = autoencoder(make(), merge_checks.regularized_network(12))
        try:
            strategy().run(lambda model=penalised: forward_of(model))
        except ValueError as error:
            assert "after a network that adds losses" in str(error)
        else:
            raise AssertionError("A replica would read the losses of another.")
    free = quantizers.FiniteScalarQuantizer((4, 4, 4), spread_weight=0)
    penalised = autoencoder(free, merge_checks.regularized_network(12))
    assert merges(lambda: forward_of(penalised)) == 0


def test_no_quantizer_merges():
    for name, make in {**QUANTIZERS, **BY_BATCH}.items():
        with strategy().scope():
            layer = make()
            layer.build([None, 12])

        def forward(layer=layer):
            with replicas.synchronized():
                layer(tf.constant(X[:4]), training=True)

        assert merges(forward) == 0, name


def test_codebooks_refuse_a_step_that_never_merges():
    for make in QUANTIZERS.values():
        with strategy().scope():
            layer = make()
            layer.build([None, 12])
        try:
            strategy().run(lambda layer=layer: layer(tf.constant(X[:4]), training=True))
        except ValueError as error:
            assert "must be merged over the replicas" in str(error)
        else:
            raise AssertionError("The codebooks of the replicas would drift apart.")
