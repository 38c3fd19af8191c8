"""The semi-supervised M2 model: a classifier and a conditional generator from few labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import arguments, checks, objectives, seeds
from tf_discrete.distributions import Categorical, gaussian
from tf_discrete.estimators import backward
from tf_discrete.models import conditional_networks, networks
from tf_discrete.models.class_style import ClassStyleModel
from tf_discrete.models.observations import UNLABELLED, Observations, observe
from tf_discrete.models.regularization import Reading, Regularization
from tf_discrete.types import ObjectiveTerms, Seed, Tensor, Weighted

LABELLED_TERMS = ("accuracy", "elbo_labelled_nats", "classification_nats")
"""Means over the labelled rows: they say nothing where there is none."""


@keras.saving.register_keras_serializable("tf_discrete.models")
class SemiSupervisedVAE(ClassStyleModel):
    """q(y | x), q(z | x, y) and p(x | y, z) with a class y and a Gaussian style z.

    The class of an unlabelled image is inferred by any estimator of the registry: "enumeration"
    marginalises it, K passes of style encoder and decoder for each image; one that draws, such as
    "gumbel_softmax", infers class and style jointly in one. Training minimises the mean over the rows of

        -labelled_weight * L(x, y) - alpha * log q(y | x)   where the class is known,
        -U(x)                                               where it is not, with
        L(x, y) = E_q(z|x,y)[log p(x | y, z)] - kl_weight * KL(q(z | x, y) || p(z)) + log p(y)
        U(x) = E_q(y|x)[L(x, y)] + H(q(y | x))

    plus, on every row, `consistency` times KL(q(y | x) || q(y | x')) between the image and a distorted view
    of it, which the classification term reads too, and `balance` times KL of the batch's mean of q(y | x)
    to p(y). See `objectives.semi_supervised` for the
    conventions of the sources. The entropy is exact; one style noise serves all classes of an image.

    What is logged: `elbo_unlabelled_nats` is U as the estimator estimates it. With relaxed classes that is
    the objective and no bound: it may lie above the exact one. `hard_elbo_nats`, of discrete classes,
    compares estimators. Means over labelled (or unlabelled) rows are 0 where there have been none.

    Batches, as `fit` hands them over: (image, label); a dict with `image`, `label` (-1 where unlabelled)
    and, optionally, `labelled`, a bool mask; images alone, all unlabelled; or, so that no computation is
    wasted, a dict with `image` (unlabelled), `labelled_image` and `labelled_label` (all labelled).

    Args:
        data_shape: of one observation, such as (28, 28, 1).
        num_classes: K. Default: 10.
        style_size: D, Gaussian variables of the style. Default: 32.
        estimator: of the class: name or object, see `tf_discrete.estimators`. Default:
            "gumbel_softmax".
        temperature: number or schedule, of an estimator given by name. Default: its own.
        num_samples: of the class for each unlabelled image. Default: the fewest that the estimator takes.
        classifier: q(y | x): "mlp", "conv", a registered name, or a Keras model [B, *data_shape] -> K.
        style_encoder: q(z | x, y): the same, or a Keras model of [image, class] -> 2 D numbers, or a
            `ConditionalNetwork`, which shares the image's part. None for the classifier's name.
        decoder: p(x | y, z): the same, or a Keras model [R, K + D] -> the likelihood's parameters. None
            for the classifier's name.
        hidden_units: of the named networks. Default: (512, 256).
        filters: of the strided convolutions in a "conv" classifier and style encoder. Default:
            (32, 64, 128).
        activation: of the named networks. Default: "relu".
        normalization: of the named networks: "none", or "batch" for batch norm where a row is an image
            and layer norm where it is an image with a class. Default: "none".
        prior: p(y), "uniform" or "learned".
        likelihood: name or object, see `tf_discrete.likelihoods`. Default: "bernoulli".
        alpha: number or schedule, weight of the classification term. Default: 50.0.
        labelled_weight: of the ELBO of labelled rows. Default: 1.0.
        kl_weight: number or schedule, of the style's KL. Default: 1.0.
        classifier_dropout: rate after the dense layers of a named classifier. Default: 0.0.
        input_noise: standard deviation of Gaussian noise on what the classifier sees. Default: 0.0.
        augment_shift: pixels by which what the classifier sees is moved at most. Default: 0.
        augment_rotation: degrees below 180 by which it is turned at most, to either side. Default: 0.0.
        augment_zoom: share below 1 by which it is zoomed at most, in or out. Default: 0.0.
        consistency: weight of the agreement of image and view; 0 lets the classifier read the view only.
            Default: 0.0.
        balance: weight of the batch's class balance. Default: 0.0.
        feature_extractor: frozen Keras model whose features take the image's place (M1+M2), see
            `feature_networks`. Bounds are then those of the features. Default: None.
        feature_decoder: frozen Keras model from such features to images. Default: None.
        seed: of all draws. Default: 0.
        monitor_every: steps between two looks at the hard path in training. Default: 10.

    Raises:
        ValueError: arguments out of range or at odds with one another.

    Example:
        >>> model = SemiSupervisedVAE((8, 8, 1), num_classes=10, hidden_units=(16,))
        >>> model.compile(optimizer="adam")
        >>> x = tf.ones([5, 8, 8, 1])
        >>> model.classify(x).shape, model.transfer(x).shape
        (TensorShape([5, 10]), TensorShape([5, 10, 8, 8, 1]))

    Reference:
        Kingma, Rezende, Mohamed, Welling. Semi-supervised learning with deep generative models. 2014.
        arXiv:1406.5298.
        Jang, Gu, Poole. Categorical reparameterization with Gumbel-Softmax. 2016. arXiv:1611.01144.
    """

    def __init__(
        self,
        data_shape: Sequence[int],
        num_classes: int = 10,
        style_size: int = 32,
        estimator: Any = "gumbel_softmax",
        temperature: Any = None,
        num_samples: int | None = None,
        classifier: Any = "mlp",
        style_encoder: Any = None,
        decoder: Any = None,
        hidden_units: Sequence[int] = (512, 256),
        filters: Sequence[int] = conditional_networks.FILTERS,
        activation: str = "relu",
        normalization: str = "none",
        prior: str = "uniform",
        likelihood: Any = "bernoulli",
        alpha: Any = 50.0,
        labelled_weight: float = 1.0,
        kl_weight: Any = 1.0,
        classifier_dropout: float = 0.0,
        input_noise: float = 0.0,
        augment_shift: int = 0,
        augment_rotation: float = 0.0,
        augment_zoom: float = 0.0,
        consistency: float = 0.0,
        balance: float = 0.0,
        feature_extractor: Any = None,
        feature_decoder: Any = None,
        seed: int = 0,
        monitor_every: int = 10,
        **kwargs: Any,
    ):
        regularization = Regularization(
            classifier_dropout,
            input_noise,
            augment_shift,
            augment_rotation,
            augment_zoom,
            consistency,
            balance,
        ).in_range()
        labelled_weight = checks.number("labelled_weight", labelled_weight, lowest=0)
        super().__init__(
            data_shape=data_shape,
            num_classes=num_classes,
            style_size=style_size,
            estimator=estimator,
            temperature=temperature,
            num_samples=num_samples,
            classifier=classifier,
            style_encoder=style_encoder,
            decoder=decoder,
            hidden_units=hidden_units,
            filters=filters,
            activation=activation,
            normalization=normalization,
            classifier_dropout=classifier_dropout,
            prior=prior,
            likelihood=likelihood,
            feature_extractor=feature_extractor,
            feature_decoder=feature_decoder,
            seed=seed,
            monitor_every=monitor_every,
            **kwargs,
        )
        self.alpha: Any = arguments.scheduled_weight("alpha", alpha)
        self.kl_weight: Any = arguments.scheduled_weight("kl_weight", kl_weight)
        self.labelled_weight = labelled_weight
        self.regularization = regularization.checked(self.feature_shape)
        self._differs_in_training = regularization.has_views or any(
            network is not None and networks.differs_in_training(network)
            for network in (self.classifier, self.style_encoder.image_network)
        )
        self.track(
            (
                "elbo_nats",
                "elbo_labelled_nats",
                "elbo_unlabelled_nats",
                "classification_nats",
                "accuracy",
                "class_entropy_nats",
            ),
            ("hard_elbo_nats", "hard_reconstruction_nats", "style_kl_nats", "class_kl_nats"),
            ("consistency_nats",) if consistency else (),
        )

    def observations(self, data: Any) -> Observations:
        return observe(data, self.num_classes, self.features)

    def check_batch(self, data: Any) -> None:
        observe(data, self.num_classes, self.check_observations)

    def objective(self, x: Any, seed: Seed, training: bool) -> ObjectiveTerms:
        image, label, num_labelled = x if isinstance(x, Observations) else self.observations(x)
        one_hot = tf.one_hot(label, self.num_classes, dtype=self._wide)
        known = label >= 0
        logits, view_logits, added, disagreement = self._read_class(image, seed, training)
        # What reads the logits outside the estimate is brought to the size of its gradient.
        scale = self.estimator.gradient_scale
        log_class = tf.reduce_sum(one_hot * tf.nn.log_softmax(view_logits), axis=-1)
        log_class = backward.divide_gradient(log_class, scale)
        regularizer = backward.divide_gradient(added, scale)
        noise = self._style_noise(image, seed)
        norms = conditional_networks.batch_norms(self.style_encoder.head, self.decoder)
        image_part = self.style_encoder.image_part(image, training)
        if training and norms:
            self._learn_statistics(image_part, one_hot, logits, noise, seed)

        def bound_fn(rows: slice) -> Callable[[Tensor], tf.Tensor]:
            return self._bound_fn(image[rows], image_part[rows], noise[rows], training)

        def unlabelled(rows: slice, one_hot: Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
            drawn = self.estimator.draw_noise(
                seeds.fold(seed, "class"), logits[rows][:, tf.newaxis], self.num_samples
            )
            return objectives.unlabelled_bound(
                self.estimator,
                logits[rows],
                drawn,
                bound_fn(rows),
                self.prior_law(),
                one_hot=one_hot,
                context=tf.reshape(image[rows], [-1, math.prod(self.feature_shape)]),
                training=training,
            )

        def labelled(rows: slice) -> tf.Tensor:
            return objectives.labelled_bound(bound_fn(rows), one_hot[rows], self.prior_law())

        every = slice(None)
        with conditional_networks.stored_statistics(norms):
            unlabelled_bound = None
            if not training:
                unlabelled_bound, auxiliary = unlabelled(every, None)
                bound = tf.where(known, labelled(every), unlabelled_bound)
            elif num_labelled is None:
                bound, auxiliary = unlabelled(every, one_hot)
            else:
                front, rest = slice(None, num_labelled), slice(num_labelled, None)
                bound_rest, auxiliary = unlabelled(rest, None)
                bound_front = labelled(front)
                bound = tf.concat([bound_front, bound_rest], axis=0)
                auxiliary = tf.concat([tf.zeros_like(bound_front), auxiliary], axis=0)
        terms = objectives.semi_supervised(
            bound,
            auxiliary,
            log_class,
            known,
            alpha=self.alpha.value,
            labelled_weight=self.labelled_weight,
        )
        if unlabelled_bound is not None:  # In evaluation every row is scored both ways.
            terms.terms["elbo_unlabelled_nats"] = unlabelled_bound
        right = tf.argmax(logits, axis=-1, output_type=tf.int32) == label
        terms.terms["accuracy"] = Weighted(tf.cast(right, bound.dtype), tf.cast(known, bound.dtype))
        terms.terms["class_entropy_nats"] = Categorical(logits[:, tf.newaxis]).entropy()
        if self.regularization.consistency:
            terms.terms["consistency_nats"] = disagreement
        # XLA leaves out the check of the labels: a wrong one shows in the loss.
        wrong = (label < UNLABELLED) | (label >= self.num_classes)
        loss = tf.where(wrong, tf.cast(math.nan, bound.dtype), terms.loss + regularizer)
        shared = not (training and self._differs_in_training)
        encoded = (logits[:, tf.newaxis], image_part) if shared else None
        return terms._replace(loss=loss, encoded=encoded)

    def hard_terms(
        self, x: Any, seed: Seed, encoded: tuple[Tensor, Tensor] | None = None
    ) -> dict[str, Any]:
        image = (x if isinstance(x, Observations) else self.observations(x)).image
        if encoded is None:
            encoded = self.class_logits(image), self.style_encoder.image_part(image)
        class_logits, image_part = encoded
        posterior: Any = self.estimator.law(class_logits)
        y = posterior.sample(seeds.fold(seed, "class"), 1)[..., 0, :]
        mean, log_scale = self.style(image_part, y)
        z = gaussian.sample(mean, log_scale, self._style_noise(image, seed))
        log_likelihood = self.likelihood.log_prob(image, self.parameters(y, z))
        reconstruction = -tf.cast(log_likelihood, self._wide)[0]
        style_kl = gaussian.kl_to_standard(mean, log_scale)[0]
        class_kl = posterior.kl_divergence(self.prior_law())
        return {
            "hard_elbo_nats": -reconstruction - style_kl - class_kl,
            "hard_reconstruction_nats": reconstruction,
            "style_kl_nats": style_kl,
            "class_kl_nats": class_kl,
        }

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alpha": self.alpha.get_config()["schedule"],
            "kl_weight": self.kl_weight.get_config()["schedule"],
            "labelled_weight": self.labelled_weight,
            **self.regularization._asdict(),
        }

    def _read_class(self, image: Tensor, seed: Seed, training: bool) -> Reading:
        """q(y | x), and what regularisation adds to the loss in training."""
        if training:
            return self.regularization.logits_and_loss(
                lambda view: self.class_logits(view, training=True), image, self.prior_law(), seed
            )
        logits = self.class_logits(image)[:, 0]
        zeros = tf.zeros_like(logits[:, 0])
        return Reading(logits, logits, zeros, zeros)

    def _style_noise(self, image: Tensor, seed: Seed) -> tf.Tensor:
        """Standard normal noise [B, D], one draw for all classes and samples of an image."""
        shape = [tf.shape(image)[0], self.style_size]
        return tf.random.stateless_normal(shape, seeds.fold(seed, "style"), dtype=self._wide)

    def _bound_fn(
        self, image: Tensor, image_part: Tensor, noise: Tensor, training: bool
    ) -> Callable[[Tensor], tf.Tensor]:
        """y [S, B, K] -> E_q(z|x,y)[log p(x|y,z)] - kl_weight KL(q(z|x,y) || p(z)), [S, B]."""

        def bound(y: Tensor) -> tf.Tensor:
            mean, log_scale = self.style(image_part, y, training)
            z = gaussian.sample(mean, log_scale, noise)
            log_likelihood = self.likelihood.log_prob(image, self.parameters(y, z, training))
            kl = gaussian.kl_to_standard(mean, log_scale)
            return tf.cast(log_likelihood, kl.dtype) - tf.cast(self.kl_weight.value, kl.dtype) * kl

        return bound

    def _learn_statistics(
        self, image_part: Tensor, one_hot: Tensor, logits: Tensor, noise: Tensor, seed: Seed
    ) -> None:
        """Lets batch norm see each image once, with its class or with one drawn: never a relaxed one."""
        law = Categorical(tf.stop_gradient(logits)[:, tf.newaxis])
        drawn = law.sample(seeds.fold(seed, "statistics"), 1)[0, :, 0]
        known = tf.reduce_sum(one_hot, axis=-1, keepdims=True) > 0.5
        y = tf.where(known, one_hot, drawn)[tf.newaxis]
        mean, log_scale = self.style(image_part, y, training=True)
        self.parameters(y, gaussian.sample(mean, log_scale, noise), training=True)
