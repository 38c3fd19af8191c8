"""What marginalising the class costs: steps per second of the semi-supervised VAE against joint inference.

Both train on unlabelled 28 x 28 images with one and the same code; `enumeration` folds all K classes into
the batch, with the image's part of q(z | x, y) computed once, the joint inference draws one class. They
take turns; the median over the rounds counts. Beside the measured ratio stands the one that the
multiply-adds of the networks predict.

    python -m benchmarks.semi_supervised_speed

writes benchmarks/results/semi_supervised_speed.json and the picture docs/images/semi_supervised_speed.png,
and prints the table.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import plots
from tf_discrete.models import SemiSupervisedVAE, conditional_networks
from tf_discrete.optimizers import FusedAdam
from trainers import command_line, machine
from trainers.config import check, option
from trainers.run_directory import write_json

ROOT = Path(__file__).parent.parent
MARGINAL = "enumeration"


@dataclasses.dataclass(frozen=True)
class Config:
    """What is measured, and how long."""

    classes: tuple[int, ...] = option((2, 5, 10, 20, 50, 100), "Numbers of classes K.")
    networks: tuple[str, ...] = option(("mlp", "conv"), "Networks.")
    joint: str = option("gumbel_softmax", "Joint inference to compare with.")
    batch_size: int = option(100, "Unlabelled images in a step.", lower=1)
    hidden_units: tuple[int, ...] = option((500, 500), "Units of the hidden layers.")
    style_size: int = option(32, "Variables of the style.", lower=1)
    seconds: float = option(2.0, "Length of a turn, about.", positive=True)
    rounds: int = option(5, "Turns of each.", lower=1)
    output: str = option("", "JSON file. Default: benchmarks/results/semi_supervised_speed.json.")
    picture: str = option("", "PNG file. Default: docs/images/semi_supervised_speed.png.")


class Contender:
    """A model that trains for a turn at a time."""

    def __init__(self, config: Config, network: str, inference: str, num_classes: int):
        keras.utils.set_random_seed(0)
        self.model = SemiSupervisedVAE(
            (28, 28, 1),
            num_classes=num_classes,
            style_size=config.style_size,
            inference=inference,
            classifier=network,
            hidden_units=config.hidden_units,
            monitor_every=10**6,
        )
        self.model.compile(optimizer=FusedAdam(1e-3))
        random = np.random.RandomState(0)
        image = (random.uniform(size=[config.batch_size, 28, 28, 1]) < 0.2).astype(np.float32)
        self.data = tf.data.Dataset.from_tensors({"image": image}).repeat()
        self.steps = 1
        self.turn()  # Traces.
        self.steps = max(1, int(config.seconds * self.turn()))

    def turn(self) -> float:
        """Steps per second of a turn."""
        began = time.perf_counter()
        self.model.fit(self.data, steps_per_epoch=self.steps, epochs=1, verbose=0, shuffle=False)
        return self.steps / (time.perf_counter() - began)


def multiply_adds(network: keras.Model) -> int:
    """Multiply-adds of one row through the kernels of a network."""
    total = 0
    for layer in network._flatten_layers():
        kernel = getattr(layer, "kernel", None)
        if kernel is None:
            continue
        places = 1
        if isinstance(layer, keras.layers.Conv2DTranspose):
            places = math.prod(layer.input.shape[1:3])
        elif isinstance(layer, keras.layers.Conv2D):
            places = math.prod(layer.output.shape[1:3])
        total += math.prod(kernel.shape) * places
    return total


def predicted_ratio(model: SemiSupervisedVAE) -> float:
    """Work of K classes over work of one, by multiply-adds; backward is twice forward in both."""
    encoder: conditional_networks.ConditionalNetwork = model.style_encoder
    once = multiply_adds(model.classifier) + multiply_adds(encoder.image_network)
    each = multiply_adds(encoder.head) + multiply_adds(model.decoder)
    return (once + model.num_classes * each) / (once + each)


def measure(config: Config, network: str, num_classes: int) -> dict[str, Any]:
    """Both inferences, turn by turn."""
    contenders = {
        name: Contender(config, network, name, num_classes) for name in (MARGINAL, config.joint)
    }
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(config.rounds):
        for name, contender in contenders.items():
            speeds[name].append(contender.turn())
    ratios = [j / m for j, m in zip(speeds[config.joint], speeds[MARGINAL], strict=True)]
    return {
        "network": network,
        "classes": num_classes,
        "steps_per_second": {name: statistics.median(turns) for name, turns in speeds.items()},
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
        "predicted_ratio": predicted_ratio(contenders[MARGINAL].model),
    }


def table(rows: list[dict[str, Any]], joint: str) -> str:
    """The results as a table of Markdown."""
    lines = [
        f"| network | classes | {MARGINAL}, steps/s | {joint}, steps/s | ratio | predicted |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        speed = row["steps_per_second"]
        lines.append(
            f"| {row['network']} | {row['classes']} | {speed[MARGINAL]:.3g} | {speed[joint]:.3g} "
            f"| {row['ratio']:.2f} | {row['predicted_ratio']:.2f} |"
        )
    return "\n".join(lines)


def picture(rows: list[dict[str, Any]]) -> Any:
    """The ratio against the number of classes, measured and predicted, a panel for each network."""
    networks = list(dict.fromkeys(row["network"] for row in rows))
    figure = plots.canvas.new_figure(4.8 * len(networks), 3.8, constrained=True)
    for index, network in enumerate(networks):
        own = [row for row in rows if row["network"] == network]
        axes = figure.add_subplot(1, len(networks), index + 1)
        plots.canvas.tidy(axes, network, "classes", "steps/s of joint over marginalised")
        classes = [row["classes"] for row in own]
        measured, predicted = ([row[name] for row in own] for name in ("ratio", "predicted_ratio"))
        style = {"marker": "o", "markersize": 4, "linewidth": 1.8}
        axes.plot(classes, measured, color=plots.canvas.BLUE, label="measured", **style)
        axes.plot(
            classes, predicted, "--", color=plots.canvas.INK, label="by multiply-adds", **style
        )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(classes, [str(k) for k in classes])
        axes.legend(fontsize=plots.canvas.TICK_SIZE, edgecolor="none")
    return figure


def run(config: Config) -> dict[str, Any]:
    """Measures, writes the JSON and the picture, prints the table."""
    check(config)
    rows = []
    for network in config.networks:
        for num_classes in config.classes:
            rows.append(measure(config, network, num_classes))
            print(table(rows[-1:], config.joint).splitlines()[-1], flush=True)
    result = {
        "rows": rows,
        "config": dataclasses.asdict(config),
        "machine": machine.hardware(),
        "versions": machine.versions(),
    }
    output = config.output or ROOT / "benchmarks/results/semi_supervised_speed.json"
    write_json(Path(output), result)
    plots.save(picture(rows), config.picture or ROOT / "docs/images/semi_supervised_speed.png")
    print(f"\n{table(rows, config.joint)}")
    return result


if __name__ == "__main__":
    command_line.start(Config, run, __doc__)
