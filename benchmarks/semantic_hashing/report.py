"""The report of `semantic_hashing_study`: tables of codes and hyper-parameters, a picture, conclusions."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.semantic_hashing import conclusions
from benchmarks.semantic_hashing.conclusions import NAMES
from tf_discrete import plots
from tf_discrete.plots import canvas

COLOURS = {"gumbel_softmax": canvas.BLUE, "semantic_hashing": canvas.VERMILION}
LAWS = {"independent": "Independent samples", "lstm": "Samples of the LSTM prior"}
MARKERS = {2: "o", 4: "^", 10: "s", 16: "D"}  # By categories; "v" for any other number.

Group = list[dict[str, Any]]
"""The results of the seeds of one cell."""


def write(
    folder: pathlib.Path,
    results: Sequence[dict[str, Any]],
    config: dict[str, Any],
    classifier: dict[str, float],
) -> str:
    """Draws study.png and returns the text of study.md.

    Args:
        folder: of the study.
        results: what the files of the cells hold.
        config: of the study.
        classifier: its accuracy and scores on test images.
    """
    usual, tried = compared(results, config)
    plots.save(draw(usual, tried), folder / "study.png", dpi=canvas.DPI)
    return text(results, config, classifier, "study.png")


DIFFERENCES = (
    "Other than in the slides' program: the decoder starts at the mean image; the LSTM learns the first "
    "chunk of a code too and samples it, and reads two variables at a time where there are ten "
    "categories; 60 of MNIST's training images are left out. As there: the pixels are grey and taken as "
    "probabilities, so the error is no likelihood; Gumbel-Softmax alone pays for a KL to the uniform "
    "prior, which costs it reconstruction; and at an annealing rate of 3e-5 the temperature falls from 1 "
    "to 0.84 in ten epochs of MNIST, so that the floor of 0.5 is never reached.\n"
)
"""What a reader of the numbers must know of the protocol."""


def text(
    results: Sequence[dict[str, Any]],
    config: dict[str, Any],
    classifier: dict[str, float],
    picture: str,
) -> str:
    """The text of the report; its arguments are those of `write`, and the address of the picture."""
    usual, tried = compared(results, config)
    head = (
        f"{config['dataset']}, {config['epochs']} epochs, batches of {config['batch_size']}; mean +- "
        "standard deviation over seeds. *Error*: binary cross-entropy of test images and deterministic "
        "codes, nats. *Inception score*: the standard one (1 to the number of classes); *slides' score*: "
        "of 64 samples at a time, averaged over classes, no exponential, and exp(classes x score). The "
        f"classifier reads {100 * classifier['test_accuracy']:.1f} % of the test images rightly; their "
        f"own scores are {classifier['inception_score_of_test_images']:.2f} and "
        f"{classifier['slides_score_of_test_images']:.4f}.\n"
    )
    parts = [head, DIFFERENCES, codes_table(usual)]
    parts.append(f"![Error, scores and sensitivity]({picture})\n")
    if tried:
        parts.append(sensitivity_table(tried))
    diverged = [result for result in results if result["status"] == "diverged"]
    if diverged:
        parts.append(diverged_table(diverged))
    parts.append(conclusions_text(results, config))
    return "\n".join(parts)


def compared(
    results: Sequence[dict[str, Any]], config: dict[str, Any]
) -> tuple[list[Group], list[Group]]:
    """Finished cells by code, with the study's own hyper-parameters; those with others, by setting."""
    groups = grouped([result for result in results if result["status"] == "finished"])
    usual = [group for group in groups if is_usual(group[0], config)]
    return usual, [group for group in groups if is_tried(group[0], config)]


def conclusions_text(results: Sequence[dict[str, Any]], config: dict[str, Any]) -> str:
    """The verdicts on the conclusions of the slides."""
    return conclusions.write(
        conclusions.judge(
            [result for result in results if is_usual(result, config)],
            [result for result in results if is_tried(result, config)],
            config["samplings"],
        )
    )


def diverged_table(results: Sequence[dict[str, Any]]) -> str:
    """One row a training that has diverged."""
    header = ("diverged", "method", "setting", "seed", "message")
    rows = [
        (
            size_text(result),
            NAMES[result["method"]],
            settings_text(result),
            str(result["seed"]),
            result["message"],
        )
        for result in results
    ]
    return markdown(header, rows)


def grouped(results: Sequence[dict[str, Any]]) -> list[Group]:
    """Results that differ in the seed only, together; in the order of method, size, settings."""
    found: dict[Any, Group] = {}
    for result in results:
        settings = tuple(sorted(result["settings"].items()))
        size = (result["bits"], result["num_variables"], result["num_categories"])
        found.setdefault((result["method"], size, settings), []).append(result)
    return [found[key] for key in sorted(found)]


def is_usual(result: dict[str, Any], config: dict[str, Any]) -> bool:
    """Whether a cell has the study's own noise or temperatures."""
    return all(config[name] == value for name, value in result["settings"].items())


def is_tried(result: dict[str, Any], config: dict[str, Any]) -> bool:
    """Whether a cell belongs to the comparison of hyper-parameters."""
    return (result["num_variables"], result["num_categories"]) == (config["sensitivity_bits"], 2)


def codes_table(groups: Sequence[Group]) -> str:
    """One row a code and a law of its samples."""
    header = (
        *("code", "method", "bits", "error", "active", "samples", "inception score"),
        *("slides' score", "exp(classes x it)", "seeds"),
    )
    rows = []
    for group in sorted(groups, key=lambda group: (group[0]["bits"], group[0]["method"])):
        one = group[0]
        for law in one["generation"]:
            rows.append(
                (
                    size_text(one),
                    NAMES[one["method"]],
                    f"{one['bits']:.0f}",
                    spread([r["reconstruction_nats"] for r in group], 2),
                    f"{np.mean([r['active_variables'] for r in group]):.0f}",
                    law,
                    *(
                        spread([r["generation"][law][key] for r in group], digits)
                        for key, digits in (
                            ("inception_score", 2),
                            ("slides_score", 4),
                            ("slides_as_standard", 2),
                        )
                    ),
                    str(len(group)),
                )
            )
    return markdown(header, rows)


def sensitivity_table(groups: Sequence[Group]) -> str:
    """One row a setting; then how far the settings of each method lie apart."""
    rows, lines = [], []
    for group in groups:
        rows.append(
            (
                NAMES[group[0]["method"]],
                settings_text(group[0]),
                spread([r["reconstruction_nats"] for r in group], 2),
                *(spread([score(r, law) for r in group], 2) for law in group[0]["generation"]),
                str(len(group)),
            )
        )
    laws = [f"inception score, {law}" for law in groups[0][0]["generation"]]
    outcomes = [("error", lambda r: r["reconstruction_nats"])]
    outcomes += [
        (name, lambda r, law=law: score(r, law))
        for name, law in zip(laws, groups[0][0]["generation"], strict=True)
    ]
    for method, name in NAMES.items():
        own = [group for group in groups if group[0]["method"] == method]
        ranges = []
        for outcome, read in outcomes:
            means = [np.mean([read(r) for r in group]) for group in own]
            if means:
                ranges.append(f"{outcome} from {min(means):.2f} to {max(means):.2f}")
        if ranges:
            lines.append(f"- {name}, {len(own)} settings: {'; '.join(ranges)}.\n")
    table = markdown(("method", "setting", "error", *laws, "seeds"), rows)
    return f"{table}\n{''.join(lines)}"


def draw(usual: Sequence[Group], tried: Sequence[Group]) -> Figure:
    """Error and inception scores against the size of the code; error of every setting."""
    laws = list(usual[0][0]["generation"]) if usual else []
    figure = canvas.new_figure(4.5 * (2 + len(laws)), 5.0, constrained=True)
    error, *scores, sensitivity = figure.subplots(1, 2 + len(laws))
    canvas.tidy(error, "Reconstruction", "bits of the code", "test error, nats")
    for axes, law in zip(scores, laws, strict=True):
        canvas.tidy(axes, LAWS[law], "bits of the code", "inception score")
    for method in NAMES:
        for categories in sorted({group[0]["num_categories"] for group in usual}):
            some = [
                group
                for group in usual
                if (group[0]["method"], group[0]["num_categories"]) == (method, categories)
            ]
            if some:
                label = f"{NAMES[method]}, K = {categories}"
                _line(error, some, label, lambda r: r["reconstruction_nats"])
                for axes, law in zip(scores, laws, strict=True):
                    _line(axes, some, label, lambda r, law=law: score(r, law))
    for axes in scores:  # One scale, so that the laws compare.
        axes.set_ylim(
            min(other.get_ylim()[0] for other in scores),
            max(other.get_ylim()[1] for other in scores),
        )
    lines, names = error.get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=max(1, len(names)), frameon=False)
    canvas.tidy(sensitivity, "Other hyper-parameters", "test error, nats", "")
    labels = []
    for place, group in enumerate(tried):
        values = [r["reconstruction_nats"] for r in group]
        colour = COLOURS[group[0]["method"]]
        sensitivity.plot(values, [place] * len(values), "o", color=colour, markersize=5, alpha=0.7)
        labels.append(settings_text(group[0]))
    sensitivity.set_yticks(range(len(labels)), labels)
    sensitivity.invert_yaxis()
    return figure


def score(result: dict[str, Any], law: str) -> float:
    """The inception score of samples from a law of the codes."""
    return result["generation"][law]["inception_score"]


def size_text(result: dict[str, Any]) -> str:
    """Variables x categories."""
    return f"{result['num_variables']} x {result['num_categories']}"


def spread(values: Sequence[float], digits: int) -> str:
    """Mean +- standard deviation; the mean alone of a single value."""
    if len(values) < 2:
        return f"{values[0]:.{digits}f}"
    return f"{np.mean(values):.{digits}f} +- {np.std(values, ddof=1):.{digits}f}"


def settings_text(result: dict[str, Any]) -> str:
    """The settings of a cell in words."""
    settings = result["settings"]
    if "noise_stddev" in settings:
        return f"noise {settings['noise_stddev']:g}"
    if not settings["temperature_rate"]:
        return f"tau {settings['temperature_final']:g}"
    return f"tau >= {settings['temperature_final']:g}, rate {settings['temperature_rate']:g}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _line(axes: Axes, groups: Sequence[Group], label: str, read: Any) -> None:
    values = [[read(result) for result in group] for group in groups]
    one = groups[0][0]
    axes.errorbar(
        [group[0]["bits"] for group in groups],
        [np.mean(some) for some in values],
        [np.std(some, ddof=1) if len(some) > 1 else 0.0 for some in values],
        color=COLOURS[one["method"]],
        marker=MARKERS.get(one["num_categories"], "v"),
        markersize=7 if one["num_categories"] > 2 else 6,
        linestyle="-" if one["num_categories"] == 2 else "--",
        capsize=3,
        label=label,
    )
