"""How a run's training step is compiled: devices, XLA, steps per execution, the optimizer."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tf_discrete import datasets
from tf_discrete.models import DiscreteModel, networks
from tf_discrete.optimizers import FusedAdam, LazyAdam, RectifiedAdam

from ..flags.run import DistributeFlags, RunConfig, TrainingFlags
from ..workers import batches as worker_batches

KINDS = {"mirrored": "Mirrored", "multi_worker": "Multi-worker"}
"""How messages name the values of `--distribute`."""

MAX_STEPS_PER_EXECUTION = 20
"""Where the user leaves it open."""


def make_strategy(config: DistributeFlags) -> tf.distribute.Strategy:
    """The strategy of `--distribute`; that of several workers must be made before anything is computed."""
    if config.distribute == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if config.distribute == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def check_strategy(config: RunConfig) -> None:
    """Refuses flags that `--distribute` cannot honour.

    Raises:
        ValueError: Several steps per execution, XLA or the compiled loop on several devices.
    """
    if config.distribute == "none":
        return
    for flag, value, allowed in (
        ("steps_per_execution", config.steps_per_execution, (0, 1)),
        ("jit_compile", config.jit_compile, ("auto", "off")),
        ("loop", config.loop, ("auto", "fit")),
    ):
        if value not in allowed:
            raise ValueError(
                f"{KINDS[config.distribute]} training takes one step per execution and no XLA, batch by "
                f"batch. Leave --{flag} out. Received: distribute={config.distribute!r}, {flag}={value!r}"
            )


def refuse_workers(config: TrainingFlags, what: str) -> None:
    """Refuses several runs in one process on several workers.

    Raises:
        ValueError: `--distribute=multi_worker`.
    """
    if config.distribute == "multi_worker":
        raise ValueError(
            f"{what} trains several runs in one process; workers take part in one. Train the runs one by "
            "one, or leave --distribute out. Received: distribute='multi_worker'"
        )


def compile_model(
    model: DiscreteModel, config: TrainingFlags, steps_per_epoch: int, weight_average: float = 0.0
) -> None:
    """Compiles a model as the configuration says, for one step per execution, and builds its optimizer.

    Args:
        model: The model.
        config: Its flags.
        steps_per_epoch: Over which the learning rate decays, times the epochs.
        weight_average: Decay of the average of the weights that the optimizer keeps. Default: 0, none.

    Raises:
        ValueError: An optimizer that the tables of a model cannot have.
    """
    rate: Any = config.learning_rate
    if config.learning_rate_schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps_per_epoch * config.epochs)
    make = _optimizer(model, config)
    optimizer = make(rate, weight_decay=config.weight_decay or None, **average_of(weight_average))
    if config.weight_decay:
        optimizer.exclude_from_weight_decay(
            [v for v in model.trainable_variables if v.name != "kernel"]
        )
    model.compile(optimizer=optimizer, jit_compile=use_xla(config))
    model.optimizer.build(model.trainable_variables)


def average_of(decay: float) -> dict[str, Any]:
    """Returns the arguments by which an optimizer keeps an average of the weights; none for a decay of 0."""
    return {"use_ema": True, "ema_momentum": decay} if decay else {}


def _optimizer(model: DiscreteModel, config: TrainingFlags) -> type[keras.optimizers.Optimizer]:
    if not networks.has_table(model):
        return RectifiedAdam if config.optimizer == "rectified_adam" else FusedAdam
    if config.optimizer != "adam":
        raise ValueError(
            "A model with a table of a row for each category is trained by an Adam that updates the rows of "
            f"a batch alone. Leave --optimizer out. Received: optimizer={config.optimizer!r}"
        )
    return LazyAdam


def check_objective(model: DiscreteModel, image_shape: tuple[int, ...]) -> None:
    """Traces the objective, so that what cannot work is refused before anything is written."""

    def loss(x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return model.objective(x, seed, training=False).loss

    tf.function(loss, autograph=False).get_concrete_function(
        tf.TensorSpec([None, *image_shape]), tf.TensorSpec([2], tf.int32)
    )


def use_xla(config: TrainingFlags) -> bool:
    """Whether the step is compiled with XLA; 'auto' means with exactly one GPU."""
    if config.jit_compile == "auto":
        single = len(tf.config.list_physical_devices("GPU")) == 1
        return single and config.distribute == "none"
    return config.jit_compile == "on"


def training_data(
    config: RunConfig,
    batches: tf.data.Dataset | datasets.IndexedBatches,
    strategy: tf.distribute.Strategy,
) -> tf.data.Dataset | datasets.IndexedBatches | tf.distribute.DistributedDataset:
    """Returns what `fit` trains on: indexed batches for the compiled loop, else the batches one by one."""
    if config.distribute == "multi_worker":
        return shared_batches(strategy, batches)
    if not isinstance(batches, datasets.IndexedBatches):
        if config.loop == "compiled":
            print("loop=fit: the task gives its batches one by one")
        return batches
    if config.loop == "fit" or config.distribute != "none":
        return batches.stream()
    if not batches.in_memory:
        print("loop=fit: the data are too large to stay in memory")
        return batches.stream()
    return batches


def shared_batches(
    strategy: tf.distribute.Strategy, batches: tf.data.Dataset | datasets.IndexedBatches
) -> tf.distribute.DistributedDataset:
    """Returns training batches of which every replica of the workers reads its share.

    Raises:
        ValueError: Batches that cannot be divided into equal shares.
    """
    if isinstance(batches, datasets.IndexedBatches):
        return worker_batches.distributed(strategy, batches.stream)
    return worker_batches.distributed(
        strategy, lambda share: worker_batches.share_of(batches, share)
    )


def validation_data(
    config: TrainingFlags, split: datasets.Split, strategy: tf.distribute.Strategy
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Returns the validation batches, or those of which every replica of the workers reads its share."""
    size = min(config.batch_size, len(split))
    if config.distribute != "multi_worker":
        return split.batches(size)
    size = worker_batches.rows_for_all(len(split), size, strategy.num_replicas_in_sync)
    return worker_batches.distributed(strategy, lambda share: split.batches(size, share=share))


def choose_steps_per_execution(
    config: TrainingFlags, steps_per_epoch: int, in_loop: bool = False
) -> int:
    """The largest divisor of an epoch's steps up to what was asked for; any number in the compiled loop.

    Keras would run the last execution of an epoch in full, into the data of the next epoch.
    """
    if config.distribute != "none":
        return 1
    most = min(config.steps_per_execution or MAX_STEPS_PER_EXECUTION, steps_per_epoch)
    if in_loop:
        return most
    chosen = max(k for k in range(1, most + 1) if steps_per_epoch % k == 0)
    if config.steps_per_execution not in (0, chosen):
        print(
            f"steps_per_execution={chosen}: it must divide the {steps_per_epoch} steps of an epoch"
        )
    return chosen
