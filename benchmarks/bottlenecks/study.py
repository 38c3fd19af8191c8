"""Runs the study: tunes every family, trains every cell, scores it, and records it."""

from __future__ import annotations

import gc
import math
import pathlib
import time
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from benchmarks import provenance, store, studies
from benchmarks.bottlenecks import families, rates, report, scores, setting, step_time
from benchmarks.bottlenecks.setting import Cell, Config
from benchmarks.codes import linear_hashing
from benchmarks.studies import Study
from tf_discrete import codes as codes_lib
from tf_discrete import plots, seeds
from tf_discrete.models import networks
from tf_discrete.models.autoencoder import DiscreteAutoencoder
from tf_discrete.optimizers import FusedAdam
from trainers.common import data
from trainers.flags.config import to_json
from trainers.flags.run import RunConfig


class Trained(NamedTuple):
    """A trained model, its steps, and the time of a step."""

    model: DiscreteAutoencoder
    steps: int
    milliseconds: float


def run(config: Config) -> str:
    """Trains the cells that are missing, and makes the report; returns its text.

    Raises:
        ValueError: Options out of range, data without labels, or a table of another study.
    """
    config = setting.resolve(config)
    study = Study(config.results, provenance.record(["constriction"]))
    splits = studies.load_labelled(
        RunConfig(
            dataset=config.dataset,
            data_dir=config.data_dir,
            image_size=config.image_size,
            max_examples=config.max_examples,
        )
    )
    settings = to_json(config)
    command = provenance.command_of("benchmarks.bottlenecks", Config, settings, ("picture",))
    own = {name: value for name, value in settings.items() if name not in setting.MAY_DIFFER}
    study.check(own)
    study.begin(config=own, data_shape=list(splits["train"].image_shape), command=command)
    classifier = None
    if config.num_samples:
        folder = pathlib.Path("runs") / config.results
        classifier = studies.classifier(folder, splits["train"], config.batch_size, 3, config.seed)
    for bits in config.bits:
        study.cell(f"itq-{bits}", partial(measure_itq, config, bits, splits))
    for name in config.families:
        settings = tune(config, name, splits, study)
        for bits in config.bits:
            for seed in range(config.seed, config.seed + config.num_seeds):
                cell = Cell(name, bits, seed, settings)
                study.cell(cell.name, partial(measure, config, cell, splits, classifier))
    records = store.read(config.results)
    plots.save(report.draw(records), config.picture, dpi=plots.canvas.DPI)
    text = report.text(records, store.read(step_time.RESULTS))
    print(text)
    return text


def tune(config: Config, name: str, splits: data.Splits, study: Study) -> dict[str, float]:
    """Returns the best of as many settings as every family may try, by the error on validation images."""
    tried = []
    for trial in range(config.trials):
        if config.trials == 1:
            return families.settings_of(name, 0)
        settings = families.settings_of(name, trial)
        cell = Cell(name, config.tune_bits, config.seed, settings, trial)
        tried.append(study.cell(cell.name, partial(measure_trial, config, cell, splits)))
    finished = [record for record in tried if record["status"] == "finished"]
    if not finished:
        return families.settings_of(name, 0)
    best: dict[str, float] = min(finished, key=lambda r: r.get("nats", math.inf))["settings"]
    return best


def train(config: Config, cell: Cell, splits: data.Splits) -> Trained:
    """Trains the model of a cell on the training images.

    Raises:
        FloatingPointError: A loss that is not finite.
    """
    keras.backend.clear_session()
    gc.collect()
    keras.utils.set_random_seed(cell.seed)
    split = splits["train"]
    size = min(config.batch_size, len(split))
    batches = split.indexed_batches(size, seed=cell.seed, drop_remainder=True)
    epochs = max(1, round(config.steps / batches.steps_per_epoch))
    steps = epochs * batches.steps_per_epoch
    place = families.Place(split.image_shape, cell.bits, (), steps, cell.seed)
    model = families.build(cell.family, place, config.parameters, cell.settings)
    networks.set_output_bias(model.decoder, mean_logits(np.asarray(split.images)))
    model.monitor_every = steps
    model.compile(
        FusedAdam(cell.settings["learning_rate"]),
        steps_per_execution=min(20, batches.steps_per_epoch),
    )
    ends: list[float] = [time.perf_counter()]
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
    try:
        history = model.fit(batches, epochs=epochs, callbacks=[clock], verbose=0)
    except (
        tf.errors.InvalidArgumentError
    ) as error:  # Quantisers refuse vectors that are not finite.
        raise FloatingPointError(
            f"{error.message[:200]} Received: settings={cell.settings}"
        ) from error
    if not np.isfinite(history.history["loss"]).all():
        raise FloatingPointError(f"The loss is not finite. Received: settings={cell.settings}")
    first = 1 if epochs > 1 else 0  # The first epoch compiles.
    taken = (ends[-1] - ends[first]) / ((epochs - first) * batches.steps_per_epoch)
    return Trained(model, steps, 1000 * taken)


def mean_logits(images: np.ndarray) -> np.ndarray:
    """Returns the logits of the mean image."""
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    mean = np.clip(images.mean(axis=0, dtype=np.float64) / scale, 1e-3, 1 - 1e-3)
    found: np.ndarray = np.log(mean / (1 - mean)).astype(np.float32)
    return found


def measure_trial(config: Config, cell: Cell, splits: data.Splits) -> dict[str, Any]:
    """Trains a cell and scores it on validation images."""
    trained = train(config, cell, splits)
    return {
        "settings": cell.settings,
        "nats": scores.distortion(trained.model, splits["validation"])["nats"],
    }


def measure(
    config: Config, cell: Cell, splits: data.Splits, classifier: Any = None
) -> dict[str, Any]:
    """Trains a cell and scores it on test images."""
    model, steps, milliseconds = train(config, cell, splits)
    known, asked = splits["train"], splits["test"]
    train_digits, categories = codes_lib.encode_digits(model, known.batches(500))
    digits, _ = codes_lib.encode_digits(model, asked.batches(500))
    prior = rates.fit_prior(
        train_digits, categories, config.prior_units, config.prior_steps, cell.seed
    )
    found = {
        **cell._asdict(),
        "title": families.FAMILIES[cell.family].title,
        "steps": steps,
        "milliseconds_per_step": round(milliseconds, 3),
        "parameters": families.count_parameters(model),
        **scores.distortion(model, asked),
        **rates.measure(prior, digits),
        **scores.use(digits, categories),
        "flipped_bit_nats": scores.flipped_bit_harm(model, digits, categories, asked),
        **scores.retrieval(train_digits, digits, categories, (known, asked), config.k),
    }
    if classifier is not None:
        found |= scores.generation(model, prior, classifier, config.num_samples, cell.seed)
    return found


def measure_itq(config: Config, bits: int, splits: data.Splits) -> dict[str, Any]:
    """Scores retrieval by iterative quantisation of principal components."""
    known, asked = (
        np.concatenate(
            [np.reshape(b["image"], [len(b["image"]), -1]) for b in splits[name].batches(1000)]
        )
        for name in ("train", "test")
    )
    seed = seeds.fold(seeds.base(config.seed), "linear hashing", bits)
    made = linear_hashing.iterative_quantization(known, min(bits, known.shape[1]), seed)
    pair = (splits["train"], splits["test"])
    codes, queries = made.encode(known), made.encode(asked)
    return {"bits": bits, **scores.retrieval(codes, queries, 2, pair, config.k)}
