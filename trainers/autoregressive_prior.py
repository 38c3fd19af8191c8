"""Trains an autoregressive prior on a run's codes: python -m trainers.autoregressive_prior --run=RUN."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras
import numpy as np

from tf_discrete import codes as codes_lib
from tf_discrete import plots
from tf_discrete.export import atomic
from tf_discrete.models import AutoregressivePrior
from trainers import command_line, finished_run, results
from trainers.config import check, option, to_json
from trainers.run_directory import write_json


@dataclasses.dataclass(frozen=True)
class Config:
    """The flags of this trainer; those of the prior are named as its arguments."""

    run: str = option("", "Folder of the run whose model's codes are learned; it stays as it is.")
    output_dir: str = option("", "Folder to write. Default: RUN/autoregressive_prior.")
    overwrite: bool = option(False, "Write over what stands at --output_dir.")
    chunk_size: int = option(
        0, "Variables in a chunk. 0: as many as make at most 256 values.", lower=0
    )
    units: int = option(128, "Of the LSTM.", lower=1)
    embedding_units: int = option(64, "Of a chunk's value.", lower=1)
    epochs: int = option(100, "Most passes over the training codes.", lower=1)
    early_stopping: int = option(
        5, "Stop after so many epochs without fewer nats on validation. 0: never.", lower=0
    )
    batch_size: int = option(100, "Codes in a step.", lower=1)
    learning_rate: float = option(2e-3, "Of Adam, per step.", positive=True)
    seed: int = option(0, "Of the weights, the order and the samples.", lower=0, upper=2**32 - 1)
    temperature: float = option(1.0, "Of the samples in the picture.", positive=True)
    top_p: float = option(1.0, "Of the samples in the picture, in (0, 1].", positive=True, upper=1)
    compress: bool = option(
        False,
        "Also compress the test codes by the prior into codes.bin, and report its size on disk "
        "(pip install 'tf-discrete[compress]').",
    )
    data_dir: str = option("", "Folder of prepared TFDS data. Default: that of the run.")
    import_module: tuple[str, ...] = option(
        (), "Modules to import first, beside those that the run has imported."
    )


def run(config: Config) -> dict[str, Any]:
    """Trains the prior and writes prior.keras, metrics.json, config.json and samples.png.

    Raises:
        FileExistsError: `output_dir` stands already.
        FileNotFoundError: no such run, or no model in it.
        ValueError: a run or flags that cannot work.
    """
    check(config)
    finished = finished_run.load(
        config.run, data_dir=config.data_dir, import_module=config.import_module
    )
    keras.utils.set_random_seed(config.seed)
    prior = AutoregressivePrior.for_model(
        finished.model,
        chunk_size=config.chunk_size or None,
        units=config.units,
        embedding_units=config.embedding_units,
    )
    output_dir = config.output_dir or str(finished.directory.path / "autoregressive_prior")
    with atomic.new_path(output_dir, config.overwrite) as folder:
        folder.mkdir()
        codes = {
            name: codes_lib.encode_batches(finished.model, finished.split(name).batches(500))
            for name in ("train", "validation", "test")
        }
        history = fit(prior, codes, config)
        result = {**score(prior, codes), "epochs": len(history["loss"]), "history": history}
        if config.compress:
            report = codes_lib.compress(codes["test"], prior, folder / "codes.bin")
            result.update({f"compressed/{name}": size for name, size in report._asdict().items()})
        write_json(folder / "config.json", to_json(config))
        write_json(folder / "metrics.json", result)
        prior.save(folder / "prior.keras")
        plots.save(samples(finished.model, prior, config), folder / "samples.png")
    shown = {name: value for name, value in result.items() if name != "history"}
    results.print_table(f"{output_dir}: codes of {config.run}", shown)
    return result


def fit(
    prior: AutoregressivePrior, codes: dict[str, np.ndarray], config: Config
) -> dict[str, list[float]]:
    """Trains on the training codes and keeps the weights of the best epoch; nats of every epoch."""
    prior.compile(optimizer=keras.optimizers.Adam(config.learning_rate))
    callbacks = [keras.callbacks.TerminateOnNaN()]
    if config.early_stopping:
        callbacks.append(
            keras.callbacks.EarlyStopping(patience=config.early_stopping, restore_best_weights=True)
        )
    history = prior.fit(
        codes["train"],
        validation_data=(codes["validation"],),
        batch_size=config.batch_size,
        epochs=config.epochs,
        callbacks=callbacks,
        verbose=2,
    ).history
    if not all(map(math.isfinite, history["loss"])):
        raise RuntimeError(
            "The loss must stay finite. Lower the --learning_rate. "
            f"Received: loss={history['loss'][-1]} in epoch {len(history['loss'])}"
        )
    return {name: [float(value) for value in values] for name, values in history.items()}


def score(prior: AutoregressivePrior, codes: dict[str, np.ndarray]) -> dict[str, Any]:
    """Nats and bits of a code on every split, and what simpler laws need on test."""
    result: dict[str, Any] = {}
    for name, some in codes.items():
        nats = prior.evaluate(some, batch_size=1000, verbose=0)
        result[f"{name}/nats_per_item"] = nats
        result[f"{name}/bits_per_item"] = nats / math.log(2)
    categories = prior.num_categories
    result["test/bits_per_item_uniform"] = prior.num_variables * math.log2(categories)
    counts = (codes["train"][:, :, np.newaxis] == np.arange(categories)).sum(0) + 1.0
    bits = -np.log2(counts / counts.sum(1, keepdims=True))
    variables = np.arange(prior.num_variables)
    independent = bits[variables, codes["test"]].sum(1).mean()
    result["test/bits_per_item_independent"] = float(independent)
    return result


def samples(model: Any, prior: AutoregressivePrior, config: Config, count: int = 100) -> Any:
    """Codes drawn from the prior, decoded by the frozen model."""
    drawn = prior.sample(count, config.seed, config.temperature, config.top_p)
    images = np.clip(np.asarray(model.decode(drawn)), 0.0, 1.0)
    return plots.image_grid(images, title="Samples of the autoregressive prior")


def cli() -> None:
    """The console script."""
    command_line.start(Config, run, __doc__)


if __name__ == "__main__":
    cli()
