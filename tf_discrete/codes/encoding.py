"""The codes that a model gives to a data set."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete._internal.batch_image import image_of
from tf_discrete.codes.packing import check_codes
from tf_discrete.types import Batch, HasCodes

_MODEL = ("encode", "num_variables", "num_categories")


def encode_batches(model: HasCodes, batches: Iterable[Batch]) -> np.ndarray:
    """Encodes batch by batch, compiled.

    Args:
        model: with `encode`, `num_variables` and `num_categories`, as `CategoricalVAE` has them.
        batches: Batches of images float [B, *data_shape], or of dicts with "image", as a `tf.data.Dataset` of
            `tf_discrete.datasets` gives them.

    Returns:
        codes: int32 [M, N] (int64 for more than 2**31 categories), in the order of the data.

    Raises:
        ValueError: no batch at all, or a dict without "image".

    Example:
        >>> from tf_discrete.models import CategoricalVAE
        >>> model = CategoricalVAE((8, 8, 1), num_variables=4, num_categories=3, hidden_units=(16,))
        >>> encode_batches(model, [tf.ones([5, 8, 8, 1]), tf.ones([2, 8, 8, 1])]).shape
        (7, 4)
    """
    checks.having("model", model, _MODEL, "a model with discrete codes")
    encode = tf.function(model.encode, reduce_retracing=True, autograph=False)
    parts = [encode(tf.convert_to_tensor(image_of(batch))).numpy() for batch in batches]
    if not parts:
        raise ValueError("There must be at least one batch to encode. Received: no batches")
    return check_codes(np.concatenate(parts), model.num_categories, model.num_variables)


def encode_digits(model: HasCodes, batches: Iterable[Batch]) -> tuple[np.ndarray, int]:
    """As `encode_batches`, as digits and their number of categories: what search and compression read.

    The digits of all latents but trees are the codes.

    Args:
        model: As `encode_batches` takes it.
        batches: As `encode_batches` takes them.

    Returns:
        digits: int32 [M, N], of trees [M, N * D].
        num_categories: K, of trees r.

    Raises:
        ValueError: no batch at all, or a dict without "image".

    Example:
        >>> from tf_discrete.models import CategoricalVAE
        >>> model = CategoricalVAE((8, 8, 1), 1, 64, latents="tree:8,8", hidden_units=(16,))
        >>> digits, num_categories = encode_digits(model, [tf.ones([5, 8, 8, 1])])
        >>> digits.shape, num_categories
        ((5, 2), 8)
    """
    codes = encode_batches(model, batches)
    spec = getattr(model, "latent_spec", None)
    if spec is None:
        return codes, model.num_categories
    num_variables, num_categories = spec.digit_sizes
    return check_codes(
        np.asarray(spec.digits(codes)), num_categories, num_variables
    ), num_categories
