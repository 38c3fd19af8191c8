"""`ClassStyle`: q(y | x), q(z | x, y), p(x | y, z) and p(y) as functions of a model's networks."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from tf_discrete import estimators, likelihoods, seeds
from tf_discrete._internal import arguments, checks
from tf_discrete._internal.serialization import check_serializable
from tf_discrete.distributions import Discrete, LatentSpec, gaussian
from tf_discrete.layers.independent_prior import IndependentPrior
from tf_discrete.models import conditional_networks, networks
from tf_discrete.models.class_order import ClassOrder
from tf_discrete.types import ActivationLike, Config, NetworkLike, Seed, Tensor

NETWORKS = ("classifier", "style_encoder", "decoder")


class ClassStyleNetworks:
    """The networks of a model of class and style, made of names or given, and the arguments they came from.

    A plain object: the model tracks the networks.

    Args:
        shape: Shape of one observation, or of its features.
        num_classes: K.
        style_size: D.
        parameters_shape: Shape of the parameters of the likelihood.
        classifier: see `conditional_networks.classifier`.
        style_encoder: see `conditional_networks.style_encoder`; None for the classifier's name.
        decoder: see `conditional_networks.decoder`; None for the classifier's name.
        hidden_units: Hidden layers of the named networks.
        filters: Filters of convolutional classifiers and style encoders.
        activation: Activation of the named networks.
        normalization: Normalization of the named networks.
        dropout: Dropout rate of a named classifier.
        seed: Seed of dropout.

    Raises:
        ValueError: networks that do not fit, or cannot be saved.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        num_classes: int,
        style_size: int,
        parameters_shape: Sequence[int],
        classifier: NetworkLike,
        style_encoder: NetworkLike | None,
        decoder: NetworkLike | None,
        hidden_units: Sequence[int],
        filters: Sequence[int],
        activation: ActivationLike,
        normalization: str,
        dropout: float,
        seed: int,
    ):
        filters = checks.sizes("filters", filters, "layer")
        units = arguments.hidden_units(hidden_units)
        activation = arguments.activation(activation)
        if callable(activation):  # The named networks are configs, which hold it.
            check_serializable(activation, "activation")
        classifier = networks.check("classifier", classifier)
        style_encoder = checks.optional(networks.check, "style_encoder", style_encoder)
        decoder = checks.optional(networks.check, "decoder", decoder)
        self._given = dict(zip(NETWORKS, (classifier, style_encoder, decoder), strict=True))
        self._options = {
            "hidden_units": units,
            "filters": filters,
            "activation": activation,
            "normalization": normalization,
        }
        for name, network in self._given.items():
            if network is None and not isinstance(classifier, str):
                raise ValueError(
                    f"With a classifier of your own give a {name} too, by name or as a model. "
                    f"Received: {name}=None"
                )
        self.classifier = conditional_networks.classifier(
            classifier,
            shape,
            num_classes,
            units,
            activation,
            normalization,
            dropout,
            seed,
            filters,
        )
        self.style_encoder = conditional_networks.style_encoder(
            classifier if style_encoder is None else style_encoder,
            shape,
            num_classes,
            2 * style_size,
            units,
            activation,
            normalization,
            filters,
        )
        self.style_encoder.build((None, *shape), (None, num_classes))
        self.decoder = conditional_networks.decoder(
            classifier if decoder is None else decoder,
            num_classes,
            style_size,
            parameters_shape,
            units,
            activation,
            normalization,
        )

    def differs_in_training(self) -> bool:
        """Returns whether what is computed of an image alone may be other in training than at inference."""
        of_image = (self.classifier, self.style_encoder.image_network)
        return any(one is not None and networks.differs_in_training(one) for one in of_image)

    def get_config(self) -> Config:
        """Returns the model's arguments that these networks were made of."""
        found: Config = {}
        for name, given in self._given.items():
            own = not (given is None or isinstance(given, str))
            found[name] = keras.saving.serialize_keras_object(getattr(self, name)) if own else given
        return {**self._options, **found}


class ClassStyle:
    """q(y | x), q(z | x, y), p(x | y, z), p(y) and p(z) = N(0, 1), of features x.

    A plain object: the model that makes it tracks networks and weights.

    Args:
        parts: networks.
        class_spec: `LatentSpec` of the class, one variable of K categories. To the networks a class is one
            vector, its one-hot category or digits.
        style_size: D.
        likelihood: Likelihood of x.
        prior: Prior p(y), of one variable.
        dtype: Dtype of the distributions.
        order: Which leaf of a tree each class is. Default: None, class k is code k of the distributions.
    """

    def __init__(
        self,
        parts: ClassStyleNetworks,
        class_spec: LatentSpec,
        style_size: int,
        likelihood: likelihoods.Likelihood,
        prior: IndependentPrior,
        dtype: tf.DType,
        order: ClassOrder | None = None,
    ):
        self.parts, self.class_spec, self.style_size = parts, class_spec, style_size
        self.num_classes = class_spec.num_categories
        self.likelihood, self.prior, self.dtype = likelihood, prior, dtype
        self.order = order

    def class_logits(self, x: Tensor, training: bool = False) -> tf.Tensor:
        """Returns the logits of q(y | x), float [B, *logits_shape] of the class, at least float32."""
        outputs = tf.cast(self.parts.classifier(x, training=training), self.dtype)
        return tf.reshape(outputs, [-1, *self.class_spec.logits_shape])

    def one_hot(self, label: Tensor) -> tf.Tensor:
        """Returns classes int [B] as vectors, float [B, K]; zeros for labels below 0."""
        code = tf.maximum(label, 0)
        if self.order is not None:  # A label that XLA leaves unchecked must not end the step.
            code = self.order.leaves(tf.minimum(code, self.num_classes - 1))
        value = self.class_spec.uniform(self.dtype).one_hot(code[:, tf.newaxis])
        flat = self.class_spec.flatten(value)
        return tf.where(label[:, tf.newaxis] >= 0, flat, tf.zeros_like(flat))

    def classes(self, code: Tensor) -> tf.Tensor:
        """Returns the classes of codes of the distributions, integers of the same shape."""
        return code if self.order is None else self.order.classes(code)

    def class_probs(self, posterior: Discrete) -> tf.Tensor:
        """Returns q(y | x) of each class, float [B, 1, K]."""
        probs = posterior.code_probs
        return probs if self.order is None else self.order.by_class(probs)

    def distribution(self, logits: Tensor) -> Discrete:
        """Returns the distribution of the class with logits in one vector, [B, K]."""
        return self.class_spec.distribution(tf.reshape(logits, [-1, *self.class_spec.logits_shape]))

    def image_part(self, x: Tensor, training: bool = False) -> tf.Tensor:
        """Computes the part of q(z | x, y) that depends on images alone, [B, ...]."""
        return self.parts.style_encoder.image_part(x, training)

    def style(
        self, image_part: Tensor, y: Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns mean and log scale of q(z | x, y), each [S, B, D], for classes y [S, B, K].

        Args:
            image_part: see the method of this name.
            y: one-hot or relaxed classes.
            training: Bool, training mode of the networks. Default: False.
        """
        outputs = tf.cast(self.parts.style_encoder.given(image_part, y, training), self.dtype)
        shape = tf.concat([tf.shape(y)[:2], [2 * self.style_size]], axis=0)
        mean, log_scale = tf.split(tf.reshape(outputs, shape), 2, axis=-1)
        return mean, log_scale

    def style_noise(self, x: Tensor, seed: Seed) -> tf.Tensor:
        """Returns standard normal noise [B, D], one sample for all classes and samples of an image."""
        shape = [tf.shape(x)[0], self.style_size]
        style = seeds.fold(seed, "style")
        return tf.random.stateless_normal(shape, style, dtype=self.dtype, alg=seeds.algorithm())

    def parameters(self, y: Tensor, z: Tensor, training: bool = False) -> tf.Tensor:
        """Returns the parameters of p(x | y, z), [S, B, ...], for classes [S, B, K] and styles [S, B, D]."""
        latents = tf.concat([tf.cast(y, z.dtype), z], axis=-1)
        return estimators.apply_to_samples(
            lambda rows: self.parts.decoder(rows, training=training), latents, batch_rank=2
        )

    def log_likelihood(self, x: Tensor, y: Tensor, z: Tensor, training: bool = False) -> tf.Tensor:
        """Returns log p(x | y, z) in nats, [S, B], for classes [S, B, K] and styles [S, B, D]."""
        return tf.cast(self.likelihood.log_prob(x, self.parameters(y, z, training)), self.dtype)

    def log_weights(
        self, x: Tensor, posterior: Discrete, num_samples: int | Tensor, seed: Seed
    ) -> tf.Tensor:
        """Returns log p(x, y, z) - log q(y, z | x) in nats for S samples of class and style, [S, B].

        Args:
            x: float [B, *shape].
            posterior: q(y | x).
            num_samples: S.
            seed: int32 [2].
        """
        one = posterior.sample(seeds.fold(seed, "class"), num_samples)
        y = posterior.flatten(one)
        mean, log_scale = self.style(self.image_part(x), y)
        noise = tf.random.stateless_normal(
            tf.shape(mean), seeds.fold(seed, "style"), dtype=self.dtype, alg=seeds.algorithm()
        )
        z = gaussian.sample(mean, log_scale, noise)
        zeros = tf.zeros_like(z)
        log_ratio = self.prior.distribution().log_prob(one) - posterior.log_prob(one)
        log_ratio += gaussian.log_prob(z, zeros, zeros) - gaussian.log_prob(z, mean, log_scale)
        return self.log_likelihood(x, y, z) + log_ratio

    def hard_terms(
        self, x: Tensor, posterior: Discrete, image_part: Tensor, seed: Seed
    ) -> dict[str, Tensor]:
        """Returns the ELBO of one discrete class and style for each x, and its parts, [B].

        Args:
            x: float [B, *shape].
            posterior: q(y | x).
            image_part: Image part of x.
            seed: int32 [2].
        """
        y = posterior.flatten(posterior.sample(seeds.fold(seed, "class"), 1))
        mean, log_scale = self.style(image_part, y)
        z = gaussian.sample(mean, log_scale, self.style_noise(x, seed))
        reconstruction = -self.log_likelihood(x, y, z)[0]
        style_kl = gaussian.kl_to_standard(mean, log_scale)[0]
        class_kl = posterior.kl_divergence(self.prior.distribution())
        return {
            "hard_elbo_nats": -reconstruction - style_kl - class_kl,
            "hard_reconstruction_nats": reconstruction,
            "style_kl_nats": style_kl,
            "class_kl_nats": class_kl,
        }
