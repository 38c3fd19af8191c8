"""The report of the study: tables of codes and hyper-parameters, a picture, and the slides' conclusions."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from benchmarks.codes import curves
from benchmarks.codes.models import NAMES
from benchmarks.semantic_hashing import conclusions
from benchmarks.semantic_hashing.conclusions import OUTCOMES, Cell, outcome
from tf_discrete import plots
from trainers.common.tables import markdown, spread

PRIORS = ("independent", "lstm")
PICTURE = "images/semantic_hashing_study.png"
TEXT = """Made by `{command}`.

{dataset}, {epochs} epochs, batches of {batch_size}; mean +- standard deviation over seeds. *Error*: binary \
cross-entropy of test images and deterministic codes, nats. *Inception score*: the standard one (1 to \
the number of classes); *slides' score*: of 64 samples at a time, averaged over classes, no exponential, and \
exp(classes x score). The classifier reads {accuracy:.1f} % of the test images rightly; their own scores are \
{inception_score_of_test_images:.2f} and {slides_score_of_test_images:.4f}.
"""


def text(records: dict[str, dict[str, Any]]) -> str:
    """Returns the report of a table of records, one of which is the study, for a page in docs/."""
    study = records["study"]
    cells = [record for record in records.values() if "method" in record]
    scores = {**study["classifier"], "accuracy": 100 * study["classifier"]["test_accuracy"]}
    parts = [
        TEXT.format(command=study["command"], **study["config"], **scores),
        table(conclusions.groups(cells)),
        f"![Error and scores against the bits of the code]({PICTURE})\n",
        conclusions.table(cells, study["config"]),
    ]
    diverged = [cell for cell in cells if cell["status"] == "diverged"]
    parts += [f"Diverged: {cell['name']}. {cell['message']}\n" for cell in diverged]
    return "\n".join(parts)


def table(groups: Sequence[list[Cell]]) -> str:
    """Returns one row for each code and setting."""
    scores = {"inception score": ("inception_score", 2), "slides' score": ("slides_score", 4)}
    scores["exp(classes x it)"] = ("slides_as_standard", 2)
    columns = [(f"{name}, {prior}", prior, *scores[name]) for name in scores for prior in PRIORS]
    rows = [
        (
            f"{group[0]['num_variables']} x {group[0]['num_categories']}",
            NAMES[group[0]["method"]],
            ", ".join(f"{name} {value:g}" for name, value in group[0]["settings"].items()),
            f"{group[0]['bits']:.0f}",
            spread([cell["reconstruction_nats"] for cell in group], 2),
            f"{fmean(cell['active_variables'] for cell in group):.0f}",
            *(
                spread([cell["generation"][prior][key] for cell in group], digits)
                for _, prior, key, digits in columns
            ),
            str(len(group)),
        )
        for group in groups
    ]
    header = ("code", "method", "setting", "bits", "error", "active")
    return markdown((*header, *(name for name, *_ in columns), "seeds"), rows)


def draw(records: dict[str, dict[str, Any]]) -> Figure:
    """Draws error and inception scores against the bits of the code, with a band over the seeds."""
    config = records["study"]["config"]
    cells = [cell for cell in records.values() if cell.get("status") == "finished"]
    named = [
        (f"{NAMES[cell['method']]}, K = {cell['num_categories']}", cell)
        for cell in cells
        if conclusions.is_usual(cell, config)
    ]
    panels = [
        curves.panel("bits of the code", y, ((name, c["bits"], outcome(c, y)) for name, c in named))
        for y in OUTCOMES
    ]
    return plots.comparison(panels, title="Size of the code")
