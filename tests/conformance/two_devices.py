"""Runs the checks of layers, estimators and models on two logical CPUs; prints each one's answer as JSON.

Run as a process of its own, for logical devices are made before TensorFlow starts. Its arguments are
the names of checks; default: all.
"""

from __future__ import annotations

import json
import sys
import time
import traceback

import tensorflow as tf


def main() -> None:
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from tests.conformance import codebook_checks, merge_checks, replica_checks

    checks = {
        name: check
        for module in (merge_checks, replica_checks, codebook_checks)
        for name, check in vars(module).items()
        if name.startswith("test_")
    }
    answers = {}
    for name in sys.argv[1:] or checks:
        start = time.perf_counter()
        try:
            checks[name]()
            answers[name] = ""
        except Exception:
            answers[name] = traceback.format_exc()
        print(f"{name}: {time.perf_counter() - start:.1f} s")
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
