"""Accuracy and bound of the semi-supervised VAE from few labels of MNIST, next to the published ones.

    python -m benchmarks.semi_supervised.few_labels --data_dir=$TF_DISCRETE_DATA_DIR

trains every row of the table with several draws of the labels and adds each run to
benchmarks/results/few_labels.jsonl as soon as it is finished. A run that is there with the settings that
stand here is not trained again; a killed one goes on from its last epoch. A part of the table:

    python -m benchmarks.semi_supervised.few_labels --variants=paper --labels=100,600 \
        --inference=enumeration --num_draws=3 --data_dir=$TF_DISCRETE_DATA_DIR

`python -m tools.tables --write` then fills the table of docs/semi_supervised.md.
"""

from __future__ import annotations

import dataclasses
import gc
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks import help_flag, provenance, store
from benchmarks.semi_supervised.earlier_defaults import EARLIER
from trainers.common import command_line
from trainers.flags.config import check, option, to_json

if not help_flag.GIVEN:
    import keras

    from trainers.common import callbacks
    from trainers.common.run_directory import RunDirectory
    from trainers.tasks import semi_supervised

SETTINGS: dict[str, Any] = {
    "dataset": "mnist",
    "binarization": "dynamic",
    "likelihood": "bernoulli",
    "epochs": 15,
    "learning_rate_schedule": "cosine",
    "bound_samples": 100,
    "monitor_every": 100,
}
"""Fields of the trainer's configuration that differ from its defaults, for all runs."""

AUGMENTED = {
    "augment_shift": 2,
    "augment_rotation": 15.0,
    "augment_zoom": 0.1,
    "consistency": 10.0,
    "balance": 1.0,
}

PLAIN = {"normalization": "none", "input_noise": 0.0, "classifier_dropout": 0.0}
LONG = {
    "epochs": 70,
    "learning_rate": 3e-3,
    "learning_rate_schedule": "constant",
    "hidden_units": (500,),
    "activation": "softplus",
    "style_size": 50,
    "labelled_batch_size": 20,
    "alpha": 10.0,
    "temperature": 0.5,
    "temperature_schedule": "constant",
    "weight_average": 0.999,
    "monitor_every": 540,
}
"""Step size times steps is 113, where it was 4 before; the public run of 92.6 % had 90."""

CONVOLUTIONAL = {
    "classifier": "conv",
    "filters": (16, 32, 64),
    "style_encoder": "mlp",
    "decoder": "mlp",
    "epochs": 6,
    "labelled_batch_size": 50,
    "alpha": 100.0,
    "labelled_weight": 0.1,
}

SHORT = {**PLAIN, **LONG, "epochs": 10}
CHANGES: dict[str, dict[str, Any]] = {
    "short": {},
    "short_slow": {"learning_rate": 1e-3},
    "short_cosine": {"learning_rate_schedule": "cosine"},
    "short_temperature": {"temperature": 1.0},
    "short_style": {"style_size": 6},
    "short_normalized": {"normalization": "batch"},
    "short_light": {"alpha": 1.0},
    "short_heavy": {"alpha": 50.0},
}
"""One change each to the first 5400 steps of "paper": what matters, and what does not."""

VARIANTS: dict[str, dict[str, Any]] = {
    "augmented": AUGMENTED,
    "convolutional": {**CONVOLUTIONAL, **AUGMENTED},
    "paper": {**PLAIN, **LONG},
    "paper_short": PLAIN,
    "paper_convolutional": {**CONVOLUTIONAL, **PLAIN},
    **{name: {**SHORT, **change} for name, change in CHANGES.items()},
}
"""Settings of each variant in addition to `SETTINGS`; the "paper" ones have no regularisation."""

LABELS = (100, 600, 1000, 3000)
NUM_CLASSES = 10
PUBLISHED = {
    # Jang, Gu, Poole 2016, table 2, 100 labels: test accuracy, ELBO in nats.
    "enumeration": (0.926, -106.8),
    "gumbel_softmax": (0.924, -109.6),
    "straight_through_gumbel_softmax": (0.936, -110.7),
}
PUBLISHED_LABELS = 100
MORE_LABELS = ("convolutional", "paper")
"""Variants that a complete table has with more labels too, by joint inference."""
RESULTS = "few_labels"
MAX_DRAWS = 100

HISTORY = {"accuracy": "validation/accuracy", "hard_elbo_nats": "validation/hard_elbo_nats"}
"""Recorded values of every epoch, and the trainer's names of them."""


class Row(NamedTuple):
    """A row of the table: `VARIANTS`, `LABELS` and `PUBLISHED` name what there is."""

    variant: str
    labels: int
    inference: str

    def name(self, draw: int) -> str:
        """The name of the run with a draw of the labels."""
        return f"{self.variant}-{self.labels}-{self.inference}-{draw}"

    @property
    def num_draws(self) -> int:
        """Draws of the labels in a complete table; 0 of a row that it does not ask for."""
        if self.variant in CHANGES:
            joint = self.inference == "gumbel_softmax"
            return int(joint and self.labels == PUBLISHED_LABELS)
        if self.labels == PUBLISHED_LABELS:
            return {"paper": 5, "paper_short": 1}.get(self.variant, 3)
        return 3 if self.variant in MORE_LABELS and self.inference == "gumbel_softmax" else 0

    def settings(self, draw: int) -> dict[str, Any]:
        """The fields of the trainer's configuration, as JSON has them."""
        given = {
            **EARLIER,
            **SETTINGS,
            **VARIANTS[self.variant],
            "labels_per_class": self.labels // NUM_CLASSES,
            "estimator": self.inference,
            "label_seed": draw,
            "seed": draw,
        }
        known = to_json(semi_supervised.Config(**given))
        return {name: known[name] for name in given}

    def run(
        self, draw: int, records: Mapping[str, dict[str, Any]] | None = None
    ) -> dict[str, Any] | None:
        """Returns the recorded run, or None if there is none with these settings.

        Args:
            draw: Of the labels.
            records: Those of the table by name. Default: They are read.
        """
        kept = (store.read(RESULTS) if records is None else records).get(self.name(draw))
        if kept and {**EARLIER, **kept.get("settings", {})} == self.settings(draw):
            return kept
        return None


@dataclasses.dataclass(frozen=True)
class Config:
    """Which rows are trained, and where."""

    variants: tuple[str, ...] = option(tuple(VARIANTS), "Of the training: " + ", ".join(VARIANTS))
    labels: tuple[int, ...] = option(LABELS, "Numbers of labels, multiples of the classes.")
    inference: tuple[str, ...] = option(tuple(PUBLISHED), "Of the class, see the trainer.")
    num_draws: int = option(
        0, "Runs of each row. 0: as many as the table asks for.", lower=0, upper=MAX_DRAWS
    )
    data_dir: str = option("", "Folder of prepared TFDS data. Default: TFDS's own.")
    output_dir: str = option("runs/semi_supervised_table", "Folder of the runs.")


def run(config: Config) -> None:
    """Trains and keeps the runs that are missing, one draw after the other."""
    check(config)
    for name, known in (("variants", VARIANTS), ("labels", LABELS), ("inference", PUBLISHED)):
        given: Sequence[Any] = getattr(config, name)
        if not set(given) <= set(known):
            raise ValueError(
                f"{name} must be of {', '.join(map(str, known))}. Received: {name}={given!r}"
            )
    chosen = [
        row
        for row in table()
        if row.variant in config.variants
        and row.labels in config.labels
        and row.inference in config.inference
    ]
    todo = [
        (row, draw)
        for draw in range(MAX_DRAWS)
        for row in chosen
        if draw < (config.num_draws or row.num_draws) and not row.run(draw)
    ]
    for number, (row, draw) in enumerate(todo, 1):
        print(f"\nrun {number} of {len(todo)}: {', '.join(map(str, row))}, draw {draw}", flush=True)
        train(row, draw, config)


def train(row: Row, draw: int, config: Config) -> None:
    """Trains one run, or goes on with it, and keeps it."""
    made = provenance.record()
    keras.backend.clear_session()
    gc.collect()
    folder = pathlib.Path(config.output_dir) / row.name(draw)
    settings = semi_supervised.Config(
        **row.settings(draw), data_dir=config.data_dir, output_dir=str(folder)
    )
    try:
        result, message = semi_supervised.run(settings), None
    except callbacks.TrainingDiverged as error:
        result, message = {}, str(error)
    history = RunDirectory(folder).history()
    store.append(
        RESULTS,
        {
            "name": row.name(draw),
            **row._asdict(),
            "draw": draw,
            "settings": row.settings(draw),
            "command": provenance.command(to_json(settings), semi_supervised.TASK),
            "result": result,
            "diverged": message,
            "history": {
                name: [round(epoch[field], 4) for epoch in history]
                for name, field in HISTORY.items()
            },
            "provenance": made,
        },
    )


def table() -> Iterable[Row]:
    """All rows, in the order of the table."""
    for variant in VARIANTS:
        for labels in LABELS:
            for inference in PUBLISHED:
                yield Row(variant, labels, inference)


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
