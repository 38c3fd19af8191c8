"""Gumbel-Softmax against semantic hashing: reconstruction, generation, sensitivity to hyper-parameters.

    python -m benchmarks.semantic_hashing_study --data_dir=$TF_DISCRETE_DATA_DIR

trains autoencoders of both kinds with codes of many sizes, each with several seeds, and then with other
noise, temperatures and annealing rates at one size. It follows Kozakowski's comparison: the network
784-512-256-(code)-256-512-784, ReLU, Adam with 1e-3, batches of 100 raw images, 10 epochs; Gumbel-Softmax
with soft samples, tau = max(0.5, exp(-3e-5 * step)) and the KL to the uniform prior; semantic hashing with
noise of standard deviation 1, half of the bits rounded, no KL. Other than there the decoder's last bias
starts at the mean image: from a bias of 0 semantic hashing with few bits does not get away from that image
(--output_bias=zero). Scored on the test images: the binary cross-entropy of deterministic codes, and both
inception scores of samples, by a classifier 784-512-256-10 trained for 3 epochs. (60 of the 60 000 training
images are left out.) Samples have independent variables, or come from an LSTM of 128 units that learns in
each step the codes of the batch, 8 bits at a time (2 variables of 10 categories); the model trains as it
would without it.

Each training is a cell, kept in cells/NAME.json as soon as it is done; the same command goes on where
it was stopped. One that diverges is kept as such and not repeated. study.md and study.png are made of all
cells that are there.
"""

from __future__ import annotations

import dataclasses
import gc
import math
import pathlib
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks import code_models, semantic_hashing_report
from benchmarks.code_models import GUMBEL, HASHING
from tf_discrete import codes as codes_lib
from tf_discrete import evaluation
from tf_discrete._internal.writing import write_json, write_text
from trainers.common import command_line, data, finishing, machine
from trainers.common.callbacks import TrainingDiverged
from trainers.common.run_directory import RunDirectory, read_json
from trainers.flags.config import check, defaults, option, to_json
from trainers.flags.run import RunConfig
from trainers.tasks import categorical_vae, semantic_hashing


@dataclasses.dataclass(frozen=True)
class Config(code_models.Flags):
    """What is trained, and on what."""

    output_dir: str = option("runs/semantic_hashing_study", "Folder of the study.")
    output_bias: str = option(
        "mean",
        "First bias of the decoders' last layer, see trainers.categorical_vae.",
        choices=("zero", "mean"),
    )
    bits: tuple[int, ...] = option((16, 32, 64, 96), "Sizes of the semantic hashing codes.")
    sizes: tuple[str, ...] = option(
        ("16x2", "32x2", "64x2", "96x2", "32x4", "16x16", "10x10", "20x10", "30x10"),
        "Sizes of the Gumbel-Softmax codes, variables x categories.",
    )
    temperature_rate: float = option(3e-5, "Rate at which the temperature falls from 1.", lower=0)
    sensitivity_bits: int = option(
        32, "Bits at which other hyper-parameters are tried. 0: not at all.", lower=0
    )
    noise_stddevs: tuple[float, ...] = option((0.5, 1.0, 2.0), "Noise to try.")
    temperature_finals: tuple[float, ...] = option((0.1, 0.5, 1.0), "Lowest temperatures to try.")
    temperature_rates: tuple[float, ...] = option((3e-4, 1e-3), "Rates to try with each of them.")
    samplings: tuple[str, ...] = option(
        ("independent", "lstm"),
        "Laws of the codes to draw samples from: independent uniform variables, or an LSTM that learns "
        "the codes beside the model.",
    )
    num_samples: int = option(6400, "Samples for each inception score.", lower=64)
    classifier_epochs: int = option(3, "Of the classifier that reads the samples.", lower=1)


MAY_DIFFER = (
    *("output_dir", "data_dir", "bits", "sizes", "sensitivity_bits", "noise_stddevs", "num_seeds"),
    *("temperature_finals", "temperature_rates"),
)
"""Fields in which a command that goes on with a study may differ from the one that began it."""

SAMPLINGS = ("independent", "lstm")


@dataclasses.dataclass(frozen=True)
class Cell:
    """One training."""

    method: str
    num_variables: int
    num_categories: int
    settings: tuple[tuple[str, float], ...]
    seed: int

    @property
    def name(self) -> str:
        """Of its file."""
        settings = "-".join(f"{name}={value:g}" for name, value in self.settings)
        return (
            f"{self.method}-{self.num_variables}x{self.num_categories}-{settings}-seed={self.seed}"
        )

    def describe(self) -> dict[str, Any]:
        """What its file says of it."""
        return {
            **{**dataclasses.asdict(self), "settings": dict(self.settings)},
            "bits": self.num_variables * math.log2(self.num_categories),
        }


def cells(config: Config) -> list[Cell]:
    """All cells, each once; one seed after the other, so that a part of the study is of use."""
    found: dict[Cell, None] = {}
    for seed in range(config.seed, config.seed + config.num_seeds):
        usual = temperatures(config.temperature_final, config.temperature_rate)
        for bits in config.bits:
            found[Cell(HASHING, bits, 2, (("noise_stddev", config.noise_stddev),), seed)] = None
        for size in config.sizes:
            found[Cell(GUMBEL, *parse_size(size), usual, seed)] = None
        if config.sensitivity_bits:
            for noise in config.noise_stddevs:
                settings = (("noise_stddev", noise),)
                found[Cell(HASHING, config.sensitivity_bits, 2, settings, seed)] = None
            for final in config.temperature_finals:
                for rate in config.temperature_rates:
                    settings = temperatures(final, rate)
                    found[Cell(GUMBEL, config.sensitivity_bits, 2, settings, seed)] = None
    return list(found)


def temperatures(final: float, rate: float) -> tuple[tuple[str, float], ...]:
    """The settings of an annealed temperature; one that stays at 1 has the rate 0."""
    falls = final < 1 and rate > 0
    return (
        ("temperature_final", final if falls else 1.0),
        ("temperature_rate", rate if falls else 0.0),
    )


def parse_size(size: str) -> tuple[int, int]:
    """ "30x10" as (30, 10).

    Raises:
        ValueError: for anything else.
    """
    parts = size.split("x")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise ValueError(f"A size is variables x categories, as 30x10. Received: sizes={size!r}")
    return int(parts[0]), int(parts[1])


def run_config(config: Config, cell: Cell) -> RunConfig:
    """The configuration of the trainer that a cell is a run of."""
    shared = {
        "dataset": config.dataset,
        "data_dir": config.data_dir,
        "max_examples": config.max_examples,
        "validation_fraction": 0.001,
        "epochs": config.epochs,
        "batch_size": config.batch_size,
        "learning_rate": config.learning_rate,
        "hidden_units": config.hidden_units,
        "likelihood": "bernoulli",
        "output_bias": config.output_bias,
        "seed": cell.seed,
        **dict(cell.settings),
    }
    if cell.method == HASHING:
        return semantic_hashing.Config(num_bits=cell.num_variables, **shared)
    return categorical_vae.Config(
        num_variables=cell.num_variables,
        num_categories=cell.num_categories,
        temperature=1.0,
        temperature_schedule="exponential" if shared["temperature_rate"] else "constant",
        temperature_update_period=100,
        **shared,
    )


def measure(config: Config, cell: Cell, splits: data.Splits, classifier: Any) -> dict[str, Any]:
    """Trains a cell and scores it: what its file holds."""
    settings, test = run_config(config, cell), splits["test"]
    began = time.monotonic()
    try:
        model, prior = code_models.train(
            settings, cell.method, splits["train"], "lstm" in config.samplings
        )
        seconds = time.monotonic() - began
        error = evaluation.reconstruction_nats(model, test.batches(500))
        if not math.isfinite(error.mean_nats):
            raise TrainingDiverged("Not finite after the last step: the reconstructions.")
    except TrainingDiverged as diverged:
        return {**cell.describe(), "status": "diverged", "message": str(diverged)}
    steps = settings.epochs * (len(splits["train"]) // settings.batch_size)
    usage = evaluation.collect_usage(model, test.batches(500))
    result = {
        **cell.describe(),
        "status": "finished",
        "reconstruction_nats": error.mean_nats,
        "reconstruction_standard_error_nats": error.standard_error_nats,
        "reconstruction_accuracy": finishing.classify_reconstructions(model, classifier, test),
        "active_variables": usage.active_units,
        "mean_perplexity": float(np.mean(usage.perplexity)),
        "generation": {
            name: generate(config, model, classifier, cell.seed, prior if name == "lstm" else None)
            for name in config.samplings
        },
        "training_seconds": round(seconds, 1),
        "step_milliseconds": round(1000 * seconds / steps, 3),
    }
    if prior is not None:
        codes = codes_lib.encode_batches(model, test.batches(500))
        result["lstm_bits_per_code"] = prior.bits_per_item(codes)
    return result


def generate(config: Config, model: Any, classifier: Any, seed: int, prior: Any) -> dict[str, Any]:
    """Both inception scores of samples from a prior, as `DiscreteAutoencoder.sample` takes it."""
    scores = evaluation.evaluate_generation(model, classifier, config.num_samples, seed, prior)
    return {
        "inception_score": scores.inception_score.mean,
        "inception_score_spread": scores.inception_score.spread,
        "slides_score": scores.slides_score.mean,
        "slides_score_spread": scores.slides_score.spread,
        "slides_as_standard": scores.slides_as_standard,
    }


def make_classifier(config: Config, folder: pathlib.Path, splits: data.Splits) -> Any:
    """The classifier of the slides, kept in the folder of the study, and its accuracy beside it."""
    train, test = splits["train"], splits["test"]
    steps = config.classifier_epochs * max(1, len(train) // config.batch_size)
    options = {"network": "mlp", "decay": False, "num_steps": steps, "seed": config.seed}
    classifier = evaluation.kept_classifier(
        folder / "classifier.keras",
        *(train.images, train.labels, train.num_classes),
        **options,
        batch_size=config.batch_size,
    )
    accuracy = evaluation.reconstruction_accuracy(classifier, test.images, test.labels)
    real = evaluation.predict_probs(classifier, test.images)
    scores = {
        "test_accuracy": accuracy,
        "inception_score_of_test_images": evaluation.inception_score(real).mean,
        "slides_score_of_test_images": evaluation.slides_inception_score(real).mean,
    }
    write_json(folder / "classifier.json", scores)
    return classifier


def run(config: Config) -> str:
    """Trains the cells that are missing and makes the report; returns its text.

    Raises:
        ValueError: flags out of range, an unknown law of codes or none, data without labels, or a folder that
            holds another study.
    """
    check(config)
    if not config.samplings or set(config.samplings) - set(SAMPLINGS):
        raise ValueError(
            f"samplings must be of {', '.join(SAMPLINGS)}. "
            f"Received: samplings={','.join(config.samplings)}"
        )
    tf.get_logger().setLevel("ERROR")  # It would warn of a function traced for each of many models.
    todo = cells(config)
    splits = data.load_splits(run_config(config, todo[0]))
    if splits["train"].num_classes is None:
        raise ValueError(
            "The samples are read by a classifier. Give data with labels. "
            f"Received: dataset={config.dataset!r}"
        )
    for cell in {dataclasses.replace(cell, seed=config.seed): None for cell in todo}:
        settings = run_config(config, cell)
        check(settings)
        code_models.build(settings, cell.method, splits["train"])
    directory = RunDirectory(config.output_dir)
    directory.claim(to_json(config), MAY_DIFFER, defaults(config))
    (directory.path / "cells").mkdir(exist_ok=True)
    classifier = make_classifier(config, directory.path, splits)
    here = {"hardware": machine.hardware(), "versions": machine.versions()}
    began, trained = time.monotonic(), 0
    for number, cell in enumerate(todo, 1):
        path = directory.path / "cells" / f"{cell.name}.json"
        if path.exists():
            continue
        keras.backend.clear_session()
        gc.collect()
        result = measure(config, cell, splits, classifier)
        write_json(path, {**result, **here})
        trained += 1
        left = (time.monotonic() - began) / trained * (len(todo) - number) / 60
        error = result.get("reconstruction_nats")
        outcome = result["message"] if error is None else f"{error:.2f} nats"
        print(f"{number}/{len(todo)} {cell.name}: {outcome}, {left:.0f} min left", flush=True)
    return write_report(directory.path)


def write_report(folder: pathlib.Path) -> str:
    """study.md and study.png of all cells in a folder."""
    results = [read_json(path) for path in sorted((folder / "cells").glob("*.json"))]
    text = semantic_hashing_report.write(
        folder, results, read_json(folder / "config.json"), read_json(folder / "classifier.json")
    )
    write_text(folder / "study.md", text)
    print(f"\n{text}\nEverything is in {folder}")
    return text


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
