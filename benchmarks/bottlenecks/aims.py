"""Aims of the study for codes of 64 bits, next to what it reached."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from trainers.common.tables import markdown

Record = Mapping[str, Any]
Cell = Sequence[Record]
DATASET, BITS = "mnist", 64
PSNR = 18.5
"""In dB. DAPS (arXiv:2509.24716) reports 18.45 for a VQ; we quote it without having checked the paper."""
BYTES = 4.0
"""On disk, of an image."""


def table(cells: Mapping[tuple[int, str], Cell], records: Mapping[str, Record]) -> str:
    """Returns each aim next to the code that comes nearest; "" for other data or without 64 bits."""
    own = [found for (bits, _), found in cells.items() if bits == BITS]
    if not own or records["study"]["config"]["dataset"] != DATASET:
        return ""
    coded = [found for found in own if all(r.get("bytes_on_disk") is not None for r in found)]
    small = [found for found in coded if _mean(found, "bytes_on_disk") <= BYTES]
    rows = [
        _row(f"at least {PSNR} dB", own, "psnr", PSNR),
        _row(f"at most {BYTES:g} bytes on disk", coded, "bytes_on_disk", BYTES, sign=-1),
        _row("both with one code", small, "psnr", PSNR),
    ]
    if itq := records.get(f"itq-{BITS}"):
        score = itq["mean_average_precision"]
        rows.append(
            _row(
                f"mAP above that of ITQ, {score:.3f}",
                own,
                "mean_average_precision",
                score,
                reached=operator.gt,
            )
        )
    return markdown((f"aim at {BITS} bits", "the code that comes nearest", "reached"), rows)


def _row(
    aim: str,
    cells: Sequence[Cell],
    key: str,
    threshold: float,
    sign: int = 1,
    reached: Callable[[float, float], bool] = operator.ge,
) -> tuple[str, str, str]:
    if not cells:
        return aim, "none", "no"
    best = max(cells, key=lambda found: sign * _mean(found, key))
    value = _mean(best, key)
    answer = "yes" if reached(sign * value, sign * threshold) else "no"
    return aim, f"{best[0]['title']}: {value:.4g}", answer


def _mean(found: Cell, key: str) -> float:
    return fmean(record[key] for record in found)
