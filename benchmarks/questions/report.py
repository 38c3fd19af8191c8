"""The tables of docs/questions.md, from the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import provenance
from trainers.common import tables

RESULTS = "questions"
Records = Mapping[str, Mapping[str, Any]]

BOTTLENECKS = {
    "none": "none: continuous logits",
    "softmax": "softmax in training, argmax at inference",
}
PENALTIES = {
    "gumbel_softmax, KL": "`gumbel_softmax`, with the KL",
    "gumbel_softmax, no KL": "`gumbel_softmax`, without",
    "semantic_hashing, no KL": "semantic hashing, without",
}
LOSSES = {
    "cosine": "cosine similarity",
    "gaussian": "Gaussian, rows of length 1",
    "gaussian_lengths": "Gaussian, rows of their own length",
}


def table(records: Records, question: str) -> str:
    """The table of a question in Markdown, with the command and the hardware below."""
    own = [record for record in records.values() if record.get("question") == question]
    if not own:
        return tables.NOT_MEASURED
    header, rows = _TABLES[question](records)
    machines = sorted({provenance.machine(record["provenance"]) for record in own})
    commands = ", ".join(f"`{command}`" for command in sorted({r["command"] for r in own}))
    return tables.markdown(header, rows, right=True) + (
        f"\nMean +- standard deviation over seeds; {'; '.join(machines)}. Command: {commands}.\n"
    )


def best_setting(records: Records, row: str) -> str:
    """The setting of a relaxation whose first seed has the best discrete ELBO on validation images."""
    tried = [
        record
        for record in records.values()
        if (record.get("question"), record.get("row"), record.get("seed")) == ("smoothing", row, 0)
    ]
    best = max(tried, key=lambda record: float(record["validation_hard_elbo_nats"]))
    return str(best["setting"])


def _values(records: Records, question: str, row: str, setting: str, name: str) -> list[float]:
    wanted = (question, row, setting)
    return [
        record[name]
        for record in records.values()
        if (record.get("question"), record.get("row"), record.get("setting")) == wanted
        and name in record
    ]


def _spread(records: Records, where: tuple[str, str, str], name: str, digits: int) -> str:
    found = _values(records, *where, name)
    return tables.spread(found, digits) if found else ""


Made = tuple[Sequence[str], Sequence[Sequence[str]]]


def _smoothing(records: Records) -> Made:
    rows = []
    for row in ("gumbel_softmax", "discrete_vae", "overlapping_exponentials"):
        setting = best_setting(records, row)
        where = ("smoothing", row, setting)
        cells = [
            _spread(records, where, name, 2)
            for name in ("hard_elbo_nats", "bound_nats", "elbo_nats")
        ]
        active = _spread(records, where, "active", 1)
        count = len(_values(records, *where, "active"))
        rows.append((f"`{row}`", setting, *cells, active, str(count)))
    header = (
        "bits by",
        "setting, of three",
        "discrete ELBO, test",
        "bound with 100 samples, 2000 test images",
        "its own objective, test",
        "active bits",
        "seeds",
    )
    return header, rows


def _straight_through(records: Records) -> Made:
    rows = []
    for row in _rows(records, "straight_through"):
        where = ("straight_through", row, "")
        found = _values(records, *where, "accuracy")
        relaxed = _values(records, *where, "accuracy_relaxed")
        shown = tables.spread([100 * value for value in found], 2) + " %"
        if relaxed:
            shown += f" ({tables.spread([100 * value for value in relaxed], 2)} % with the softmax)"
        rows.append((BOTTLENECKS.get(row, f"`{row}`"), shown, str(len(found))))
    return ("bottleneck", "test accuracy, discrete values", "seeds"), rows


def _penalty(records: Records) -> Made:
    rows = []
    for row, words in PENALTIES.items():
        for setting in _settings(records, "penalty", row):
            where = ("penalty", row, setting)
            rows.append(
                (
                    words,
                    setting.split()[0],
                    _spread(records, where, "reconstruction_nats", 2),
                    _spread(records, where, "active", 1),
                    _spread(records, where, "hard_elbo_nats", 2),
                    _spread(records, where, "precision_at_100", 3),
                    str(len(_values(records, *where, "active"))),
                )
            )
    header = (
        "bits by",
        "bits",
        "reconstruction error, nats",
        "active bits",
        "discrete ELBO",
        "precision@100",
        "seeds",
    )
    return header, sorted(rows, key=lambda cells: int(cells[1]))


def _cosine(records: Records) -> Made:
    rows = []
    for row, words in LOSSES.items():
        for setting in _settings(records, "cosine", row):
            where = ("cosine", row, setting)
            rows.append(
                (
                    words,
                    setting.split()[1],
                    _spread(records, where, "cosine", 3),
                    _spread(records, where, "kl_nats", 1),
                    _spread(records, where, "active", 1),
                    _spread(records, where, "precision_at_10", 3),
                    _spread(records, where, "gain_nats", 1),
                    str(len(_values(records, *where, "active"))),
                )
            )
    exact = records["cosine/exact search"]["precision_at_10"]
    rows.append(("the vectors themselves", "", "1", "", "", f"{exact:.3f}", "", ""))
    header = (
        "likelihood",
        "concentration",
        "cosine of reconstructions",
        "KL, nats",
        "active bits of 32",
        "precision@10",
        "ELBO less the uniform density, nats",
        "seeds",
    )
    return header, rows


def _rows(records: Records, question: str) -> list[str]:
    """The rows of a question, those without an estimator first."""
    found = {r["row"] for r in records.values() if r.get("question") == question}
    order = ["none", "softmax"]
    return [row for row in order if row in found] + sorted(found - set(order))


def _settings(records: Records, question: str, row: str) -> list[str]:
    found = {
        record["setting"]
        for record in records.values()
        if (record.get("question"), record.get("row")) == (question, row)
    }
    return sorted(
        found, key=lambda setting: [int(word) for word in setting.split() if word.isdigit()]
    )


_TABLES = {
    "smoothing": _smoothing,
    "straight_through": _straight_through,
    "penalty": _penalty,
    "cosine": _cosine,
}
