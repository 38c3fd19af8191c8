"""Writes the generated tables of README.md and docs/: python -m tools.tables --write, or --check.

A table stands between the lines `<!-- table: NAME ARGUMENTS -->` and `<!-- end of table -->`. Its rows
come from the registry or from the JSON files under benchmarks/results/, never from a keyboard.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
_TABLE = re.compile(r"(<!-- table: (\w+)((?: \w+)*) -->\n).*?(<!-- end of table -->)", re.DOTALL)
_REFERENCE = "gumbel_softmax"
NOT_MEASURED = "Not measured.\n"
_MADE = ("epochs (best)", "training", "seeds", "command")


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
    return _markdown(header, rows)


def categorical_vae() -> str:
    """The kept runs of the categorical VAE."""
    rows = []
    for kept in _kept("categorical_vae"):
        result, model = kept["result"], kept["model"]
        bound, error = result["test/bound_nats"], result["test/bound_standard_error_nats"]
        rows.append(
            (
                f"{kept['dataset']}, {kept['binarization']}",
                f"{model['num_variables']} x {model['num_categories']}",
                f"`{kept['estimator']}`",
                f"{result['test/hard_elbo_nats']:.2f}",
                f"{bound:.2f} +- {error:.2f} (m = {result['test/bound_samples']})",
                _percent(result.get("test/reconstruction_accuracy")),
                *_made(kept),
            )
        )
    header = (
        "data, binarisation",
        "latents",
        "estimator",
        "hard ELBO, test",
        "bound of log p(x), test",
        "reconstructions read right",
        *_MADE,
    )
    return _markdown(header, rows)


def structured_prediction() -> str:
    """The kept runs of structured prediction."""
    rows = []
    for kept in _kept("structured_prediction"):
        result, model = kept["result"], kept["model"]
        bound, error = result["test/bound_nats"], result["test/bound_standard_error_nats"]
        sizes = model["num_variables"] * (
            model["num_layers"] if len(model["num_variables"]) == 1 else 1
        )
        rows.append(
            (
                kept["dataset"],
                " - ".join(f"{n} x {model['num_categories']}" for n in sizes),
                f"`{kept['estimator']}`",
                f"{bound:.2f} +- {error:.2f} (m = {result['test/bound_samples']})",
                *_made(kept),
            )
        )
    header = (
        "data",
        "latents",
        "estimator",
        "bound of log p(lower half given upper half), test",
        *_MADE,
    )
    return _markdown(header, rows)


def semi_supervised() -> str:
    """The semi-supervised VAE beside the published numbers."""
    from benchmarks import semi_supervised_table

    return _markdown(semi_supervised_table.HEADER, semi_supervised_table.cells())


def semi_supervised_speed() -> str:
    """What marginalising the class costs."""
    from benchmarks import semi_supervised_speed as speed

    kept = _measured(speed.RESULT)
    return speed.table(kept["rows"], kept["config"]["joint"]) if kept else NOT_MEASURED


def semi_supervised_pyro() -> str:
    """The speed of the semi-supervised VAE beside Pyro's."""
    from benchmarks import semi_supervised_pyro as race

    kept = _measured(race.RESULT)
    return race.table(kept) if kept else NOT_MEASURED


def estimator_comparison() -> str:
    """The kept comparisons of estimators: one table for each data set and model."""
    from trainers import comparison_report

    return "\n".join(
        f"{model}:\n\n{comparison_report.table(found, _REFERENCE, latents)}"
        for model, latents, found in _comparisons()
    )


def measured(estimator: str) -> str:
    """One estimator's rows of the kept comparisons, one for each data set and model."""
    from trainers import comparison_report

    rows: list[tuple[str, ...]] = []
    for model, latents, found in _comparisons():
        header, cells = comparison_report.cells(found, _REFERENCE, latents)
        rows += [("measured on", *header[2:])] if not rows else []
        rows += [(model, *cells[estimator][2:])] if estimator in cells else []
    return _markdown(rows[0], rows[1:]) if len(rows) > 1 else NOT_MEASURED


def published(table: str, *estimators: str) -> str:
    """A published table beside ours, or some estimators of it, see benchmarks.published."""
    from benchmarks.published import report

    return report.table(table, *estimators)


def bound_curve() -> str:
    """The kept bounds against the number of samples: a column for each number."""
    kept = list(_kept("bound_curve"))
    numbers = sorted({row["num_samples"] for one in kept for row in one["bounds"]})
    rows = []
    for one in kept:
        found = {row["num_samples"]: row for row in one["bounds"]}
        cells = (
            f"{found[m]['bound_nats']:.2f} +- {found[m]['standard_error_nats']:.2f}"
            if m in found
            else ""
            for m in numbers
        )
        rows.append((one["name"], f"`{one['estimator']}`", str(one["num_examples"]), *cells))
    return _markdown(("model", "estimator", "images", *(f"m = {m}" for m in numbers)), rows)


def sweep(name: str) -> str:
    """A kept sweep: validation bounds, a row for each learning rate, a column for each temperature."""
    path = RESULTS / "sweeps" / f"{name}.json"
    if not path.exists():
        return NOT_MEASURED
    kept = json.loads(path.read_text())
    rates, temperatures = (
        sorted({run[key] for run in kept["runs"]}) for key in ("learning_rate", "temperature")
    )
    found = {(run["learning_rate"], run["temperature"]): run for run in kept["runs"]}

    def cell(rate: float, temperature: float) -> str:
        if (rate, temperature) not in found:
            return ""
        bound = found[rate, temperature].get("bound_nats")
        return "diverged" if bound is None else f"{bound:.2f}"

    header = ("learning rate", *(f"temperature {t:.4g}" for t in temperatures))
    rows = [(f"{rate:g}", *(cell(rate, t) for t in temperatures)) for rate in rates]
    steps, samples = (
        {run[key] for run in found.values() if key in run} for key in ("steps", "bound_samples")
    )
    return _markdown(header, rows) + (
        f"\n`{kept['estimator']}`, bound of {_several(samples)} samples on the validation images after "
        f"{_several(steps)} steps, 1 seed, {kept['hardware']['cores']} cores. Command: `{kept['command']}`.\n"
    )


def compression() -> str:
    """Bytes of an image in codes and in files."""
    from benchmarks import compression

    return _measurement(compression)


def retrieval() -> str:
    """Retrieval by codes of several sizes."""
    from benchmarks import retrieval

    return _measurement(retrieval)


def semantic_hashing_study() -> str:
    """The kept study of semantic hashing against Gumbel-Softmax, and its conclusions; empty if none is."""
    from benchmarks import semantic_hashing_report

    path = RESULTS / "semantic_hashing_study.json"
    if not path.exists():
        return ""
    kept = json.loads(path.read_text())
    text = semantic_hashing_report.text(
        *(kept["cells"], kept["config"], kept["classifier"]),
        picture="images/semantic_hashing_study.png",
    )
    return f"Made by `{kept['command']}`.\n\n{text}"


TABLES: dict[str, Callable[..., str]] = {
    "estimators": estimators,
    "categorical_vae": categorical_vae,
    "structured_prediction": structured_prediction,
    "semi_supervised": semi_supervised,
    "semi_supervised_speed": semi_supervised_speed,
    "semi_supervised_pyro": semi_supervised_pyro,
    "estimator_comparison": estimator_comparison,
    "measured": measured,
    "published": published,
    "bound_curve": bound_curve,
    "sweep": sweep,
    "compression": compression,
    "retrieval": retrieval,
    "semantic_hashing_study": semantic_hashing_study,
}


def render(text: str) -> str:
    """A document with its tables made anew."""
    return _TABLE.sub(lambda match: match[1] + TABLES[match[2]](*match[3].split()) + match[4], text)


def documents() -> Iterable[pathlib.Path]:
    """The documents that may hold tables."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


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


def _several(numbers: Iterable[int]) -> str:
    return " or ".join(f"{number}" for number in sorted(numbers))


def _measurement(benchmark: Any) -> str:
    """The table of a benchmark with one result."""
    if not benchmark.RESULT.exists():
        return "Not measured.\n"
    return benchmark.table(json.loads(benchmark.RESULT.read_text()))


def _kept(trainer: str) -> Iterable[dict[str, Any]]:
    """The kept runs of a trainer."""
    for path in sorted((RESULTS / trainer).glob("*.json")):
        yield json.loads(path.read_text())


def _measured(path: pathlib.Path) -> dict[str, Any] | None:
    """What a benchmark has kept, if it was run."""
    return json.loads(path.read_text()) if path.exists() else None


def _made(kept: dict[str, Any]) -> tuple[str, ...]:
    """How a kept run was made, under the header `_MADE`."""
    result = kept["result"]
    return (
        f"{result['epochs']} ({result['best_epoch']})",
        f"{result['training_seconds'] / 60:.0f} min, {kept['hardware']['cores']} cores",
        str(len(kept["seeds"])),
        f"`{kept['command']}`",
    )


def _comparisons() -> Iterable[tuple[str, str, dict[str, Any]]]:
    """The kept comparisons: name of the model, kind of latents, what is known of each estimator."""
    from trainers import comparison_report

    for folder in sorted(path for path in (RESULTS / "estimators").glob("*") if path.is_dir()):
        found: dict[str, Any] = {}
        for path in sorted(folder.glob("*.json")):
            kept = json.loads(path.read_text())
            entry = found.setdefault(
                kept["estimator"], {"runs": [], "cost": None, "gradients": None}
            )
            if "status" in kept:
                entry["runs"].append(kept)
            else:
                entry |= {"cost": kept["cost"], "gradients": kept["gradients"]}
        latents = {run["settings"]["latents"] for e in found.values() for run in e["runs"]}.pop()
        for entry in found.values():
            entry["summary"] = comparison_report.summary(entry["runs"])
        yield folder.name, latents, found


def _exactness(cls: Any) -> str:
    """What an estimator declares of its mean, for each kind of latents where they differ."""
    words = {"any": "unbiased", "none": "biased"}
    kinds = {
        latents: words.get(degree, f"exact for {degree} objectives")
        for latents in cls.spec.supports
        for degree in [cls.spec.exactness(latents)]
    }
    if len(set(kinds.values())) == 1:
        return next(iter(kinds.values()))
    return "; ".join(f"{latents}: {words}" for latents, words in kinds.items())


def _markdown(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _percent(value: Any) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


if __name__ == "__main__":
    main()
