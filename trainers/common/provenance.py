"""The provenance of a measurement: processor, cores, accelerators, versions."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import tensorflow as tf


def hardware() -> dict[str, Any]:
    """The processor, the number of cores that this process may use, and the GPUs."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    devices = [
        tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return {"processor": model, "cores": cores, **({"gpus": devices} if devices else {})}


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that compute the numbers."""
    packages = ("tensorflow", "tensorflow-cpu", "keras", "tensorflow-probability", "numpy")
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
