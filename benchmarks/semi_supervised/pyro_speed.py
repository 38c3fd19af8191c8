"""Speed of the marginalised semi-supervised VAE against Pyro: the same M2 step on the same cores.

Both train 784-500-500-10 (class), 784+10-500-500-2x32 (style) and 10+32-500-500-784 (decoder) from the same
weights, on 100 unlabelled binary images a step, whose class is enumerated, and 100 labelled ones, with one
draw of the style for each image or pair, Adam at 1e-3 and the mean of

    -L(x, y) - alpha log q(y | x)   labelled,        -E_q(y|x)[L(x, y)] - H(q(y | x))   unlabelled.

Ours is `SemiSupervisedVAE` in plain `fit`, as the trainer does it, its metrics and the discrete ELBO
included. Pyro's is one `SVI` step of `TraceEnum_ELBO` over a guide under `config_enumerate`: with the layers
of its own M2 example, where image and class are concatenated for every pair; with the image's part of the
first layer computed once, as ours has it; and that compiled by `JitTraceEnum_ELBO`. The fastest counts.
Before the race every contender averages the loss at the common weights on one batch; a result with
objectives that differ is refused.

    pip install tf_discrete[bench]
    python -m benchmarks.semi_supervised.pyro_speed

adds the result to benchmarks/results/pyro_speed.jsonl, and `python -m tools.tables --write` makes the table
of docs/semi_supervised.md of it. `--torch_python` names another interpreter that has Pyro.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import store
from benchmarks.speed import interleaved as turns
from benchmarks.speed import setting
from benchmarks.speed.contenders import ours as speed
from benchmarks.speed.interleaved import Turn

RESULTS = "pyro_speed"
PIXELS, HIDDEN, STYLE, CLASSES = 784, 500, 32, 10
BATCH_SIZE = 100
"""Unlabelled images of a step, and labelled ones; the labelled are the same in all steps."""

ALPHA = 50.0
LOSS_DRAWS = 100
"""Samples of the style in the average of the loss at the common weights."""

LAYERS = {
    "class": (PIXELS, HIDDEN, HIDDEN, CLASSES),
    "style": (PIXELS + CLASSES, HIDDEN, HIDDEN, 2 * STYLE),
    "decoder": (CLASSES + STYLE, HIDDEN, HIDDEN, PIXELS),
}
OURS = "ours"
CONTENDERS = {
    OURS: "tf_discrete: fit",
    "pyro": "Pyro, layers of its example",
    "pyro_shared": "Pyro, image's part computed once",
    "pyro_shared_jit": "Pyro, image's part computed once, JitTraceEnum_ELBO",
}
PACKAGES = {
    OURS: ("tensorflow-cpu", "tensorflow", "keras", "numpy"),
    "pyro": ("torch", "pyro-ppl", "numpy"),
}


def write_data(folder: pathlib.Path) -> None:
    """Writes images [n, 784], labels of the first 100, and the weights that all contenders begin with."""
    setting.binary_images(folder / "images.npy")
    rng = np.random.default_rng(1)
    arrays: dict[str, Any] = {"labels": np.arange(BATCH_SIZE) % CLASSES}
    for network, sizes in LAYERS.items():
        for index, shape in enumerate(zip(sizes, sizes[1:], strict=False)):
            limit = np.sqrt(6 / sum(shape))
            arrays[f"{network}/{index}"] = rng.uniform(-limit, limit, shape).astype(np.float32)
    np.savez(folder / "start.npz", **arrays)


# Ours.


def ours(
    images: np.ndarray, start: dict[str, np.ndarray], arguments: argparse.Namespace
) -> tuple[Turn, dict[str, Any]]:
    """Plain `fit`, and the loss at the common weights."""
    import keras
    import tensorflow as tf

    from tf_discrete import seeds
    from tf_discrete.datasets import labels as few_labels
    from tf_discrete.datasets.split import Split
    from tf_discrete.models import SemiSupervisedVAE
    from tf_discrete.optimizers import FusedAdam

    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    keras.utils.set_random_seed(0)
    model = SemiSupervisedVAE(
        (28, 28, 1),
        num_classes=CLASSES,
        style_size=STYLE,
        estimator="enumeration",
        hidden_units=(HIDDEN, HIDDEN),
        alpha=ALPHA,
    )
    style = model.style_encoder
    assert style.image_network is not None, "The network by name shares the image's part."
    image_kernel, class_kernel = np.split(start["style/0"], [PIXELS])
    for network, kernels in (
        (model.classifier, [start[f"class/{index}"] for index in range(3)]),
        (style.image_network, [image_kernel]),
        (style.head, [class_kernel, start["style/1"], start["style/2"]]),
        (model.decoder, [start[f"decoder/{index}"] for index in range(3)]),
    ):
        variables = [v for v in network.trainable_variables if v.name == "kernel"]
        for variable, kernel in zip(variables, kernels, strict=True):
            variable.assign(kernel)
    model.compile(FusedAdam(1e-3), steps_per_execution=speed.STEPS_PER_EXECUTION, jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    data = Split("digits", "train", images.reshape(-1, 28, 28, 1) * 255, None, None)
    labelled = Split("digits", "train", data.images[:BATCH_SIZE], start["labels"], CLASSES)
    pixels = images.astype(np.float32).reshape(-1, 28, 28, 1)
    first = model.unpack_batch(
        {
            "image": pixels[BATCH_SIZE : 2 * BATCH_SIZE],
            "labelled_image": pixels[:BATCH_SIZE],
            "labelled_label": start["labels"],
        }
    )

    @tf.function
    def loss(seed: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(model.objective(first, seed, training=True).loss)

    drawn = [float(loss(seeds.fold(seeds.base(0), "draw", k))) for k in range(LOSS_DRAWS)]
    batches = few_labels.batches(labelled, data, BATCH_SIZE, BATCH_SIZE, seed=0)
    return speed.fit_in_turns(model, batches, arguments.steps), _averaged(drawn)


# Pyro.


def pyro(
    images: np.ndarray, start: dict[str, np.ndarray], arguments: argparse.Namespace
) -> tuple[Turn, dict[str, Any]]:
    """SVI of one model that has both kinds of rows, and the loss at the common weights."""
    import pyro
    import pyro.distributions as dist
    import torch
    from pyro import infer, optim, poutine
    from torch import nn

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    torch.set_flush_denormal(True)  # As TensorFlow does.
    pyro.clear_param_store()
    pyro.enable_validation(False)
    shared = "shared" in arguments.worker

    def linear(kernel: np.ndarray, bias: bool = True) -> nn.Linear:
        layer = nn.Linear(*kernel.shape, bias=bias)
        layer.weight.data = torch.from_numpy(kernel.T.copy())
        if bias:
            layer.bias.data.zero_()
        return layer

    def layers(network: str, first: int = 0) -> nn.Sequential:
        kernels = [start[f"{network}/{index}"] for index in range(first, 3)]
        modules = [module for kernel in kernels for module in (linear(kernel), nn.ReLU())]
        return nn.Sequential(*modules[:-1])

    class StyleEncoder(nn.Module):
        """q(z | x, y); y is [B, K], or [K, 1, K] where Pyro enumerates it."""

        def __init__(self) -> None:
            super().__init__()
            image_kernel, class_kernel = np.split(start["style/0"], [PIXELS])
            if shared:
                self.image, self.label = linear(image_kernel), linear(class_kernel, bias=False)
                self.rest = layers("style", first=1)
            else:
                self.rest = layers("style")

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            if shared:
                h = self.rest(torch.relu(self.image(x) + self.label(y)))
            else:
                h = self.rest(concatenate(x, y))
            mean, log_scale = h.chunk(2, dim=-1)
            return mean, log_scale.exp()

    def concatenate(*parts: torch.Tensor) -> torch.Tensor:
        shape = torch.broadcast_shapes(*(part.shape[:-1] for part in parts))
        return torch.cat([part.expand(*shape, part.shape[-1]) for part in parts], dim=-1)

    networks = nn.ModuleDict(
        {"class": layers("class"), "style": StyleEncoder(), "decoder": layers("decoder")}
    )
    even = torch.zeros(CLASSES)
    scale = 1 / (2 * BATCH_SIZE)

    @poutine.scale(scale=scale)
    def model(x: torch.Tensor, labelled_x: torch.Tensor, labelled_y: torch.Tensor) -> None:
        pyro.module("networks", networks)
        for name, rows, observed in (("", x, None), ("labelled_", labelled_x, labelled_y)):
            with pyro.plate(f"{name}rows", BATCH_SIZE):
                y = pyro.sample(f"{name}y", dist.OneHotCategorical(logits=even), obs=observed)
                z = pyro.sample(
                    f"{name}z",
                    dist.Normal(torch.zeros(STYLE), torch.ones(STYLE)).to_event(1),
                )
                logits = networks["decoder"](concatenate(y, z))
                pyro.sample(f"{name}x", dist.Bernoulli(logits=logits).to_event(1), obs=rows)
        with pyro.plate("classified", BATCH_SIZE), poutine.scale(scale=ALPHA):
            logits = networks["class"](labelled_x)
            pyro.sample("classification", dist.OneHotCategorical(logits=logits), obs=labelled_y)

    @infer.config_enumerate
    @poutine.scale(scale=scale)
    def guide(x: torch.Tensor, labelled_x: torch.Tensor, labelled_y: torch.Tensor) -> None:
        for name, rows, observed in (("", x, None), ("labelled_", labelled_x, labelled_y)):
            with pyro.plate(f"{name}rows", BATCH_SIZE):
                y = observed
                if observed is None:
                    distribution = dist.OneHotCategorical(logits=networks["class"](rows))
                    y = pyro.sample("y", distribution, infer={"enumerate": "parallel"})
                mean, deviation = networks["style"](rows, y)
                pyro.sample(f"{name}z", dist.Normal(mean, deviation).to_event(1))

    elbo = infer.JitTraceEnum_ELBO if arguments.worker.endswith("jit") else infer.TraceEnum_ELBO
    options = {"ignore_jit_warnings": True} if elbo is infer.JitTraceEnum_ELBO else {}
    svi = infer.SVI(model, guide, optim.Adam({"lr": 1e-3}), elbo(max_plate_nesting=1, **options))
    data = torch.from_numpy(images).float()
    labels = torch.nn.functional.one_hot(torch.from_numpy(start["labels"]), CLASSES).float()
    labelled = data[:BATCH_SIZE], labels

    def batches() -> Iterator[torch.Tensor]:
        while True:
            order = torch.randperm(len(data))
            for begin in range(0, len(data) - BATCH_SIZE + 1, BATCH_SIZE):
                yield data[order[begin : begin + BATCH_SIZE]]

    def train() -> Turn:
        source = batches()
        while True:
            yield sum(svi.step(next(source), *labelled) for _ in range(arguments.steps)) / (
                arguments.steps
            )

    first = data[BATCH_SIZE : 2 * BATCH_SIZE]
    drawn = [svi.evaluate_loss(first, *labelled) for _ in range(LOSS_DRAWS)]
    return train(), _averaged(drawn)


# The race.


def _averaged(drawn: list[float]) -> dict[str, float]:
    """The loss at the common weights and its standard error, in nats."""
    return {
        "start_loss_nats": float(np.mean(drawn)),
        "standard_error_nats": float(np.std(drawn, ddof=1) / np.sqrt(len(drawn))),
    }


def check_losses(facts: dict[str, dict[str, float]]) -> None:
    """Refuses contenders whose losses at the common weights differ by more than chance.

    Raises:
        ValueError: a difference of more than 5 standard errors.
    """
    mine = facts[OURS]
    for name, other in facts.items():
        difference = abs(other["start_loss_nats"] - mine["start_loss_nats"])
        error = np.hypot(other["standard_error_nats"], mine["standard_error_nats"])
        if difference > 5 * error + 1e-6 * abs(mine["start_loss_nats"]):
            raise ValueError(
                "A ratio of speeds means something for one objective only. Fix the contender. Received: "
                f"{name} with a loss of {other['start_loss_nats']}, ours of {mine['start_loss_nats']}, "
                f"standard error of the difference {error}"
            )


def work(arguments: argparse.Namespace) -> None:
    """One contender's process."""
    kind = arguments.worker.split("_")[0]
    images = np.load(arguments.folder / "images.npy")
    start = dict(np.load(arguments.folder / "start.npz"))
    make = {OURS: ours, "pyro": pyro}[kind]
    turns.serve(lambda: make(images, start, arguments), PACKAGES[kind])


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Runs all rounds; the record."""
    flags = {name: getattr(arguments, name) for name in ("rounds", "steps", "threads")}
    with tempfile.TemporaryDirectory() as folder:
        write_data(pathlib.Path(folder))
        commands = {}
        for name in CONTENDERS:
            python = sys.executable if name == OURS else arguments.torch_python
            given = {**flags, "worker": name, "folder": folder}
            shown = (f"--{key}={value}" for key, value in given.items())
            commands[name] = [python, "-m", "benchmarks.semi_supervised.pyro_speed", *shown]
        found = turns.race(commands, **flags)
    check_losses(found["facts"])
    shown = (f"--{key}={value}" for key, value in flags.items())
    return {
        "command": f"python -m benchmarks.semi_supervised.pyro_speed {' '.join(shown)}",
        **found,
    }


def table(result: dict[str, Any]) -> str:
    """The result in Markdown."""
    times = result["milliseconds_per_step"]
    compared = turns.summary(times, OURS, "pyro")
    losses = (
        f"{fact['start_loss_nats']:.2f} +- {fact['standard_error_nats']:.2f}"
        for fact in (result["facts"][OURS], result["facts"][compared["best"]])
    )
    return (
        f"The fastest Pyro ({CONTENDERS[compared['best']]}) takes **{compared['median']:.2f} times** "
        f"as long as tf_discrete: {turns.spread(compared, result['steps'])}. At the common weights the loss "
        f"is {' nats here and '.join(losses)} there.\n\n"
        f"{turns.table(times, CONTENDERS)}\n{turns.made_on(result)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="turns of each contender")
    parser.add_argument("--steps", type=int, default=100, help="training steps of a turn")
    parser.add_argument("--threads", type=int, default=2, help="of each framework")
    parser.add_argument("--torch_python", default=sys.executable, help="interpreter that has Pyro")
    parser.add_argument("--worker", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.steps % speed.STEPS_PER_EXECUTION or arguments.rounds < 2:
        parser.error(
            f"--steps must be a multiple of {speed.STEPS_PER_EXECUTION} and --rounds at least 2"
        )
    if arguments.worker:
        work(arguments)
        return
    print("\n" + table(store.append(RESULTS, run(arguments))))


if __name__ == "__main__":
    main()
