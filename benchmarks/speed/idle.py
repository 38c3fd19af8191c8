"""Whether other programs use the processor: only what an idle machine has shown is recorded."""

from __future__ import annotations

import os
import pathlib
import time

_STATE = pathlib.Path("/proc/stat")
_BUSY = 0.1
"""Cores in use that count as idle: services of a system take less."""


def used_cores(seconds: float = 0.5) -> float:
    """Returns how many cores are in use, over some seconds in which this process sleeps.

    Where the system has no /proc/stat it is the load of the last minute.
    """
    if not _STATE.exists():
        return os.getloadavg()[0]
    before = _busy_ticks()
    began = time.monotonic()
    time.sleep(seconds)
    return (_busy_ticks() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - began)


def wait(patience: float) -> bool:
    """Waits until the machine is idle, at most `patience` seconds; returns whether it is."""
    deadline = time.monotonic() + patience
    while (used := used_cores()) > _BUSY:
        if time.monotonic() > deadline:
            return False
        print(f"Waiting for an idle machine: {used:.1f} cores are in use", flush=True)
        time.sleep(min(5.0, patience))
    return True


def _busy_ticks() -> int:
    """Ticks in which a core worked, since the system started: all but idle and waiting for disks."""
    user, nice, system, _, _, *others = map(int, _STATE.read_text().split("\n")[0].split()[1:9])
    return user + nice + system + sum(others)
