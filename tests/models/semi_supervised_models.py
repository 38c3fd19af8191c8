"""Semi-supervised VAEs with few weights, generic ones, and their bounds written by hand."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete.models import SemiSupervisedVAE

SEED = seeds.base(11)
LABELS = tf.constant([2, -1, 0, -1, -1, 1])
X = tf.constant(np.random.RandomState(5).uniform(size=[6, 4]) < 0.4, tf.float32)
KNOWN = LABELS.numpy() >= 0
MIXED = {"image": X, "label": LABELS}


def make(spread: float = 0.7, **changes: Any) -> SemiSupervisedVAE:
    """A model of three classes with weights far from their start."""
    arguments: dict[str, Any] = {
        "data_shape": (4,),
        "num_classes": 3,
        "style_size": 2,
        "hidden_units": (5,),
    }
    model = SemiSupervisedVAE(**{**arguments, **changes})
    random = np.random.RandomState(3)
    for variable in model.trainable_variables:
        variable.assign(random.normal(scale=spread, size=variable.shape))
    return model


def bounds(model: SemiSupervisedVAE, x: tf.Tensor, seed: Any = SEED) -> dict[str, np.ndarray]:
    """L(x, y) for all classes, [B, K], U(x), q(y | x) and log p(y), one class after the other."""
    logits = model.classifier(x).numpy()
    log_q = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    log_prior = tf.nn.log_softmax(model.prior.logits)[0].numpy()
    noise = tf.random.stateless_normal([len(x), model.style_size], seeds.fold(seed, "style"))
    columns = []
    for k in range(model.num_classes):
        y = tf.one_hot([k] * len(x), model.num_classes)
        outputs = model.style_encoder(x, y).numpy()
        mean, log_scale = np.split(outputs.reshape(len(x), -1), 2, axis=-1)
        z = mean + np.exp(log_scale) * noise.numpy()
        decoded = model.decoder(tf.concat([y, tf.constant(z)], -1)).numpy()
        log_p = (x.numpy() * decoded - np.logaddexp(0, decoded)).sum(-1)
        kl = 0.5 * (mean**2 + np.exp(2 * log_scale) - 1 - 2 * log_scale).sum(-1)
        columns.append(log_p - kl + log_prior[k])
    labelled = np.stack(columns, axis=1)
    q = np.exp(log_q)
    return {"labelled": labelled, "unlabelled": (q * (labelled - log_q)).sum(-1), "log_q": log_q}


def terms(model: SemiSupervisedVAE, data: Any, training: bool = True, seed: Any = SEED) -> Any:
    """The objective of a batch in any form."""
    return model.objective(model.unpack_batch(data), seed, training)


def with_batch_norm(**changes: Any) -> SemiSupervisedVAE:
    """Own networks that have batch norm where a row is an image with a class."""
    image, y = keras.Input([4]), keras.Input([3])
    h = keras.layers.Dense(5)(keras.layers.concatenate([image, y]))
    h = keras.layers.BatchNormalization(momentum=0.5)(h)
    head = keras.Model([image, y], keras.layers.Dense(4)(h))
    latents = keras.Input([5])
    h = keras.layers.BatchNormalization(momentum=0.5)(keras.layers.Dense(5)(latents))
    decoder = keras.Model(latents, keras.layers.Dense(4)(h))
    return make(style_encoder=head, decoder=decoder, **changes)
