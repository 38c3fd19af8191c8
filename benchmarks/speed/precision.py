"""Does bfloat16 cost quality? The same training in both precisions, and by both routes.

    python -m benchmarks.speed.precision --data_dir=$TF_DISCRETE_DATA_DIR

trains the linear VAE of the published table, 784-(20 x 10) by Gumbel-Softmax, on dynamically binarised MNIST:
in float32 step by step, in the compiled loop, and in the loop with bfloat16 matrix products, several seeds
each. Reported is the bound of 100 samples of the test images. A record is added to benchmarks/results for
each training; what is there is not trained again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks import help_flag, provenance, store
from benchmarks.codes import models as code_models
from trainers.common import command_line, tables
from trainers.flags.config import check, option

if not help_flag.GIVEN:
    from benchmarks import studies
    from tf_discrete import evaluation
    from trainers.common import data

RESULTS = "training_precision"
VARIANTS: dict[str, dict[str, str]] = {
    "float32, step by step": {"dtype_policy": "float32", "loop": "fit"},
    "float32, compiled loop": {"dtype_policy": "float32", "loop": "compiled"},
    "bfloat16, compiled loop": {"dtype_policy": "mixed_bfloat16", "loop": "compiled"},
}
SIZE = (20, 10)


@dataclasses.dataclass(frozen=True)
class Config(code_models.Flags):
    """Options of the comparison."""

    hidden_units: tuple[int, ...] = option((), "Units of the encoder's hidden layers.")
    bound_samples: int = option(100, "Samples of the bound.", lower=1)
    results: str = option(RESULTS, "Table of benchmarks/results that takes the records.")


def measure(config: Config, name: str, seed: int) -> dict[str, Any]:
    """Trains one model, and scores it on the test images."""
    settings = code_models.run_config(
        config, code_models.GUMBEL, SIZE, seed, binarization="dynamic", **VARIANTS[name]
    )
    check(settings)
    splits = data.load_splits(settings)
    model = code_models.train(settings, code_models.GUMBEL, splits["train"])
    batches = splits["test"].batches(100)
    bound = evaluation.evaluate_bound(model, batches, num_samples=config.bound_samples)
    return {"bound_nats": bound.mean_nats, "standard_error_nats": bound.standard_error_nats}


def run(config: Config) -> str:
    """Trains what is missing; returns the table."""
    check(config)
    study = studies.Study(config.results, provenance.record())
    about = {"epochs": config.epochs, "bound_samples": config.bound_samples}
    for seed in range(config.seed, config.seed + config.num_seeds):
        for name in VARIANTS:
            cell = partial(measure, config, name, seed)
            study.cell(f"{name}, seed {seed}", cell, variant=name, seed=seed, **about)
    text = table(store.read(config.results))
    print(text)
    return text


def table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """All variants in Markdown, a row each: means over the seeds, with the standard deviation."""
    rows = []
    for name in VARIANTS:
        own = [
            record["bound_nats"]
            for record in records.values()
            if record["variant"] == name and record["status"] == "finished"
        ]
        if own:
            rows.append((name, tables.spread(own, 2), str(len(own))))
    some = next(iter(records.values()))
    header = ("training", f"bound of {some['bound_samples']} samples, nats", "seeds")
    command = "python -m benchmarks.speed.precision --data_dir=$TF_DISCRETE_DATA_DIR"
    return (
        f"{tables.markdown(header, rows)}\n{some['epochs']} epochs; "
        f"{provenance.line(some['provenance'], command)}"
    )


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
