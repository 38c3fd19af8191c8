"""The report of a comparison of estimators: JSON, a table, pictures, TensorBoard."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_discrete import estimators, plots
from tf_discrete._internal import writing
from tf_discrete._internal.writing import write_json, write_text

from ..common import charts, tables
from .compared_runs import BOUNDS


def cells(
    found: Mapping[str, Any], reference: str, latents: str
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """The comparison as a header and a row for each estimator that was measured, by falling bound.

    Args:
        found: as `compared_runs.collect` gives it.
        reference: the estimator that cost and variance are relative to.
        latents: kind of latents.
    """
    samples = sorted(
        {
            run["result"]["test/bound_samples"]
            for entry in found.values()
            for run in entry.get("runs", [])
            if run["result"].get("test/bound_samples") is not None
        }
    )
    header = (
        "estimator",
        "gradient",
        "discrete ELBO, test",
        f"bound with {' or '.join(map(str, samples))} samples, test",
        "seeds",
        "steps",
        "time of a step",
        "evaluations a step",
        "variance of the encoder's gradient (evaluations)",
        "its cosine",
    )
    measured = {name: entry for name, entry in found.items() if "skipped" not in entry}
    order = sorted(measured, key=lambda name: (-_mean(found[name], BOUNDS[1]), name))
    base = found.get(reference, {})
    return header, {name: _row(name, found[name], base, latents) for name in order}


def table(found: Mapping[str, Any], reference: str, latents: str) -> str:
    """Formats `cells` as Markdown; below it, why an estimator does not apply."""
    header, rows = cells(found, reference, latents)
    skipped = [
        f"- `{name}`: {entry['skipped']}\n" for name, entry in found.items() if "skipped" in entry
    ]
    return tables.markdown(header, rows.values()) + (
        "\nNot applicable:\n\n" + "".join(skipped) if skipped else ""
    )


def draw(found: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that there are data for, by name.

    Args:
        found: as `compared_runs.collect` gives it.
    """
    steps = {name: line for name, entry in found.items() if (line := _line(entry)) is not None}
    figures = {}
    if steps:
        panel = plots.LinePanel(
            "Discrete ELBO, validation (higher is better)",
            "training steps",
            "nats per example",
            steps,
        )
        figures["bound_vs_steps"] = plots.comparison([panel], title="Bound against steps")
    seconds = {
        name: line._replace(x=np.asarray(line.x) * found[name]["cost"]["step_milliseconds"] / 1000)
        for name, line in steps.items()
        if found[name]["cost"]
    }
    if seconds:
        panel = plots.LinePanel(
            "Discrete ELBO, validation (higher is better)",
            "seconds: steps x measured time of a step",
            "nats per example",
            seconds,
            log_x=True,
        )
        figures["bound_vs_seconds"] = plots.comparison([panel], title="Bound against wall clock")
    panels = _gradient_panels(found)
    if panels:
        figures["gradient_variance"] = plots.comparison(
            panels, title="Gradient of the encoder at the same weights and equal evaluations"
        )
    return figures


def write_numbers(folder: pathlib.Path, comparison: dict[str, Any]) -> str:
    """Writes comparison.json and table.md; returns the table."""
    config = comparison["config"]
    write_json(folder / "comparison.json", comparison)
    text = table(comparison["estimators"], config["reference"], config["latents"])
    write_text(folder / "table.md", text)
    return text


def write(folder: pathlib.Path, comparison: dict[str, Any]) -> str:
    """Writes the numbers, the pictures and TensorBoard's files; returns the table."""
    text = write_numbers(folder, comparison)
    found = comparison["estimators"]
    figures = draw(found)
    for name, figure in figures.items():
        plots.save(figure, folder / f"{name}.png", dpi=110)
    with writing.naming(folder / "tensorboard"):
        _write_tensorboard(folder / "tensorboard", found, figures)
    return text


def _line(entry: Mapping[str, Any]) -> plots.Line | None:
    """The bound of all runs of an estimator against steps: mean, lowest and highest."""
    histories = [run["history"] for run in entry.get("runs", []) if run["history"]["step"]]
    if not histories:
        return None
    longest = max(histories, key=lambda history: len(history["step"]))["step"]
    values = np.full([len(histories), len(longest)], np.nan)
    for row, history in zip(values, histories, strict=True):
        row[: len(history["step"])] = history["hard_elbo_nats"]
    return plots.Line(longest, np.nanmean(values, 0), np.nanmin(values, 0), np.nanmax(values, 0))


def _gradient_panels(found: Mapping[str, Any]) -> list[plots.LinePanel]:
    rows = {name: entry["gradients"]["rows"] for name, entry in found.items() if entry["gradients"]}
    panels = []
    for field, title, label, log in (
        ("variance", "Variance of one draw", "sum over the weights", True),
        ("cosine", "Cosine of one draw to the unbiased gradient", "average cosine", False),
    ):
        lines = {}
        for name, points in rows.items():
            values = [point["groups"]["encoder"][field] for point in points]
            if all(value is not None for value in values):
                lines[name] = plots.Line([point["step"] for point in points], values)
        if any(np.max(line.y) > 0 for line in lines.values()):
            panels.append(plots.LinePanel(title, "training steps", label, lines, log_y=log))
    return panels


_OF_GRADIENTS = {
    "variance": "Variance, summed over its entries, of the gradient",
    "signal_to_noise": "Norm of the mean, divided by the standard deviation, of the gradient",
    "cosine": "Cosine between one sample and the reference, averaged, of the gradient",
}


def _write_tensorboard(
    folder: pathlib.Path, found: Mapping[str, Any], figures: Mapping[str, Any]
) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    with tf.summary.create_file_writer(str(folder / "comparison")).as_default(step=0):
        for name, figure in figures.items():
            charts.write_picture(name, figure)
    for name, entry in found.items():
        line = _line(entry)
        if line is None:
            continue
        with tf.summary.create_file_writer(str(folder / name)).as_default(step=0):
            for step, value in zip(np.asarray(line.x), np.asarray(line.y), strict=True):
                _scalar("hard_elbo_nats", value, int(step))
            for key, values in entry["summary"].items():
                _scalar(key, values["mean"])
            if entry["cost"]:
                text = "Time of a step, divided by that of the reference estimator."
                tf.summary.scalar("comparison/cost_ratio", entry["cost"]["ratio"], description=text)
            for row in (entry["gradients"] or {"rows": []})["rows"]:
                for group, numbers in row["groups"].items():
                    for field in ("variance", "signal_to_noise", "cosine"):
                        if numbers[field] is not None:
                            tag, text = (
                                f"gradient_{field}/{group}",
                                f"{_OF_GRADIENTS[field]} of {group}.",
                            )
                            tf.summary.scalar(
                                tag, numbers[field], step=row["step"], description=text
                            )


def _scalar(name: str, value: float, step: int = 0) -> None:
    """Writes a quantity of the runs of an estimator, averaged over its seeds."""
    text = f"{charts.chart(name.rpartition('/')[2]).description} Mean of the seeds."
    tf.summary.scalar(f"comparison/{name}", value, step=step, description=text)


def _row(
    name: str, entry: Mapping[str, Any], reference: Mapping[str, Any], latents: str
) -> tuple[str, ...]:
    runs = entry.get("runs", [])
    finished = [run for run in runs if run["status"] == "finished"]
    diverged = [run for run in runs if run["status"] == "diverged"]
    seeds = f"{len(finished)}" + (f", {len(diverged)} diverged" if diverged else "")
    if len(finished) + len(diverged) < len(runs):
        seeds += f", {len(runs) - len(finished) - len(diverged)} unfinished"
    steps = sorted({max(run["history"]["step"], default=0) for run in runs})
    cost, gradients = entry["cost"], entry["gradients"]
    return (
        f"`{name}`",
        _kind(name, latents),
        _bound(entry, BOUNDS[0]),
        _bound(entry, BOUNDS[1]),
        seeds,
        " to ".join(str(step) for step in dict.fromkeys((steps[0], steps[-1]))) if steps else "",
        f"{cost['ratio']:.2f} ({cost['low']:.2f} to {cost['high']:.2f})" if cost else "",
        str(cost["evaluations"]) if cost else "",
        _variance(gradients, reference.get("gradients")),
        _cosine(gradients),
    )


def _kind(name: str, latents: str) -> str:
    try:
        exact = estimators.get_class(name).spec.exactness(latents)
    except ValueError:  # Registered by a module that is not imported here.
        return ""
    return {"any": "unbiased", "none": "biased"}.get(exact, f"exact for {exact}")


def _bound(entry: Mapping[str, Any], name: str) -> str:
    found = entry["summary"].get(name)
    if found is None:
        return ""
    spread = "" if found["deviation"] is None else f" +- {_nats(found['deviation'])}"
    return f"{_nats(found['mean'])}{spread}"


def _nats(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 1e6 else f"{value:.2g}"


def _mean(entry: Mapping[str, Any], name: str) -> float:
    found = entry["summary"].get(name)
    return found["mean"] if found else -np.inf


def _variance(gradients: Mapping[str, Any] | None, reference: Mapping[str, Any] | None) -> str:
    """At the last checkpoint; relative to the reference of its own comparison if that is known and not 0."""
    if not gradients:
        return ""
    own, other = variance(gradients), gradients.get("reference_variance")
    if other is None and reference and "reference_variance" not in reference:
        other = variance(reference)
    shown = f"{own / other:.3g} x" if other else f"{own:.3g}"
    return f"{shown} ({gradients['evaluations']})"


def variance(gradients: Mapping[str, Any]) -> float:
    """Returns the variance of the encoder's gradient at the last checkpoint."""
    return gradients["rows"][-1]["groups"]["encoder"]["variance"]


def _cosine(gradients: Mapping[str, Any] | None) -> str:
    cosine = gradients["rows"][-1]["groups"]["encoder"]["cosine"] if gradients else None
    return "" if cosine is None else f"{cosine:.3f}"
