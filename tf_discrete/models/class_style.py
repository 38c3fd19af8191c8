"""`ClassStyleModel`: a class, a Gaussian style and what a model of both is for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import arguments, checks, estimators, input_checks, likelihoods, seeds
from tf_discrete.distributions import Categorical, Discrete, LatentSpec, gaussian
from tf_discrete.export.classifier import classifier_signatures
from tf_discrete.export.signature import Signature
from tf_discrete.models import base, conditional_networks, networks
from tf_discrete.models.feature_networks import feature_shape, frozen
from tf_discrete.models.observations import check_labels
from tf_discrete.serialization import check_serializable
from tf_discrete.types import Seed, Tensor

NETWORKS = ("classifier", "style_encoder", "decoder")


class ClassStyleModel(base.DiscreteModel):
    """q(y | x), q(z | x, y), p(x | y, z), p(y) and p(z) = N(0, 1): the networks and their uses.

    A subclass supplies `objective` and `hard_terms`.

    Args:
        data_shape: of one observation.
        num_classes: K.
        style_size: D.
        estimator: of the class: name or object, see `tf_discrete.estimators`.
        temperature: number or schedule, of an estimator given by name; None for its own.
        num_samples: of the class for each unlabelled image; None for the fewest the estimator takes.
        classifier: see `conditional_networks.classifier`.
        style_encoder: see `conditional_networks.style_encoder`; None for the classifier's name.
        decoder: see `conditional_networks.decoder`; None for the classifier's name.
        hidden_units: of the named networks.
        filters: of convolutional classifiers and style encoders.
        activation: of the named networks.
        normalization: of the named networks.
        classifier_dropout: of a named classifier.
        prior: p(y), "uniform" or "learned".
        likelihood: name or object, see `tf_discrete.likelihoods`.
        feature_extractor: frozen Keras model [B, *data_shape] -> features, which take the image's place in
            all networks and in the likelihood; None for the images themselves.
        feature_decoder: frozen Keras model from features back to images [B, *data_shape]; without it a
            model on features generates features.
        **kwargs: `seed` and `monitor_every`, see `DiscreteModel`.

    Raises:
        ValueError: sizes that make no sense, networks that do not fit.
    """

    def __init__(
        self,
        data_shape: Sequence[int],
        num_classes: int,
        style_size: int,
        estimator: Any,
        temperature: Any,
        num_samples: int | None,
        classifier: Any,
        style_encoder: Any,
        decoder: Any,
        hidden_units: Sequence[int],
        filters: Sequence[int],
        activation: str,
        normalization: str,
        classifier_dropout: float,
        prior: str,
        likelihood: Any,
        feature_extractor: Any = None,
        feature_decoder: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        arguments.check_choice("prior", prior, arguments.PRIORS)
        arguments.check_choice("normalization", normalization, conditional_networks.NORMALIZATIONS)
        self.data_shape = checks.sizes("data_shape", data_shape)
        self.num_classes = checks.whole("num_classes", num_classes, lowest=2)
        self.style_size = checks.whole("style_size", style_size)
        self.prior = prior
        self.likelihood = likelihoods.get(likelihood)
        self.estimator = arguments.estimator(estimator, "categorical", temperature)
        self.num_samples = arguments.num_samples(num_samples, [self.estimator])
        self.estimator.check(self.num_samples, None)
        self.feature_extractor = frozen(feature_extractor, "feature_extractor")
        self.feature_decoder = frozen(feature_decoder, "feature_decoder")
        self.feature_shape = feature_shape(
            self.data_shape, self.feature_extractor, self.feature_decoder
        )
        self.estimator.build((None, 1, self.num_classes), (None, math.prod(self.feature_shape)))
        filters, units = (
            checks.sizes("filters", filters, "layer"),
            arguments.hidden_units(hidden_units),
        )
        activation = arguments.activation(activation)
        if callable(activation):  # The named networks are configs, which hold it.
            check_serializable(activation, "activation")
        self._network_config = {
            "hidden_units": units,
            "filters": filters,
            "activation": activation,
            "normalization": normalization,
        }
        classifier = networks.check("classifier", classifier)
        style_encoder = checks.optional(networks.check, "style_encoder", style_encoder)
        decoder = checks.optional(networks.check, "decoder", decoder)
        given = dict(zip(NETWORKS, (classifier, style_encoder, decoder), strict=True))
        self._network_names = {
            name: network if isinstance(network, str) else None for name, network in given.items()
        }
        self._own_networks = [
            name for name in NETWORKS if not (given[name] is None or self._network_names[name])
        ]
        if not isinstance(classifier, str):
            for name in NETWORKS[1:]:
                if given[name] is None:
                    raise ValueError(
                        f"With a classifier of your own give a {name} too, by name or as a model. "
                        f"Received: {name}=None"
                    )
        shape = self.feature_shape
        self.classifier = conditional_networks.classifier(
            classifier,
            shape,
            self.num_classes,
            units,
            activation,
            normalization,
            classifier_dropout,
            self.seed,
            filters,
        )
        self.style_encoder = conditional_networks.style_encoder(
            classifier if style_encoder is None else style_encoder,
            shape,
            self.num_classes,
            2 * self.style_size,
            units,
            activation,
            normalization,
            filters,
        )
        self.style_encoder.build((None, *shape), (None, self.num_classes))
        self.decoder = conditional_networks.decoder(
            classifier if decoder is None else decoder,
            self.num_classes,
            self.style_size,
            self.likelihood.parameters_shape(shape),
            units,
            activation,
            normalization,
        )
        self.prior_logits = self.add_weight(
            shape=(1, self.num_classes),
            dtype=self._wide.name,
            initializer="zeros",
            trainable=prior == "learned",
            name="prior_logits",
        )
        self.built = True

    def check_observations(self, x: Any) -> tf.Tensor:
        # Of a model on features, the likelihood is of the features.
        own = self.feature_extractor is None
        support = self.likelihood.support if own else input_checks.REAL
        return input_checks.observations(x, self.data_shape, support)

    def features(self, x: Tensor) -> tf.Tensor:
        """What the networks see of observations [B, *data_shape]: the features, or x itself, checked.

        Raises:
            ValueError: see `check_observations`.
        """
        x = self.check_observations(x)
        if self.feature_extractor is None:
            return x
        features = tf.cast(self.feature_extractor(x, training=False), self._wide)
        features = input_checks.in_support(features, self.likelihood.support, "features")
        return tf.stop_gradient(input_checks.blank(features, x))

    def class_logits(self, features: Tensor, training: bool = False) -> tf.Tensor:
        """Logits of q(y | x), float [B, 1, K], at least float32, of features."""
        outputs = tf.cast(self.classifier(features, training=training), self._wide)
        return tf.reshape(outputs, [-1, 1, self.num_classes])

    def logits(self, x: Tensor, training: bool = False) -> tf.Tensor:
        """Logits of q(y | x), float [B, 1, K], at least float32, of observations."""
        return self.class_logits(self.features(x), training)

    def posterior(self, x: Tensor, training: bool = False) -> Discrete:
        """q(y | x), the law of the class as one variable."""
        return self.estimator.law(self.logits(x, training))

    def prior_law(self) -> Categorical:
        """p(y)."""
        return Categorical(tf.convert_to_tensor(self.prior_logits))

    def style(
        self, image_part: Tensor, y: Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and log scale of q(z | x, y), each [S, B, D], for classes y [S, B, K].

        Args:
            image_part: what `style_encoder.image_part(x)` gives.
            y: one-hot or relaxed classes.
            training: of the networks. Default: False.
        """
        outputs = tf.cast(self.style_encoder.given(image_part, y, training), self._wide)
        shape = tf.concat([tf.shape(y)[:2], [2 * self.style_size]], axis=0)
        mean, log_scale = tf.split(tf.reshape(outputs, shape), 2, axis=-1)
        return mean, log_scale

    def parameters(self, y: Tensor, z: Tensor, training: bool = False) -> tf.Tensor:
        """Parameters of p(x | y, z), [S, B, ...], for classes [S, B, K] and styles [S, B, D]."""
        latents = tf.concat([tf.cast(y, z.dtype), z], axis=-1)
        return estimators.apply_to_samples(
            lambda rows: self.decoder(rows, training=training), latents, batch_rank=2
        )

    def call(self, x: Any, training: bool = False) -> tf.Tensor:
        return self.classify(base.inputs_of(x))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (base.batch_axis(input_shape), self.num_classes)

    def classify(self, x: Tensor) -> tf.Tensor:
        """q(y | x), float [B, K]."""
        return self.encode_probs(x)[:, 0]

    def encode_probs(self, x: Tensor) -> tf.Tensor:
        """q(y | x) with the class as one variable, float [B, 1, K]."""
        features = self.features(x)
        return input_checks.blank(self.estimator.law(self.class_logits(features)).probs, features)

    def encode(self, x: Tensor, label: Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Class and style.

        Args:
            x: float [B, *data_shape].
            label: int [B], classes that are known. Default: None, for the most probable ones.

        Returns:
            label: int32 [B].
            style: float [B, D], the mean of q(z | x, y).

        Raises:
            ValueError: labels out of range or of another number, or observations that `check_observations`
                refuses. Where no check is possible, in XLA and TFLite, their class is -1 and their style NaN.
        """
        features = self.features(x)
        if label is None:
            label = tf.argmax(self.class_logits(features)[:, 0], axis=-1, output_type=tf.int32)
        else:
            label = check_labels(label, self.num_classes)
            label = input_checks.same_batch(features, label, ("x", "label"))
        y = tf.one_hot(label, self.num_classes, dtype=self._wide)
        style = self.style(self.style_encoder.image_part(features), y[tf.newaxis])[0][0]
        return input_checks.blank(label, features), input_checks.blank(style, features)

    def generate(self, label: Tensor, style: Tensor) -> tf.Tensor:
        """The means of p(x | y, z), float [B, *data_shape], of classes int [B] and styles [B, D].

        Raises:
            ValueError: labels out of range, styles of another shape or not finite, or not one for each label.
                Where no check is possible, in XLA and TFLite, their observations are NaN.
        """
        label = check_labels(label, self.num_classes)
        style = input_checks.observations(style, (self.style_size,), name="style")
        style = input_checks.same_batch(label, style, ("label", "style"))
        y = tf.one_hot(label, self.num_classes, dtype=self._wide)
        z = tf.cast(style, self._wide)
        mean = self.likelihood.mean(self.parameters(y[tf.newaxis], z[tf.newaxis])[0])
        if self.feature_decoder is not None:
            mean = self.feature_decoder(mean, training=False)
        known = input_checks.rows_in(label, 0, self.num_classes - 1)
        return input_checks.blank(input_checks.blank(mean, style), known)

    def reconstruct(self, x: Tensor) -> tf.Tensor:
        """Observations of the most probable class and the mean style, float [B, *data_shape]."""
        return self.generate(*self.encode(x))

    def transfer(self, x: Tensor, label: Tensor | None = None) -> tf.Tensor:
        """The style of each image in all classes, float [B, K, *data_shape]; `label` as in `encode`."""
        style = tf.repeat(self.encode(x, label)[1], self.num_classes, axis=0)
        classes = tf.tile(tf.range(self.num_classes), [tf.shape(x)[0]])
        images = self.generate(classes, style)
        return tf.reshape(images, [-1, self.num_classes, *images.shape[1:]])

    def sample(self, num_samples: int | Tensor, seed: int | Seed = 0) -> tf.Tensor:
        """Observations of classes and styles drawn from the prior, float [num_samples, *data_shape]."""
        num_samples = input_checks.count(num_samples, "num_samples")
        seed, prior = seeds.convert(seed), self.prior_law()
        label = prior.code(prior.sample(seeds.fold(seed, "class"), num_samples))[:, 0]
        shape = [num_samples, self.style_size]
        style = tf.random.stateless_normal(shape, seeds.fold(seed, "style"), dtype=self._wide)
        return self.generate(label, style)

    def log_weights(self, x: Tensor, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """log p(x, y, z) - log q(y, z | x) in nats for S draws of class and style, [S, B].

        Of a model on features, x stands for the features.
        """
        x = self.features(x)
        posterior = self.estimator.law(self.class_logits(x))
        one = posterior.sample(seeds.fold(seed, "class"), num_samples)
        y = one[..., 0, :]
        mean, log_scale = self.style(self.style_encoder.image_part(x), y)
        noise = tf.random.stateless_normal(
            tf.shape(mean), seeds.fold(seed, "style"), dtype=self._wide
        )
        z = gaussian.sample(mean, log_scale, noise)
        zeros = tf.zeros_like(z)
        log_ratio = self.prior_law().log_prob(one) - posterior.log_prob(one)
        log_ratio += gaussian.log_prob(z, zeros, zeros) - gaussian.log_prob(z, mean, log_scale)
        log_likelihood = self.likelihood.log_prob(x, self.parameters(y, z))
        return tf.cast(log_likelihood, self._wide) + log_ratio

    def values_per_row(self) -> int:
        return math.prod(self.likelihood.parameters_shape(self.feature_shape))

    def signatures(self) -> dict[str, Signature]:
        return classifier_signatures(self)

    def describe(self) -> dict[str, Any]:
        return {
            **super().describe(),
            "data_shape": self.data_shape,
            **LatentSpec(1, self.num_classes).manifest_entries(),
            "num_classes": self.num_classes,
        }

    def get_config(self) -> dict[str, Any]:
        networks_config: dict[str, Any] = dict(self._network_names)
        for name in (*self._own_networks, "feature_extractor", "feature_decoder"):
            network = getattr(self, name)
            networks_config[name] = network and keras.saving.serialize_keras_object(network)
        return {
            **super().get_config(),
            "data_shape": self.data_shape,
            "num_classes": self.num_classes,
            "style_size": self.style_size,
            "estimator": keras.saving.serialize_keras_object(self.estimator),
            "num_samples": self.num_samples,
            "prior": self.prior,
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            **self._network_config,
            **networks_config,
        }
