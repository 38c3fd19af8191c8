"""The cost of marginalising the class: steps per second of the semi-supervised VAE and of joint inference.

Both train on unlabelled 28 x 28 images with one and the same code; `enumeration` folds all K classes into
the batch, with the image's part of q(z | x, y) computed once, the joint inference draws one class. They
take turns; the median over the rounds counts. The table also has the ratio that the
multiply-adds of the networks predict.

Memory is measured in a process of its own for each: the peak is the highest resident memory over that of the
same process before the model is built, tracing included; that of a step is the highest while steps run over
what stays between them. It is read from /proc, so Linux only.

    python -m benchmarks.semi_supervised.inference_speed

adds the result to benchmarks/results/inference_speed.jsonl, draws docs/images/semi_supervised_speed.png and
prints the table; `python -m tools.tables --write` puts it into docs/semi_supervised.md.
"""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import math
import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import help_flag, memory, provenance, store
from trainers.common import command_line, tables
from trainers.flags.config import check, option

if not help_flag.GIVEN:
    import keras
    import numpy as np
    import tensorflow as tf

    from tf_discrete import plots
    from tf_discrete.models import SemiSupervisedVAE, conditional_networks
    from tf_discrete.optimizers import FusedAdam

RESULTS = "inference_speed"
MARGINAL = "enumeration"
MEASURED = ("steps_per_second", "memory_mib")
"""Values of a row, for each inference."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the measurement."""

    classes: tuple[int, ...] = option((2, 5, 10, 20, 50, 100), "Numbers of classes K.")
    networks: tuple[str, ...] = option(("mlp", "conv"), "Networks.")
    joint: str = option("gumbel_softmax", "Joint inference to compare with.")
    batch_size: int = option(100, "Unlabelled images in a step.", lower=1)
    hidden_units: tuple[int, ...] = option((500, 500), "Units of the hidden layers.")
    style_size: int = option(32, "Variables of the style.", lower=1)
    seconds: float = option(2.0, "Length of a turn, about.", positive=True)
    rounds: int = option(5, "Turns of each.", lower=1)
    picture: str = option("", "PNG file. Default: docs/images/semi_supervised_speed.png.")


class Contender:
    """A model that trains for a turn at a time."""

    def __init__(self, config: Config, network: str, inference: str, num_classes: int):
        keras.utils.set_random_seed(0)
        self.model = SemiSupervisedVAE(
            (28, 28, 1),
            num_classes=num_classes,
            style_size=config.style_size,
            estimator=inference,
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


def measure_memory(
    config: Config, network: str, inference: str, num_classes: int
) -> dict[str, float]:
    """Peak memory of training and memory of a step in MiB; meant for a process that does nothing else."""
    tf.zeros([])  # TensorFlow begins.
    before = _settled()
    contender = Contender(dataclasses.replace(config, seconds=0.5), network, inference, num_classes)
    contender.turn()
    peak = memory.peak() - before
    between = _settled()
    contender.turn()
    return {"peak": peak, "step": memory.peak() - between}


def _settled() -> float:
    """Resident memory without what is freed but not returned; the highest is counted anew from here."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return memory.resident()


def measure(config: Config, network: str, num_classes: int) -> dict[str, Any]:
    """Memory of both inferences, then their speed turn by turn."""
    names = (MARGINAL, config.joint)
    memories = {}
    for name in names:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            memories[name] = process.submit(
                measure_memory, config, network, name, num_classes
            ).result()
    contenders = {name: Contender(config, network, name, num_classes) for name in names}
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
        "memory_mib": memories,
    }


def table(rows: list[dict[str, Any]], joint: str) -> str:
    """The results as a table of Markdown; `joint` stands second where there are two numbers."""
    pair = f"`{MARGINAL}`, `{joint}`"
    header = (
        *("network", "classes", f"steps/s: {pair}", "ratio", "predicted"),
        *(f"peak memory, MiB: {pair}", f"memory of a step, MiB: {pair}"),
    )
    lines = []
    for row in rows:
        low, high = row["ratio_range"]
        speed, used = ([row[key][name] for name in (MARGINAL, joint)] for key in MEASURED)
        lines.append(
            (
                *(row["network"], str(row["classes"]), f"{speed[0]:.3g}, {speed[1]:.3g}"),
                f"{row['ratio']:.2f} ({low:.2f} to {high:.2f})",
                f"{row['predicted_ratio']:.2f}",
                *(f"{used[0][key]:.0f}, {used[1][key]:.0f}" for key in ("peak", "step")),
            )
        )
    return tables.markdown(header, lines, right=True)


def picture(rows: list[dict[str, Any]]) -> Any:
    """Ratios of time and of peak memory against the number of classes, a panel for each network."""
    networks = list(dict.fromkeys(row["network"] for row in rows))
    figure = plots.canvas.new_figure(4.8 * len(networks), 3.8, constrained=True)
    for index, network in enumerate(networks):
        own = [row for row in rows if row["network"] == network]
        axes = figure.add_subplot(1, len(networks), index + 1)
        plots.canvas.tidy(axes, network, "classes", "marginalised over joint")
        classes = [row["classes"] for row in own]
        for label, color, dash, values in (
            ("time of a step", plots.canvas.BLUE, "-", [row["ratio"] for row in own]),
            ("multiply-adds", plots.canvas.INK, "--", [row["predicted_ratio"] for row in own]),
            ("peak memory", plots.canvas.VERMILION, "-", [memory_ratio(row) for row in own]),
        ):
            style: dict[str, Any] = {
                "marker": "o",
                "markersize": 4,
                "linewidth": 1.8,
                "linestyle": dash,
            }
            axes.plot(classes, values, color=color, label=label, **style)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(classes, [str(k) for k in classes])
        axes.legend(fontsize=plots.canvas.TICK_SIZE, edgecolor="none")
    return figure


def memory_ratio(row: dict[str, Any]) -> float:
    """Peak memory marginalised over that of the joint inference."""
    used = row["memory_mib"]
    (joint,) = (name for name in used if name != MARGINAL)
    return used[MARGINAL]["peak"] / used[joint]["peak"]


def run(config: Config) -> dict[str, Any]:
    """Measures, records the result, draws the picture, prints the table."""
    check(config)
    made = provenance.record()
    rows = []
    for network in config.networks:
        for num_classes in config.classes:
            rows.append(measure(config, network, num_classes))
            print(table(rows[-1:], config.joint).splitlines()[-1], flush=True)
    result = {
        "rows": rows,
        "config": dataclasses.asdict(config),
        "provenance": made,
    }
    plots.save(picture(rows), config.picture or store.IMAGES / "semi_supervised_speed.png")
    print(f"\n{table(rows, config.joint)}")
    return store.append(RESULTS, result)


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
