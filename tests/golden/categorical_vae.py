"""The golden numbers of the categorical VAE's trainer: `python -m tests.golden.categorical_vae`.

Prints how a small run on the digits differs from the committed numbers, and changes nothing; with
--regenerate it writes them anew. Do that only where a change of the numbers is meant, and say why in the
commit. With --jit_compile the run is compiled by XLA, whose noise is another, and has numbers of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tests.trainers import small_runs
from trainers.tasks import categorical_vae

FILE = pathlib.Path(__file__).with_suffix(".json")
COUNTS = {
    "accuracy": 0.03,
    "calibration_error": 0.03,
    "perplexity": 0.1,
    "perplexity_min": 0.1,
    "linear_accuracy": 0.03,
    "linear_accuracy_standard_error": 0.003,
    "reconstruction_mse": 0.003,
    "reconstruction_mse_standard_error": 0.001,
    "accuracy_standard_error": 0.003,
    "mean_image_mse_standard_error": 0.001,
}
"""Of values that count: one example more or less at a near-tie moves them by a step."""


def summary(folder: pathlib.Path) -> dict[str, Any]:
    """The numbers of a finished run that are pinned."""
    return {"epochs": small_runs.rows(folder), "result": small_runs.result(folder)}


def golden(file: pathlib.Path = FILE) -> dict[str, Any]:
    """The committed numbers, with the tolerance of those that are continuous in the weights.

    It is relative or absolute, whichever is larger. Kernels of other processors and versions sum in another
    order. With fewer instructions (SSE4.1, AVX2), other kernels (oneDNN off), one thread, and initial weights
    changed by 1e-7 of their size, the runs of 1e-4 moved by at most 2e-7; a run that is conditioned worse has
    a larger number in its file. Runs that XLA compiles stay within it, too, with the instructions of SSE4.2
    and of AVX alone (`XLA_FLAGS=--xla_cpu_max_isa=AVX`) and with oneDNN off.
    """
    return json.loads(file.read_text())


def differences(found: Any, expected: Any, tolerance: float, where: str = "") -> list[str]:
    """Returns what differs by more than the tolerance, or than `COUNTS` allows, one line per number."""
    if isinstance(expected, dict):
        lines = [
            f"{where}/{name}: only on one side" for name in sorted(found.keys() ^ expected.keys())
        ]
        for name in sorted(found.keys() & expected.keys()):
            lines += differences(found[name], expected[name], tolerance, f"{where}/{name}")
        return lines
    if isinstance(expected, list):
        if len(found) != len(expected):
            return [f"{where}: {len(found)} entries, {len(expected)} expected"]
        pairs = enumerate(zip(found, expected, strict=True))
        return [
            line
            for i, (one, two) in pairs
            for line in differences(one, two, tolerance, f"{where}[{i}]")
        ]
    if isinstance(expected, float) and isinstance(found, float):
        allowed = max(tolerance, COUNTS.get(where.rsplit("/", 1)[-1], 0.0))
        same = math.isclose(found, expected, rel_tol=allowed, abs_tol=allowed)
    else:
        same = found == expected
    return [] if same else [f"{where}: {found!r}, {expected!r} expected"]


def compiled(file: pathlib.Path) -> pathlib.Path:
    """The file of the same run, compiled by XLA."""
    return file.with_stem(f"{file.stem}_xla")


def run(folder: pathlib.Path, **changes: Any) -> None:
    """The run that is pinned."""
    categorical_vae.run(small_runs.config(folder, **changes))


def main(
    argv: list[str] | None = None,
    file: pathlib.Path = FILE,
    run: Callable[..., None] = run,
) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--regenerate", action="store_true", help="write the numbers of the run")
    parser.add_argument("--jit_compile", action="store_true", help="compile the run by XLA")
    chosen = parser.parse_args(argv)
    regenerate, tolerance = chosen.regenerate, golden(file)["tolerance"]
    file = compiled(file) if chosen.jit_compile else file
    with tempfile.TemporaryDirectory() as folder:
        run(pathlib.Path(folder) / "run", jit_compile="on" if chosen.jit_compile else "off")
        found = summary(pathlib.Path(folder) / "run")
    expected = golden(file) if file.exists() else {"epochs": [], "result": {}}
    numbers = {name: expected[name] for name in found}
    lines = differences(found, numbers, tolerance)
    print("\n".join(lines) or "The run gives the golden numbers.")
    if regenerate:
        head = {"tensorflow": tf.__version__, "tolerance": tolerance}
        file.write_text(json.dumps({**head, **found}, indent=1) + "\n")
        print(f"{file.name} is written.")
    return int(bool(lines) and not regenerate)


if __name__ == "__main__":
    sys.exit(main())
