"""Studies: cells that are trained one after the other, and recorded at once."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks import store
from tf_discrete import datasets, evaluation
from trainers.common import data
from trainers.common.callbacks import TrainingDiverged
from trainers.flags.run import TrainingFlags

Record = dict[str, Any]


class Study(NamedTuple):
    """A table of benchmarks/results with the cells of one study, which a later command goes on with.

    Attributes:
        table: Its name.
        provenance: Of what is recorded from now on.
    """

    table: str
    provenance: Record

    def check(self, config: Mapping[str, Any], may_differ: Sequence[str] = ()) -> None:
        """Refuses a table that holds another study.

        Raises:
            ValueError: An option that may not differ has another value there.
        """
        before = (store.newest(self.table, "study") or {"config": config})["config"]
        for name, value in config.items():
            if name not in may_differ and before.get(name, value) != value:
                raise ValueError(
                    "A table holds the cells of one study. Give the same options, or another --results. "
                    f"Received: {name}={before[name]} there, {value} here"
                )

    def begin(self, **about: Any) -> None:
        """Records what the study is, unless that is there already."""
        if not about.items() <= (store.newest(self.table, "study") or {}).items():
            store.append(self.table, {"name": "study", **about, "provenance": self.provenance})

    def cell(self, name: str, measure: Callable[[], Record], **about: Any) -> Record:
        """Returns the record of a cell, measured if it is missing; a training that diverges is one too."""
        known = store.newest(self.table, name)
        if known is not None:
            return known
        try:
            found = {"status": "finished", **measure()}
        except (FloatingPointError, TrainingDiverged) as error:
            found = {"status": "diverged", "message": str(error)}
        record = {**about, **found, "name": name, "provenance": self.provenance}
        print(f"{name}: {found['status']}", flush=True)
        return store.append(self.table, record)


def load_labelled(config: TrainingFlags) -> data.Splits:
    """Loads data whose images all have a class.

    Raises:
        ValueError: Data without labels.
    """
    tf.get_logger().setLevel("ERROR")  # It would warn of a function traced for each of many models.
    splits = data.load_splits(config)
    if splits["train"].num_classes is None:
        raise ValueError(
            "The scores of a study need the class of every image. Give data with labels. "
            f"Received: dataset={config.dataset!r}"
        )
    return splits


def classifier(
    folder: str | pathlib.Path, split: datasets.Split, batch_size: int, epochs: int, seed: int
) -> Any:
    """Returns the classifier that reads samples, a perceptron that is kept in a folder."""
    return evaluation.cached_classifier(
        pathlib.Path(folder) / "classifier.keras",
        split.images[:],
        np.asarray(split.labels),
        split.num_classes or 0,
        network="mlp",
        decay=False,
        seed=seed,
        num_steps=epochs * max(1, len(split) // batch_size),
        batch_size=batch_size,
    )
