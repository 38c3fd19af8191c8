"""The semi-supervised M2 model: a classifier and a conditional generator from few labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from tf_discrete import likelihoods
from tf_discrete._internal import arguments, checks
from tf_discrete.distributions import Categorical, LatentSpec
from tf_discrete.export.classifier import classifier_signatures
from tf_discrete.export.signature import Signature
from tf_discrete.layers.independent_prior import IndependentPrior
from tf_discrete.models import class_order as class_order_lib
from tf_discrete.models import conditional_networks
from tf_discrete.models import regularization as regularization_lib
from tf_discrete.models.class_conditional import ClassConditionalModel
from tf_discrete.models.class_style import ClassStyle, ClassStyleNetworks
from tf_discrete.models.feature_networks import feature_shape, frozen
from tf_discrete.models.observations import Observations, observe
from tf_discrete.models.regularization import Regularization
from tf_discrete.models.semi_supervised_objective import HARD_TERMS, TERMS, SemiSupervisedObjective
from tf_discrete.types import (
    ActivationLike,
    Batch,
    Config,
    EstimatorLike,
    JsonObject,
    LikelihoodLike,
    NetworkLike,
    ObjectiveTerms,
    ScheduleLike,
    Seed,
    Tensor,
)

LABELLED_TERMS = ("accuracy", "elbo_labelled_nats", "classification_nats")
"""Means over the labelled rows: they say nothing where there is none."""


@keras.saving.register_keras_serializable("tf_discrete.models")
class SemiSupervisedVAE(ClassConditionalModel):
    """A classifier and conditional generator, trained on images of which few have labels (M2).

    The model has q(y | x), q(z | x, y) and p(x | y, z) with a class y and a Gaussian style z. Any registered
    estimator infers the class of an unlabelled image: "enumeration" marginalises it, with K passes of style
    encoder and decoder per image; the others, such as "gumbel_softmax", sample it and infer class and style
    in one pass. Training minimises the mean over the rows of

        -labelled_weight * L(x, y) - alpha * log q(y | x)   for labelled images,
        -U(x)                                               for unlabelled images, with
        L(x, y) = E_q(z|x,y)[log p(x | y, z)] - kl_weight * KL(q(z | x, y) || p(z)) + log p(y)
        U(x) = E_q(y|x)[L(x, y)] + H(q(y | x))

    plus the terms of `Regularization`. See `objectives.semi_supervised` for the conventions of the papers.
    The entropy is exact; all classes of an image share one sample of the style noise.

    The metric `elbo_unlabelled_nats` is U as the estimator estimates it. With relaxed classes it is the
    objective but not a bound: it may be above the exact ELBO. Compare estimators by `hard_elbo_nats`, the
    ELBO with discrete classes. Means over labelled (or unlabelled) rows are 0 if there have been none.

    `fit` takes batches of one of these forms: (image, label); a dict with `image`, `label` (-1 if
    unlabelled) and, optionally, `labelled`, a bool mask; images alone, all unlabelled; or, the fastest, a
    dict with `image` (unlabelled), `labelled_image` and `labelled_label` (all labelled).

    Args:
        data_shape: Tuple of ints, shape of an observation, such as (28, 28, 1).
        num_classes: Int K >= 2, number of classes. Default: 10.
        style_size: Int D >= 1, number of Gaussian style variables. Default: 32.
        estimator: Name or object, estimator of the class, see `tf_discrete.estimators`. Default:
            "gumbel_softmax".
        temperature: Positive float or schedule, for an estimator given by name. Default: that of the
            estimator.
        num_samples: Int, class samples per unlabelled image. Default: the fewest that the estimator takes.
        classifier: q(y | x): "mlp", "conv", a registered name, or a Keras model from [B, *data_shape] to K
            logits. Default: "mlp".
        style_encoder: q(z | x, y): a name, a Keras model from [image, class] to 2 D numbers, or a
            `ConditionalNetwork`, which computes the part of the image once. None: the name of the classifier.
            Default: None.
        decoder: p(x | y, z): a name, or a Keras model from [R, K + D] to the parameters of the likelihood.
            None: the name of the classifier. Default: None.
        hidden_units: Sequence of ints, hidden layers of the named networks. Default: (512, 256).
        filters: Sequence of ints, filters of the strided convolutions of a "conv" classifier and style
            encoder. Default: (32, 64, 128).
        activation: Name of the Keras activation of the hidden layers. Default: "relu".
        normalization: Normalisation of the named networks: "none", or "batch" for batch norm in networks that
            read an image and layer norm in those that read image and class. Default: "none".
        prior: Prior p(y), "uniform" or "learned". Default: "uniform".
        likelihood: Name or object, see `tf_discrete.likelihoods`. Default: "bernoulli".
        alpha: Float >= 0 or schedule, weight of the classification term. Default: 50.0.
        labelled_weight: Float >= 0, weight of the ELBO of labelled rows. Default: 1.0.
        kl_weight: Float >= 0 or schedule, weight of the KL of the style. Default: 1.0.
        regularization: `Regularization` of the classifier in training, or its config. Default: None.
        feature_extractor: Frozen Keras model whose features the networks read in place of the image (M1+M2),
            see `feature_networks`. Bounds then refer to the features. Default: None.
        feature_decoder: Frozen Keras model from features to images. Default: None.
        latents: Kind of latents of the class: "categorical", or for very many classes a tree such as
            "tree:100,100", see `tf_discrete.distributions.tree_latents`. The networks then read and write
            the digits. Default: "categorical".
        class_order: Order of the classes of a tree: "given", class k is leaf k, or the class of each leaf,
            int [K], a permutation such as `tf_discrete.distributions.cluster_order` returns; only then can
            `reorder_classes` change it. Classes are numbered as in the labels either way. Default: "given".
        seed: Int, base seed of all samples. Default: 0.
        monitor_every: How often, in training steps, the discrete path is evaluated. Default: 10.

    Raises:
        ValueError: Arguments are out of range or contradict one another.

    Example:
        >>> import tensorflow as tf
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
        estimator: EstimatorLike = "gumbel_softmax",
        temperature: ScheduleLike | None = None,
        num_samples: int | None = None,
        classifier: NetworkLike = "mlp",
        style_encoder: NetworkLike | None = None,
        decoder: NetworkLike | None = None,
        hidden_units: Sequence[int] = (512, 256),
        filters: Sequence[int] = conditional_networks.FILTERS,
        activation: ActivationLike = "relu",
        normalization: str = "none",
        prior: str = "uniform",
        likelihood: LikelihoodLike = "bernoulli",
        alpha: ScheduleLike = 50.0,
        labelled_weight: float = 1.0,
        kl_weight: ScheduleLike = 1.0,
        regularization: Regularization | Config | None = None,
        feature_extractor: keras.Model | Config | None = None,
        feature_decoder: keras.Model | Config | None = None,
        latents: str = "categorical",
        class_order: str | ArrayLike = class_order_lib.GIVEN,
        seed: int = 0,
        monitor_every: int = 10,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, monitor_every=monitor_every, **kwargs)
        checks.choice("prior", prior, arguments.PRIORS)
        checks.choice("normalization", normalization, conditional_networks.NORMALIZATIONS)
        self.data_shape = checks.sizes("data_shape", data_shape)
        self.num_classes = checks.whole("num_classes", num_classes, lowest=2)
        self.style_size = checks.whole("style_size", style_size)
        self.labelled_weight = checks.number("labelled_weight", labelled_weight, lowest=0)
        self.regularization = regularization_lib.get(regularization)
        self.likelihood = likelihoods.get(likelihood)
        self.class_spec = LatentSpec(1, self.num_classes, latents)
        if self.class_spec.kind.formulas() != Categorical.latents:
            raise ValueError(
                "A class is a categorical variable or a path through a tree. Set latents='categorical', or a "
                f"tree such as 'tree:100,100'. Received: latents={latents!r}"
            )
        self.class_order = class_order_lib.make(class_order, self.class_spec)
        self.estimator = arguments.estimator(estimator, latents, temperature)
        self.num_samples = arguments.num_samples(num_samples, [self.estimator])
        self.estimator.check(self.num_samples, None)
        self.feature_extractor = frozen(feature_extractor, "feature_extractor")
        self.feature_decoder = frozen(feature_decoder, "feature_decoder")
        self.feature_shape = feature_shape(
            self.data_shape, self.feature_extractor, self.feature_decoder
        )
        self.regularization.augmentation.check_shape(self.feature_shape)
        self.estimator.build(
            (None, *self.class_spec.logits_shape), (None, math.prod(self.feature_shape))
        )
        self._networks = ClassStyleNetworks(
            self.feature_shape,
            self.class_spec.num_logits,
            self.style_size,
            self.likelihood.parameters_shape(self.feature_shape),
            classifier,
            style_encoder,
            decoder,
            hidden_units,
            filters,
            activation,
            normalization,
            self.regularization.dropout,
            self.seed,
        )
        self.classifier = self._networks.classifier
        self.style_encoder = self._networks.style_encoder
        self.decoder = self._networks.decoder
        self.prior = IndependentPrior(
            1, self.num_classes, latents, learned=prior == "learned", dtype=self._wide.name
        )
        self.alpha = arguments.scheduled_weight("alpha", alpha)
        self.kl_weight = arguments.scheduled_weight("kl_weight", kl_weight)
        self.class_style = ClassStyle(
            self._networks,
            self.class_spec,
            self.style_size,
            self.likelihood,
            self.prior,
            self._wide,
            self.class_order,
        )
        self._objective = SemiSupervisedObjective(
            self.class_style,
            self.estimator,
            self.num_samples,
            self.regularization,
            self.alpha,
            self.labelled_weight,
            self.kl_weight,
        )
        agreement = ("consistency_nats",) if self.regularization.consistency else ()
        self.track_metrics(TERMS, HARD_TERMS, agreement)
        self.built = True

    # What training minimises and reports.

    def unpack_batch(self, data: Batch) -> Observations:
        return observe(data, self.num_classes, self.features)

    def check_batch(self, data: Batch) -> None:
        observe(data, self.num_classes, self.check_observations)

    def objective(self, x: Tensor, seed: Seed, training: bool) -> ObjectiveTerms:
        batch = x if isinstance(x, Observations) else self.unpack_batch(x)
        return self._objective(batch, seed, training)

    def hard_terms(
        self, x: Tensor, seed: Seed, encoded: tuple[Tensor, Tensor] | None = None
    ) -> dict[str, Tensor]:
        image = (x if isinstance(x, Observations) else self.unpack_batch(x)).image
        parts = self.class_style
        logits, image_part = encoded or (parts.class_logits(image), parts.image_part(image))
        return parts.hard_terms(image, self.estimator.distribution(logits), image_part, seed)

    def reorder_classes(self, class_order: ArrayLike) -> None:
        """Moves the classes to other leaves of their tree, between two calls of `fit` or in a callback.

        The networks stay as they are, and so read and write other classes by the same digits. A learned prior
        keeps the probabilities of the classes, as nearly as independent digits can.

        Args:
            class_order: int [K], the class of each leaf from now on.

        Raises:
            ValueError: No permutation of the classes, or a model made with class_order="given".

        Example:
            >>> model = SemiSupervisedVAE(
            ...     (8, 8, 1), num_classes=4, latents="tree:2,2", class_order=range(4), hidden_units=(8,)
            ... )
            >>> model.reorder_classes([3, 1, 0, 2])
            >>> model.class_order.array().tolist()
            [3, 1, 0, 2]
        """
        if self.class_order is None:
            raise ValueError(
                "Only a model that was made with an order of its classes has one to change. Make it with "
                f"class_order=range({self.num_classes}). Received: class_order={class_order_lib.GIVEN!r}"
            )
        old = self.class_order.array()
        new = class_order_lib.checked(class_order, self.num_classes)
        if self.prior.learned and not np.array_equal(old, new):
            logits = self.prior.logits.numpy()
            moved = class_order_lib.moved_logits(logits, self.class_order.branching, old, new)
            self.prior.logits.assign(moved)
        self.class_order.assign(new)

    def values_per_row(self) -> int:
        return math.prod(self.likelihood.parameters_shape(self.feature_shape))

    def signatures(self) -> dict[str, Signature]:
        return classifier_signatures(self)

    def manifest_entries(self) -> JsonObject:
        return {
            **super().manifest_entries(),
            "data_shape": self.data_shape,
            **self.class_spec.manifest_entries(),
            "num_classes": self.num_classes,
        }

    def get_config(self) -> Config:
        def serialized(thing: object) -> object:
            return thing and keras.saving.serialize_keras_object(thing)

        return {
            **super().get_config(),
            "data_shape": self.data_shape,
            "num_classes": self.num_classes,
            "style_size": self.style_size,
            "latents": self.class_spec.latents,
            "class_order": class_order_lib.GIVEN
            if self.class_order is None
            else self.class_order.array().tolist(),
            "estimator": serialized(self.estimator),
            "num_samples": self.num_samples,
            **self._networks.get_config(),
            "prior": "learned" if self.prior.learned else "uniform",
            "likelihood": serialized(self.likelihood),
            "alpha": self.alpha.get_config()["schedule"],
            "labelled_weight": self.labelled_weight,
            "kl_weight": self.kl_weight.get_config()["schedule"],
            "regularization": serialized(self.regularization),
            "feature_extractor": serialized(self.feature_extractor),
            "feature_decoder": serialized(self.feature_decoder),
        }
