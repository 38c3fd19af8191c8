"""The smallest use of models, and of what reads data and codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

import tf_discrete as tfd
from tests.fuzz.hostile import Subject, finite, round_trip, subject
from tests.fuzz.small_models import head, prior, vae
from tf_discrete import seeds

NETWORK = {"hidden_units": (3,)}


def codes() -> list[Subject]:
    codes = tfd.codes
    some = np.array([[0, 1, 1], [1, 1, 0], [0, 0, 0]])

    def search(made: Any) -> None:
        if made.search([[0, 1, 1]], k=2).distances[0, 0] != 0:
            raise AssertionError("the index does not find a code that it holds")

    def step(made: Any) -> None:
        finite(made.step(0, np.array([8]), made.start(1))[0])

    def sweep(made: Any) -> None:
        made.add(np.array([1], np.uint8), 0, 1.0, None)
        made.sweep()
        finite(made.values(np.array([[1], [2]], np.uint8)))

    def remember(made: Any) -> None:
        made.start(np.array([1, 0]))
        made.step(1, 1.0, np.array([0, 1]))
        made.step(0, 0.5, None)
        made.reassign()
        if made.windows(3, 2, seed=0)["image"].shape != (3, 2, 2):
            raise AssertionError("windows have another shape")

    faiss = []
    for kind in ("flat", "hnsw", "ivf"):
        one = subject(codes.FaissIndex, search, lambda kind=kind: {"codes": some, "kind": kind})
        faiss.append(one._replace(name=f"{one.name}-{kind}", default=("num_lists",)))
    return [
        subject(codes.CodeIndex, search, lambda: {"codes": some}, default=("ids", "metadata")),
        *faiss,
        subject(codes.FixedPointPrior, step, lambda: {"prior": prior()}),
        subject(codes.StateTable, sweep, lambda: {"num_actions": 2}, default=("max_states",)),
        subject(
            codes.TransitionMemory,
            remember,
            lambda: {
                "table": codes.StateTable(2),
                "encode": lambda x: np.packbits(x > 0, axis=1),
                "capacity": 5,
            },
            later=("encode",),
        ),
    ]


def data() -> list[Subject]:
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

    def use_order(made: Any) -> None:
        classes = {"num_classes": 4, "latents": "tree:2,2", "class_order": range(4)}
        made.set_model(tfd.SemiSupervisedVAE((2, 2, 1), hidden_units=(3,), **classes))
        made.on_epoch_begin(0)

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
        subject(
            tfd.callbacks.ReorderClasses,
            use_order,
            lambda: {"data": (images, np.array([0, 1, 3]))},
            later=("data",),
        ),
        subject(tfd.callbacks.TemperatureLogger, use_callback),
        subject(
            tfd.evaluation.CodeUsage, use_usage, lambda: {"num_variables": 2, "num_categories": 3}
        ),
        subject(tfd.evaluation.GradientProbe, use_probe, lambda: {"model": vae()}),
    ]


def models() -> list[Subject]:
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

    def use_tabulation(made: Any) -> None:
        image = tf.ones([2, made.window, *made.data_shape])
        action = tf.zeros([2, made.window - 1], tf.int32)
        windows = made.unpack_batch({"image": image, "action": action})
        terms = made.objective(windows, seeds.base(0), training=True)
        finite(terms.loss, terms.auxiliary)
        finite(*made.hard_terms(windows, seeds.base(1)).values())
        finite(made.predict_probs(made.encode(image[:, 0]), action[:, 0]))
        repr(made.get_config())

    def made_shape(made: Any) -> tuple[int, ...]:
        return made.parts.data_shape if hasattr(made, "parts") else made.data_shape

    def use_tree(made: Any) -> None:
        x = tf.ones([2, 3])
        finite(made(x), made.log_prob(x, made.sample(x, seeds.base(0), 2)))
        round_trip(made)

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
        subject(
            tfd.models.AutoregressiveTree,
            use_tree,
            lambda: {"num_categories": 3, "branching": (2, 2), "hidden_units": (3,)},
            later=("activation",),
        ),
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
        subject(
            tfd.models.VariationalStateTabulation,
            use_tabulation,
            lambda: {**bits, "num_actions": 2, "transition_units": (3,)},
            default=("num_samples", "temperature", "decoder", "objective"),
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
