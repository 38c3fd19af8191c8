"""Trains an autoregressive prior on the codes of a run.

The folder of the prior is a run of its own: the same command continues it after a kill, and scores it again
when it is finished.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import codes as codes_lib
from tf_discrete import datasets, plots
from tf_discrete._internal import writing
from tf_discrete._internal.counted import counted
from tf_discrete._internal.writing import write_json
from tf_discrete.codes.digest import model_digest
from tf_discrete.models import AutoregressivePrior

from ..common import (
    callbacks,
    compiling,
    finished_run,
    identity,
    interruption,
    narration,
    results,
    standard_errors,
    weight_average,
)
from ..common import run as run_lib
from ..common.progress import Progress
from ..common.run_checkpoints import Checkpoints
from ..common.run_directory import RunDirectory
from ..common.tensorboard import ScalarLog
from ..flags.autoregressive_prior import Config
from ..flags.config import check
from ..workers import batches as worker_batches
from ..workers import shared_run
from ..workers.shared_run import SharedRun

MAY_DIFFER = (
    *("output_dir", "data_dir", "import_module", "epochs", "early_stopping"),
    *("temperature", "top_p", "compress"),
    *("run", "dataset", "accept_changed_data", "trust_run"),
)
"""Fields in which the command that continues a run may differ from the one that began it.

The run and its data may have moved; digests tell whether they are the same.
"""

MONITORED = "validation/log_prob_nats"


def run(config: Config) -> dict[str, Any]:
    """Trains the prior, or continues; returns what metrics.json holds.

    In addition to the history and checkpoints it writes prior.keras, metrics.json and samples.png.

    Raises:
        FileNotFoundError: no such run, or no model in it.
        TrainingDiverged: a loss that is not finite. The last good checkpoint is kept.
        ValueError: a run or flags that cannot work, data that have changed, or a folder that holds something
            else, such as a prior of another model.
    """
    check(config)
    with shared_run.joined("autoregressive_prior", config) as shared:
        return _run(config, shared)


def _run(config: Config, shared: SharedRun) -> dict[str, Any]:
    """`run` on this worker; only the chief finishes and has results."""
    strategy = compiling.make_strategy(config)  # Before anything makes a variable.
    finished = finished_run.load(
        config.run,
        dataset=config.dataset,
        data_dir=config.data_dir,
        accept_changed_data=config.accept_changed_data,
        import_module=config.import_module,
        trust_run=config.trust_run,
    )
    keras.utils.set_random_seed(config.seed)
    with strategy.scope():
        prior = _prior(finished.model, config)
    splits = {name: finished.split(name) for name in ("train", "validation", "test")}
    _check_batch_size(config, len(splits["train"]), strategy.num_replicas_in_sync)
    _check_validation_images(len(splits["validation"]), strategy.num_replicas_in_sync)
    data, digest = identity.of_splits(splits), model_digest(finished.model)
    shared.agree_on_data({**data, "model": digest})
    directory = shared.directory(
        config.output_dir or str(finished.directory.path / "autoregressive_prior")
    )
    with directory.lock():
        config = identity.claim(directory, "autoregressive_prior", config, MAY_DIFFER, data, digest)
        shared.share(directory)
        narration.say("Data", narration.data_words(finished.config.dataset, splits))
        narration.say("Model", narration.model_words(finished.model))
        codes = {name: encode(finished.model, split) for name, split in splits.items()}
        epochs = fit(prior, codes, config, directory, shared)
        if not shared.is_chief:
            shared.wait_for_the_chief()
            return {}
        if config.distribute != "none":  # The rest needs no other device.
            prior = _prior(finished.model, config)
        _checkpoints(prior, codes, config, directory).restore_best()
        result = {**_finished(finished.model, prior, codes, config, directory), "epochs": epochs}
        write_json(directory.result_path, result)
    results.print_table(f"{directory.path}: codes of {config.run}", result)
    print(f"\nEverything is in {directory.path}. Curves:")
    print(f"  {results.tensorboard_command(directory.path)}")
    return result


def _prior(model: Any, config: Config) -> AutoregressivePrior:
    """Returns the compiled prior of a configuration, for the strategy in whose scope this is called."""
    prior = AutoregressivePrior.for_model(
        model,
        chunk_size=config.chunk_size or None,
        units=config.units,
        embedding_units=config.embedding_units,
    )
    average = compiling.average_of(config.weight_average)
    prior.compile(optimizer=keras.optimizers.Adam(config.learning_rate, **average))
    prior.optimizer.build(prior.trainable_variables)  # Or the step would be traced twice.
    return prior


def _finished(
    model: Any,
    prior: AutoregressivePrior,
    codes: dict[str, np.ndarray],
    config: Config,
    directory: RunDirectory,
) -> dict[str, Any]:
    """Scores, compresses, saves and samples by the average of the weights, if there is one."""
    if not config.weight_average:
        return _results(model, prior, codes, config, directory)
    with narration.phase("Bits of the test codes, by the weights as trained"):
        plain = per_item(prior, "plain_test", codes["test"])
    with weight_average.WeightAverage(prior).used():
        return {**_results(model, prior, codes, config, directory), **plain}


def _results(
    model: Any,
    prior: AutoregressivePrior,
    codes: dict[str, np.ndarray],
    config: Config,
    directory: RunDirectory,
) -> dict[str, Any]:
    """Scores, compresses, saves and samples; returns the numbers."""
    with narration.phase("Bits of the codes of every split"):
        result = score(prior, codes)
    if config.compress:
        with narration.phase(f"Compression of {counted(len(codes['test']), 'test code')}"):
            report = codes_lib.compress(
                codes["test"], prior, directory.path / "codes.bin", overwrite=True
            )
        result.update({f"compressed/{name}": size for name, size in report._asdict().items()})
    with narration.phase("Prior and samples"):
        with writing.replaced_file(directory.path / "prior.keras") as new:
            prior.save(new)
        plots.save(samples(model, prior, config), directory.path / "samples.png")
    return result


def _check_batch_size(config: Config, rows: int, replicas: int) -> None:
    if config.batch_size > rows:
        raise ValueError(
            "A batch must fit into the training codes. Choose a smaller --batch_size. Received: "
            f"batch_size={config.batch_size}, {rows} training images"
        )
    if config.batch_size % replicas:
        raise ValueError(
            f"Every replica must be given as many codes of a batch. Choose a --batch_size that is a multiple "
            f"of {replicas}. Received: batch_size={config.batch_size}"
        )


def _check_validation_images(rows: int, replicas: int) -> None:
    if not rows:
        raise ValueError(
            "The best epoch is chosen by validation images. Use data with a validation split. "
            "Received: 0 validation images"
        )
    if rows < replicas:
        raise ValueError(
            "Every replica must be given a validation image. Use more validation images or fewer devices. "
            f"Received: {counted(rows, 'validation image')}, {replicas} replicas"
        )


def encode(model: Any, split: datasets.Split) -> np.ndarray:
    """Returns the codes of the images of a split, int [n, N], of trees the digits."""
    with narration.phase(f"Codes of {counted(len(split), f'{split.split} image')}"):
        return codes_lib.encode_digits(model, split.batches(500))[0]


def fit(
    prior: AutoregressivePrior,
    codes: dict[str, np.ndarray],
    config: Config,
    directory: RunDirectory,
    shared: SharedRun,
) -> int:
    """Trains on the training codes from the last checkpoint on; returns the number of epochs."""
    checkpoints = _checkpoints(prior, codes, config, directory)
    if checkpoints.resume():
        print(f"Continuing {directory.path} after epoch {checkpoints.epoch}")
    shared.agree_on_epoch(checkpoints.epoch)
    shared.say(lambda: run_lib.standing(checkpoints, config.epochs))
    if checkpoints.epoch >= config.epochs or checkpoints.patience_is_over():
        return checkpoints.epoch
    strategy, steps = prior.distribute_strategy, checkpoints.steps_per_epoch
    training = batches(codes["train"], config, checkpoints.epoch)
    rows = len(codes["validation"])
    size = worker_batches.rows_for_all(rows, min(1000, rows), strategy.num_replicas_in_sync)
    validation = tf.data.Dataset.from_tensor_slices(codes["validation"]).batch(size)
    average = weight_average.WeightAverage(prior) if config.weight_average else None
    own = [
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: logs.update(val_log_prob_nats=-logs["val_loss"])
        ),
        Progress(config.epochs, steps, {"loss": "nats", "val_loss": "val"}),
        ScalarLog(directory.tensorboard, MONITORED),
    ]
    with interruption.saying(lambda: run_lib.standing(checkpoints, config.epochs)):
        prior.fit(
            compiling.shared_batches(strategy, training),
            validation_data=compiling.shared_batches(strategy, validation),
            epochs=config.epochs,
            initial_epoch=checkpoints.epoch,
            steps_per_epoch=steps,
            callbacks=[
                *([weight_average.UseAverage(average)] if average else []),
                callbacks.StopWhenInterrupted(),
                callbacks.StopAtNaN(),
                *shared.callbacks(
                    own,
                    [*([weight_average.UseWeights(average)] if average else []), checkpoints],
                ),
            ],
            shuffle=False,
            verbose=0,
        )
    return checkpoints.epoch


def _checkpoints(
    prior: AutoregressivePrior,
    codes: dict[str, np.ndarray],
    config: Config,
    directory: RunDirectory,
) -> Checkpoints:
    steps = len(codes["train"]) // config.batch_size
    return Checkpoints(prior, directory, config.early_stopping, steps, monitored=MONITORED)


def batches(codes: np.ndarray, config: Config, start_epoch: int) -> tf.data.Dataset:
    """Endless batches of codes, integers [batch_size, N]; an epoch is ordered by the seed and its number."""
    count = len(codes) // config.batch_size * config.batch_size
    everything = tf.constant(codes)

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(codes)), seed=tf.stack([tf.cast(config.seed, tf.int64), number])
        )
        return tf.data.Dataset.from_tensor_slices(order[:count]).batch(config.batch_size)

    epochs = tf.data.Dataset.counter(start_epoch)
    return epochs.flat_map(epoch).map(lambda rows: tf.gather(everything, rows))


def score(prior: AutoregressivePrior, codes: dict[str, np.ndarray]) -> dict[str, Any]:
    """Returns the nats and bits of a code on every split, and the bits of simpler distributions on test.

    Means of two codes or more have standard errors.
    """
    result: dict[str, Any] = {}
    for name, some in codes.items():
        result |= per_item(prior, name, some)
    categories = prior.num_categories
    result["test/bits_per_item_uniform"] = prior.num_variables * math.log2(categories)
    counts = (codes["train"][:, :, np.newaxis] == np.arange(categories)).sum(0) + 1.0
    bits = -np.log2(counts / counts.sum(1, keepdims=True))
    variables = np.arange(prior.num_variables)
    independent = bits[variables, codes["test"]].sum(1)
    result |= standard_errors.with_error("test/bits_per_item_independent", independent)
    return result


def per_item(prior: AutoregressivePrior, name: str, codes: np.ndarray) -> dict[str, float]:
    """Returns the nats and bits of a code, the mean over codes [n, N] with its standard error."""
    result: dict[str, float] = {}
    batches = np.array_split(codes, range(1000, len(codes), 1000))
    nats = -np.concatenate([prior.log_prob(batch).numpy() for batch in batches])
    for unit, size in (("nats", 1.0), ("bits", math.log(2))):
        result |= standard_errors.with_error(f"{name}/{unit}_per_item", nats / size)
    return result


def samples(model: Any, prior: AutoregressivePrior, config: Config) -> Any:
    """Codes drawn from the prior, decoded by the frozen model."""
    drawn = prior.sample(100, config.seed, config.temperature, config.top_p)
    images = np.clip(np.asarray(model.decode(model.latent_spec.join_digits(drawn))), 0.0, 1.0)
    return plots.image_grid(images, title="Samples of the autoregressive prior")
