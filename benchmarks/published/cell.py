"""The published numbers, each with the configuration that answers it here.

A cell is one number of a table: a model under an estimator. All numbers are negative log-likelihoods or
negative bounds of the test images in nats; lower is better.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Cell(NamedTuple):
    """One number of a published table.

    Attributes:
        table: name of the table, see `TABLES`.
        model: as the paper writes it.
        estimator: registered name.
        published: nats, or None where the paper has no number for this estimator.
        trainer: module under `trainers`.
        settings: fields of the trainer's configuration that differ from its defaults.
        epochs: of training.
        num_seeds: that a complete table has.
        results: table of benchmarks/results that holds the runs.
        name: of the runs in it, NAME-SEED.
        metric: field of a recorded result that is compared, with its sign turned.
        sweeps: names of the recorded sweeps on validation images that chose the settings.
        trials: their number, where they are no sweep.
    """

    table: str
    model: str
    estimator: str
    published: float | None
    trainer: str
    settings: dict[str, Any]
    epochs: int
    num_seeds: int
    results: str
    name: str
    metric: str = "test/bound_nats"
    sweeps: tuple[str, ...] = ()
    trials: int = 0

    def run(self, seed: int) -> str:
        """The name of one run."""
        return f"{self.name}-{seed}"

    def lengthened(self, epochs: int, words: str) -> Cell:
        """Returns the cell with one run of another length."""
        path, slash, stem = self.name.rpartition("/")
        tag = words.replace(" ", "-")
        return self._replace(
            model=f"{self.model}, {words}",
            epochs=epochs,
            num_seeds=1,
            results=PUBLISHED.format(self.table),
            name=f"{path}-{tag}/{stem}" if slash else f"{stem}-{tag}",
        )


PUBLISHED = "published-{}"
"""Table of benchmarks/results with the runs of a published table."""

LONG = 1000
"""Epochs of the long runs, 500 000 steps of 100 images."""

FIXED = {"dataset": "binarized_mnist", "batch_size": 100, "monitor_every": 100, "pictures_every": 0}
BERNOULLI = {"latents": "bernoulli", "num_categories": 2}
STRUCTURED = {
    **FIXED,
    "learning_rate": 1e-2,
    "learning_rate_schedule": "cosine",
    "temperature": 1.0,
    "weight_decay": 5e-2,
}
