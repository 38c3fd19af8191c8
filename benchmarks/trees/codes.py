"""One variable of 2^20 categories against two of 1024 and twenty bits: bound, codes in use, collisions.

    python -m benchmarks.trees.codes --data_dir=$TF_DISCRETE_DATA_DIR

trains a VAE for each code, with one encoder 784-256-logits, an embedding of width 64, a decoder 64-256-784,
ReinMax, and as many steps, and adds a record for each to benchmarks/results/tree_codes.jsonl; what is there
is not trained again. The tree reads a row of a table for each category, or the sum of a row for each digit.
60 000 images cannot use more than 60 000 of 1 048 576 categories.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks import help_flag, provenance, store
from benchmarks.codes import models as code_models
from trainers.common import command_line, tables
from trainers.flags.config import check, option

if not help_flag.GIVEN:
    from tf_discrete import codes as codes_lib
    from tf_discrete import evaluation
    from trainers.common import data

RESULTS = "tree_codes"
TREE = {"latents": "tree", "branching": (32, 32, 32, 32)}
CODES: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {
    "one variable of 2^20, a table of rows": ((1, 2**20), {**TREE, "code_embedding": "table"}),
    "one variable of 2^20, rows of digits": ((1, 2**20), {**TREE, "code_embedding": "digit_sum"}),
    "2 variables of 1024": ((2, 1024), {"code_embedding": "digit_sum"}),
    "20 bits": ((20, 2), {"latents": "bernoulli"}),
}
"""Variables and categories of a code of 20 bits, and flags of the trainer."""


@dataclasses.dataclass(frozen=True)
class Config(code_models.Flags):
    """Options of the comparison."""

    hidden_units: tuple[int, ...] = option((256,), "Units of the encoder's hidden layers.")
    estimator: str = option("reinmax", "Of all codes.")
    bound_samples: int = option(100, "Samples of the bound.", lower=1)
    results: str = option(RESULTS, "Table of benchmarks/results that takes the records.")


def run_config(config: Config, name: str, seed: int) -> Any:
    """The configuration of the trainer."""
    size, settings = CODES[name]
    shared = {"estimator": config.estimator, "binarization": "dynamic"}
    return code_models.run_config(config, code_models.GUMBEL, size, seed, **shared, **settings)


def measure(config: Config, name: str, seed: int) -> dict[str, Any]:
    """Trains one model and counts its codes."""
    settings = run_config(config, name, seed)
    check(settings)
    splits = data.load_splits(settings)
    began = time.monotonic()
    model = code_models.train(settings, code_models.GUMBEL, splits["train"])
    seconds = time.monotonic() - began
    one, many = (
        evaluation.evaluate_bound(model, splits["test"].batches(100), num_samples=samples)
        for samples in (1, config.bound_samples)
    )
    found = {
        "elbo_nats": one.mean_nats,
        "bound_nats": many.mean_nats,
        "bound_samples": config.bound_samples,
        "training_seconds": round(seconds, 1),
    }
    for split in ("train", "test"):
        found |= {f"{split}_{key}": value for key, value in use(model, splits[split]).items()}
    return found


def use(model: Any, split: Any) -> dict[str, float]:
    """Images, the codes that they use, and the share of images whose code is also that of another."""
    found = codes_lib.encode_batches(model, split.batches(500))
    counts = np.unique(found, axis=0, return_counts=True)[1]
    shared = float(counts[counts > 1].sum() / len(found))
    return {"images": len(found), "codes": len(counts), "collisions": shared}


def run(config: Config) -> str:
    """Trains what is missing; returns the table."""
    check(config)
    made = provenance.record()
    for seed in range(config.seed, config.seed + config.num_seeds):
        for name in CODES:
            key = f"{name}, seed {seed}"
            if store.newest(config.results, key) is None:
                about = {"name": key, "code": name, "seed": seed, "provenance": made}
                settings = {"epochs": config.epochs, "estimator": config.estimator}
                found = measure(config, name, seed)
                store.append(config.results, {**about, **settings, **found})
                print(f"{key}: {found}", flush=True)
    text = table(store.read(config.results))
    print(text)
    return text


def table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """All codes in Markdown, a row each: means over the seeds, with the standard deviation."""
    lines = []
    for name in CODES:
        own = [record for record in records.values() if record["code"] == name]
        if own:
            lines.append(
                (
                    name,
                    *(
                        tables.spread([r[key] for r in own], 2)
                        for key in ("elbo_nats", "bound_nats")
                    ),
                    f"{statistics.fmean(r['train_codes'] for r in own):,.0f}",
                    *(
                        f"{statistics.fmean(r[f'{split}_collisions'] for r in own):.1%}"
                        for split in ("train", "test")
                    ),
                    str(len(own)),
                )
            )
    some = next(iter(records.values()))
    header = (
        *("code of 20 bits", "ELBO, nats", f"bound of {some['bound_samples']} samples, nats"),
        *("codes of training images", "of these images share a code", "of test images"),
        "seeds",
    )
    command = "python -m benchmarks.trees.codes --data_dir=$TF_DISCRETE_DATA_DIR"
    made: dict[str, list[str]] = {}
    for record in sorted(records.values(), key=lambda record: [*CODES].index(record["code"])):
        made.setdefault(provenance.line(record["provenance"], command), []).append(record["code"])
    return (
        f"{tables.markdown(header, lines)}\n{some['train_images']:,} training images, "
        f"{some['epochs']} epochs, {some['estimator']}.\n\n"
        + "".join(f"- {'; '.join(dict.fromkeys(of))}: {line}" for line, of in made.items())
    )


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
