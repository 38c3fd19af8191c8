"""The report of the study: a table of the cells, the winner per budget, pictures, failures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from benchmarks import provenance
from benchmarks.bottlenecks import slides
from benchmarks.bottlenecks.intervals import interval
from benchmarks.codes import curves
from tf_discrete import plots
from trainers.common.tables import markdown

PICTURE = "images/bottlenecks.png"
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


def text(records: Mapping[str, Record]) -> str:
    """Returns the report in Markdown."""
    study, cells = records["study"], groups(records)
    config = study["config"]
    any_cell = next(iter(cells.values()))[0] if cells else {"steps": 0, "prior_parameters": 0}
    parts = [
        f"{config['dataset']}: {any_cell['steps']:,} steps of batches of {config['batch_size']}, "
        f"{config['parameters']:,} parameters within 2 %, {tuning(config)}, a prior of "
        f"{any_cell['prior_parameters']:,} parameters. Means +- half of the 95 % interval over seeds, where "
        f"there are several; {trained_on(records)}. Command: `{study['command']}`.\n",
        table(cells),
        f"![PSNR against the rates]({PICTURE})\n",
        winners(cells, records),
        failures(records),
        slides.table(records),
    ]
    return "\n".join(part for part in parts if part)


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


def table(cells: Mapping[tuple[int, str], list[Record]]) -> str:
    """Returns a row for each size and family, with the columns that were measured."""
    measured = [key for key in COLUMNS if any(key in r for rs in cells.values() for r in rs)]
    rows = [
        (
            str(bits),
            records[0]["title"],
            *(shown([r.get(key) for r in records], COLUMNS[key][1]) for key in measured),
            str(len(records)),
        )
        for (bits, _), records in cells.items()
    ]
    return markdown(("bits", "code", *(COLUMNS[key][0] for key in measured), "seeds"), rows)


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
    """Returns the trainings that diverged, and those that left half of the variables or 90 % of K unused."""
    diverged = [name for name, record in records.items() if record.get("status") == "diverged"]
    collapsed = [
        name
        for name, record in records.items()
        if record.get("active", 1.0) <= 0.5 or record.get("use", 1.0) < 0.1
    ]
    lines = [
        f"{title}: {', '.join(sorted(names)) or 'none'}.\n"
        for title, names in (("Diverged", diverged), ("Collapsed", collapsed))
    ]
    return "\n".join(lines)


def draw(records: Mapping[str, Record]) -> Figure:
    """Draws PSNR against the three rates, a line for each family, a band over its seeds."""
    cells = [record for found in groups(records).values() for record in found]
    panels = []
    for key, label in (
        ("nominal_bits", "nominal bits"),
        ("prior_bits", "bits under the prior"),
        ("bytes_on_disk", "bytes on disk"),
    ):
        sizes = {
            name: fmean(r[key] for r in found)
            for name, found in groups(records).items()
            if all(r.get(key) is not None for r in found)
        }
        points = (
            (c["title"], sizes[c["bits"], c["family"]], c["psnr"])
            for c in cells
            if (c["bits"], c["family"]) in sizes
        )
        lines = curves.lines(points)
        if lines:
            panels.append(plots.LinePanel(label, label, "PSNR, dB", lines, whole=True))
    return plots.comparison(panels, title="Rate and distortion", columns=1)
