"""A trained model and some images as JSON: what a page computes with."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_discrete.distributions import LatentSpec
from tf_discrete.explorer import codewords, computing, layers, packed, priors
from tf_discrete.models.autoencoder import DiscreteAutoencoder
from tf_discrete.models.quantized_autoencoder import QuantizedAutoencoder
from tf_discrete.models.semi_supervised import SemiSupervisedVAE
from tf_discrete.types import JsonObject, Prior

FORMAT = 2
LATENTS = ("categorical", "bernoulli")
"""Kinds of latents that a page shows."""
LOWEST_LOG_PROB = -12.0
"""Log-probabilities of categories below it are stored as it."""


class Examples(NamedTuple):
    """Images for a page.

    Attributes:
        pixels: uint8 [M, H, W, C], as they are shown.
        observations: float32 [M, H, W, C] in [0, 1], as the model reads them.
        labels: int [M], -1 where there is none; None without labels. Default: None.
        class_names: Name of each class; None for numbers. Default: None.
    """

    pixels: np.ndarray
    observations: np.ndarray
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None


def of_model(
    model: keras.Model,
    examples: Examples,
    code_prior: Prior | None = None,
    precision: str = "int16",
    title: str = "",
) -> JsonObject:
    """Returns what a page needs of a model: its decoder, its priors, and examples with their codes.

    Args:
        model: An autoencoder with categorical or Bernoulli latents or a quantiser, or a `SemiSupervisedVAE`.
        examples: Images, at least one.
        code_prior: Prior of the model's codes to sample from in addition to `prior`. Default: that of the
            model.
        precision: Of the weights, one of `packed.PRECISIONS`. Default: "int16".
        title: Of the page. Default: "".

    Raises:
        ValueError: A model without a decoder, or one that a page cannot compute.

    Example:
        >>> from tf_discrete.models import CategoricalVAE
        >>> model = CategoricalVAE((4, 4, 1), num_variables=2, num_categories=3, hidden_units=())
        >>> found = of_model(model, Examples(np.zeros([5, 4, 4, 1], np.uint8), np.zeros([5, 4, 4, 1])))
        >>> found["kind"], decode(found, np.zeros([2, 2], int)).shape
        ('codes', (2, 4, 4, 1))
    """
    if not len(examples.pixels):
        raise ValueError("A page needs at least one image. Received: examples without images")
    check_model(model)
    found: JsonObject = {"format": FORMAT, "title": title, "precision": precision}
    if isinstance(model, SemiSupervisedVAE):
        return {**found, **_class_and_style(model, examples, precision)}
    return {**found, **_codes(model, examples, code_prior, precision)}


def check_model(model: keras.Model) -> None:
    """Refuses a model that a page cannot show.

    Raises:
        ValueError: A model without a decoder of codes, with latents of another kind, or not of images.
    """
    if isinstance(model, SemiSupervisedVAE):
        if model.class_spec.latents != "categorical":
            raise ValueError(
                "The class of a page must be one categorical variable. Train with --latents=categorical. "
                f"Received: latents={model.class_spec.latents!r}"
            )
    elif isinstance(model, QuantizedAutoencoder):
        codewords.check_quantizer(model.quantizer)
    elif not isinstance(model, DiscreteAutoencoder):
        raise ValueError(
            "The model of a page must decode its codes: train with trainers.categorical_vae, "
            "semantic_hashing, quantized_autoencoder or semi_supervised. "
            f"Received: model={type(model).__name__}"
        )
    elif model.decoded_spec.latents not in LATENTS:
        raise ValueError(
            f"A page shows {' and '.join(LATENTS)} latents. Train with one of them, or export the model with "
            f"trainers.export. Received: latents={model.decoded_spec.latents!r}"
        )
    if len(model.data_shape) != 3 or model.data_shape[2] not in (1, 3):
        raise ValueError(
            "A page shows images, [height, width, 1 or 3]. Export the model with trainers.export instead. "
            f"Received: data_shape={model.data_shape}"
        )


def decode(payload: JsonObject, codes: np.ndarray) -> np.ndarray:
    """Decodes codes as the page does, float [B, H, W, C].

    Args:
        payload: Of a model with codes, see `of_model`.
        codes: int [B, N].
    """
    spec = LatentSpec(
        **{field.name: payload[field.name] for field in dataclasses.fields(LatentSpec)}
    )
    values = spec.network_input(spec.uniform(tf.float64).one_hot(codes))
    return _images(payload, np.asarray(values))


def generate(payload: JsonObject, label: np.ndarray, style: np.ndarray) -> np.ndarray:
    """Decodes classes int [B] and styles float [B, D] as the page does, float [B, H, W, C]."""
    one_hot = np.eye(payload["num_classes"])[label]
    return _images(payload, np.concatenate([one_hot, style], axis=-1))


def _images(payload: JsonObject, values: np.ndarray) -> np.ndarray:
    return computing.compute(payload["decoder"], values).reshape([-1, *payload["data_shape"]])


def _codes(
    model: DiscreteAutoencoder, examples: Examples, code_prior: Prior | None, precision: str
) -> JsonObject:
    spec = model.decoded_spec
    x = tf.constant(examples.observations, tf.float32)
    n = spec.num_variables
    all_codes = model.encode(x)
    codes = np.asarray(all_codes)[:, :n]
    quantized = isinstance(model, QuantizedAutoencoder)
    log_probs = None if quantized else _log_probs(spec, model.encode_probs(x)[:, :n])
    code_prior = model.code_prior if code_prior is None else code_prior
    found: JsonObject = {
        "kind": "codes",
        **spec.get_config(),
        "data_shape": list(model.data_shape),
        "decoder": [
            *_decoder_of(model, precision),
            *layers.of_mean(model.likelihood),
        ],
        "prior": priors.of_prior(model.prior, n, precision),
        "code_prior": code_prior and priors.of_prior(code_prior, n, precision),
        "examples": {
            **_shown(examples),
            "codes": packed.pack(codes.astype(np.uint16)),
            "log_probs": log_probs,
        },
    }
    others = np.array(all_codes)  # Edited codes need not be like those of images.
    others[:, :n] = np.random.default_rng(0).integers(0, spec.num_categories, codes.shape)
    tried = np.concatenate([all_codes, others])
    error = np.abs(decode(found, tried[:, :n]) - np.asarray(model.decode(tried))).max()
    return {**found, "largest_error": float(error)}


def _decoder_of(model: DiscreteAutoencoder, precision: str) -> list[JsonObject]:
    if not isinstance(model, QuantizedAutoencoder):
        return layers.of_network(model.decoder, model.decoded_spec.shape, precision, "decoder")
    shape = model.latent_shape
    return [
        *codewords.of_quantizer(model.quantizer, shape, precision),
        *layers.of_network(model.decoder, shape, precision, "decoder"),
    ]


def _log_probs(spec: LatentSpec, probs: tf.Tensor) -> JsonObject:
    """Packs the probabilities of the categories of each variable of each example."""
    probs = spec.kind.over_categories(probs)[..., : spec.num_categories]
    log_probs = np.log(np.maximum(np.asarray(probs), np.exp(LOWEST_LOG_PROB)))
    return packed.pack_weights(log_probs.reshape([len(log_probs), -1, 1]), "int16")


def _class_and_style(model: SemiSupervisedVAE, examples: Examples, precision: str) -> JsonObject:
    x = tf.constant(examples.observations, tf.float32)
    label, style = model.encode(x)
    decoder = [
        *layers.of_network(
            model.decoder, (model.num_classes + model.style_size,), precision, "decoder"
        ),
        *layers.of_mean(model.likelihood),
    ]
    if model.feature_decoder is not None:
        decoder += [
            {"kind": "reshape", "shape": list(model.feature_shape)},
            *layers.of_network(
                model.feature_decoder, model.feature_shape, precision, "feature_decoder"
            ),
        ]
    found: JsonObject = {
        "kind": "class_style",
        "num_classes": model.num_classes,
        "style_size": model.style_size,
        "data_shape": list(model.data_shape),
        "decoder": decoder,
        "prior": priors.of_prior(model.prior, 1, precision),
        "examples": {
            **_shown(examples),
            "classes": packed.pack(np.asarray(label).astype(np.uint16)),
            "styles": packed.pack_weights(np.asarray(style), "int16"),
            "class_probs": packed.pack_weights(np.asarray(model.classify(x)), "int16"),
        },
    }
    decoded = generate(found, np.asarray(label), np.asarray(style))
    error = np.abs(decoded - np.asarray(model.generate(label, style))).max()
    return {**found, "largest_error": float(error)}


def _shown(examples: Examples) -> JsonObject:
    labels = examples.labels
    return {
        "pixels": packed.pack(examples.pixels),
        "labels": None if labels is None else [int(label) for label in labels],
        "class_names": examples.class_names and list(examples.class_names),
    }
