"""The signatures of autoencoders with discrete latents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from tf_discrete._internal import input_checks
from tf_discrete.export.signature import (
    MAX_COUNT,
    SEED,
    Signature,
    batch_of,
    count,
    limits_of,
    with_limits,
)
from tf_discrete.types import Seed, Tensor

if TYPE_CHECKING:
    from tf_discrete.models.autoencoder import DiscreteAutoencoder

_Outputs = dict[str, tf.Tensor]


def autoencoder_signatures(model: DiscreteAutoencoder) -> dict[str, Signature]:
    """Returns the signatures of a model with `encode`, `decode`, `sample_codes` and `log_weights`.

    - encode: image [B, *data_shape] -> codes, int32 [B, N], int64 of trees
    - encode_probs: image -> probs, [B, N, K], or [B, N] for Bernoulli latents
    - decode: codes -> image, the mean of p(x | z)
    - reconstruct: image -> image
    - sample: num, seed -> image, codes: draws from the prior
    - log_likelihood: image, num_samples, seed -> log_likelihood [B], the importance-weighted bound
      of log p(x) in nats

    Inputs of another shape or outside their limits are refused; `num` may be at most what the model's
    `max_decoder_rows` says, `num_samples` at most 10 000.

    Args:
        model: with `data_shape`, `likelihood`, `num_variables`, `num_categories` and `max_decoder_rows` next
            to these methods.

    Example:
        >>> from tf_discrete.models import CategoricalVAE
        >>> model = CategoricalVAE((8, 8, 1), num_variables=4, num_categories=3, hidden_units=(16,))
        >>> autoencoder_signatures(model)["sample"].fn(5, tf.constant([1, 2]))["codes"].shape
        TensorShape([5, 4])
    """
    rows = model.max_decoder_rows()
    limits = {
        **limits_of(model.likelihood.support, "image"),
        "codes": (0, model.num_categories - 1),
        "num": (0, rows),
        "num_samples": (1, MAX_COUNT),
    }
    image = batch_of("image", model.data_shape)
    codes = batch_of("codes", [model.num_variables], model.latent_spec.code_dtype)

    def encode(image: Tensor) -> _Outputs:
        return {"codes": model.encode(image)}

    def encode_probs(image: Tensor) -> _Outputs:
        return {"probs": model.encode_probs(image)}

    def decode(codes: Tensor) -> _Outputs:
        return {"image": model.decode(codes)}

    def reconstruct(image: Tensor) -> _Outputs:
        return {"image": model.reconstruct(image)}

    def sample(num: Tensor, seed: Seed) -> _Outputs:
        drawn = model.sample_codes(input_checks.count(num, "num", 0, rows), seed)
        return {"image": model.decode(drawn), "codes": drawn}

    def log_likelihood(image: Tensor, num_samples: Tensor, seed: Seed) -> _Outputs:
        samples = input_checks.count(num_samples, "num_samples", 1, MAX_COUNT)
        return {"log_likelihood": model.log_likelihood(image, samples, seed)}

    return with_limits(
        {
            "encode": Signature(encode, (image,), deterministic=True),
            "encode_probs": Signature(encode_probs, (image,), deterministic=True),
            "decode": Signature(decode, (codes,), deterministic=True),
            "reconstruct": Signature(reconstruct, (image,), deterministic=True),
            "sample": Signature(sample, (count("num"), SEED), deterministic=False),
            "log_likelihood": Signature(
                log_likelihood, (image, count("num_samples"), SEED), deterministic=False
            ),
        },
        limits,
    )
