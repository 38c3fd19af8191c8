"""The smallest use of schedules, likelihoods, distributions, estimators and layers."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

import tf_discrete as tfd
from tests.fuzz.hostile import Subject, finite, round_trip, subject
from tf_discrete import seeds
from tf_discrete.estimators import baselines
from tf_discrete.layers.stateless_dropout import StatelessDropout
from tf_discrete.models.centering import Centering

LAYER = ("latents", "inference", "kl_weight", "prior", "seed")


def schedules() -> list[Subject]:
    schedules = tfd.schedules

    def use(made: Any) -> None:
        finite(made(tf.constant(5)), made.values([0, 7]), made.lowest())
        round_trip(made)

    def use_scheduled(made: Any) -> None:
        made.update(3)
        finite(made.value)
        round_trip(made)

    ramp = {"initial": 1.0, "final": 0.5, "steps": 3}
    return [
        subject(schedules.Constant, use, lambda: {"value": 1.0}),
        subject(schedules.Exponential, use),
        subject(schedules.Linear, use, lambda: dict(ramp)),
        subject(schedules.Cosine, use, lambda: dict(ramp)),
        subject(schedules.ScheduledVariable, use_scheduled, lambda: {"schedule": 1.0}),
        subject(Centering, lambda made: finite(made(tf.ones([2, 3]), training=True))),
        subject(
            StatelessDropout,
            lambda made: finite(made(tf.ones([2, 3]), training=True)),
            lambda: {"rate": 0.5},
        ),
    ]


def likelihoods() -> list[Subject]:
    def use(made: Any) -> None:
        parameters = tf.zeros([2, *made.parameters_shape((3,))]) + 0.5
        finite(made.log_prob(tf.ones([2, 3]), parameters), made.mean(parameters))
        finite(made.sample(parameters, seeds.base(0)))
        round_trip(made)

    def use_loss(made: Any) -> None:
        finite(made(tf.ones([2, 3]), tf.zeros([2, 3])))
        round_trip(made)

    classes = [type(tfd.likelihoods.get(name)) for name in tfd.likelihoods.names()]
    return [
        *(subject(cls, use) for cls in classes),
        subject(tfd.losses.NegativeLogLikelihood, use_loss, default=("name",)),
    ]


def distributions() -> list[Subject]:
    def use(made: Any) -> None:
        z = made.sample(seeds.base(0), 2)
        finite(made.log_prob(z), made.entropy(), made.probs)

    def use_relaxed(made: Any) -> None:
        finite(made.log_prob(made.sample(2, seed=seeds.base(0))))

    def use_spec(made: Any) -> None:
        distribution = made.uniform()
        finite(distribution.probs, made.network_input(distribution.probs), made.num_configurations)
        round_trip(made)

    relaxed = {"temperature": 0.5}
    return [
        subject(
            tfd.distributions.LatentSpec,
            use_spec,
            lambda: {"num_variables": 2, "num_categories": 2},
        ),
        subject(
            tfd.distributions.Categorical,
            use,
            lambda: {"logits": tf.zeros([2, 3])},
            tensors=("logits",),
        ),
        subject(
            tfd.distributions.Bernoulli,
            use,
            lambda: {"logits": tf.zeros([2, 3])},
            tensors=("logits",),
        ),
        subject(
            tfd.distributions.get("tree:3,2"),
            use,
            lambda: {"logits": tf.zeros([2, 3])},
            tensors=("logits",),
        ),
        subject(
            tfd.distributions.ExpRelaxedCategorical,
            use_relaxed,
            lambda: {**relaxed, "logits": tf.zeros([2, 3])},
            tensors=("temperature", "logits"),
        ),
        subject(
            tfd.distributions.RelaxedBernoulliLogit,
            use_relaxed,
            lambda: {**relaxed, "logits": tf.zeros([3])},
            tensors=("temperature", "logits"),
        ),
    ]


def estimators() -> list[Subject]:
    def use(made: Any) -> None:
        logits = tf.zeros([2, 2, 3] if made.event_rank == 2 else [2, 3])
        made.build(logits.shape, (2, 4))
        noise = made.draw_noise(seeds.base(0), logits, made.min_samples)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            estimate = made.estimate(
                lambda z: tf.reduce_sum(z[..., :1], list(range(2, z.shape.rank))),
                logits,
                noise,
                context=tf.ones([2, 4]),
                training=True,
            )
            total = estimate.value + estimate.auxiliary
        finite(total, tape.gradient(total, logits))
        round_trip(made)

    def use_baseline(made: Any) -> None:
        residual = made.residual(tf.ones([2, 3]), tfd.estimators.mean, tf.ones([3, 4]))
        made.update(residual)
        finite(residual, made.residual(tf.ones([2, 3]), tfd.estimators.mean, tf.ones([3, 4])))
        round_trip(made)

    small = {"NVIL": {"hidden_units": (3,)}, "RELAX": {"hidden_units": (3,)}}
    classes = [tfd.estimators.get_class(name) for name in tfd.estimators.names()]
    return [
        *(
            subject(cls, use, lambda cls=cls: dict(small.get(cls.__name__, {})), default=("slope",))
            for cls in classes
        ),
        subject(baselines.Constant, use_baseline, lambda: {"value": 1.0}),
        subject(baselines.LeaveOneOut, use_baseline),
        subject(baselines.MovingAverage, use_baseline),
        subject(baselines.Learned, use_baseline),
    ]


def layers() -> list[Subject]:
    layers = tfd.layers

    def use(made: Any) -> None:
        inputs = tf.ones([2, 2, 3] if made.estimator.event_rank == 2 else [2, 3])
        finite(made(inputs, training=True), made(inputs), *made.losses)
        round_trip(made)

    def use_head(made: Any) -> None:
        finite(made(tf.ones([2, 3])))
        round_trip(made)

    def use_recurrent(made: Any) -> None:
        inputs = tf.ones([2, 3, 2])
        finite(made(inputs, training=True), made(inputs))
        round_trip(made)

    return [
        subject(
            layers.CodeEmbedding,
            lambda made: (finite(made(tf.ones([2, 2, 4]) / 4)), round_trip(made)),
            lambda: {"num_categories": 4, "width": 3},
            later=("embeddings_initializer",),
        ),
        subject(
            layers.GumbelGateLSTM,
            use_recurrent,
            default=("seed", "temperature"),
        ),
        subject(layers.GumbelSoftmax, use, more=LAYER, default=("seed", "temperature")),
        subject(layers.StraightThrough, use, more=LAYER, default=("seed", "temperature")),
        subject(layers.SemanticHashing, use, more=LAYER[1:], default=("seed",)),
        subject(layers.StochasticLayer, use, default=("seed",)),
        subject(
            layers.LatentHead,
            use_head,
            lambda: {"num_variables": 2, "num_categories": 2},
            later=("kernel_initializer", "kernel_regularizer"),
        ),
    ]


def quantizers() -> list[Subject]:
    family = tfd.layers.quantizers

    def use(made: Any) -> None:
        x = tf.reshape(tf.range(24.0), [6, 4]) / 24.0
        vectors, codes = made(x, training=True)
        finite(vectors, codes, made.decode(codes), *made.losses)
        round_trip(made)

    nearest = {"num_categories": 3}
    sizes = ("code_size", "commitment_weight")
    part = {"quantizer": family.FiniteScalarQuantizer((2, 2))}
    stacked = {"quantizer": family.VectorQuantizer(3)}
    weight = ("loss_weight",)
    return [
        subject(family.VectorQuantizer, use, lambda: dict(nearest), weight, default=sizes),
        subject(family.SimVQ, use, lambda: dict(nearest), weight, default=sizes),
        subject(family.FiniteScalarQuantizer, use, lambda: {"levels": (3, 2)}, weight),
        subject(
            family.LookupFreeQuantizer,
            use,
            lambda: {"num_bits": 2},
            weight,
            default=("bits_per_code",),
        ),
        subject(family.GroupedQuantizer, use, lambda: dict(part), weight, default=("quantizer",)),
        subject(
            family.ResidualQuantizer,
            use,
            lambda: dict(stacked),
            weight,
            default=("quantizer", "code_size"),
        ),
    ]
