"""Times the importance-weighted bound of linear models: python -m benchmarks.bound_speed.

    python -m benchmarks.bound_speed --dataset=binarized_mnist --data_dir=$TF_DISCRETE_DATA_DIR

scores the test split with 1000 samples for each image, as the trainers do, by VAEs and by structured
prediction through two layers, each with 20 x 10 categorical and with 200 binary variables, and writes seconds
and peak memory to benchmarks/results/bound_speed.json; `python -m tools.tables --write` then puts them into
docs/stochastic_networks.md.
"""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
import resource
import time
from typing import Any

from tf_discrete import datasets, evaluation
from tf_discrete._internal.writing import write_json
from tf_discrete.models import CategoricalVAE, StructuredPrediction
from trainers.common import command_line, machine
from trainers.flags.config import option

RESULT = pathlib.Path(__file__).parent / "results" / "bound_speed.json"
SIZES: dict[str, dict[str, Any]] = {
    "20 x 10 categorical": {"num_variables": 20, "num_categories": 10},
    "200 binary": {"num_variables": 200, "num_categories": 2, "latents": "bernoulli"},
}
TASKS = {"VAE": CategoricalVAE, "structured prediction": StructuredPrediction}


@dataclasses.dataclass(frozen=True)
class Config:
    """What is scored."""

    dataset: str = option("digits", "As in the trainers.")
    data_dir: str = option("", "Folder of prepared TFDS data. Default: TFDS's own.")
    bound_samples: int = option(1000, "Samples m of the bound.", lower=1)
    output: str = option(str(RESULT), "JSON file of the result.")


def run(config: Config) -> dict[str, Any]:
    """Times every model and writes the result."""
    test = datasets.get(config.dataset, "test", data_dir=config.data_dir or None)
    found, processor = {}, {}
    for (task, make), (latents, sizes) in itertools.product(TASKS.items(), SIZES.items()):
        name = f"{task}, {latents}"
        model = make(test.image_shape, hidden_units=(), **sizes)
        began, began_cpu = time.perf_counter(), time.process_time()
        evaluation.evaluate_bound(model, test.batches(100), config.bound_samples)
        found[name] = round(time.perf_counter() - began, 2)
        processor[name] = round(time.process_time() - began_cpu, 2)
        print(f"{name}: {found[name]:.1f} s for {len(test)} images", flush=True)
    result = {
        "command": f"python -m benchmarks.bound_speed --dataset={config.dataset}",
        "num_examples": len(test),
        "bound_samples": config.bound_samples,
        "seconds": found,
        "cpu_seconds": processor,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "hardware": machine.hardware(),
        "versions": machine.versions(),
    }
    write_json(pathlib.Path(config.output), result)
    return result


def table(result: dict[str, Any]) -> str:
    """The result in Markdown."""
    hardware, versions = result["hardware"], result["versions"]
    processor = result["cpu_seconds"]
    rows = [
        f"| {name} | {seconds:.1f} | {processor[name]:.1f} |"
        for name, seconds in result["seconds"].items()
    ]
    return "\n".join(
        [
            "| linear model | seconds | of the processor |",
            "| --- | --- | --- |",
            *rows,
            "",
            f"{result['num_examples']:,} images with {result['bound_samples']:,} samples each; peak memory "
            f"{result['peak_memory_mib']} MiB; {hardware['processor']}, {hardware['cores']} cores, "
            f"tensorflow {versions['tensorflow']}. Command: `{result['command']}`.\n",
        ]
    )


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
