"""Times the importance-weighted bound of linear models: python -m benchmarks.speed.bound.

    python -m benchmarks.speed.bound --dataset=binarized_mnist --data_dir=$TF_DISCRETE_DATA_DIR

scores the test split with 1000 samples for each image, as the trainers do, by VAEs and by structured
prediction through two layers, each with 20 x 10 categorical and with 200 binary variables, and adds seconds
and peak memory to benchmarks/results/bound_speed.jsonl; `python -m tools.tables --write` then puts them into
docs/stochastic_networks.md.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from typing import Any

from benchmarks import help_flag, memory, provenance, store
from trainers.common import command_line, tables
from trainers.flags.config import option

if not help_flag.GIVEN:
    from tf_discrete import datasets, evaluation
    from tf_discrete.models import CategoricalVAE, StructuredPrediction

RESULTS = "bound_speed"
SIZES: dict[str, dict[str, Any]] = {
    "20 x 10 categorical": {"num_variables": 20, "num_categories": 10},
    "200 binary": {"num_variables": 200, "num_categories": 2, "latents": "bernoulli"},
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the models and the data."""

    dataset: str = option("digits", "As in the trainers.")
    data_dir: str = option("", "Folder of prepared TFDS data. Default: TFDS's own.")
    bound_samples: int = option(1000, "Samples m of the bound.", lower=1)


def run(config: Config) -> dict[str, Any]:
    """Times every model and records the result."""
    made = provenance.record()
    test = datasets.get(config.dataset, "test", data_dir=config.data_dir or None)
    found, processor = {}, {}
    tasks = {"VAE": CategoricalVAE, "structured prediction": StructuredPrediction}
    for (task, make), (latents, sizes) in itertools.product(tasks.items(), SIZES.items()):
        name = f"{task}, {latents}"
        model = make(test.image_shape, hidden_units=(), **sizes)
        began, began_cpu = time.perf_counter(), time.process_time()
        evaluation.evaluate_bound(model, test.batches(100), config.bound_samples)
        found[name] = round(time.perf_counter() - began, 2)
        processor[name] = round(time.process_time() - began_cpu, 2)
        print(f"{name}: {found[name]:.1f} s for {len(test)} images", flush=True)
    result = {
        "command": f"python -m benchmarks.speed.bound --dataset={config.dataset}",
        "num_examples": len(test),
        "bound_samples": config.bound_samples,
        "seconds": found,
        "cpu_seconds": processor,
        "peak_memory_mib": round(memory.peak()),
        "provenance": made,
    }
    return store.append(RESULTS, result)


def table(result: dict[str, Any]) -> str:
    """The result in Markdown."""
    rows = [
        (name, f"{seconds:.1f}", f"{result['cpu_seconds'][name]:.1f}")
        for name, seconds in result["seconds"].items()
    ]
    return tables.markdown(("linear model", "seconds", "of the processor"), rows) + (
        f"\n{result['num_examples']:,} images with {result['bound_samples']:,} samples each; peak memory "
        f"{result['peak_memory_mib']} MiB; {provenance.line(result['provenance'], result['command'])}"
    )


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
