"""What keeps a classifier with few labels from overfitting: noisy views, their agreement, balance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tf_discrete import checks, seeds
from tf_discrete.distributions import Categorical
from tf_discrete.models import augmentation
from tf_discrete.types import Seed, Tensor

SPATIAL = ("augment_shift", "augment_rotation", "augment_zoom")
"""What only images have."""

VIEWS = ("input_noise", *SPATIAL, "classifier_dropout")
"""What makes the view of an image differ from it, or two readings of one image."""


class Reading(NamedTuple):
    """What the classifier makes of a batch.

    Attributes:
        logits: [B, K], of the class in the bound.
        view_logits: [B, K], of the class that is compared with the label.
        loss: nats [B], weighted.
        disagreement: KL(q(y | x) || q(y | x')) of image and view in nats, [B]; 0 without `consistency`.
    """

    logits: tf.Tensor
    view_logits: tf.Tensor
    loss: tf.Tensor
    disagreement: tf.Tensor


class Regularization(NamedTuple):
    """Of q(y | x) in training, see `SemiSupervisedVAE` for the fields."""

    classifier_dropout: float = 0.0
    input_noise: float = 0.0
    augment_shift: int = 0
    augment_rotation: float = 0.0
    augment_zoom: float = 0.0
    consistency: float = 0.0
    balance: float = 0.0

    @property
    def has_views(self) -> bool:
        """Whether the classifier sees an image otherwise in training than at inference."""
        return any(getattr(self, name) for name in VIEWS)

    def in_range(self) -> Regularization:
        """These options, each as a number within its bounds.

        Raises:
            ValueError: one out of range.
        """
        return Regularization(
            checks.number("classifier_dropout", self.classifier_dropout, lowest=0, below=1),
            checks.number("input_noise", self.input_noise, lowest=0),
            checks.whole("augment_shift", self.augment_shift, lowest=0),
            checks.number("augment_rotation", self.augment_rotation, lowest=0, below=180),
            checks.number("augment_zoom", self.augment_zoom, lowest=0, below=1),
            checks.number("consistency", self.consistency, lowest=0),
            checks.number("balance", self.balance, lowest=0),
        )

    def checked(self, feature_shape: tuple[int, ...]) -> Regularization:
        """These options, if they go together and with observations of a shape.

        Raises:
            ValueError: one out of range, shifts of what is no image, or views that cannot differ.
        """
        found = self.in_range()
        asked = [name for name in SPATIAL if getattr(found, name)]
        if asked and len(feature_shape) != 3:
            raise ValueError(
                "Only images [height, width, channels] can be shifted, turned or zoomed. Set "
                f"{asked[0]}=0. Received: {asked[0]}={getattr(found, asked[0])}, "
                f"feature_shape={feature_shape}"
            )
        if found.consistency and not found.has_views:
            raise ValueError(
                "An image and its view must differ for their agreement to mean anything. Set one of "
                f"{', '.join(VIEWS)}, or consistency=0. Received: consistency={found.consistency}"
            )
        return found

    def logits_and_loss(
        self, logits_fn: Callable[[Tensor], tf.Tensor], image: Tensor, prior: Any, seed: Seed
    ) -> Reading:
        """The classes of each image, and what is added to the loss.

        With `consistency` the classifier reads the image itself, which the bound is of, and a distorted
        view, whose class shall be the image's and, where it is known, the label. Without, it reads one
        distorted view for all.

        Args:
            logits_fn: view [B, *feature_shape] -> logits [B, 1, K].
            image: float [B, *feature_shape].
            prior: law p(y) of one variable.
            seed: int32 [2].
        """
        view = augmentation.view(
            image,
            seeds.fold(seed, "view"),
            shift_pixels=self.augment_shift,
            degrees=self.augment_rotation,
            zoom=self.augment_zoom,
            noise_scale=self.input_noise,
        )
        view_logits = logits_fn(view)
        logits = logits_fn(image) if self.consistency else view_logits
        law = Categorical(logits)
        disagreement = loss = tf.zeros_like(logits[:, 0, 0])
        if self.consistency:
            teacher: Any = Categorical(tf.stop_gradient(logits))
            disagreement = teacher.kl_divergence(Categorical(view_logits))
            loss += self.consistency * disagreement
        if self.balance:
            share = tf.reduce_mean(law.probs, axis=0, keepdims=True)
            shares: Any = Categorical(tf.math.log(share + 1e-7))
            loss += self.balance * shares.kl_divergence(prior)
        return Reading(logits[:, 0], view_logits[:, 0], loss, disagreement)
