"""The report of the study: a table of the cells, the winner per budget, aims, pictures, failures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks import provenance
from benchmarks.bottlenecks import aims, slides
from benchmarks.intervals import interval
from tf_discrete import plots
from trainers.common.tables import markdown

FEWEST_ACTIVE, LEAST_USE = 0.5, 0.1
"""The shares by which `has_collapsed` decides."""
PANELS = {
    "Gumbel-Softmax of 2 and 4 categories": ("gumbel_softmax_2_", "gumbel_softmax_4_"),
    "Gumbel-Softmax of 16 and 256 categories": ("gumbel_softmax_16_", "gumbel_softmax_256_"),
    "Other samples": ("straight_through", "reinmax", "tree", "semantic_hashing"),
    "Quantisers": ("vq_", "fsq", "lfq", "bsq"),
}
"""Families of a row of the picture, by the start of their names."""
Record = Mapping[str, Any]
COLUMNS = {
    "nats": ("nats", 2),
    "psnr": ("PSNR, dB", 2),
    "prior_bits": ("bits, prior", 1),
    "bytes_on_disk": ("bytes on disk", 2),
    "use": ("in use", 2),
    "active": ("active", 2),
    "flipped_bit_nats": ("flipped bit, nats", 2),
    "mean_average_precision": ("mAP", 3),
    "precision_at_k": ("precision", 3),
    "inception_score_independent": ("IS, independent", 2),
    "inception_score_prior": ("IS, prior", 2),
}


def shown(values: Sequence[float | None], digits: int) -> str:
    """Returns the mean and, of several values, half of its interval."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    mean, half = f"{fmean(known):.{digits}f}", interval(known)
    return mean if math.isinf(half) else f"{mean} +- {half:.{digits}f}"


def groups(records: Mapping[str, Record]) -> dict[tuple[int, str], list[Record]]:
    """Returns the finished cells by bits and family."""
    found: dict[tuple[int, str], list[Record]] = {}
    for record in records.values():
        if record.get("status") == "finished" and "title" in record:
            found.setdefault((record["bits"], record["family"]), []).append(record)
    return dict(sorted(found.items()))


def has_collapsed(record: Record) -> bool:
    """Returns whether at most half of the variables are active, or less than a tenth of categories in use."""
    return record.get("active", 1.0) <= FEWEST_ACTIVE or record.get("use", 1.0) < LEAST_USE


def text(records: Mapping[str, Record], times: Mapping[str, Record] | None = None) -> str:
    """Returns the report in Markdown; the slides are judged where there are several seeds.

    Args:
        records: Of the study.
        times: Of `step_time`; those of other models are left out. Default: None, the report has no times.
    """
    study, cells = records["study"], groups(records)
    config = study["config"]
    seeds = {record["seed"] for found in cells.values() for record in found}
    any_cell = next(iter(cells.values()))[0] if cells else {"steps": 0, "prior_parameters": 0}
    parts = [
        f"{config['dataset']}: {any_cell['steps']:,} steps of batches of {config['batch_size']}, "
        f"{config['parameters']:,} parameters within 2 %, {tuning(config)}, a prior of "
        f"{any_cell['prior_parameters']:,} parameters. Means +- half of the 95 % interval over seeds, where "
        f"there are several; {trained_on(records)}. Command: `{study['command']}`.\n",
        table(cells, of_same_models(times or {}, study)),
        winners(cells, records),
        aims.table(cells, records),
        failures(records),
        slides.table(records) if len(seeds) > 1 else "",
    ]
    return "\n".join(part for part in parts if part)


def of_same_models(times: Mapping[str, Record], study: Record) -> dict[str, Record]:
    """Returns the times of models with the images, the batches and the parameters of a study."""
    config = study["config"]
    own = {
        "data_shape": study.get("data_shape"),
        "batch_size": config["batch_size"],
        "parameters": config["parameters"],
    }
    return {name: time for name, time in times.items() if own.items() <= time.items()}


def trained_on(records: Mapping[str, Record]) -> str:
    """Returns the machines of all trainings in words, with the commits of each."""
    commits: dict[str, dict[str, None]] = {}
    for record in records.values():
        if "status" in record:
            made = record["provenance"]
            commits.setdefault(provenance.machine(made), {})[provenance.short(made)] = None
    return "; ".join(
        f"{name}, trained at commit {', '.join(known)}" for name, known in commits.items()
    )


def tuning(config: Mapping[str, Any]) -> str:
    """Returns in words how many settings each family could try."""
    if config["trials"] == 1:
        return "the default settings of each family"
    return f"{config['trials']} settings tried for each at {config['tune_bits']} bits on validation images"


def table(
    cells: Mapping[tuple[int, str], list[Record]], times: Mapping[str, Record] | None = None
) -> str:
    """Returns a row for each size and family, with the columns that were measured."""
    measured = [key for key in COLUMNS if any(key in r for rs in cells.values() for r in rs)]
    known = {(time["bits"], time["family"]): time for time in (times or {}).values()}
    rows = [
        (
            str(bits),
            records[0]["title"],
            *(shown([r.get(key) for r in records], COLUMNS[key][1]) for key in measured),
            *([_milliseconds(known.get((bits, family)))] if known else []),
            f"{sum(map(has_collapsed, records)) / len(records):.0%}",
            str(len(records)),
        )
        for (bits, family), records in cells.items()
    ]
    header = (
        *("bits", "code", *(COLUMNS[key][0] for key in measured)),
        *(["ms a step"] if known else []),
        *("collapsed", "seeds"),
    )
    return markdown(header, rows)


def _milliseconds(time: Record | None) -> str:
    return f"{median(time['milliseconds']):.2f}" if time else ""


def winners(cells: Mapping[tuple[int, str], list[Record]], records: Mapping[str, Record]) -> str:
    """Returns the best code of each size by distortion, bytes and retrieval, and mAP of ITQ next to it."""
    rows = []
    for bits in sorted({bits for bits, _ in cells}):
        own = [found for (size, _), found in cells.items() if size == bits]
        row = [str(bits)]
        for key, sign in (("nats", 1), ("bytes_on_disk", 1), ("mean_average_precision", -1)):
            scored = [found for found in own if all(r.get(key) is not None for r in found)]
            if not scored:
                row.append("")
                continue
            best = min(scored, key=lambda found: sign * fmean(r[key] for r in found))
            digits = COLUMNS[key][1]
            row.append(f"{best[0]['title']}: {shown([r[key] for r in best], digits)}")
        itq = records.get(f"itq-{bits}")
        row.append(f"{itq['mean_average_precision']:.3f}" if itq else "")
        rows.append(row)
    return markdown(("bits", "least nats", "fewest bytes", "best mAP", "mAP of ITQ"), rows)


def failures(records: Mapping[str, Record]) -> str:
    """Returns the trainings that diverged, and those that collapsed, see `has_collapsed`."""
    diverged = [name for name, record in records.items() if record.get("status") == "diverged"]
    collapsed = [name for name, record in records.items() if has_collapsed(record)]
    lines = [
        f"{title}: {', '.join(sorted(names)) or 'none'}.\n"
        for title, names in (("Diverged", diverged), ("Collapsed", collapsed))
    ]
    return "\n".join(lines)


def draw(records: Mapping[str, Record]) -> Figure:
    """Draws PSNR against nominal bits and bytes on disk: a line for each family, a band for its intervals."""
    cells, panels = groups(records), []
    for heading, starts in PANELS.items():
        for key, label in (("nominal_bits", "nominal bits"), ("bytes_on_disk", "bytes on disk")):
            own = {
                name: found
                for name, found in cells.items()
                if name[1].startswith(starts) and all(r.get(key) is not None for r in found)
            }
            if own:
                lines = _lines(own, key)
                panels.append(plots.LinePanel(heading, label, "PSNR, dB", lines, whole=True))
    return plots.comparison(panels, title="Rate and distortion", columns=2)


def _lines(cells: Mapping[tuple[int, str], list[Record]], key: str) -> dict[str, plots.Line]:
    """Returns the mean of PSNR over the mean rate, with its interval, by the title of a family."""
    points: dict[str, list[tuple[float, float, float]]] = {}
    for found in cells.values():
        psnr = [record["psnr"] for record in found]
        half = interval(psnr)
        point = (fmean(r[key] for r in found), fmean(psnr), 0.0 if math.isinf(half) else half)
        points.setdefault(found[0]["title"], []).append(point)
    lines = {}
    for title, own in points.items():
        x, y, half = np.array(sorted(own)).T
        lines[title] = plots.Line(x, y, y - half, y + half)
    return lines
