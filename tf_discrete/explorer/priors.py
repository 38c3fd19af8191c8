"""Priors of codes as JSON holds them, for a page to sample from."""

from __future__ import annotations

import numpy as np

from tf_discrete.explorer import packed
from tf_discrete.layers.independent_prior import IndependentPrior
from tf_discrete.models.autoregressive_prior import AutoregressivePrior
from tf_discrete.models.generative_chain import GenerativeChain
from tf_discrete.types import JsonObject, Prior

NUM_SAMPLES = 256
"""Codes of a prior that a page cannot compute."""


def of_prior(prior: Prior, num_variables: int, precision: str) -> JsonObject:
    """Returns a prior as JSON holds it, under "kind": "independent", "lstm" or "samples".

    A prior of another class becomes 256 codes that it has sampled.

    Args:
        prior: Of the codes; an `AutoregressivePrior`, an `IndependentPrior` or another.
        num_variables: How many of the variables the decoder reads, the first ones.
        precision: Of the weights, see `packed.pack_weights`.

    Example:
        >>> of_prior(IndependentPrior(3, 4), 3, "int8")["kind"]
        'independent'
    """
    if isinstance(prior, GenerativeChain) and not prior.maps:
        prior = prior.last
    if isinstance(prior, IndependentPrior):
        return {"kind": "independent", "logits": packed.pack(np.asarray(prior.logits))}
    if isinstance(prior, AutoregressivePrior):
        return _lstm(prior, precision)
    codes = np.asarray(prior.sample(NUM_SAMPLES, 0))[:, :num_variables]
    return {"kind": "samples", "codes": packed.pack(codes.astype(np.uint16))}


def _lstm(prior: AutoregressivePrior, precision: str) -> JsonObject:
    cell = prior.lstm.cell
    weights = {
        "embedding": prior.embedding.embeddings,
        "position": prior.position,
        "kernel": cell.kernel,
        "recurrent": cell.recurrent_kernel,
        "head": prior.head.kernel,
    }
    return {
        "kind": "lstm",
        "num_variables": prior.num_variables,
        "num_categories": prior.num_categories,
        "chunk_size": prior.chunk_size,
        **{
            name: packed.pack_weights(np.asarray(weight), precision)
            for name, weight in weights.items()
        },
        "bias": packed.pack(np.asarray(cell.bias).astype(np.float32)),
        "head_bias": packed.pack(np.asarray(prior.head.bias).astype(np.float32)),
    }
