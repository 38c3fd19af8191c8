"""Our contenders: `CategoricalVAE` or `SemiSupervisedVAE` in `fit`, as the trainers call it."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.speed.interleaved import Turn
from benchmarks.speed.setting import ALPHA, PEAK_SIZE, Setting, labels, peak

TITLES = {
    "ours": "fit",
    "ours_loop": "fit in the compiled loop",
    "ours_loop_xla": "fit in the compiled loop, by XLA",
}
STEPS_PER_EXECUTION = 20


def make(images: np.ndarray, setting: Setting, name: str) -> tuple[Turn, dict[str, float]]:
    """Returns a generator that trains `setting.steps` steps for each turn, and the peak of TensorFlow."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(setting.threads)
    tf.config.threading.set_inter_op_parallelism_threads(setting.threads)
    square = tf.ones([PEAK_SIZE, PEAK_SIZE], setting.dtype)
    facts = {"peak": peak(lambda: tf.matmul(square, square).numpy())}
    model, batches = model_and_batches(images, setting, name)
    return fit_in_turns(
        model, batches if "loop" in name else batches.stream(), setting.steps
    ), facts


def model_and_batches(images: np.ndarray, setting: Setting, name: str) -> tuple[Any, Any]:
    """The compiled model of a contender, and the batches of a turn in memory."""
    import keras

    from tf_discrete.datasets import labels as few_labels
    from tf_discrete.datasets.split import Split
    from tf_discrete.models import CategoricalVAE, SemiSupervisedVAE
    from tf_discrete.optimizers import FusedAdam

    keras.utils.set_random_seed(0)
    sizes = setting.sizes
    dtype = "mixed_bfloat16" if setting.dtype == "bfloat16" else "float32"
    if sizes.style:
        model = SemiSupervisedVAE(
            (28, 28, 1),
            num_classes=sizes.categories,
            style_size=sizes.style,
            hidden_units=sizes.hidden,
            estimator="gumbel_softmax",
            alpha=ALPHA,
            dtype=dtype,
        )
    else:
        model = CategoricalVAE(
            (28, 28, 1),
            sizes.variables,
            sizes.categories,
            latents=sizes.latents,
            hidden_units=sizes.hidden,
            estimator="gumbel_softmax",
            dtype=dtype,
        )
    model.compile(
        FusedAdam(1e-3),
        steps_per_execution=STEPS_PER_EXECUTION,
        jit_compile=name == "ours_loop_xla",
    )
    model.optimizer.build(model.trainable_variables)
    rows = np.arange(setting.steps * setting.batch) % len(images)
    pixels = images[rows].reshape(-1, 28, 28, 1) * 255
    split = Split("digits", "train", pixels, None, None)
    if not sizes.style:
        return model, split.indexed_batches(setting.batch, seed=0)
    classes = labels(setting.batch)
    labelled = Split("digits", "train", pixels[: setting.batch], classes, sizes.categories)
    return model, few_labels.indexed_batches(labelled, split, setting.batch, setting.batch, seed=0)


def fit_in_turns(model: Any, batches: Any, steps: int) -> Turn:
    """One `fit` whose epochs are the turns; it runs in a thread that waits at the end of each."""
    import queue
    import threading

    import keras

    asked: queue.SimpleQueue = queue.SimpleQueue()
    losses: queue.SimpleQueue = queue.SimpleQueue()

    class Wait(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            asked.get()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            losses.put(logs["loss"])

    arguments = {"epochs": 10**6, "steps_per_epoch": steps, "verbose": 0, "callbacks": [Wait()]}
    threading.Thread(target=model.fit, args=(batches,), kwargs=arguments, daemon=True).start()
    while True:
        asked.put(None)
        yield losses.get()
