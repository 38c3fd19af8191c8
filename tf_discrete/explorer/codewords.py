"""The codes of a quantiser as layers that a page computes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tf_discrete.explorer import packed
from tf_discrete.layers.quantizers import Quantizer
from tf_discrete.types import JsonObject

MOST_ROWS = 8192
"""Most codes of a position, summed over its variables, of which a page holds the vectors."""


def of_quantizer(
    quantizer: Quantizer, latent_shape: Sequence[int], precision: str
) -> list[JsonObject]:
    """Returns the layers from one-hot codes [N, K] of all positions to the vectors [*latent_shape].

    The vector of a position is a sum of one row for each of its codes: a codeword, a part of one, or signs.

    Args:
        quantizer: A built quantiser.
        latent_shape: Axes of positions, and the size of a vector.
        precision: Of the rows, see `packed.pack_weights`.

    Raises:
        ValueError: More rows than a page holds, or vectors that are no sums of rows.

    Example:
        >>> from tf_discrete.layers.quantizers import FiniteScalarQuantizer
        >>> layer = FiniteScalarQuantizer(levels=(3, 2))
        >>> layer.build((None, 4, 2))
        >>> [found["kind"] for found in of_quantizer(layer, (4, 2), "int16")]
        ['reshape', 'dense', 'reshape']
    """
    check_quantizer(quantizer)
    count, categories = quantizer.num_variables, quantizer.num_categories
    codes = np.zeros([1 + count * categories, count], np.int32)
    for variable in range(count):
        first = 1 + variable * categories
        codes[first : first + categories, variable] = np.arange(categories)
    vectors = np.asarray(quantizer.decode(codes), np.float64)
    rows = vectors[1:] - vectors[0]
    some = np.random.default_rng(0).integers(0, categories, [16, count])
    sums = vectors[0] + rows.reshape([count, categories, -1])[np.arange(count), some].sum(axis=1)
    if not np.allclose(sums, quantizer.decode(some.astype(np.int32)), atol=1e-4):
        raise ValueError(
            "The vectors of a page must be sums of one row for each code. Export the model with "
            f"trainers.export instead. Received: quantizer={type(quantizer).__name__}"
        )
    positions = math.prod(latent_shape[:-1])
    return [
        {"kind": "reshape", "shape": [positions, count * categories]},
        {
            "kind": "dense",
            "kernel": packed.pack_weights(rows.astype(np.float32), precision),
            "bias": packed.pack(vectors[0].astype(np.float32)),
        },
        {"kind": "reshape", "shape": list(latent_shape)},
    ]


def check_quantizer(quantizer: Quantizer) -> None:
    """Refuses a quantiser whose rows a page does not hold.

    Raises:
        ValueError: Names the number of rows.
    """
    rows = quantizer.num_variables * quantizer.num_categories
    if rows > MOST_ROWS:
        raise ValueError(
            f"A page holds at most {MOST_ROWS} vectors of codes. Take several codes of fewer categories, or "
            "export the model with trainers.export instead. Received: "
            f"num_variables={quantizer.num_variables}, num_categories={quantizer.num_categories}"
        )
