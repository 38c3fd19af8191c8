"""Draws the pictures of docs/estimators.md: python -m tools.pictures, or with the names of a few.

Every number in them comes from the package's own estimators and distributions.
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from tf_discrete import datasets, distributions, estimators, seeds
from tf_discrete.distributions import noise
from tf_discrete.estimators import diagnostics, semantic_hashing
from tf_discrete.plots import canvas
from tools import toy_problem

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "docs" / "images"
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
THREE = (canvas.BLUE, canvas.VERMILION, canvas.GREEN)
LOGITS = tf.math.log([[0.5, 0.3, 0.2]])
DPI = 110


def relaxation(temperatures: tuple[float, ...] = (0.1, 0.5, 1.0, 5.0), draws: int = 1500) -> Figure:
    """Draws of the Gumbel-Softmax relaxation on the simplex of three categories, by temperature."""
    figure = canvas.new_figure(3 * len(temperatures), 3.1, constrained=True)
    panels = figure.subplots(1, len(temperatures), squeeze=False)[0]
    for axes, temperature in zip(panels, temperatures, strict=True):
        estimator = estimators.get("gumbel_softmax", temperature=temperature)
        drawn = estimator.draw_noise(seeds.base(0), LOGITS, draws)
        sample = estimator.sample(LOGITS, drawn)
        points = sample.value.numpy()[:, 0] @ CORNERS
        colours = np.array(THREE)[sample.code.numpy()[:, 0]]
        axes.fill(*CORNERS.T, facecolor="none", edgecolor=canvas.MUTED, linewidth=1)
        axes.scatter(*points.T, s=5, c=colours, alpha=0.4, linewidths=0)
        share = np.bincount(sample.code.numpy()[:, 0], minlength=3) / draws
        labels = [f"{chr(97 + k)}: {p:.2f}" for k, p in enumerate(share)]
        for corner, text, below in zip(CORNERS, labels, (True, True, False), strict=True):
            axes.annotate(
                text,
                corner,
                (0, -6 if below else 6),
                textcoords="offset points",
                ha="center",
                va="top" if below else "bottom",
                fontsize=canvas.TICK_SIZE,
                color=canvas.INK,
            )
        axes.set_title(f"temperature {temperature:g}", fontsize=canvas.HEADING_SIZE)
        axes.set_aspect("equal")
        axes.margins(0.12)
        axes.axis("off")
    return figure


def hashing_noise(
    stddevs: tuple[float, ...] = (0.01, 1.0), steps: tuple[int, ...] = (0, 100, 1000)
) -> Figure:
    """Codes of an autoencoder of digits, before rounding, as training goes on, with and without noise."""
    images = datasets.get("digits", "train").images[:].reshape(-1, 64).astype(np.float32) / 255.0
    figure = canvas.new_figure(3.6 * len(steps), 2.6 * len(stddevs), constrained=True)
    rows = figure.subplots(len(stddevs), len(steps), sharex=True, sharey=True, squeeze=False)
    for row, stddev in zip(rows, stddevs, strict=True):
        for axes, step, codes in zip(row, steps, _hash_digits(images, stddev, steps), strict=True):
            weights = np.full(codes.size, 1 / codes.size)
            axes.hist(codes.ravel(), bins=20, range=(0, 1), weights=weights, color=canvas.BLUE)
            middle = np.mean((codes > 0.05) & (codes < 0.95))
            canvas.tidy(axes, f"noise {stddev:g}, step {step}: {middle:.0%} between")
    for axes in rows[-1]:
        axes.set_xlabel("code before rounding, without noise", fontsize=canvas.LABEL_SIZE)
    for axes in rows[:, 0]:
        axes.set_ylabel("share of the bits", fontsize=canvas.LABEL_SIZE)
    return figure


def _hash_digits(images: np.ndarray, stddev: float, steps: tuple[int, ...]) -> list[np.ndarray]:
    """Trains 64-64-16 bits-64 by soft noisy bits; the saturated logits at each of the steps."""
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.layers.Dense(64, "relu"), keras.layers.Dense(16)])
    decoder = keras.layers.Dense(64)
    estimator = estimators.get(
        "semantic_hashing", latents="bernoulli", noise_stddev=stddev, discrete_fraction=0.0
    )
    decoder(encoder(images[:1]))
    variables = [v.value for v in encoder.trainable_variables + decoder.trainable_variables]
    optimizer = keras.optimizers.Adam(0.005)
    optimizer.build(variables)
    x = tf.constant(images)

    @tf.function
    def step(number: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            logits = encoder(x)
            drawn = estimator.draw_noise(seeds.fold(seeds.base(0), number), logits)
            error = tf.sigmoid(decoder(estimator.sample(logits, drawn).value[0])) - x
            loss = tf.reduce_mean(tf.reduce_sum(error**2, axis=-1))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    codes = []
    for number in range(max(steps) + 1):
        if number in steps:
            codes.append(semantic_hashing.saturating_sigmoid(encoder(x)).numpy())
        step(tf.constant(number))
    return codes


def two_ways_to_draw(draws: int = 200_000) -> Figure:
    """One categorical draw by inverse CDF and by Gumbel-max, and the frequencies of both."""
    probs = tf.nn.softmax(LOGITS)[0].numpy()
    cdf = np.concatenate([[0.0], np.cumsum(probs)])
    gumbel = noise.gumbel(seeds.base(3), [draws, 3]).numpy()
    uniform = noise.open_uniform(seeds.base(1), [draws]).numpy()
    figure = canvas.new_figure(13, 3.6, constrained=True)
    left, middle, right = figure.subplots(1, 3)
    u = 0.62
    for k, colour in enumerate(THREE):
        left.barh(k, probs[k], left=cdf[k], color=colour, height=0.6)
    left.axvline(u, color=canvas.INK, linestyle="--")
    left.annotate(f"u = {u}", (u, 2.55), (4, 0), textcoords="offset points", color=canvas.INK)
    left.set_yticks(range(3), list("abc"))
    left.set_ylim(-0.6, 2.9)
    canvas.tidy(left, "inverse CDF: where u falls", "cumulated probability", "category")
    logits, first = LOGITS[0].numpy(), gumbel[0]
    middle.axhline(0, color=canvas.MUTED, linewidth=0.8)
    for k, colour in enumerate(THREE):
        middle.plot([k - 0.25, k + 0.25], [logits[k]] * 2, color=colour, linewidth=4)
        middle.annotate(
            "",
            (k, logits[k] + first[k]),
            (k, logits[k]),
            arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.5},
        )
    winner = int(np.argmax(logits + first))
    middle.plot(
        winner, logits[winner] + first[winner], "o", ms=16, mfc="none", mec=canvas.INK, mew=1.5
    )
    middle.set_xticks(range(3), list("abc"))
    middle.margins(y=0.2)
    canvas.tidy(
        middle, "Gumbel-max: the highest logit + noise", "category", "logit, and with noise"
    )
    frequencies = {
        "probability": probs,
        "inverse CDF": np.bincount(np.searchsorted(cdf[1:-1], uniform), minlength=3) / draws,
        "Gumbel-max": np.bincount(np.argmax(logits + gumbel, axis=-1), minlength=3) / draws,
    }
    shades = (canvas.INK, canvas.MUTED, canvas.BLUE)
    for i, (name, values) in enumerate(frequencies.items()):
        bars = right.bar(np.arange(3) + 0.27 * (i - 1), values, 0.25, label=name, color=shades[i])
        right.bar_label(bars, fmt="%.3f", fontsize=7, padding=1)
    right.set_xticks(range(3), list("abc"))
    right.legend(frameon=False, fontsize=canvas.TICK_SIZE)
    canvas.tidy(right, f"the same distribution: {draws:,} draws", "category", "frequency")
    return figure


def straight_through_step() -> Figure:
    """One straight-through gradient with its numbers, its mean over the draws, and the exact gradient."""
    target = tf.constant([0.2, 0.9, 0.4])

    def objective(z: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum((z - target) ** 3, axis=[-2, -1])

    estimator = estimators.get("straight_through")
    logits = LOGITS[tf.newaxis]
    drawn = tf.constant([[[[0.0, 1.0, 0.0]]]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([logits, drawn])
        value = estimator.estimate(objective, logits, drawn).value
        at_draw = objective(drawn)
    upstream = tape.gradient(at_draw, drawn)[0, 0, 0]
    panels = {
        "1. probabilities p": tf.nn.softmax(LOGITS)[0],
        "2. draw z, forward": drawn[0, 0, 0],
        "3. df/dz at the draw": upstream,
        "4. p (df/dz - p . df/dz)": tape.gradient(value, logits)[0, 0],
        "mean of 4 over z": diagnostics.expected_gradient(estimator, objective, logits).gradient[
            0, 0
        ],
        "exact gradient": diagnostics.exact_gradient(objective, logits).gradient[0, 0],
    }
    figure = canvas.new_figure(14, 3.0, constrained=True)
    for axes, (title, values) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        bars = axes.bar(list("abc"), np.asarray(values), color=THREE, width=0.6)
        axes.bar_label(bars, fmt="%.3g", fontsize=canvas.TICK_SIZE, padding=2)
        axes.axhline(0, color=canvas.MUTED, linewidth=0.8)
        axes.margins(y=0.25)
        canvas.tidy(axes, title)
    gradients = figure.axes[3:]
    limits = np.array([axes.get_ylim() for axes in gradients])
    for axes in gradients:
        axes.set_ylim(limits.min(), limits.max())
    return figure


PROBLEMS = (("bernoulli", 0.45), ("bernoulli", 0.499), ("categorical", 0.45))
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C564B")
STROKES = ("-", "--", ":", "-.")


def toy(
    family: str,
    problems: tuple[tuple[str, float], ...] = PROBLEMS,
    train: Callable[..., toy_problem.Curve] = toy_problem.train,
) -> Figure:
    """Loss and gradient variance on the toy problem of a family of estimators and of enumeration."""
    names = [name for name in estimators.names(family) if name != "enumeration"]
    figure = canvas.new_figure(5 * len(problems), 8, constrained=True)
    rows = figure.subplots(2, len(problems), squeeze=False)
    lines: dict[str, Any] = {}
    for (above, below), (latents, target) in zip(rows.T, problems, strict=True):
        for i, name in enumerate(["enumeration", *names]):
            if name not in estimators.names(latents=latents):
                continue
            curve = train(name, latents, target)
            style = {"color": canvas.INK, "linewidth": 1.0}
            if i:
                colour, stroke = PALETTE[(i - 1) % len(PALETTE)], STROKES[(i - 1) // len(PALETTE)]
                style = {"color": colour, "linestyle": stroke, "linewidth": 1.6}
                below.plot(
                    curve.steps, np.where(curve.variance > 0, curve.variance, np.nan), **style
                )
            (line,) = above.plot(curve.steps, curve.loss, **style)
            count = "exact" if not i else f"{curve.evaluations} a step"
            lines.setdefault(name, (f"{name} ({count})", line))
        what = "one bit" if latents == "bernoulli" else "10 categories"
        canvas.tidy(above, f"{what}, t = {target:g}", "", "expected loss")
        canvas.tidy(below, "", "step", "variance of the gradient")
        below.set_yscale("log")
        _mark_floor(above, latents, target)
    labels, handles = zip(*(lines[name] for name in sorted(lines)), strict=True)
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def _mark_floor(axes: Axes, latents: str, target: float) -> None:
    kind = distributions.get(latents)
    configurations = kind(tf.zeros(kind.logits_shape(1, 10))).enumerate()
    best = float(tf.reduce_min(toy_problem.objective(target, latents)(configurations)))
    axes.axhline(best, color=canvas.MUTED, linewidth=0.8)
    axes.annotate(
        "best",
        (1, best),
        (-2, 2),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color=canvas.MUTED,
    )


PICTURES: dict[str, Callable[[], Figure]] = {
    "relaxation": relaxation,
    "hashing-noise": hashing_noise,
    "two-ways-to-draw": two_ways_to_draw,
    "straight-through-step": straight_through_step,
    "toy-problem-pathwise": lambda: toy("pathwise"),
    "toy-problem-score": lambda: toy("score"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(PICTURES)}")
    names = parser.parse_args().names or list(PICTURES)
    unknown = set(names) - set(PICTURES)
    if unknown:
        parser.error(
            f"pictures are {', '.join(PICTURES)}; there is no {', '.join(sorted(unknown))}"
        )
    for name in names:
        path = canvas.save(PICTURES[name](), FOLDER / f"{name}.png", dpi=DPI)
        with Image.open(path) as image:  # A palette makes the file three times smaller.
            image.convert("RGB").quantize(128).save(path, optimize=True)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
