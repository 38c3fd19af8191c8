"""Runs the checks of layers, estimators and models on two logical CPUs; prints each one's answer as JSON.

Run as a process of its own, for logical devices are made before TensorFlow starts.
"""

from __future__ import annotations

import json
import time
import traceback

import tensorflow as tf


def main() -> None:
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from tests.conformance import codebook_checks, merge_checks, replica_checks

    answers = {}
    for module in (merge_checks, replica_checks, codebook_checks):
        for name, check in vars(module).items():
            if name.startswith("test_"):
                start = time.perf_counter()
                try:
                    check()
                    answers[name] = ""
                except Exception:
                    answers[name] = traceback.format_exc()
                print(f"{name}: {time.perf_counter() - start:.1f} s")
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
