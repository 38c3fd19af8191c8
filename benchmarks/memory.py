"""The memory of a process as the kernel counts it, in MiB.

`resource.getrusage` is no help: a process that another one starts inherits the peak of that one.
"""

from __future__ import annotations

import pathlib


def resident(process: int | str = "self") -> float:
    """Returns the memory that a process, by its number, holds now."""
    return _field(process, "VmRSS")


def peak(process: int | str = "self") -> float:
    """Returns the most that a process has held at any time."""
    return _field(process, "VmHWM")


def _field(process: int | str, name: str) -> float:
    """Returns a field of a process's status; 0 of one that has just ended."""
    lines = pathlib.Path(f"/proc/{process}/status").read_text().splitlines()
    found = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return round(int(found[0]) / 1024, 1) if found else 0.0
