"""KerasHub's vector quantiser on given vectors; imports nothing of this package: see `collapse`.

    python keras_hub_layer.py VECTORS.npz

prints the share of codes in use and the mean squared error for each seed, as JSON. The file holds "vectors"
[S, R, D], "orders" [S, steps, B], the rows of each batch, and "codes".
"""

from __future__ import annotations

import importlib
import json
import sys

import numpy as np


def measure(vectors: np.ndarray, order: np.ndarray, codes: int) -> dict[str, float]:
    """Trains the layer on vectors [R, D] in batches of rows [steps, B]; returns use and error."""
    import tensorflow as tf

    rqvae = importlib.import_module("keras_hub.src.models.rqvae.rqvae_layers")
    layer = rqvae.VectorQuantizerEMA(codes, vectors.shape[-1])
    layer.build(vectors.shape)
    step = tf.function(lambda batch: layer(batch, training=True)[0], autograph=False)
    for rows in order:
        step(tf.constant(vectors[rows]))
    found, one_hot, _, _ = layer(tf.constant(vectors))
    used = np.count_nonzero(np.asarray(one_hot).sum(axis=0))
    return {"use": used / codes, "error": float(np.mean(np.square(found - vectors)))}


def main(path: str) -> None:
    """Measures every seed of a file."""
    import keras

    found = []
    with np.load(path) as file:
        for seed, (vectors, order) in enumerate(zip(file["vectors"], file["orders"], strict=True)):
            keras.utils.set_random_seed(seed)
            found.append(measure(vectors, order, int(file["codes"])))
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
