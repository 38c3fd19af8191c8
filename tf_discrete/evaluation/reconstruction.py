"""Reconstruction: what is lost between an image and the image of its code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from tf_discrete._internal.batch_image import image_of
from tf_discrete._internal.mean_and_error import mean_and_error
from tf_discrete.types import Batch

if TYPE_CHECKING:
    from tf_discrete.models.autoencoder import DiscreteAutoencoder

EPSILON = 1e-7


class Reconstruction(NamedTuple):
    """The error over a data set.

    Attributes:
        mean_nats: binary cross-entropy, summed over the pixels, averaged over the examples.
        standard_error_nats: Standard error of that average, over examples; NaN for a single one.
        num_examples: Number of examples.
    """

    mean_nats: float
    standard_error_nats: float
    num_examples: int


def reconstruction_nats(model: DiscreteAutoencoder, batches: Iterable[Batch]) -> Reconstruction:
    """Computes the binary cross-entropy of images and `decode(encode(images))`, the deterministic codes.

    -sum over pixels of x log m + (1 - x) log(1 - m), for grey pixels x too. Decoded means m are kept
    1e-7 away from 0 and 1, so a wrong pixel costs at most 16.1 nats.

    Args:
        model: with `encode` and `decode`, whose images are intensities in [0, 1].
        batches: elements with `image`, or images, float [B, ...] in [0, 1].

    Raises:
        ValueError: no images, a dict without `image`, or images or means outside [0, 1].

    Example:
        >>> class Half:
        ...     encode = decode = staticmethod(lambda x: 0 * x + 0.5)
        >>> round(reconstruction_nats(Half(), [np.zeros([3, 2, 2], np.float32)]).mean_nats, 4)
        2.7726
    """
    decoded = tf.function(
        lambda x: model.decode(model.encode(x)), reduce_retracing=True, autograph=False
    )
    values = []
    for batch in batches:
        x = tf.convert_to_tensor(image_of(batch))
        x, mean = (np.asarray(array, np.float64) for array in (x, decoded(x)))
        if x.shape != mean.shape:
            raise ValueError(
                "Images and decoded means must have the same shape. Give images of the shape that the model "
                f"was made for. Received: images.shape={x.shape}, means.shape={mean.shape}"
            )
        for name, array in (("images", x), ("decoded means", mean)):
            if array.size and not (array.min() >= 0 and array.max() <= 1):
                raise ValueError(
                    "The cross-entropy is of intensities in [0, 1]. Rescale the images, or use a "
                    f"likelihood of such pixels. Received: {name} from {array.min()} to {array.max()}"
                )
        mean = np.clip(mean, EPSILON, 1 - EPSILON)
        losses = -(x * np.log(mean) + (1 - x) * np.log1p(-mean))
        values.append(losses.sum(axis=tuple(range(1, losses.ndim))))
    everything = np.concatenate(values) if values else np.zeros([0])
    if not len(everything):
        raise ValueError("There must be at least one image. Received: no batches with images")
    return Reconstruction(*mean_and_error(everything), len(everything))
