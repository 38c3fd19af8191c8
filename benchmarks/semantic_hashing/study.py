"""Gumbel-Softmax against semantic hashing: reconstruction, generation, sensitivity to hyper-parameters.

    python -m benchmarks.semantic_hashing.study --data_dir=$TF_DISCRETE_DATA_DIR

trains autoencoders of both kinds with codes of many sizes, each with several seeds, and then with other
noise, temperatures and annealing rates at one size, by the protocol of Kozakowski's slides, which is that of
the defaults. Scored on the test images: the cross-entropy of deterministic codes, and both inception scores
of samples, from independent variables and from an LSTM that learns the codes of each batch next to the model.

Each training is a cell, added to benchmarks/results as soon as it is done, as one that diverges if it does.
The same command goes on where it was stopped.
"""

from __future__ import annotations

import dataclasses
import math
import time
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from benchmarks import provenance, store, studies
from benchmarks.codes import models as code_models
from benchmarks.codes.models import GUMBEL, HASHING
from benchmarks.semantic_hashing import report
from benchmarks.studies import Study
from tf_discrete import codes as codes_lib
from tf_discrete import datasets, evaluation, plots
from trainers.common import autoencoder_report, command_line, data
from trainers.common.callbacks import TrainingDiverged
from trainers.flags.config import check, option, to_json
from trainers.flags.run import RunConfig

SIZES = ("16x2", "32x2", "64x2", "96x2", "32x4", "16x16", "10x10", "20x10", "30x10")
FILES = ("output_dir", "results", "picture")


@dataclasses.dataclass(frozen=True)
class Config(code_models.Flags):
    """Options of the models and the data."""

    output_dir: str = option("runs/semantic_hashing_study", "Folder of the classifier.")
    results: str = option("semantic_hashing", "Table of benchmarks/results that takes the cells.")
    picture: str = option(str(store.ROOT / "docs" / report.PICTURE), "PNG of the report.")
    bits: tuple[int, ...] = option((16, 32, 64, 96), "Sizes of the semantic hashing codes.")
    sizes: tuple[str, ...] = option(SIZES, "Of Gumbel-Softmax codes, variables x categories.")
    temperature_rate: float = option(3e-5, "Rate at which the temperature falls from 1.", lower=0)
    sensitivity_bits: int = option(32, "Bits of the other hyper-parameters.", lower=1)
    noise_stddevs: tuple[float, ...] = option((0.5, 1.0, 2.0), "Noise to try.")
    temperature_finals: tuple[float, ...] = option((0.1, 0.5, 1.0), "Lowest temperatures to try.")
    temperature_rates: tuple[float, ...] = option((3e-4, 1e-3), "Rates to try with each of them.")
    num_samples: int = option(6400, "Samples for each inception score.", lower=64)
    classifier_epochs: int = option(3, "Of the classifier that reads the samples.", lower=1)


MAY_DIFFER = (
    *("bits", "sizes", "sensitivity_bits", "noise_stddevs", "num_seeds"),
    *("temperature_finals", "temperature_rates"),
)
"""Fields in which a command that goes on with a study may differ from the one that began it."""


class Cell(NamedTuple):
    """One training."""

    method: str
    num_variables: int
    num_categories: int
    settings: dict[str, float]
    seed: int

    @property
    def name(self) -> str:
        """Name of its record."""
        settings = "-".join(f"{name}={value:g}" for name, value in self.settings.items())
        size = f"{self.num_variables}x{self.num_categories}"
        return f"{self.method}-{size}-{settings}-seed={self.seed}"


def cells(config: Config) -> list[Cell]:
    """All cells, each once; one seed after the other, so that a part of the study is of use."""
    size, usual = config.sensitivity_bits, (config.temperature_final, config.temperature_rate)
    finals, rates = config.temperature_finals, config.temperature_rates
    hashing = [(bits, config.noise_stddev) for bits in config.bits]
    hashing += [(size, noise) for noise in config.noise_stddevs]
    gumbel = [(parse_size(text), usual) for text in config.sizes]
    gumbel += [((size, 2), (final, rate)) for final in finals for rate in rates]
    found = [Cell(HASHING, bits, 2, {"noise_stddev": noise}, 0) for bits, noise in hashing]
    found += [Cell(GUMBEL, *size, temperatures(*pair), 0) for size, pair in gumbel]
    seeds = range(config.seed, config.seed + config.num_seeds)
    made = [cell._replace(seed=seed) for seed in seeds for cell in found]
    return list({cell.name: cell for cell in made}.values())


def temperatures(final: float, rate: float) -> dict[str, float]:
    """The settings of an annealed temperature; one that stays at 1 has the rate 0."""
    falls = final < 1 and rate > 0
    return {
        "temperature_final": final if falls else 1.0,
        "temperature_rate": rate if falls else 0.0,
    }


def parse_size(size: str) -> tuple[int, int]:
    """ "30x10" as (30, 10); a ValueError for anything else."""
    parts = size.split("x")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise ValueError(f"A size is variables x categories, as 30x10. Received: sizes={size!r}")
    return int(parts[0]), int(parts[1])


def run_config(config: Config, cell: Cell) -> RunConfig:
    """The configuration of the trainer that a cell is a run of."""
    settings: dict[str, Any] = {"code_prior": "lstm", "validation_fraction": 0.001, **cell.settings}
    if cell.method == GUMBEL:
        schedule = "exponential" if settings["temperature_rate"] else "constant"
        settings |= {"temperature_schedule": schedule, "temperature_update_period": 100}
        settings["temperature"] = 1.0
    size = (cell.num_variables, cell.num_categories)
    return code_models.run_config(config, cell.method, size, cell.seed, **settings)


def measure(config: Config, cell: Cell, splits: data.Splits, classifier: Any) -> dict[str, Any]:
    """Trains a cell and scores it.

    Raises:
        TrainingDiverged: The loss or the error is not finite.
    """
    test = splits["test"]
    began = time.monotonic()
    model = code_models.train(run_config(config, cell), cell.method, splits["train"])
    seconds = time.monotonic() - began
    error = evaluation.reconstruction_nats(model, test.batches(500))
    if not math.isfinite(error.mean_nats):
        raise TrainingDiverged("Not finite after the last step: the reconstructions.")
    usage = evaluation.collect_usage(model, test.batches(500))
    codes = codes_lib.encode_batches(model, test.batches(500))
    generation = {
        name: evaluation.evaluate_generation(
            model, classifier, config.num_samples, cell.seed, prior
        )
        for name, prior in {"independent": model.prior, "lstm": model.code_prior}.items()
    }
    return {
        "reconstruction_nats": error.mean_nats,
        "reconstruction_standard_error_nats": error.standard_error_nats,
        "reconstruction_accuracy": autoencoder_report.classify_reconstructions(
            model, classifier, test
        ),
        "active_variables": usage.active_units,
        "mean_perplexity": float(np.mean(usage.perplexity)),
        "lstm_bits_per_code": model.code_prior.bits_per_item(codes),
        "generation": {
            name: {
                "inception_score": scores.inception_score.mean,
                "inception_score_spread": scores.inception_score.spread,
                "slides_score": scores.slides_score.mean,
                "slides_score_spread": scores.slides_score.spread,
                "slides_as_standard": scores.slides_as_standard,
            }
            for name, scores in generation.items()
        },
        "training_seconds": round(seconds, 1),
    }


def score_classifier(classifier: Any, test: datasets.Split) -> dict[str, float]:
    """Returns how the classifier reads test images, and the scores of these."""
    probs = evaluation.predict_probs(classifier, test.images[:])
    labels = np.asarray(test.labels)
    return {
        "test_accuracy": evaluation.reconstruction_accuracy(classifier, test.images[:], labels),
        "inception_score_of_test_images": evaluation.inception_score(probs).mean,
        "slides_score_of_test_images": evaluation.slides_inception_score(probs).mean,
    }


def run(config: Config) -> str:
    """Trains the cells that are missing and makes the report; returns its text.

    Raises:
        ValueError: flags out of range, data without labels, or results of another study.
    """
    check(config)
    todo, study = cells(config), Study(config.results, provenance.record())
    splits = studies.load_labelled(run_config(config, todo[0]))
    for cell in todo:
        if cell.seed == config.seed:
            trained = run_config(config, cell)
            check(trained)
            code_models.build(trained, cell.method, splits["train"])
    settings = to_json(config)
    command = provenance.command_of("benchmarks.semantic_hashing.study", Config, settings, FILES)
    settings = {name: settings[name] for name in settings if name not in (*FILES, "data_dir")}
    study.check(settings, MAY_DIFFER)
    classifier = studies.classifier(
        *(config.output_dir, splits["train"], config.batch_size, config.classifier_epochs),
        seed=config.seed,
    )
    scores = score_classifier(classifier, splits["test"])
    study.begin(command=command, config=settings, classifier=scores)
    for cell in todo:
        study.cell(
            cell.name,
            partial(measure, config, cell, splits, classifier),
            **cell._asdict(),
            bits=cell.num_variables * math.log2(cell.num_categories),
        )
    records = store.read(config.results)
    plots.save(report.draw(records), config.picture, dpi=plots.canvas.DPI)
    print(report.text(records))
    return report.text(records)


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
