"""The signatures of autoencoders with discrete latents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_discrete._internal import integer_checks
from tf_discrete.export.signature import (
    MAX_COUNT,
    SEED,
    Outputs,
    Signature,
    batch_of,
    count,
    limits_of,
    with_limits,
)
from tf_discrete.types import Seed, Tensor

if TYPE_CHECKING:
    from tf_discrete.models.autoencoder import DiscreteAutoencoder


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
        >>> import tensorflow as tf
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

    def sample(num: Tensor, seed: Seed) -> Outputs:
        drawn = model.sample_codes(integer_checks.count(num, "num", 0, rows), seed)
        return {"image": model.decode(drawn), "codes": drawn}

    def log_likelihood(image: Tensor, num_samples: Tensor, seed: Seed) -> Outputs:
        samples = integer_checks.count(num_samples, "num_samples", 1, MAX_COUNT)
        return {"log_likelihood": model.log_likelihood(image, samples, seed)}

    signatures = {
        "encode": Signature(lambda image: {"codes": model.encode(image)}, (image,)),
        "encode_probs": Signature(lambda image: {"probs": model.encode_probs(image)}, (image,)),
        "decode": Signature(lambda codes: {"image": model.decode(codes)}, (codes,)),
        "reconstruct": Signature(lambda image: {"image": model.reconstruct(image)}, (image,)),
        "sample": Signature(sample, (count("num"), SEED)),
        "log_likelihood": Signature(log_likelihood, (image, count("num_samples"), SEED)),
    }
    return with_limits(signatures, limits)
