"""Trains on two logical CPUs and on one; prints what came out as JSON. Run as a process of its own."""

from __future__ import annotations

import json
import pathlib
import sys

import numpy as np
import tensorflow as tf

from tests.trainers import small_runs
from tf_discrete.models import CategoricalVAE
from trainers.tasks import categorical_vae

# Enumeration draws nothing, so both ways of training must come to the same losses.
EXACT = {"estimator": "enumeration", "num_variables": 2, "epochs": 2, "bound_samples": 5}


def main(folder: str) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    paths = {name: pathlib.Path(folder) / name for name in ("mirrored", "one")}
    result = categorical_vae.run(
        small_runs.config(paths["mirrored"], distribute="mirrored", **EXACT)
    )
    small_runs.train(paths["one"], **EXACT)

    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        model = CategoricalVAE((4,), num_variables=3, num_categories=2, hidden_units=(2,))

    @tf.function
    def noise():
        def draw():
            seed = model.step_seed(tf.convert_to_tensor(model.micro_step), "train")
            return model.estimator.draw_noise(seed, tf.zeros([5, 3, 2]))

        return strategy.experimental_local_results(strategy.run(draw))

    first, second = (np.asarray(values) for values in noise())
    answer = {
        "rows": {name: small_runs.rows(path) for name, path in paths.items()},
        "result": result,
        "files": sorted(path.name for path in paths["mirrored"].iterdir()),
        "common_noise": int(np.sum(first == second)),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
