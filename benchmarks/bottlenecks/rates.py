"""Three rates of a code: nominal bits, bits under one autoregressive prior, bytes on disk."""

from __future__ import annotations

import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import codes as codes_lib
from tf_discrete.models import AutoregressivePrior


def fit_prior(
    digits: np.ndarray, num_categories: int, units: int, steps: int, seed: int
) -> AutoregressivePrior:
    """Trains the prior of codes [M, N]; it has 256 symbols for every code of whole bytes, so one size."""
    keras.utils.set_random_seed(seed)
    prior = AutoregressivePrior(digits.shape[1], num_categories, units=units)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    prior.compile(optimizer=keras.optimizers.Adam(rate))
    data = tf.data.Dataset.from_tensor_slices(digits).shuffle(len(digits), seed=seed).repeat()
    batches = data.batch(min(256, len(digits)))
    prior.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)
    return prior


def measure(prior: AutoregressivePrior, digits: np.ndarray) -> dict[str, float | int | None]:
    """Returns the rates of new codes [M, N].

    Returns:
        nominal_bits: N log2 K.
        prior_bits: The mean of -log2 p(code) under the prior.
        bytes_on_disk: Bytes of a code in a file coded with the prior, its header included; None without
            constriction.
        prior_parameters: Of the prior.
    """
    found: dict[str, float | int | None] = {
        "nominal_bits": digits.shape[1] * float(np.log2(prior.num_categories)),
        "prior_bits": prior.bits_per_item(digits),
        "prior_parameters": prior.count_params(),
        "bytes_on_disk": None,
    }
    try:
        with tempfile.TemporaryDirectory() as folder:
            packed = codes_lib.compress(digits, prior, pathlib.Path(folder) / "codes.bin")
        found["bytes_on_disk"] = packed.bytes_on_disk / len(digits)
    except ImportError:
        pass
    return found
