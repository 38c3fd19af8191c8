"""`Regularization`: noisy views, their agreement and balance keep a classifier from overfitting."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import keras
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import checks
from tf_discrete._internal.serialization import deserialize
from tf_discrete.distributions import Discrete
from tf_discrete.models.augmentation import Augmentation
from tf_discrete.types import Config, Seed, Tensor

_T = TypeVar("_T")


class Reading(NamedTuple):
    """The output of the classifier for a batch.

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


@keras.saving.register_keras_serializable("tf_discrete.models")
@dataclasses.dataclass(frozen=True)
class Regularization:
    """Regularisation of the classifier of a `SemiSupervisedVAE` in training.

    Args:
        dropout: Dropout rate after the dense layers of a named classifier. Default: 0.0.
        augmentation: `Augmentation` of what the classifier sees, or its config. Default: None.
        consistency: Weight of KL(q(y | x) || q(y | x')) between an image and a distorted view of it, on every
            row. With it the bound is of the image, and the classification term of the view; without it
            the classifier sees the view only. Default: 0.0.
        balance: Weight of the KL from the batch's mean of q(y | x) to p(y), of a tree for each digit.
            Default: 0.0.

    Raises:
        ValueError: An argument is out of range, or an image and its view cannot differ.

    Example:
        >>> Regularization(dropout=0.2, augmentation=Augmentation(shift=1), consistency=1.0)
        Regularization(dropout=0.2, augmentation=Augmentation(shift=1, rotation=0.0, zoom=0.0, \
noise_stddev=0.0), consistency=1.0, balance=0.0)
    """

    dropout: float = 0.0
    augmentation: Any = None
    consistency: float = 0.0
    balance: float = 0.0

    def __post_init__(self) -> None:
        for name, value in {
            "dropout": checks.number("dropout", self.dropout, lowest=0, below=1),
            "augmentation": _get("augmentation", self.augmentation, Augmentation),
            "consistency": checks.number("consistency", self.consistency, lowest=0),
            "balance": checks.number("balance", self.balance, lowest=0),
        }.items():
            object.__setattr__(self, name, value)
        if self.consistency and not self.has_views:
            raise ValueError(
                "An image and its view must differ for their agreement to mean anything. Set dropout or an "
                f"augmentation, or consistency=0. Received: consistency={self.consistency}"
            )

    @property
    def has_views(self) -> bool:
        """Returns whether the classifier sees an image otherwise in training than at inference."""
        return bool(self.dropout or self.augmentation)

    def get_config(self) -> Config:
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**own, "augmentation": keras.saving.serialize_keras_object(self.augmentation)}

    @classmethod
    def from_config(cls, config: Config) -> Regularization:
        return cls(**config)

    def logits_and_loss(
        self, logits_fn: Callable[[Tensor], tf.Tensor], image: Tensor, prior: Discrete, seed: Seed
    ) -> Reading:
        """Returns the classes of each image, and what is added to the loss.

        With `consistency` the classifier reads the image itself, which the bound is of, and a distorted
        view, which must be assigned the class of the image and, where it is known, the label. Without it,
        the classifier reads one distorted view for all.

        Args:
            logits_fn: view [B, *feature_shape] -> logits of the class, [B, *logits_shape].
            image: float [B, *feature_shape].
            prior: distribution p(y) of one variable.
            seed: int32 [2].
        """
        view = self.augmentation(image, seeds.fold(seed, "view"))
        view_logits = logits_fn(view)
        logits = logits_fn(image) if self.consistency else view_logits
        kind = type(prior)
        distribution = kind(logits)
        disagreement = loss = tf.zeros_like(logits[:, 0, 0])
        if self.consistency:
            teacher = kind(tf.stop_gradient(logits))
            disagreement = teacher.kl_divergence(kind(view_logits))
            loss += self.consistency * disagreement
        if self.balance:
            share = tf.reduce_mean(distribution.probs, axis=0, keepdims=True)
            shares = kind(tf.math.log(share + 1e-7))
            loss += self.balance * shares.kl_divergence(prior)
        return Reading(kind.flatten(logits), kind.flatten(view_logits), loss, disagreement)


def get(regularization: Regularization | Config | None) -> Regularization:
    """Returns a `Regularization` from itself, its config or None.

    Raises:
        ValueError: Something else.
    """
    return _get("regularization", regularization, Regularization)


def _get(name: str, value: _T | Config | None, cls: type[_T]) -> _T:
    if value is None:
        return cls()
    if isinstance(value, dict):
        value = deserialize(name, value)
    article = "an" if cls is Augmentation else "a"
    return checks.instance(name, value, cls, f"{article} {cls.__name__}, its config or None")
