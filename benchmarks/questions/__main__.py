"""Measures the answers of docs/questions.md that need training.

    python -m benchmarks.questions --data_dir=$TF_DISCRETE_DATA_DIR

- straight_through: accuracy of a classifier whose only path leads through 8 variables of 8 categories.
- cosine: cosine similarity and Gaussian likelihoods on TF-IDF rows of docstrings.
- smoothing: the smoothings of discrete VAEs, and Gumbel-Softmax, on the same networks and steps. Each has
  three settings, trained with the first seed; the best on validation images is trained with all seeds.
- penalty: binary autoencoders with a KL and without.

Each training is a record, added to benchmarks/results/questions.jsonl as soon as it is done, those of the
first seed before the others; the same command goes on where it was stopped.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from benchmarks import help_flag, provenance, store
from benchmarks.questions import report
from benchmarks.questions.setting import Config
from trainers.common import command_line
from trainers.flags.config import check, to_json

if not help_flag.GIVEN:
    from benchmarks.questions.cells import QUESTIONS, Cell, exact_search, measure

TUNED = "smoothing"
EXACT = "cosine/exact search"


def run(config: Config) -> None:
    """Trains the cells that are missing and prints the tables."""
    check(config)
    questions = config.questions or tuple(QUESTIONS)
    unknown = sorted(set(questions) - set(QUESTIONS))
    if unknown:
        raise ValueError(
            f"questions must be of {', '.join(QUESTIONS)}. Received: questions={','.join(unknown)!r}"
        )
    made = provenance.record(("scikit-learn", "scipy"))
    command = provenance.command_of(
        "benchmarks.questions", Config, to_json(config), leave_out=("questions",)
    )
    about = {"command": command, "provenance": made}
    if "cosine" in questions and EXACT not in store.read(report.RESULTS):
        store.append(report.RESULTS, {"name": EXACT, **exact_search(config), **about})
    for seed in range(config.num_seeds):
        for question in questions:
            for row, settings in QUESTIONS[question][1].items():
                if question == TUNED and seed:
                    settings = (report.best_setting(store.read(report.RESULTS), row),)
                for setting in settings:
                    _complete(config, Cell(question, row, setting, seed), about)
    for question in questions:
        print(report.table(store.read(report.RESULTS), question))


def _complete(config: Config, cell: Cell, about: Mapping[str, object]) -> None:
    if cell.name in store.read(report.RESULTS):
        return
    began = time.monotonic()
    found = measure(config, cell)
    seconds = round(time.monotonic() - began, 1)
    record = {"name": cell.name, **cell._asdict(), **found, "seconds": seconds, **about}
    store.append(report.RESULTS, record)
    print(f"{cell.name}: {found}, {seconds} s", flush=True)


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
