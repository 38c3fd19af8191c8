"""The smallest use of every public class, for the fuzz of their arguments. A new class is an entry here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

import tf_discrete as tfd
from tests.fuzz.hostile import Subject, finite, round_trip
from tests.fuzz.small_models import head, prior, vae
from tf_discrete import seeds
from tf_discrete.estimators import baselines
from tf_discrete.layers.stateless_dropout import StatelessDropout
from tf_discrete.models.centering import Centering

LAYER = ("latents", "inference", "kl_weight", "prior", "seed")
NETWORK = {"hidden_units": (3,)}
KERAS = ("args", "kwargs", "dtype", "reduction")
"""Arguments that are Keras' own."""


def subjects() -> list[Subject]:
    """All of them, smallest first."""
    return [
        *_schedules(),
        *_likelihoods(),
        *_distributions(),
        *_estimators(),
        *_layers(),
        *_quantizers(),
        *_codes(),
        *_data(),
        *_models(),
    ]


def arguments_of(cls: Callable[..., Any], more: Iterable[str] = ()) -> tuple[str, ...]:
    """The names of a constructor's own arguments, and those that it hands to its base."""
    own = [name for name in inspect.signature(cls).parameters if name not in KERAS]
    return (*own, *more)


def subject(
    cls: Any,
    use: Callable[[Any], None],
    given: Callable[[], dict[str, Any]] = dict,
    more: Iterable[str] = (),
    **options: Any,
) -> Subject:
    name = f"{cls.__module__.removeprefix('tf_discrete.')}.{cls.__name__}"
    return Subject(name, cls, given, arguments_of(cls, more), use, **options)


def _schedules() -> list[Subject]:
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


def _likelihoods() -> list[Subject]:
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


def _distributions() -> list[Subject]:
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


def _estimators() -> list[Subject]:
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


def _layers() -> list[Subject]:
    layers = tfd.layers

    def use(made: Any) -> None:
        inputs = tf.ones([2, 2, 3] if made.estimator.event_rank == 2 else [2, 3])
        finite(made(inputs, training=True), made(inputs), *made.losses)
        round_trip(made)

    def use_head(made: Any) -> None:
        finite(made(tf.ones([2, 3])))
        round_trip(made)

    return [
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


def _quantizers() -> list[Subject]:
    quantizers = tfd.layers.quantizers

    def use(made: Any) -> None:
        x = tf.reshape(tf.range(24.0), [6, 4]) / 24.0
        vectors, codes = made(x, training=True)
        finite(vectors, codes, made.decode(codes), *made.losses)
        round_trip(made)

    nearest = {"num_categories": 3}
    sizes = ("code_size", "commitment_weight")
    part = {"quantizer": quantizers.FiniteScalarQuantizer((2, 2))}
    stacked = {"quantizer": quantizers.VectorQuantizer(3)}
    weight = ("loss_weight",)
    return [
        subject(quantizers.VectorQuantizer, use, lambda: dict(nearest), weight, default=sizes),
        subject(quantizers.SimVQ, use, lambda: dict(nearest), weight, default=sizes),
        subject(quantizers.FiniteScalarQuantizer, use, lambda: {"levels": (3, 2)}, weight),
        subject(
            quantizers.LookupFreeQuantizer,
            use,
            lambda: {"num_bits": 2},
            weight,
            default=("bits_per_code",),
        ),
        subject(
            quantizers.GroupedQuantizer, use, lambda: dict(part), weight, default=("quantizer",)
        ),
        subject(
            quantizers.ResidualQuantizer,
            use,
            lambda: dict(stacked),
            weight,
            default=("quantizer", "code_size"),
        ),
    ]


def _codes() -> list[Subject]:
    codes = tfd.codes
    some = np.array([[0, 1, 1], [1, 1, 0], [0, 0, 0]])

    def search(made: Any) -> None:
        if made.search([[0, 1, 1]], k=2).distances[0, 0] != 0:
            raise AssertionError("the index does not find a code that it holds")

    def step(made: Any) -> None:
        finite(made.step(0, np.array([8]), made.start(1))[0])

    faiss = []
    for kind in ("flat", "hnsw", "ivf"):
        one = subject(codes.FaissIndex, search, lambda kind=kind: {"codes": some, "kind": kind})
        faiss.append(one._replace(name=f"{one.name}-{kind}", default=("num_lists",)))
    return [
        subject(codes.CodeIndex, search, lambda: {"codes": some}, default=("ids", "metadata")),
        *faiss,
        subject(codes.FixedPointPrior, step, lambda: {"prior": prior()}),
    ]


def _data() -> list[Subject]:
    def use_split(made: Any) -> None:
        batch = next(iter(made.batches(2, shuffle=True)))
        finite(*batch.values())
        if len(made) != 3 or made.image_shape != (2, 2, 1):
            raise AssertionError("the split has other images")

    def use_callback(made: Any) -> None:
        made.set_model(vae())
        logs: dict[str, Any] = {}
        for epoch in range(2):
            made.on_epoch_end(epoch, logs)
        finite(*logs.values())

    def use_usage(made: Any) -> None:
        made.update(np.zeros([4, made.num_variables], np.int32))
        finite(made.result().perplexity, made.result().active_units)

    def use_probe(made: Any) -> None:
        finite(next(iter(made.sample(tf.ones([2, 2, 2, 1]), 1))))

    split = {
        "name": "x",
        "split": "train",
        "images": np.zeros([3, 2, 2, 1], np.uint8),
        "labels": np.array([0, 1, 1], np.int32),
        "num_classes": 2,
    }
    images = np.ones([3, 2, 2, 1], np.float32)
    return [
        subject(tfd.datasets.Split, use_split, lambda: dict(split)),
        subject(
            tfd.callbacks.CodeUsageCallback,
            use_callback,
            lambda: {"data": images},
            later=("data", "layer"),
        ),
        subject(
            tfd.callbacks.CollapseWarning,
            use_callback,
            lambda: {"data": images, "begin": 3},
            ("layer", "max_examples", "batch_size"),
            later=("data", "layer"),
        ),
        subject(tfd.callbacks.TemperatureLogger, use_callback),
        subject(
            tfd.evaluation.CodeUsage, use_usage, lambda: {"num_variables": 2, "num_categories": 3}
        ),
        subject(tfd.evaluation.GradientProbe, use_probe, lambda: {"model": vae()}),
    ]


def _models() -> list[Subject]:
    shape = (2, 2, 1)

    def use(made: Any) -> None:
        data: Any = tf.ones([2, *made_shape(made)])
        if hasattr(made, "parts") and made.parts.output_shape is not None:
            data = (data, tf.ones([2, *made.parts.output_shape]))
        terms = made.objective(made.unpack_batch(data), seeds.base(0), training=True)
        finite(terms.loss, terms.auxiliary)
        finite(*made.hard_terms(made.unpack_batch(data), seeds.base(1)).values())
        finite(made.step_seed(tf.constant(1), "x"), tf.constant(7, tf.int64) % made.monitor_every)
        repr(made.get_config())

    def made_shape(made: Any) -> tuple[int, ...]:
        return made.parts.data_shape if hasattr(made, "parts") else made.data_shape

    def use_prior(made: Any) -> None:
        finite(made.log_prob(made.sample(2)))
        round_trip(made)

    def use_conditional(made: Any) -> None:
        finite(made(tf.ones([2, 3]), tf.ones([2, 2])))

    latents = {"num_variables": 2, "num_categories": 2}
    given = {"data_shape": shape, **latents, **NETWORK}
    deep = {"data_shape": shape, **latents}
    classes = {"data_shape": shape, "num_classes": 2, "style_size": 2, **NETWORK}
    bits = {"data_shape": shape, "num_bits": 2, **NETWORK}
    bits_of_two = tfd.layers.quantizers.LookupFreeQuantizer(2)
    function = ("activation",)
    samples = ("num_samples", "temperature", "decoder", "kl_weight")
    return [
        subject(tfd.DiscreteModel, lambda made: repr(made.get_config())),
        subject(
            tfd.CategoricalVAE,
            use,
            lambda: dict(given),
            default=(*samples, "num_layers", "code_prior"),
            later=function,
        ),
        subject(
            tfd.SemanticHashingAutoencoder,
            use,
            lambda: dict(bits),
            default=("decoder", "code_prior"),
            later=function,
        ),
        subject(
            tfd.QuantizedAutoencoder,
            use,
            lambda: {
                "data_shape": shape,
                "latent_shape": (2, 2),
                "quantizer": bits_of_two,
                **NETWORK,
            },
            default=("quantizer", "decoder", "code_prior"),
            later=function,
        ),
        subject(tfd.StructuredPrediction, use, lambda: dict(deep), default=samples, later=function),
        subject(
            tfd.models.Augmentation,
            lambda made: finite(made(tf.ones([2, 4, 4, 1]), seeds.base(0))),
        ),
        subject(tfd.models.Regularization, round_trip, default=("augmentation",)),
        subject(
            tfd.SemiSupervisedVAE,
            use,
            lambda: dict(classes),
            default=(*samples, "style_encoder", "regularization"),
            later=function,
        ),
        subject(
            tfd.AutoregressivePrior,
            use_prior,
            lambda: {"num_variables": 3, "units": 2, "embedding_units": 2},
            default=("chunk_size",),
        ),
        subject(tfd.IndependentPrior, use_prior, lambda: {"num_variables": 3}),
        subject(tfd.models.ConditionalNetwork, use_conditional, lambda: {"head": head()}),
    ]
