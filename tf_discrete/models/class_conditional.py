"""`ClassConditionalModel`: what a trained model of a class and a style is for, from its networks."""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_discrete import estimators, likelihoods, seeds
from tf_discrete._internal import input_checks, integer_checks
from tf_discrete.distributions import Discrete
from tf_discrete.models import base, batches
from tf_discrete.models.class_style import ClassStyle
from tf_discrete.models.observations import check_labels
from tf_discrete.types import Seed, SeedLike, Shape, Tensor


class ClassConditionalModel(base.DiscreteModel):
    """Classifies, encodes and generates by q(y | x), q(z | x, y) and p(x | y, z); a subclass trains them.

    Attributes:
        data_shape: Shape of one observation.
        num_classes: K.
        style_size: D.
        likelihood: Likelihood of the observations, or of their features.
        estimator: Estimator of the class.
        class_style: The distributions.
        feature_extractor: Keras model from observations to what the networks read; None for themselves.
        feature_decoder: Keras model from features back to observations, or None.
    """

    data_shape: tuple[int, ...]
    num_classes: int
    style_size: int
    likelihood: likelihoods.Likelihood
    estimator: estimators.Estimator
    class_style: ClassStyle
    feature_extractor: keras.Model | None
    feature_decoder: keras.Model | None

    def check_observations(self, x: Tensor) -> tf.Tensor:
        # Of a model on features, the likelihood is of the features.
        own = self.feature_extractor is None
        support = self.likelihood.support if own else input_checks.REAL
        return input_checks.observations(x, self.data_shape, support)

    def features(self, x: Tensor) -> tf.Tensor:
        """Returns what the networks read of x, [B, *data_shape]: its features, or x itself, checked.

        Raises:
            ValueError: see `check_observations`.
        """
        x = self.check_observations(x)
        if self.feature_extractor is None:
            return x
        features = tf.cast(self.feature_extractor(x, training=False), self._wide)
        features = input_checks.in_support(features, self.likelihood.support, "features")
        return tf.stop_gradient(input_checks.blank(features, x))

    def logits(self, x: Tensor, training: bool = False) -> tf.Tensor:
        """Computes the logits of q(y | x), float [B, 1, K], of trees [B, D, r], at least float32."""
        return self.class_style.class_logits(self.features(x), training)

    def posterior(self, x: Tensor, training: bool = False) -> Discrete:
        """Returns q(y | x), the distribution of the class as one variable.

        Where a model has a `class_order`, its codes and those of the prior are leaves of the tree.
        """
        return self.estimator.distribution(self.logits(x, training))

    def prior_distribution(self) -> Discrete:
        """Returns p(y)."""
        return self.class_style.prior.distribution()

    def call(self, x: Tensor, training: bool = False) -> tf.Tensor:
        return self.classify(batches.inputs_of(x))

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return (batches.batch_axis(input_shape), self.num_classes)

    def classify(self, x: Tensor) -> tf.Tensor:
        """Returns q(y | x), float [B, K]."""
        return self.encode_probs(x)[:, 0]

    def encode_probs(self, x: Tensor) -> tf.Tensor:
        """Returns q(y | x) with the class as one variable, float [B, 1, K]."""
        features = self.features(x)
        posterior = self.estimator.distribution(self.class_style.class_logits(features))
        return input_checks.blank(self.class_style.class_probs(posterior), features)

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
            posterior = self.estimator.distribution(self.class_style.class_logits(features))
            label = self.class_style.classes(posterior.code(posterior.mode())[:, 0])
            label = tf.cast(label, tf.int32)
        else:
            label = check_labels(label, self.num_classes)
            label = input_checks.same_batch(features, label, ("x", "label"))
        y = self.class_style.one_hot(label)
        image_part = self.class_style.image_part(features)
        style = self.class_style.style(image_part, y[tf.newaxis])[0][0]
        return input_checks.blank(label, features), input_checks.blank(style, features)

    def generate(self, label: Tensor, style: Tensor) -> tf.Tensor:
        """Returns the means of p(x | y, z), float [B, *data_shape], of classes int [B] and styles [B, D].

        Raises:
            ValueError: labels out of range, styles of another shape or not finite, or not one for each label.
                Where no check is possible, in XLA and TFLite, their observations are NaN.
        """
        label = check_labels(label, self.num_classes)
        style = input_checks.observations(style, (self.style_size,), name="style")
        style = input_checks.same_batch(label, style, ("label", "style"))
        y = self.class_style.one_hot(label)
        z = tf.cast(style, self._wide)
        parameters = self.class_style.parameters(y[tf.newaxis], z[tf.newaxis])[0]
        mean = self.likelihood.mean(parameters)
        if self.feature_decoder is not None:
            mean = self.feature_decoder(mean, training=False)
        known = integer_checks.rows_in(label, 0, self.num_classes - 1)
        return input_checks.blank(input_checks.blank(mean, style), known)

    def reconstruct(self, x: Tensor) -> tf.Tensor:
        """Returns observations of the most probable class and the mean style, float [B, *data_shape]."""
        return self.generate(*self.encode(x))

    def transfer(self, x: Tensor, label: Tensor | None = None) -> tf.Tensor:
        """Returns each image's style in all classes, float [B, K, *data_shape]; `label` as in `encode`."""
        style = tf.repeat(self.encode(x, label)[1], self.num_classes, axis=0)
        classes = tf.tile(tf.range(self.num_classes), [tf.shape(x)[0]])
        images = self.generate(classes, style)
        return tf.reshape(images, [-1, self.num_classes, *images.shape[1:]])

    def sample(self, num_samples: int | Tensor, seed: SeedLike = 0) -> tf.Tensor:
        """Observations of classes and styles drawn from the prior, float [num_samples, *data_shape]."""
        num_samples = integer_checks.count(num_samples, "num_samples")
        seed, prior = seeds.convert(seed), self.prior_distribution()
        code = prior.sample_codes(seeds.fold(seed, "class"), num_samples)[:, 0]
        label = tf.cast(self.class_style.classes(code), tf.int32)
        shape = [num_samples, self.style_size]
        style = tf.random.stateless_normal(shape, seeds.fold(seed, "style"), dtype=self._wide)
        return self.generate(label, style)

    def log_weights(self, x: Tensor, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """Computes log p(x, y, z) - log q(y, z | x) in nats for S samples of class and style, [S, B].

        Of a model on features, x stands for the features.
        """
        x = self.features(x)
        posterior = self.estimator.distribution(self.class_style.class_logits(x))
        return self.class_style.log_weights(x, posterior, num_samples, seed)
