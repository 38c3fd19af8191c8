"""Trains a recorded row again, and compares.

    python -m benchmarks.reproduce --row=few_labels/paper-100-gumbel_softmax-0
    python -m benchmarks.reproduce --list

The second lists the rows that one run of a trainer made, with what each took. A row is repeated by its
recorded command, with its seed, or, of a comparison of estimators, by its recorded settings. What both runs
have of the test split is printed next to each other, with the standard error of the difference where the test
images alone decide it. Nothing is added to the results.

The numbers are those of the same code on the same kind of processor. On another one rounding differs, and
training amplifies it: two standard errors are then what to expect of a bound or an accuracy.

    python -m benchmarks.reproduce --row=... --more="--epochs=2"

changes flags of the command, for a short form: the numbers are then not those of the row.
"""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from benchmarks import help_flag, provenance, store
from benchmarks.semi_supervised.earlier_defaults import EARLIER
from trainers.common import command_line
from trainers.common.tables import markdown
from trainers.flags.config import option

if not help_flag.GIVEN:
    from trainers.common import task
    from trainers.common.run_directory import RunDirectory, read_json

TABLES = (
    "few_labels",
    "categorical_vae",
    "estimators",
    "structured_prediction",
    "published-arity",
    "published-concrete",
    "published-concrete_structured",
    "published-gumbel_rao",
    "published-gumbel_softmax",
    "published-reinmax",
)
"""Tables with rows that are one run of a trainer each."""

DATA_DIR = "$TF_DISCRETE_DATA_DIR"
STANDARD_ERRORS = 2
"""Two runs agree within this number of standard errors of their difference."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Which row, and the folder of its run."""

    row: str = option("", "TABLE/NAME of a recorded row, see --list.")
    list: bool = option(False, "List the rows, and end.")
    more: str = option("", "Further flags of the trainer, which win over those of the row.")
    output_dir: str = option("runs/reproduce", "Folder of the runs, one folder for each row.")


class Compared(NamedTuple):
    """A number of the test split in both runs."""

    name: str
    recorded: float
    repeated: float
    standard_error: float | None
    """That of the difference, if both had drawn test images of their own; None where it is not known."""

    @property
    def agrees(self) -> bool | None:
        """Whether the runs agree; None where nothing says how far they may be apart."""
        if self.standard_error is None:
            return None
        return abs(self.repeated - self.recorded) <= STANDARD_ERRORS * self.standard_error


def run(config: Config) -> None:
    """Lists the rows, or repeats one."""
    if config.list:
        print(listing())
        return
    record = find(config.row)
    folder = pathlib.Path(config.output_dir) / config.row.replace("/", "-")
    arguments = command(record, folder, config.more)
    print(f"recorded on {provenance.machine(record['provenance'])}; {_hours(record)} of training")
    print(f"python {shlex.join(arguments)}", flush=True)
    subprocess.run([sys.executable, *arguments], cwd=store.ROOT, check=True)
    rows = compare(record["result"], read_json(RunDirectory(folder).result_path))
    print(report(rows))


def find(row: str) -> dict[str, Any]:
    """Returns the record of a row TABLE/NAME.

    Raises:
        ValueError: There is none.
    """
    table, _, name = row.partition("/")
    record = store.read(table).get(name) if table in TABLES else None
    if record is None or not record.get("result"):
        raise ValueError(
            "row must be TABLE/NAME of a row that ended with a result. `--list` lists them. "
            f"Received: row={row!r}"
        )
    return record


def rows() -> Iterator[tuple[str, dict[str, Any]]]:
    """All rows that can be repeated, as TABLE/NAME and record."""
    for table in TABLES:
        for name, record in store.read(table).items():
            if record.get("result"):
                yield f"{table}/{name}", record


def listing() -> str:
    """The rows, and what each took, as a table."""
    header = ("row", "training", "made on")
    return markdown(
        header,
        [
            (name, _hours(record), provenance.machine(record["provenance"]))
            for name, record in rows()
        ],
    )


def command(record: Mapping[str, Any], folder: pathlib.Path, more: str = "") -> list[str]:
    """Returns the arguments of Python that repeat a record.

    Args:
        record: Of a row.
        folder: Of the new run.
        more: Further flags.

    Raises:
        ValueError: The data are read from a folder that the environment does not name.
    """
    whole = record.get("command") or _of_comparison(record)
    python, *arguments = shlex.split(whole)
    assert python == "python"
    where = os.environ.get(DATA_DIR[1:])
    if any(DATA_DIR in argument for argument in arguments) and not where:
        raise ValueError(
            f"The row reads the data in {DATA_DIR}. Set it to a folder of prepared TFDS data. "
            f"Received: command={whole!r}"
        )
    samples = record["result"].get("test/bound_samples")
    program, *given = arguments[1:]
    earlier = {
        name: value
        for name, value in EARLIER.items()
        if program == "trainers.semi_supervised" and name not in record["settings"]
    }
    return [
        "-m",
        program,
        *(f"--{name}={value}" for name, value in earlier.items()),
        *(argument.replace(DATA_DIR, where or "") for argument in given),
        *([f"--bound_samples={samples}"] if samples else []),
        f"--output_dir={folder.resolve()}",
        *shlex.split(more),
    ]


def _of_comparison(record: Mapping[str, Any]) -> str:
    """The command of one run of a comparison of estimators, which is recorded with its settings alone."""
    settings = {
        **record["settings"],
        "estimator": record["estimator"],
        "seed": record["seed"],
        "epochs": record["result"]["epochs"],
        "classify_reconstructions": False,
        "pictures_every": 0,
        "data_dir": DATA_DIR,
    }
    return provenance.command(settings, task.get("categorical_vae"))


def compare(recorded: Mapping[str, Any], repeated: Mapping[str, Any]) -> list[Compared]:
    """Compares what both results have of the test split."""
    names = [
        name
        for name, value in recorded.items()
        if name.startswith("test/") and isinstance(value, float) and name in repeated
        if "_standard_error" not in name
    ]
    return [
        Compared(name, recorded[name], repeated[name], _standard_error(name, recorded, repeated))
        for name in names
    ]


def _standard_error(
    name: str, recorded: Mapping[str, Any], repeated: Mapping[str, Any]
) -> float | None:
    if name == "test/bound_nats":
        return math.hypot(*(one["test/bound_standard_error_nats"] for one in (recorded, repeated)))
    if name == "test/accuracy":
        return math.hypot(
            *(
                math.sqrt(one[name] * (1 - one[name]) / one["test/num_examples"])
                for one in (recorded, repeated)
            )
        )
    return None


def report(rows: list[Compared]) -> str:
    """The comparison as a table."""
    words = {True: "agree", False: "**differ**", None: ""}
    header = ("test split", "recorded", "repeated", "difference", "standard error", "")
    return markdown(
        header,
        [
            (
                row.name,
                f"{row.recorded:.4f}",
                f"{row.repeated:.4f}",
                f"{row.repeated - row.recorded:+.4f}",
                "" if row.standard_error is None else f"{row.standard_error:.4f}",
                words[row.agrees],
            )
            for row in rows
        ],
    )


def _hours(record: Mapping[str, Any]) -> str:
    seconds = record["result"].get("training_seconds")
    return "not recorded" if seconds is None else f"{seconds / 3600:.2f} hours"


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
