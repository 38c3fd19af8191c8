"""Writes the generated tables of the documents: python -m tools.tables --write, or --check.

A table stands between the lines `<!-- table: NAME ARGUMENTS -->` and `<!-- end of table -->`. Its rows
come from the registry or from the records in benchmarks/results/, never from a keyboard.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks import run_tables, store
from trainers.common.tables import NOT_MEASURED, markdown

ROOT = pathlib.Path(__file__).resolve().parent.parent
_TABLE = re.compile(r"(<!-- table: (\w+)((?: \w+)*) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def estimators() -> str:
    """Every registered estimator, from its declaration."""
    from tf_discrete import estimators as registry

    rows = []
    for name in registry.names():
        cls = registry.get_class(name)
        rows.append(
            (
                f"`{name}`",
                cls.family,
                " and ".join(cls.spec.supports),
                _exactness(cls),
                "relaxed" if cls.spec.relaxed else "discrete",
                cls.spec.evaluations,
                cls.spec.reference,
            )
        )
    header = (
        "estimator",
        "family",
        "latents",
        "gradient",
        "objective sees",
        "evaluations a sample",
        "reference",
    )
    return markdown(header, rows)


def semi_supervised(*variant_and_labels: str) -> str:
    """Compares the semi-supervised VAE with published numbers, by variant and number of labels."""
    from benchmarks.semi_supervised import few_labels_report

    cells = few_labels_report.cells()
    some = [row for row in cells if row[: len(variant_and_labels)] == variant_and_labels]
    return markdown(few_labels_report.HEADER, some)


def semi_supervised_curve() -> str:
    """The validation accuracy of the plain semi-supervised VAE after a number of steps."""
    from benchmarks.semi_supervised import few_labels_report

    return markdown(few_labels_report.CURVE_HEADER, few_labels_report.curve(), right=True)


def semi_supervised_changes() -> str:
    """Compares single changes to a short run of the plain semi-supervised VAE."""
    from benchmarks.semi_supervised import few_labels_report

    return markdown(few_labels_report.CHANGES_HEADER, few_labels_report.changes())


def semi_supervised_speed() -> str:
    """The cost of marginalising the class."""
    from benchmarks.semi_supervised import inference_speed as speed

    kept = store.newest(speed.RESULTS)
    return speed.table(kept["rows"], kept["config"]["joint"]) if kept else NOT_MEASURED


def semi_supervised_pyro() -> str:
    """Compares the speed of the semi-supervised VAE with Pyro's."""
    from benchmarks.semi_supervised import pyro_speed as race

    return _measurement(race)


def training_profile() -> str:
    """The time of a training step by class of operation."""
    from benchmarks.speed import profile

    records = store.oldest_first(profile.RESULTS)
    return profile.recorded(records) if records else NOT_MEASURED


def estimator_cost() -> str:
    """The cost of a step under each estimator, at earlier commits and now."""
    from benchmarks.speed import estimator_cost as cost

    return _measurement(cost)


def training_precision() -> str:
    """The bounds of the same training in float32 and with bfloat16 matrix products."""
    from benchmarks.speed import precision

    records = store.read(precision.RESULTS)
    return precision.table(records) if records else NOT_MEASURED


def training_growth() -> str:
    """How the time of a step grows with the sizes of a model."""
    from benchmarks.speed import growth

    return _measurement(growth)


def tree_cost() -> str:
    """Time and memory of a step with up to a billion categories."""
    from benchmarks.trees import cost

    return _measurement(cost)


def state_tabulation() -> str:
    """How fast agents learn mazes by tables of discrete states."""
    from benchmarks.state_tabulation import study

    records = store.read("state_tabulation")
    return study.table(records) if records else NOT_MEASURED


def state_recovery() -> str:
    """How fast agents find the way again after a change, next to the true state."""
    from benchmarks.state_tabulation import recovery

    records = store.read("state_tabulation")
    return recovery.table(records) if records else NOT_MEASURED


def tree_codes() -> str:
    """Codes of one variable of a million categories, at equal bits."""
    from benchmarks.trees import codes

    records = store.read(codes.RESULTS)
    return codes.table(records) if records else NOT_MEASURED


def tree_classes() -> str:
    """The cost of very many classes in the semi-supervised VAE."""
    from benchmarks.trees import classes

    return _measurement(classes)


def tree_orders() -> str:
    """Accuracy with a hundred classes under several orders of the classes in their tree."""
    from benchmarks.trees import orders

    records = store.read(orders.RESULTS)
    return orders.table(records) if records else NOT_MEASURED


def published(table: str, *estimators: str) -> str:
    """Compares a published table, or some estimators of it, with ours; see benchmarks.published."""
    from benchmarks.published import report

    return report.table(table, *estimators)


def published_effort(table: str) -> str:
    """Says what the runs of a published table took, and what the missing ones would."""
    from benchmarks.published import report

    return report.effort(table)


def published_claims() -> str:
    """Judges what papers and talks say of the relaxations by the published tables."""
    from benchmarks.published import claims

    return claims.table()


HEADLINES = {
    "structured prediction, categorical, temperature 1.5": "structured prediction, 20 x 10 categories",
    "VAE, Bernoulli, weight decay 0.03": "linear VAE, 200 bits",
    "VAE, categorical, weight decay 0.03, uniform prior, twice the steps": "linear VAE, 20 x 10 categories",
}
"""The rows of the README that answer the Gumbel-Softmax paper's table, and their short names."""


def headline() -> str:
    """One row for each task, by Gumbel-Softmax, next to the published number."""
    from benchmarks.published import report
    from benchmarks.semi_supervised import few_labels_report

    rows = []
    for cell in report.cells("gumbel_softmax"):
        if cell.model in HEADLINES and cell.estimator == "gumbel_softmax":
            _, _, published, ours, _, seeds, *_ = report.row(cell)
            rows.append((HEADLINES[cell.model], "-log p(x), nats", published, ours, seeds))
    for cells in few_labels_report.cells():
        if cells[:3] == ("convolutional", "100", "`gumbel_softmax`"):
            rows.append(("100 labels, with augmentation", "accuracy", cells[4], cells[3], cells[9]))
    return markdown(("task", "measure", "published", "ours", "seeds"), rows)


def training_speed() -> str:
    """Compares the speed of training with PyTorch and JAX."""
    from benchmarks.speed import training

    return training.table(store.read(training.RESULTS))


def bound_speed() -> str:
    """Seconds and memory of the bound of many samples."""
    from benchmarks.speed import bound as bound_speed

    return _measurement(bound_speed)


def compression() -> str:
    """Bytes of an image in codes and in files."""
    from benchmarks.codes import compression

    return _measurement(compression)


def collapse() -> str:
    """Use of the codes of quantisers."""
    from benchmarks.quantizers import collapse as codebooks

    records = store.read(codebooks.RESULTS)
    return codebooks.table(records) if records else NOT_MEASURED


def codebook_decay() -> str:
    """The decay of the averages of a codebook."""
    from benchmarks.quantizers import decay

    return _measurement(decay)


def bottlenecks(images: str = "") -> str:
    """The study of discrete bottlenecks at equal bits, or that of other images."""
    from benchmarks.bottlenecks import report, step_time

    records = store.read(f"bottlenecks_{images}" if images else "bottlenecks")
    return report.text(records, store.read(step_time.RESULTS)) if records else NOT_MEASURED


def retrieval() -> str:
    """Retrieval by codes of several sizes."""
    from benchmarks.codes import retrieval

    return _measurement(retrieval)


def questions(question: str) -> str:
    """A table of the readers' questions."""
    from benchmarks.questions import report

    return report.table(store.read(report.RESULTS), question)


def exact_search() -> str:
    """Speed of exact search against the number of codes, next to FAISS and usearch."""
    from benchmarks.codes import exact_search as searches

    records = store.oldest_first(searches.RESULTS)
    return searches.table(records) if records else NOT_MEASURED


def bulk_encoding() -> str:
    """Speed and memory of the bulk encoder."""
    from benchmarks.codes import bulk_encoding as encoding

    records = store.read(encoding.RESULTS)
    return encoding.table(records) if records else NOT_MEASURED


def streaming() -> str:
    """Speed and memory of training images that stay in their files."""
    from benchmarks.speed import streaming as streams

    records = store.read(streams.RESULTS)
    return streams.table(records) if records else NOT_MEASURED


TABLES: dict[str, Callable[..., str]] = {
    "headline": headline,
    "estimators": estimators,
    "categorical_vae": run_tables.categorical_vae,
    "structured_prediction": run_tables.structured_prediction,
    "semi_supervised": semi_supervised,
    "semi_supervised_curve": semi_supervised_curve,
    "semi_supervised_changes": semi_supervised_changes,
    "semi_supervised_speed": semi_supervised_speed,
    "semi_supervised_pyro": semi_supervised_pyro,
    "estimator_comparison": run_tables.estimator_comparison,
    "measured": run_tables.measured,
    "published": published,
    "published_effort": published_effort,
    "published_claims": published_claims,
    "bound_curve": run_tables.bound_curve,
    "bound_speed": bound_speed,
    "training_growth": training_growth,
    "estimator_cost": estimator_cost,
    "training_precision": training_precision,
    "training_profile": training_profile,
    "training_speed": training_speed,
    "tree_classes": tree_classes,
    "tree_orders": tree_orders,
    "state_tabulation": state_tabulation,
    "state_recovery": state_recovery,
    "tree_codes": tree_codes,
    "tree_cost": tree_cost,
    "sweep": run_tables.sweep,
    "bottlenecks": bottlenecks,
    "codebook_decay": codebook_decay,
    "collapse": collapse,
    "compression": compression,
    "exact_search": exact_search,
    "bulk_encoding": bulk_encoding,
    "streaming": streaming,
    "questions": questions,
    "retrieval": retrieval,
}


def render(text: str) -> str:
    """A document with its tables made anew."""
    return _TABLE.sub(lambda match: match[1] + TABLES[match[2]](*match[3].split()) + match[4], text)


def documents() -> Iterable[pathlib.Path]:
    """The documents that may hold tables."""
    pages = sorted((ROOT / "docs").glob("**/*.md"))
    return [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *pages]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="rewrite the documents")
    action.add_argument("--check", action="store_true", help="exit with 1 if one is out of date")
    write = parser.parse_args().write
    stale = []
    for path in documents():
        text = path.read_text()
        if render(text) != text:
            stale.append(path.relative_to(ROOT))
            if write:
                path.write_text(render(text))
    if stale and not write:
        sys.exit(f"Out of date: {', '.join(map(str, stale))}. Run python -m tools.tables --write.")


def _measurement(benchmark: Any) -> str:
    """The table of one record of a benchmark."""
    kept = store.newest(benchmark.RESULTS)
    return benchmark.table(kept) if kept else NOT_MEASURED


def _exactness(cls: Any) -> str:
    """Returns the bias that an estimator declares, for each kind of latents where they differ."""
    words = {"any": "unbiased", "none": "biased"}
    kinds = {
        latents: words.get(degree, f"exact for {degree} objectives")
        for latents in cls.spec.supports
        for degree in [cls.spec.exactness(latents)]
    }
    if len(set(kinds.values())) == 1:
        return next(iter(kinds.values()))
    return "; ".join(f"{latents}: {words}" for latents, words in kinds.items())


if __name__ == "__main__":
    main()
