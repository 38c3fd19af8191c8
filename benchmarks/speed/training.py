"""Speed of training against PyTorch: the same categorical VAE, step for step, on the same cores.

Both train 784-512-256-(20 x 10)-256-512-784, or one of the linear models of `MODELS`, with Gumbel-Softmax
at temperature 1, batches of 100 binary images from memory, Adam at 1e-3 and the loss
-E[log p(x | z)] + KL(q(z | x) || p(z)). Ours is `CategoricalVAE` in plain `fit` with 20 steps per execution,
as the trainer does it, its metrics and the discrete ELBO included. PyTorch runs a bare loop, eager
and compiled, with each of its Adams; the fastest counts. Every contender is a process of its own; they take
turns, in a new order each round.

    pip install tf_discrete[bench]
    python -m benchmarks.speed.training
    python -m benchmarks.speed.training --model=linear_categorical

adds the result to benchmarks/results/training_speed.jsonl; `python -m tools.tables --write` then fills the
table of benchmarks/README.md. Without a contender in PyTorch, as with `--contenders ours ours_loop`, it
records nothing.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks import store
from benchmarks.speed import interleaved as turns
from benchmarks.speed.interleaved import Turn

RESULTS = "training_speed"
BATCH_SIZE = 100
IMAGES = 54_000
STEPS_PER_EXECUTION = 20


class Model(NamedTuple):
    """Sizes of a VAE of 784 pixels."""

    hidden: tuple[int, ...]
    latents: str
    variables: int
    categories: int


MODELS = {
    "mlp": Model((512, 256), "categorical", 20, 10),
    "linear_categorical": Model((), "categorical", 20, 10),
    "linear_bernoulli": Model((), "bernoulli", 200, 2),
}

OURS = "ours"
CONTENDERS = {
    OURS: "tf_discrete: fit",
    "ours_loop": "tf_discrete: fit in the compiled loop",
    "ours_loop_xla": "tf_discrete: fit in the compiled loop, by XLA",
    "ours_keras_adam": "tf_discrete: fit with Keras' Adam",
    "ours_gradients": "part of ours: forward and backward",
    "ours_update": "part of ours: forward, backward and update",
    "torch_eager": "PyTorch eager",
    "torch_eager_foreach": "PyTorch eager, foreach Adam",
    "torch_eager_fused": "PyTorch eager, fused Adam",
    "torch_compile": "PyTorch torch.compile",
    "torch_compile_fused": "PyTorch torch.compile, fused Adam",
}
PACKAGES = {"ours": ("tensorflow-cpu", "tensorflow", "keras", "numpy"), "torch": ("torch", "numpy")}


def binary_images(path: pathlib.Path) -> None:
    """Writes images [IMAGES, 784] of 0 and 1, uint8: scikit-learn's digits, enlarged and binarised."""
    from sklearn import datasets

    digits = datasets.load_digits().images / 16.0
    rng = np.random.default_rng(0)
    chosen = digits[rng.integers(0, len(digits), IMAGES)]
    enlarged = np.pad(np.kron(chosen, np.ones([1, 3, 3])), [[0, 0], [2, 2], [2, 2]])
    np.save(path, (rng.random(enlarged.shape) < enlarged).astype(np.uint8).reshape(IMAGES, -1))


# Ours.


def ours(images: np.ndarray, sizes: Model, steps: int, threads: int, name: str) -> Turn:
    """Our contenders, each a generator that trains `steps` steps for each turn."""
    import keras
    import tensorflow as tf

    from tf_discrete.datasets.split import Split
    from tf_discrete.models import CategoricalVAE
    from tf_discrete.optimizers import FusedAdam

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.utils.set_random_seed(0)
    model = CategoricalVAE(
        (28, 28, 1),
        sizes.variables,
        sizes.categories,
        latents=sizes.latents,
        hidden_units=sizes.hidden,
        estimator="gumbel_softmax",
    )
    adam = keras.optimizers.Adam if name == "ours_keras_adam" else FusedAdam
    xla = name == "ours_loop_xla"
    model.compile(adam(1e-3), steps_per_execution=STEPS_PER_EXECUTION, jit_compile=xla)
    model.optimizer.build(model.trainable_variables)
    pixels = images[: steps * BATCH_SIZE].reshape(-1, 28, 28, 1) * 255
    batches = Split("digits", "train", pixels, None, None).indexed_batches(BATCH_SIZE, seed=0)
    if name.startswith("ours_loop"):
        return fit_in_turns(model, batches, steps)
    if name in ("ours_gradients", "ours_update"):
        return _parts(model, iter(batches.stream()), steps, update=name == "ours_update")
    return fit_in_turns(model, batches.stream(), steps)


def fit_in_turns(model: Any, batches: Any, steps: int) -> Turn:
    """One `fit` whose epochs are the turns; it runs in a thread that waits at the end of each."""
    import queue
    import threading

    import keras

    asked: queue.SimpleQueue = queue.SimpleQueue()
    losses: queue.SimpleQueue = queue.SimpleQueue()

    class Wait(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            asked.get()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            losses.put(logs["loss"])

    arguments = {"epochs": 10**6, "steps_per_epoch": steps, "verbose": 0, "callbacks": [Wait()]}
    threading.Thread(target=model.fit, args=(batches,), kwargs=arguments, daemon=True).start()
    while True:
        asked.put(None)
        yield losses.get()


def _parts(model: Any, batches: Any, steps: int, update: bool) -> Turn:
    """A bare loop over the gradients alone, or with the update, without metrics or monitoring."""
    import tensorflow as tf

    variables = model.trainable_variables

    @tf.function
    def some_steps() -> tf.Tensor:
        total = tf.zeros([])
        for _ in tf.range(STEPS_PER_EXECUTION):
            x = next(batches)["image"]
            with tf.GradientTape() as tape:
                seed = model.step_seed(tf.convert_to_tensor(model.micro_step), "train")
                loss = tf.reduce_mean(model.objective(x, seed, training=True).loss)
            gradients = tape.gradient(loss, [v.value for v in variables])
            if update:
                model.optimizer.apply(gradients, variables)
            else:  # Something must read each gradient, or it is not computed.
                total += 0.0 * tf.add_n([tf.reshape(g, [-1])[0] for g in gradients])
            model.micro_step.assign_add(1)
            total += loss
        return total

    while True:
        runs = steps // STEPS_PER_EXECUTION
        yield float(sum(float(some_steps()) for _ in range(runs))) / steps


# PyTorch.


def torch(images: np.ndarray, sizes: Model, steps: int, threads: int, name: str) -> Turn:
    """The contenders in PyTorch: eager or compiled, with one of its Adams."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    data = torch.from_numpy(images).float()
    binary = sizes.latents == "bernoulli"
    size, logits = images.shape[1], sizes.variables * (1 if binary else sizes.categories)

    def mlp(*units: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for inputs, outputs in zip(units, units[1:], strict=False):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def bernoulli(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        uniform = torch.rand_like(logits)
        z = torch.sigmoid(logits + uniform.log() - (-uniform).log1p())
        entropy = F.binary_cross_entropy_with_logits(logits, logits.sigmoid(), reduction="sum")
        return z, logits.numel() * float(np.log(2.0)) - entropy

    def categorical(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = logits.view(-1, sizes.variables, sizes.categories)
        gumbel = -torch.empty_like(logits).exponential_().log()
        log_q = torch.log_softmax(logits, dim=-1)
        kl = (log_q.exp() * (log_q + float(np.log(sizes.categories)))).sum()
        return torch.softmax(logits + gumbel, dim=-1).flatten(1), kl

    draw = bernoulli if binary else categorical

    class VAE(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = mlp(size, *sizes.hidden, logits)
            self.decoder = mlp(logits, *reversed(sizes.hidden), size)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            z, kl = draw(self.encoder(x))
            pixels = self.decoder(z)
            reconstruction = F.binary_cross_entropy_with_logits(pixels, x, reduction="sum")
            return (reconstruction + kl) / len(x)

    model = VAE()
    options = {"fused": {"fused": True}, "foreach": {"foreach": True}}
    adam = torch.optim.Adam(model.parameters(), 1e-3, **options.get(name.split("_")[-1], {}))
    loss_of: Callable = torch.compile(model) if "compile" in name else model

    def batches() -> Iterator[torch.Tensor]:
        while True:
            order = torch.randperm(len(data))
            for start in range(0, len(data) - BATCH_SIZE + 1, BATCH_SIZE):
                yield data[order[start : start + BATCH_SIZE]]

    source = batches()
    while True:
        total = torch.zeros([])
        for _ in range(steps):
            loss = loss_of(next(source))
            adam.zero_grad(set_to_none=True)
            loss.backward()
            adam.step()
            total += loss.detach()
        yield float(total) / steps


# The race.


def work(arguments: argparse.Namespace) -> None:
    """One contender's process."""
    kind = arguments.worker.split("_")[0]
    make = {"ours": ours, "torch": torch}[kind]
    images, sizes = np.load(arguments.images), MODELS[arguments.model]
    given = images, sizes, arguments.steps, arguments.threads, arguments.worker
    turns.serve(lambda: (make(*given), {}), PACKAGES[kind])


def race(arguments: argparse.Namespace) -> dict[str, Any]:
    """Runs all rounds; the record."""
    with tempfile.TemporaryDirectory() as folder:
        images = pathlib.Path(folder) / "images.npy"
        binary_images(images)
        commands = {}
        for name in arguments.contenders:
            python = arguments.torch_python if name.startswith("torch") else sys.executable
            options = {"worker": name, "images": images}
            options |= {key: getattr(arguments, key) for key in ("model", "steps", "threads")}
            flags = (f"--{key}={value}" for key, value in options.items())
            commands[name] = [python, "-m", "benchmarks.speed.training", *flags]
        found = turns.race(commands, arguments.rounds, arguments.steps, arguments.threads)
    command = "python -m benchmarks.speed.training " + " ".join(_flags(arguments))
    return {"name": arguments.model, "command": command, **found}


def table(result: dict[str, Any]) -> str:
    """The result in Markdown."""
    times = result["milliseconds_per_step"]
    compared = turns.summary(times, OURS, "torch")
    return (
        f"The fastest PyTorch ({CONTENDERS[compared['best']]}) takes **{compared['median']:.2f} times** "
        f"as long as tf_discrete: {turns.spread(compared, result['steps'])}.\n\n"
        f"{turns.table(times, CONTENDERS)}\n{turns.made_on(result)}"
    )


def _flags(arguments: argparse.Namespace) -> list[str]:
    return [
        f"--{name}={getattr(arguments, name)}" for name in ("model", "rounds", "steps", "threads")
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", choices=MODELS, default="mlp", help="that is trained")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each contender")
    parser.add_argument("--steps", type=int, default=200, help="training steps of a turn")
    parser.add_argument("--threads", type=int, default=2, help="of each framework")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument(
        "--torch_python", default=sys.executable, help="interpreter that has PyTorch"
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--images", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.steps % STEPS_PER_EXECUTION:
        parser.error(f"--steps must be a multiple of {STEPS_PER_EXECUTION}")
    if arguments.worker:
        work(arguments)
        return
    found = race(arguments)
    if any(name.startswith("torch") for name in arguments.contenders):
        print("\n" + table(store.append(RESULTS, found)))
    else:
        print("\n" + turns.table(found["milliseconds_per_step"], CONTENDERS))


if __name__ == "__main__":
    main()
