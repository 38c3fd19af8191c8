"""The report of the study: tables of codes and hyper-parameters, a picture, and the slides' conclusions."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.codes.models import NAMES
from benchmarks.semantic_hashing import conclusions
from benchmarks.tables import markdown, spread
from tf_discrete.plots import canvas

COLOURS = {"gumbel_softmax": canvas.BLUE, "semantic_hashing": canvas.VERMILION}
PRIORS = {"independent": "Independent samples", "lstm": "Samples of the LSTM prior"}
MARKERS = {2: "o", 4: "^", 10: "s", 16: "D"}  # By categories; "v" for any other number.
Group = list[dict[str, Any]]
"""The records of the seeds of one cell."""

TEXT = """Made by `{command}`.

{dataset}, {epochs} epochs, batches of {batch_size}; mean +- standard deviation over seeds. *Error*: binary \
cross-entropy of test images and deterministic codes, nats. *Inception score*: the standard one (1 to \
the number of classes); *slides' score*: of 64 samples at a time, averaged over classes, no exponential, and \
exp(classes x score). The classifier reads {accuracy:.1f} % of the test images rightly; their own scores are \
{inception_score_of_test_images:.2f} and {slides_score_of_test_images:.4f}.

Other than in the slides' program: the decoder starts at the mean image; the LSTM learns the first chunk of \
a code too and samples it, and reads two variables at a time where there are ten categories; 60 of MNIST's \
training images are left out. As there: the pixels are grey and taken as probabilities, so the error is no \
likelihood; Gumbel-Softmax alone pays for a KL to the uniform prior, which costs it reconstruction; and at \
an annealing rate of 3e-5 the temperature falls from 1 to 0.84 in ten epochs of MNIST, so that the floor of \
0.5 is never reached.
"""


def text(records: dict[str, dict[str, Any]], picture: str) -> str:
    """The report of a table of records, one of which is the study, with the address of its picture."""
    study, usual, tried = compared(records)
    scores = {**study["classifier"], "accuracy": 100 * study["classifier"]["test_accuracy"]}
    head = TEXT.format(command=study["command"], **study["config"], **scores)
    parts = [head, codes_table(usual), f"![Error, scores and sensitivity]({picture})\n"]
    parts += [sensitivity_table(tried)] if tried else []
    diverged = [r for r in records.values() if r.get("status") == "diverged"]
    if diverged:
        rows = [
            (_size(r), NAMES[r["method"]], setting_text(r), str(r["seed"]), r["message"])
            for r in diverged
        ]
        parts.append(markdown(("diverged", "method", "setting", "seed", "message"), rows))
    cells = [r for r in records.values() if "method" in r]
    return "\n".join([*parts, conclusions.write(conclusions.judge(cells, study["config"]))])


def compared(
    records: dict[str, dict[str, Any]],
) -> tuple[dict[str, Any], list[Group], list[Group]]:
    """The study; its finished cells by code, with its own hyper-parameters; those with others, by setting."""
    study = records["study"]
    groups: dict[Any, Group] = {}
    for r in (r for r in records.values() if r.get("status") == "finished"):
        size = (r["bits"], r["num_variables"], r["num_categories"])
        key = (r["method"], size, tuple(sorted(r["settings"].items())))
        groups.setdefault(key, []).append(r)
    found = [groups[key] for key in sorted(groups)]
    tests = (conclusions.is_usual, conclusions.is_tried)
    usual, tried = ([g for g in found if test(g[0], study["config"])] for test in tests)
    return study, usual, tried


def codes_table(groups: list[Group]) -> str:
    """One row a code and a prior of its samples."""
    header = (
        *("code", "method", "bits", "error", "active", "samples", "inception score"),
        *("slides' score", "exp(classes x it)", "seeds"),
    )
    digits = {"inception_score": 2, "slides_score": 4, "slides_as_standard": 2}
    rows = [
        (
            *(_size(group[0]), NAMES[group[0]["method"]], f"{group[0]['bits']:.0f}"),
            spread([r["reconstruction_nats"] for r in group], 2),
            f"{np.mean([r['active_variables'] for r in group]):.0f}",
            prior,
            *(spread([r["generation"][prior][key] for r in group], digits[key]) for key in digits),
            str(len(group)),
        )
        for group in sorted(groups, key=lambda group: (group[0]["bits"], group[0]["method"]))
        for prior in group[0]["generation"]
    ]
    return markdown(header, rows)


def sensitivity_table(groups: list[Group]) -> str:
    """One row a setting; then how far the settings of each method lie apart."""
    names = list(conclusions.outcomes(groups[0][0]))
    values = [[[conclusions.outcomes(r)[n] for r in group] for n in names] for group in groups]
    rows, lines = [], ""
    for group, own in zip(groups, values, strict=True):
        shown = (spread(some, 2) for some in own)
        rows.append((NAMES[group[0]["method"]], setting_text(group[0]), *shown, str(len(group))))
    for method, title in NAMES.items():
        each = [v for v, group in zip(values, groups, strict=True) if group[0]["method"] == method]
        means = [[np.mean(some) for some in column] for column in zip(*each, strict=True)]
        ranges = [
            f"{name} from {min(m):.2f} to {max(m):.2f}"
            for name, m in zip(names, means, strict=False)
        ]
        lines += f"- {title}, {len(each)} settings: {'; '.join(ranges)}.\n" if each else ""
    return f"{markdown(('method', 'setting', *names, 'seeds'), rows)}\n{lines}"


def draw(usual: list[Group], tried: list[Group]) -> Figure:
    """Error and inception scores against the size of the code; error of every setting."""
    priors = list(usual[0][0]["generation"]) if usual else []
    figure = canvas.new_figure(4.5 * (2 + len(priors)), 5.0, constrained=True)
    error, *scores, sensitivity = figure.subplots(1, 2 + len(priors))
    canvas.tidy(error, "Reconstruction", "bits of the code", "test error, nats")
    for axes, prior in zip(scores, priors, strict=True):
        canvas.tidy(axes, PRIORS[prior], "bits of the code", "inception score")
    kinds = sorted({(g[0]["method"], g[0]["num_categories"]) for g in usual})
    for method, categories in kinds:
        some = [
            g for g in usual if (g[0]["method"], g[0]["num_categories"]) == (method, categories)
        ]
        for index, axes in enumerate((error, *scores)):
            values = [[list(conclusions.outcomes(r).values())[index] for r in g] for g in some]
            axes.errorbar(
                [group[0]["bits"] for group in some],
                [np.mean(own) for own in values],
                [np.std(own, ddof=1) if len(own) > 1 else 0.0 for own in values],
                color=COLOURS[method],
                marker=MARKERS.get(categories, "v"),
                markersize=7 if categories > 2 else 6,
                linestyle="-" if categories == 2 else "--",
                capsize=3,
                label=f"{NAMES[method]}, K = {categories}",
            )
    limits = [axes.get_ylim() for axes in scores]
    for axes in scores:  # One scale, so that the priors compare.
        axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    lines, names = error.get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=max(1, len(names)), frameon=False)
    canvas.tidy(sensitivity, "Other hyper-parameters", "test error, nats", "")
    for place, group in enumerate(tried):
        style = {"color": COLOURS[group[0]["method"]], "markersize": 5, "alpha": 0.7}
        values = [r["reconstruction_nats"] for r in group]
        sensitivity.plot(values, [place] * len(values), "o", **style)
    sensitivity.set_yticks(range(len(tried)), [setting_text(group[0]) for group in tried])
    sensitivity.invert_yaxis()
    return figure


def setting_text(result: dict[str, Any]) -> str:
    """The settings of a cell in words."""
    settings = result["settings"]
    if "noise_stddev" in settings:
        return f"noise {settings['noise_stddev']:g}"
    final, rate = settings["temperature_final"], settings["temperature_rate"]
    return f"tau >= {final:g}, rate {rate:g}" if rate else f"tau {final:g}"


def _size(result: dict[str, Any]) -> str:
    return f"{result['num_variables']} x {result['num_categories']}"
