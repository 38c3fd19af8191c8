"""The networks of a trained autoencoder as features for another model (M1+M2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from tf_discrete import estimators, likelihoods
from tf_discrete._internal import checks
from tf_discrete._internal.serialization import check_serializable, deserialize
from tf_discrete.models import networks
from tf_discrete.types import Config, EstimatorLike, LikelihoodLike, Tensor

if TYPE_CHECKING:
    from tf_discrete.models import CategoricalVAE


@keras.saving.register_keras_serializable("tf_discrete.models")
class LikelihoodMean(keras.layers.Layer):
    """The mean observations of a likelihood's parameters, as a layer.

    Args:
        likelihood: Name or object, see `tf_discrete.likelihoods`.

    Example:
        >>> LikelihoodMean("bernoulli")(tf.zeros([1, 2])).numpy().tolist()
        [[0.5, 0.5]]
    """

    def __init__(self, likelihood: LikelihoodLike, **kwargs: Any):
        super().__init__(**kwargs)
        self.likelihood = likelihoods.get(likelihood)

    def call(self, parameters: Tensor) -> tf.Tensor:
        return self.likelihood.mean(parameters)

    def get_config(self) -> Config:
        likelihood = keras.saving.serialize_keras_object(self.likelihood)
        return {**super().get_config(), "likelihood": likelihood}


@keras.saving.register_keras_serializable("tf_discrete.models")
class CodeProbs(keras.layers.Layer):
    """The probabilities of the codes that an estimator draws, from their logits, as a layer.

    Args:
        estimator: Estimator, or its config.

    Example:
        >>> CodeProbs(estimators.get("straight_through"))(tf.zeros([1, 1, 2])).numpy().tolist()
        [[[0.5, 0.5]]]
    """

    def __init__(self, estimator: EstimatorLike, **kwargs: Any):
        super().__init__(**kwargs)
        self.estimator = estimators.get(estimator)

    def call(self, logits: Tensor) -> tf.Tensor:
        return self.estimator.distribution(logits).probs

    def get_config(self) -> Config:
        return {**super().get_config(), "estimator": estimators.serialize(self.estimator)}


def feature_networks(model: CategoricalVAE) -> tuple[keras.Model, keras.Model]:
    """The probabilities of a categorical VAE's code as features in [0, 1], and the way back to images.

    With several layers, the features are those of the first.

    Args:
        model: a trained `CategoricalVAE`; its networks are shared, not copied.

    Returns:
        extractor: [B, *data_shape] -> [B, F], F = N K, or N for Bernoulli latents.
        decoder: [B, F] -> the mean images, [B, *data_shape].

    Raises:
        ValueError: a model with centering, with code_values="plus_minus", whose code is a path, or whose
            decoder has a table of codes.

    Example:
        >>> from tf_discrete.models import CategoricalVAE, SemiSupervisedVAE
        >>> m1 = CategoricalVAE((8, 8, 1), num_variables=4, num_categories=3, hidden_units=(16,))
        >>> extractor, decoder = feature_networks(m1)
        >>> m2 = SemiSupervisedVAE(
        ...     (8, 8, 1), likelihood="bernoulli", feature_extractor=extractor, feature_decoder=decoder
        ... )
        >>> m2.feature_shape, m2.reconstruct(tf.ones([5, 8, 8, 1])).shape
        ((12,), TensorShape([5, 8, 8, 1]))

    Reference:
        Kingma, Rezende, Mohamed, Welling. Semi-supervised learning with deep generative models. 2014.
        arXiv:1406.5298.
    """
    if model.chain.centering is not None or model.decoded_spec.code_values != "zero_one":
        raise ValueError(
            "Features come from networks that read images as they are and codes of 0 and 1. Train the model "
            f"without centering and with code_values='zero_one'. Received: model={model!r}"
        )
    if not model.decoded_spec.kind.factorized:
        raise ValueError(
            "Features are the probabilities of independent variables, and the digits of a path depend on one "
            f"another. Train a model with latents of a tree. Received: latents={model.latents!r}"
        )
    if networks.has_table(model.decoder):
        raise ValueError(
            "Features are probabilities, for which a table has no rows. Train the model with "
            f"CodeEmbedding(mode='digit_sum'). Received: model={model!r} with mode='table'"
        )
    image = keras.Input(model.data_shape)
    spec = model.decoded_spec
    logits = keras.layers.Reshape(spec.logits_shape)(model.encoder(image))
    probs = CodeProbs(model.chain.estimators[0], dtype="float32")(logits)
    features = keras.layers.Flatten()(probs)
    extractor = keras.Model(image, features, name="feature_extractor")
    inputs = keras.Input(features.shape[1:])
    parameters = model.decoder(keras.layers.Reshape(spec.shape)(inputs))
    mean = LikelihoodMean(model.likelihood)(parameters)
    return extractor, keras.Model(inputs, mean, name="feature_decoder")


def frozen(network: keras.Model | Config | None, argument: str) -> keras.Model | None:
    """Returns a Keras model that is not trained any more, checked; None stays None."""
    if isinstance(network, dict):
        network = deserialize(argument, network)
    if network is not None:
        if not isinstance(network, keras.layers.Layer):
            raise ValueError(
                f"{argument} must be a Keras model, so that it can be saved. "
                f"Received: {argument}={checks.shown(network)}"
            )
        check_serializable(network, argument)
        network.trainable = False
    return network


def feature_shape(
    data_shape: Sequence[int],
    extractor: keras.Model | None = None,
    decoder: keras.Model | None = None,
) -> tuple[int, ...]:
    """Returns the shape of what the networks of a model see of one observation.

    Args:
        data_shape: Shape of one observation.
        extractor: Keras model [B, *data_shape] -> features. Default: None, for the observations themselves.
        decoder: Keras model from features back to observations. Default: None.

    Raises:
        ValueError: a decoder alone, or one that gives other shapes than `data_shape`.
    """
    data_shape = tuple(data_shape)
    if extractor is None:
        if decoder is not None:
            raise ValueError(
                "A feature_decoder turns the features of a feature_extractor into images. Give both, or "
                "neither. Received: feature_extractor=None"
            )
        return data_shape
    features = extractor(tf.zeros([1, *data_shape]), training=False)
    if decoder is not None:
        output = decoder(features, training=False)
        if tuple(output.shape[1:]) != data_shape:
            raise ValueError(
                f"feature_decoder must give images of shape {data_shape}. Change its last layer. "
                f"Received: feature_decoder with output {tuple(output.shape)}"
            )
    return tuple(features.shape[1:])
