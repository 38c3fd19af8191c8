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
import statistics
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

VARIANTS: dict[str, dict[str, Any]] = {
    "augmented": AUGMENTED,
    "convolutional": {**CONVOLUTIONAL, **AUGMENTED},
    "paper": {**PLAIN, **LONG},
    "paper_short": PLAIN,
    "paper_convolutional": {**CONVOLUTIONAL, **PLAIN},
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
RESULTS = "few_labels"
MAX_DRAWS = 100

HEADER = (
    "variant",
    "labels",
    "inference",
    "accuracy, test",
    "published",
    "difference",
    "discrete ELBO, test",
    "published",
    "difference",
    "draws",
    "training of one",
)
CURVE_HEADER = ("steps", "step size x steps", "`enumeration`", "`gumbel_softmax`")
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
    num_draws: int = option(3, "Runs of each row.", lower=1, upper=MAX_DRAWS)
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
    todo = [(row, draw) for draw in range(config.num_draws) for row in chosen if not row.run(draw)]
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


def cells() -> list[tuple[str, ...]]:
    """Returns the rows that are published or have recorded runs, under `HEADER`.

    A spread is the standard deviation over the draws; differences are ours less the published number, so
    that above 0 is better in both columns.
    """
    found: list[tuple[str, ...]] = []
    records = store.read(RESULTS)
    for row in table():
        kept = [run for draw in range(MAX_DRAWS) if (run := row.run(draw, records))]
        accuracy, bound = (
            PUBLISHED[row.inference] if row.labels == PUBLISHED_LABELS else (None,) * 2
        )
        if not kept and accuracy is None:
            continue
        results = [run["result"] for run in kept if run["result"]]
        diverged = len(kept) - len(results)
        minutes = [result["training_seconds"] / 60 for result in results]
        found.append(
            (
                row.variant,
                str(row.labels),
                f"`{row.inference}`",
                *_compared([result["test/accuracy"] for result in results], accuracy, 100, " %", 1),
                *_compared([result["test/hard_elbo_nats"] for result in results], bound, 1, "", 2),
                f"{len(results)}{f', {diverged} diverged' if diverged else ''}"
                if kept
                else "not run",
                f"{statistics.fmean(minutes):.0f} min, {kept[0]['provenance']['cores']} cores"
                if results
                else "",
            )
        )
    return found


def curve() -> list[tuple[str, ...]]:
    """Returns the validation accuracy of the first runs of "paper" after some steps, under `CURVE_HEADER`."""
    runs = [Row("paper", PUBLISHED_LABELS, name[1:-1]).run(0) for name in CURVE_HEADER[2:]]
    kept = next((run for run in runs if run and run["result"]), None)
    if kept is None:
        return []
    epochs = kept["result"]["epochs"]
    steps = kept["result"]["steps"] // epochs
    rate = kept["settings"]["learning_rate"]
    return [
        (
            f"{epoch * steps}",
            f"{epoch * steps * rate:.0f}",
            *(
                f"{100 * run['history']['accuracy'][epoch - 1]:.1f} %" if run else ""
                for run in runs
            ),
        )
        for epoch in (1, 2, 5, 10, 20, 30, 50, epochs)
        if epoch <= epochs
    ]


def _compared(
    values: Sequence[float], published: float | None, scale: float, unit: str, digits: int
) -> tuple[str, str, str]:
    """Ours, the published number and the difference."""
    ours = difference = ""
    if values:
        mean = scale * statistics.fmean(values)
        spread = f" +- {scale * statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
        ours = f"{mean:.{digits}f}{spread}{unit}"
        if published is not None:
            difference = f"{mean - scale * published:+.{digits}f}"
    return ours, "" if published is None else f"{scale * published:.1f}{unit}", difference


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
