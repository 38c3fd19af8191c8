"""Networks of the semi-supervised model: q(y | x), q(z | x, y) and p(x | y, z).

What depends on the image alone is computed once for each image, however many classes are tried: the
first layer of q(z | x, y) is x W_x + y W_y, and only the second term, the class's, is computed for every
pair of image and class.

Batch norm stands only where a row is an image. Where rows are pairs, several of one image and some of
them with a relaxed class, the named networks have layer norm, which reads one row at a time; batch norm
that a user's own network has there uses stored statistics, see `stored_statistics`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete._internal.serialization import check_serializable, deserialize
from tf_discrete.estimators import apply_to_samples
from tf_discrete.layers.stateless_dropout import StatelessDropout
from tf_discrete.models import convolutional_networks, networks
from tf_discrete.types import ActivationLike, Config, NetworkLike, Shape, Tensor

NORMALIZATIONS = ("none", "batch")
FILTERS = (32, 64, 128)
"""Default filters of the strided 3x3 convolutions that read an image."""

MOMENTUM = 0.95
"""Momentum of the moving statistics of batch norm."""

_Shape = Sequence[int]


@keras.saving.register_keras_serializable("tf_discrete.models")
class ConditionalNetwork(keras.layers.Layer):
    """A network of an image and a class, whose part for the image is computed once for all classes.

    Args:
        head: Keras model of two inputs, what `image_network` gives and the class, float [R, K].
        image_network: Keras model of the image alone; None hands the image itself to the head, and
            nothing is shared. Default: None.

    Example:
        >>> image, y = keras.Input([3]), keras.Input([2])
        >>> head = keras.Model([image, y], keras.layers.Dense(4)(keras.layers.concatenate([image, y])))
        >>> network = ConditionalNetwork(head)
        >>> h = network.image_part(tf.ones([5, 3]))
        >>> network.given(h, tf.ones([7, 5, 2])).shape   # 7 classes for each of 5 images
        TensorShape([7, 5, 4])
    """

    def __init__(
        self,
        head: keras.Model | Config,
        image_network: keras.Model | Config | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.head = _restored("head", head)
        self.image_network = checks.optional(_restored, "image_network", image_network)
        for network in filter(None, (self.head, self.image_network)):
            check_serializable(network, "style_encoder")
        self.built = True

    def build(self, x_shape: Shape, y_shape: Shape) -> None:
        """Does nothing; Keras reads the output shape in a summary off layers that were built."""

    def get_build_config(self) -> None:
        return None

    def compute_output_shape(self, x_shape: Shape, y_shape: Shape) -> tuple[int | None, ...]:
        return tuple(
            self.compute_output_spec(keras.KerasTensor(x_shape), keras.KerasTensor(y_shape)).shape
        )

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return keras.Operation.compute_output_spec(self, *args, **kwargs)  # By a trace.

    def image_part(self, x: Tensor, training: bool = False) -> tf.Tensor:
        """Computes what does not depend on the class, [B, ...], of images [B, ...]."""
        return x if self.image_network is None else self.image_network(x, training=training)

    def given(self, image_part: Tensor, y: Tensor, training: bool = False) -> tf.Tensor:
        """Outputs [S, B, ...] for classes y [S, B, K] of each image."""
        features = tf.convert_to_tensor(image_part)
        spread = tf.broadcast_to(features, tf.concat([tf.shape(y)[:1], tf.shape(features)], axis=0))
        rows = tf.reshape(spread, tf.concat([[-1], tf.shape(features)[1:]], axis=0))
        return apply_to_samples(
            lambda classes: self.head([rows, classes], training=training), y, batch_rank=2
        )

    def call(self, x: Tensor, y: Tensor, training: bool = False) -> tf.Tensor:
        return self.given(self.image_part(x, training), y[tf.newaxis], training)[0]

    def get_config(self) -> Config:
        image_network = self.image_network
        return {
            **super().get_config(),
            "head": keras.saving.serialize_keras_object(self.head),
            "image_network": image_network and keras.saving.serialize_keras_object(image_network),
        }


def classifier(
    identifier: NetworkLike,
    data_shape: _Shape,
    num_classes: int,
    hidden_units: _Shape,
    activation: ActivationLike,
    normalization: str = "none",
    dropout: float = 0.0,
    seed: int = 0,
    filters: _Shape = FILTERS,
) -> keras.Model:
    """Builds q(y | x), from [B, *data_shape] to K logits, by name, or checks the user's own model.

    Args:
        identifier: "mlp" (dense layers), "conv" (strided convolutions first), a name registered with
            `networks.register`, or a Keras model.
        data_shape: Shape of an image.
        num_classes: K.
        hidden_units: Sizes of the dense layers.
        activation: Activation of all layers.
        normalization: "none" or "batch"; of "mlp" and "conv". Default: "none".
        dropout: rate after each dense layer; of "mlp" and "conv". Default: 0.0.
        seed: Seed of dropout. Default: 0.
        filters: Filters of the strided convolutions of "conv". Default: (32, 64, 128).
    """
    if not isinstance(identifier, str) or identifier not in ("mlp", "conv"):
        return networks.encoder(
            identifier, data_shape, num_classes, hidden_units, activation, "classifier"
        )
    inputs = keras.Input(tuple(data_shape))
    x = _features(identifier, inputs, activation, normalization, filters)
    for index, units in enumerate(hidden_units):
        x = keras.layers.Dense(units)(x)
        x = _activate(x, activation, normalization)
        if dropout:
            x = StatelessDropout(dropout, seed, name=f"classifier_dropout_{index}")(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes)(x), name="classifier")


def style_encoder(
    identifier: NetworkLike,
    data_shape: _Shape,
    num_classes: int,
    num_outputs: int,
    hidden_units: _Shape,
    activation: ActivationLike,
    normalization: str = "none",
    filters: _Shape = FILTERS,
) -> ConditionalNetwork:
    """Builds q(z | x, y), from images [B, *data_shape] and classes to `num_outputs` numbers.

    Args:
        identifier: "mlp", "conv", a registered name (which computes the image's part), a
            `ConditionalNetwork`, or a Keras model of [image, class], which shares nothing.
        data_shape: Shape of an image.
        num_classes: K.
        num_outputs: Number of outputs of the head: mean and log scale of each style variable.
        hidden_units: at least one; the first is the layer in which image and class meet.
        activation: Activation of all layers.
        normalization: "none" or "batch": batch norm of the image's part, layer norm where rows are
            pairs. Default: "none".
        filters: Filters of the strided convolutions of "conv". Default: (32, 64, 128).

    Raises:
        ValueError: no hidden layer, or a network that does not fit.
    """
    if isinstance(identifier, dict):
        identifier = deserialize("style_encoder", identifier)
    if not isinstance(identifier, str):
        own = identifier
        if isinstance(own, keras.layers.Layer) and not isinstance(own, ConditionalNetwork):
            own = ConditionalNetwork(own)
        return _checked(own, tuple(data_shape), num_classes, num_outputs)
    if not hidden_units:
        raise ValueError(
            "A named style encoder needs a layer in which image and class meet. Give at least one hidden "
            f"layer. Received: hidden_units={tuple(hidden_units)}"
        )
    first, *rest = hidden_units
    if identifier in ("mlp", "conv"):
        inputs = keras.Input(tuple(data_shape))
        x = keras.layers.Dense(first)(
            _features(identifier, inputs, activation, normalization, filters)
        )
        if normalization == "batch":
            x = keras.layers.BatchNormalization(momentum=MOMENTUM)(x)
        image_network = keras.Model(inputs, x, name="style_image")
    else:
        image_network = networks.encoder(
            identifier, data_shape, first, (), activation, "style_encoder"
        )
    features, classes = keras.Input([first]), keras.Input([num_classes])
    met = keras.layers.add([features, keras.layers.Dense(first, use_bias=False)(classes)])
    x = keras.layers.Activation(activation)(met)
    x = _dense(x, rest, activation, normalization)
    head = keras.Model([features, classes], keras.layers.Dense(num_outputs)(x), name="style_head")
    return ConditionalNetwork(head, image_network, name="style_encoder")


def decoder(
    identifier: NetworkLike,
    num_classes: int,
    style_size: int,
    output_shape: _Shape,
    hidden_units: _Shape,
    activation: ActivationLike,
    normalization: str = "none",
) -> keras.Model:
    """Builds p(x | y, z), from class and style, concatenated, [R, K + D], to the likelihood's parameters.

    Args:
        identifier: "mlp", "conv", a registered name or a Keras model.
        num_classes: K.
        style_size: D.
        output_shape: Shape of the parameters of one image.
        hidden_units: as the encoders have them; read from the last to the first.
        activation: Activation of all layers.
        normalization: "none", or "batch" for layer norm, as its rows are pairs; of "mlp". Default:
            "none".
    """
    latent_shape = (num_classes + style_size,)
    if not isinstance(identifier, str) or identifier != "mlp" or normalization == "none":
        return networks.decoder(identifier, latent_shape, output_shape, hidden_units, activation)
    inputs = keras.Input(latent_shape)
    x = _dense(inputs, list(reversed(hidden_units)), activation, normalization)
    x = keras.layers.Dense(math.prod(output_shape))(x)
    return keras.Model(inputs, keras.layers.Reshape(tuple(output_shape))(x), name="decoder")


def batch_norms(*layers: keras.layers.Layer) -> list[keras.layers.BatchNormalization]:
    """Returns the layers of batch norm inside some layers that learn their statistics."""
    return [
        inner
        for layer in layers
        for inner in layer._flatten_layers()
        if isinstance(inner, keras.layers.BatchNormalization) and inner.trainable
    ]


@contextlib.contextmanager
def stored_statistics(norms: Sequence[keras.layers.BatchNormalization]) -> Iterator[None]:
    """Lets batch norm use its stored statistics and learn none, also where `training` is true.

    Rows of one image with different classes must not normalise one another, and a relaxed class must
    not leave a trace in the statistics; scale and offset still learn.
    """
    for norm in norms:
        norm.trainable = False
    try:
        yield
    finally:
        for norm in norms:
            norm.trainable = True


def _features(
    name: str,
    inputs: keras.KerasTensor,
    activation: ActivationLike,
    normalization: str,
    filters: _Shape,
) -> keras.KerasTensor:
    """Returns an image as a vector: flattened, for "conv" after strided convolutions."""
    x = inputs
    if name == "conv":
        convolutional_networks.image_shape(inputs.shape[1:])
        for number in filters:
            x = convolutional_networks.Conv2D(number, 3, strides=2, padding="same")(x)
            x = _activate(x, activation, normalization)
    return keras.layers.Flatten()(x)


def _activate(
    x: keras.KerasTensor, activation: ActivationLike, normalization: str
) -> keras.KerasTensor:
    if normalization == "batch":
        x = keras.layers.BatchNormalization(momentum=MOMENTUM)(x)
    return keras.layers.Activation(activation)(x)


def _dense(
    x: keras.KerasTensor, hidden_units: _Shape, activation: ActivationLike, normalization: str
) -> keras.KerasTensor:
    """Dense layers for rows that are pairs of image and class."""
    for units in hidden_units:
        x = keras.layers.Dense(units)(x)
        if normalization == "batch":
            x = keras.layers.LayerNormalization()(x)
        x = keras.layers.Activation(activation)(x)
    return x


def _checked(
    network: object, data_shape: tuple[int, ...], num_classes: int, num_outputs: int
) -> ConditionalNetwork:
    if not isinstance(network, ConditionalNetwork):
        raise ValueError(
            f"style_encoder must be one of {', '.join(networks.names())}, a Keras model of [image, class] "
            f"or a ConditionalNetwork. Received: style_encoder={network!r}"
        )
    inputs = getattr(network.head, "inputs", None)
    if inputs is not None and len(inputs) != 2:
        raise ValueError(
            "q(z | x, y) reads an image and a class: a style_encoder has two inputs, [image, class]. Add the "
            f"other. Received: style_encoder with {len(inputs)} input(s)"
        )
    rows = tf.zeros([2, *data_shape]), tf.one_hot([0, 1], num_classes)
    output = network(*rows)
    if math.prod(output.shape[1:]) != num_outputs:
        raise ValueError(
            f"style_encoder must give {num_outputs} values for each pair of image and class: mean and log "
            f"scale of each style variable. Change its last layer. Received: output {output.shape}"
        )
    return network


def _restored(name: str, network: keras.layers.Layer | Config) -> keras.layers.Layer:
    found = deserialize(name, network) if isinstance(network, dict) else network
    return checks.instance(name, found, keras.layers.Layer, "a Keras model or its config")
