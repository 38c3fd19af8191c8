"""`SemiSupervisedObjective`: what `SemiSupervisedVAE` minimises, put together from named parts."""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from tf_discrete import estimators, objectives, seeds
from tf_discrete.distributions import gaussian
from tf_discrete.distributions.masked_logs import finite
from tf_discrete.estimators import backward
from tf_discrete.models import conditional_networks
from tf_discrete.models.class_style import ClassStyle
from tf_discrete.models.observations import UNLABELLED, Observations
from tf_discrete.models.regularization import Reading, Regularization
from tf_discrete.objectives.semi_supervised import BoundFn
from tf_discrete.schedules import ScheduledVariable
from tf_discrete.types import MaskedTerm, ObjectiveTerms, Seed, Tensor, Terms

TERMS = (
    "elbo_nats",
    "elbo_labelled_nats",
    "elbo_unlabelled_nats",
    "classification_nats",
    "accuracy",
    "class_entropy_nats",
)
HARD_TERMS = ("hard_elbo_nats", "hard_reconstruction_nats", "style_kl_nats", "class_kl_nats")
"""Names of the terms of `ClassStyle.hard_terms`."""


class SemiSupervisedObjective:
    """The loss and the terms of a batch in which some rows have a label, see `SemiSupervisedVAE`.

    A plain object: the model tracks what it is made of.

    Args:
        parts: distributions of class, style and observations.
        estimator: Estimator of the class.
        num_samples: Number of samples of the class for each unlabelled image.
        regularization: Regularization of the classifier.
        alpha: weight of the classification term.
        labelled_weight: Weight of the ELBO of labelled rows.
        kl_weight: Weight of the style's KL.
    """

    def __init__(
        self,
        parts: ClassStyle,
        estimator: estimators.Estimator,
        num_samples: int,
        regularization: Regularization,
        alpha: ScheduledVariable,
        labelled_weight: float,
        kl_weight: ScheduledVariable,
    ):
        self.parts, self.estimator, self.num_samples = parts, estimator, num_samples
        self.regularization, self.labelled_weight = regularization, labelled_weight
        self.alpha, self.kl_weight = alpha, kl_weight
        self.differs_in_training = regularization.has_views or parts.parts.differs_in_training()

    def __call__(self, batch: Observations, seed: Seed, training: bool) -> ObjectiveTerms:
        """Returns the terms of a batch."""
        parts = self.parts
        reading = self._read_class(batch.image, seed, training)
        # What reads the logits outside the estimate is brought to the size of its gradient, which
        # is read before the estimate moves it.
        scale = self.estimator.gradient_scale
        rows = _Rows(
            batch.image,
            parts.image_part(batch.image, training),
            parts.style_noise(batch.image, seed),
            reading.logits,
            parts.one_hot(batch.label),
            batch.label >= 0,
        )
        norms = conditional_networks.batch_norms(
            parts.parts.style_encoder.head, parts.parts.decoder
        )
        if training and norms:
            self._learn_statistics(rows, seed)
        with conditional_networks.stored_statistics(norms):
            bounds = self._bounds(rows, batch.num_labelled, seed, training)
        log_probs = finite(parts.distribution(reading.view_logits).category_log_probs)
        log_class = tf.reduce_sum(rows.one_hot * parts.class_spec.flatten(log_probs), axis=-1)
        terms = objectives.semi_supervised(
            bounds.bound,
            bounds.auxiliary,
            backward.divide_gradient(log_class, scale),
            rows.known,
            alpha=self.alpha.value,
            labelled_weight=self.labelled_weight,
        )
        terms.terms.update(self._class_terms(reading, bounds, batch.label))
        loss = terms.loss + backward.divide_gradient(reading.loss, scale)
        # XLA leaves out the check of the labels: a wrong one shows in the loss.
        wrong = (batch.label < UNLABELLED) | (batch.label >= parts.num_classes)
        loss = tf.where(wrong, tf.cast(math.nan, loss.dtype), loss)
        shared = not (training and self.differs_in_training)
        logits = parts.distribution(reading.logits).logits
        encoded = (logits, rows.image_part) if shared else None
        return terms._replace(loss=loss, encoded=encoded)

    def _read_class(self, image: Tensor, seed: Seed, training: bool) -> Reading:
        """Returns q(y | x), and what regularisation adds to the loss in training."""
        logits_fn = self.parts.class_logits
        if training:
            return self.regularization.logits_and_loss(
                lambda view: logits_fn(view, training=True),
                image,
                self.parts.prior.distribution(),
                seed,
            )
        logits = self.parts.class_spec.flatten(logits_fn(image))
        zeros = tf.zeros_like(logits[:, 0])
        return Reading(logits, logits, zeros, zeros)

    def _learn_statistics(self, rows: _Rows, seed: Seed) -> None:
        """Lets batch norm see each image once, with its class or with a sampled one: never a relaxed one."""
        posterior = self.parts.distribution(tf.stop_gradient(rows.logits))
        sampled = posterior.flatten(posterior.sample(seeds.fold(seed, "statistics"), 1)[0])
        labelled = tf.reduce_sum(rows.one_hot, axis=-1, keepdims=True) > 0.5
        y = tf.where(labelled, rows.one_hot, sampled)[tf.newaxis]
        mean, log_scale = self.parts.style(rows.image_part, y, training=True)
        self.parts.parameters(y, gaussian.sample(mean, log_scale, rows.noise), training=True)

    def _bounds(
        self, rows: _Rows, num_labelled: Tensor | None, seed: Seed, training: bool
    ) -> _Bounds:
        """L(x, y) of the rows with a label and U(x) of the others."""
        if not training:  # Every row is scored both ways.
            unlabelled, auxiliary = self._unlabelled(rows, seed, training)
            bound = tf.where(rows.known, self._labelled(rows, training), unlabelled)
            return _Bounds(bound, auxiliary, unlabelled)
        if num_labelled is None:
            return _Bounds(*self._unlabelled(rows, seed, training, rows.one_hot))
        front, rest = rows.split(num_labelled)
        unlabelled, auxiliary = self._unlabelled(rest, seed, training)
        labelled = self._labelled(front, training)
        return _Bounds(
            tf.concat([labelled, unlabelled], axis=0),
            tf.concat([tf.zeros_like(labelled), auxiliary], axis=0),
        )

    def _labelled(self, rows: _Rows, training: bool) -> tf.Tensor:
        """L(x, y), [B]."""
        bound_fn = self._bound_fn(rows, training)
        return objectives.labelled_bound(bound_fn, rows.one_hot, self.parts.prior.distribution())

    def _unlabelled(
        self, rows: _Rows, seed: Seed, training: bool, one_hot: Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """U(x), or L(x, y) where `one_hot` has a class, and the auxiliary loss, [B]."""
        noise = self.estimator.draw_noise(
            seeds.fold(seed, "class"),
            self.parts.distribution(rows.logits).logits,
            self.num_samples,
        )
        size = math.prod(rows.image.shape[1:])
        return objectives.unlabelled_bound(
            self.estimator,
            rows.logits,
            noise,
            self._bound_fn(rows, training),
            self.parts.prior.distribution(),
            one_hot=one_hot,
            context=tf.reshape(rows.image, [-1, size]),
            training=training,
        )

    def _bound_fn(self, rows: _Rows, training: bool) -> BoundFn:
        """y [S, B, K] -> E_q(z|x,y)[log p(x|y,z)] - kl_weight KL(q(z|x,y) || p(z)), [S, B]."""

        def bound(y: Tensor) -> tf.Tensor:
            mean, log_scale = self.parts.style(rows.image_part, y, training)
            z = gaussian.sample(mean, log_scale, rows.noise)
            kl = gaussian.kl_to_standard(mean, log_scale)
            weight = tf.cast(self.kl_weight.value, kl.dtype)
            return self.parts.log_likelihood(rows.image, y, z, training) - weight * kl

        return bound

    def _class_terms(self, reading: Reading, bounds: _Bounds, label: Tensor) -> Terms:
        """Returns the metrics of q(y | x) and, in evaluation, of the bounds."""
        dtype = bounds.bound.dtype
        posterior = self.parts.distribution(reading.logits)
        found_class = self.parts.classes(posterior.code(posterior.mode())[:, 0])
        right = tf.cast(found_class, label.dtype) == label
        found: Terms = {
            "accuracy": MaskedTerm(tf.cast(right, dtype), tf.cast(label >= 0, dtype)),
            "class_entropy_nats": posterior.entropy(),
        }
        if bounds.unlabelled is not None:
            found["elbo_unlabelled_nats"] = bounds.unlabelled
        if self.regularization.consistency:
            found["consistency_nats"] = reading.disagreement
        return found


class _Rows(NamedTuple):
    """The inputs of the bounds for the rows of a batch.

    Attributes:
        image: float [B, *shape].
        image_part: Image part of q(z | x, y), [B, ...].
        noise: Noise of the style, [B, D].
        logits: Logits of q(y | x), [B, K].
        one_hot: classes, zeros where there is none, [B, K].
        known: bool [B].
    """

    image: Tensor
    image_part: Tensor
    noise: Tensor
    logits: Tensor
    one_hot: Tensor
    known: Tensor

    def split(self, count: Tensor) -> tuple[_Rows, _Rows]:
        """The first rows and the rest; unlike slices, whose gradients are padded and added up."""
        size = self.image.shape[0]
        sizes = [count, (tf.shape(self.image)[0] if size is None else size) - count]
        front, rest = zip(*(tf.split(values, sizes) for values in self), strict=True)
        return _Rows(*front), _Rows(*rest)


class _Bounds(NamedTuple):
    """The bounds of the rows of a batch, [B].

    Attributes:
        bound: L(x, y) or U(x).
        auxiliary: Auxiliary loss of the estimator.
        unlabelled: U(x) of all rows; None in training.
    """

    bound: Tensor
    auxiliary: Tensor
    unlabelled: Tensor | None = None
