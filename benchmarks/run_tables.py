"""Tables of the recorded runs of the trainers, by kind of run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks import store
from trainers.common.tables import NOT_MEASURED, markdown

_REFERENCE = "gumbel_softmax"
_MADE = ("epochs (best)", "training", "seeds", "command")


def categorical_vae() -> str:
    """Returns the recorded runs of the categorical VAE."""
    rows = []
    for kept in store.read("categorical_vae").values():
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
        "discrete ELBO, test",
        "bound of log p(x), test",
        "classifier accuracy on reconstructions",
        *_MADE,
    )
    return markdown(header, rows)


def structured_prediction() -> str:
    """Returns the recorded runs of structured prediction."""
    rows = []
    for kept in store.read("structured_prediction").values():
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
    return markdown(header, rows)


def estimator_comparison() -> str:
    """Returns the recorded comparisons of estimators: one table for each data set and model."""
    from trainers.comparison import comparison_report

    return "\n".join(
        f"{model}:\n\n{comparison_report.table(found, _REFERENCE, latents)}"
        for model, latents, found in _comparisons()
    )


def measured(estimator: str) -> str:
    """Returns one estimator's rows of the comparisons, one for each data set and model."""
    from trainers.comparison import comparison_report

    rows: list[tuple[str, ...]] = []
    for model, latents, found in _comparisons():
        header, cells = comparison_report.cells(found, _REFERENCE, latents)
        rows += [("measured on", *header[2:])] if not rows else []
        rows += [(model, *cells[estimator][2:])] if estimator in cells else []
    return markdown(rows[0], rows[1:]) if len(rows) > 1 else NOT_MEASURED


def bound_curve() -> str:
    """Returns the recorded bounds by the number of samples: a column for each number."""
    kept = list(store.read("bound_curve").values())
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
    return markdown(("model", "estimator", "images", *(f"m = {m}" for m in numbers)), rows)


def sweep(name: str) -> str:
    """Returns a recorded sweep: validation bounds, learning rates in rows, temperatures in columns."""
    kept = store.newest("sweeps", name)
    if kept is None:
        return NOT_MEASURED
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
    return markdown(header, rows) + (
        f"\n`{kept['estimator']}`, bound of {_several(samples)} samples on the validation images after "
        f"{_several(steps)} steps, 1 seed, {kept['provenance']['cores']} cores. Command: "
        f"`{kept['command']}`.\n"
    )


def _several(numbers: Iterable[int]) -> str:
    return " or ".join(f"{number}" for number in sorted(numbers))


def _made(kept: dict[str, Any]) -> tuple[str, ...]:
    """Returns how a recorded run was made, under the header `_MADE`."""
    result = kept["result"]
    return (
        f"{result['epochs']} ({result['best_epoch']})",
        f"{result['training_seconds'] / 60:.0f} min, {kept['provenance']['cores']} cores",
        str(len(kept["seeds"])),
        f"`{kept['command']}`",
    )


def _comparisons() -> Iterable[tuple[str, str, dict[str, Any]]]:
    """Yields the recorded comparisons: name of the model, kind of latents, records by estimator."""
    from trainers.comparison import compared_runs

    records = store.read("estimators")
    for model in sorted({name.split("/")[0] for name in records}):
        found: dict[str, Any] = {}
        for kept in (kept for name, kept in records.items() if name.split("/")[0] == model):
            entry = found.setdefault(
                kept["estimator"], {"runs": [], "cost": None, "gradients": None}
            )
            if "status" in kept:
                entry["runs"].append(kept)
            else:
                entry |= {part: kept[part] for part in ("cost", "gradients") if kept.get(part)}
        latents = {run["settings"]["latents"] for e in found.values() for run in e["runs"]}.pop()
        for entry in found.values():
            entry["summary"] = compared_runs.summary(entry["runs"])
        yield model, latents, found


def _percent(value: Any) -> str:
    return "" if value is None else f"{100 * value:.1f} %"
