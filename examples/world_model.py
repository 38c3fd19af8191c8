"""Imagines a maze: a recurrent world model with categorical states, as DreamerV3 has.

    python -m examples.world_model

An agent walks at random in a maze that is seen as noisy pictures (`trainers.tabulation.mazes`; needs the
extra 'rl'). A recurrent model reads pictures and actions: a GRU keeps what was, a posterior of categorical
variables says what the picture adds, and a prior predicts it. Both have 1 % of a uniform distribution
(`distributions.unimix`), and the KL is balanced, with free nats (`objectives.balanced_kl`).

Then the model sees `--seen` pictures of a new walk and imagines the rest from the actions alone. Printed is
the share of imagined pictures whose brightest cell is where the agent is, next to an agent that never moves
again, and to the pictures themselves, on which the noise is the only source of errors.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from tf_discrete import distributions, estimators, objectives, seeds
from trainers.tabulation import environments, mazes

MAZES = flags.DEFINE_list("mazes", ["t_maze", "ring"], "Mazes, a run for each.")
STEPS = flags.DEFINE_integer("steps", 2000, "Training steps.", lower_bound=1)
WALKS = flags.DEFINE_integer("walks", 1000, "Walks in the training data.", lower_bound=1)
LENGTH = flags.DEFINE_integer("length", 16, "Pictures of a walk.", lower_bound=2)
SEEN = flags.DEFINE_integer(
    "seen", 4, "Pictures that are seen before the rest is imagined.", lower_bound=1
)
VARIABLES = flags.DEFINE_integer("variables", 8, "Of a state.", lower_bound=1)
CATEGORIES = flags.DEFINE_integer("categories", 8, "Of a variable.", lower_bound=2)
UNITS = flags.DEFINE_integer("units", 128, "Of the GRU.", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "Of everything that is drawn.")
SCALE = 0.1
"""Standard deviation of the noise of a pixel: the unit of the pictures."""


def walks(name: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random walks: pictures [count, T, H, W, 1], actions [count, T - 1] and cells [count, T, 2]."""
    environment, draw = environments.make(name), np.random.default_rng(seed)
    environment.reset(seed=seed)
    pictures, actions, cells = [], [], []
    for _ in range(100 * count):  # Walks that come to an exit are left out.
        if len(pictures) == count:
            break
        picture, _ = environment.reset()
        own: list[Any] = [picture]
        places, done = [environment.unwrapped.cell], []
        while len(own) < LENGTH.value:
            # Twice the same way more often than not, so that walks come somewhere.
            action = (
                done[-1] if done and draw.random() < 0.6 else int(draw.integers(len(mazes.MOVES)))
            )
            picture, _, ended, _, _ = environment.step(action)
            if ended:
                break
            own.append(picture)
            places.append(environment.unwrapped.cell)
            done.append(action)
        if len(own) == LENGTH.value:
            pictures.append(own)
            cells.append(places)
            actions.append(done)
    if len(pictures) < count:
        raise ValueError(
            "Random walks must be short enough not to come to an exit. Lower --length. "
            f"Received: length={LENGTH.value}, {len(pictures)} of {count} walks in {name}"
        )
    scaled = np.array(pictures, np.float32) / (255 * SCALE)
    return scaled, np.array(actions, np.int32), np.array(cells)


class WorldModel(keras.Model):
    """h_t = GRU(h_{t-1}, z_{t-1}, a_{t-1}), q(z_t | h_t, x_t), p(z_t | h_t), and a picture of h_t and z_t."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        logits = VARIABLES.value * CATEGORIES.value
        pixels = int(np.prod(shape))
        self.memory = keras.layers.GRUCell(UNITS.value)
        self.seen = _mlp(pixels, UNITS.value)
        self.posterior, self.prior = (_mlp(UNITS.value * k, logits) for k in (2, 1))
        self.decoder = _mlp(UNITS.value + logits, pixels)
        self.estimator = estimators.get("straight_through")
        self.memory.build((None, logits + len(mazes.MOVES)))

    def state(self, network: keras.Model, inputs: tf.Tensor, seed: tf.Tensor) -> Any:
        """Logits [B, N, K] with a floor, and a sample of them, flat, whose gradient is straight-through."""
        shape = [-1, VARIABLES.value, CATEGORIES.value]
        logits = distributions.unimix(tf.reshape(network(inputs), shape))
        noise = self.estimator.draw_noise(seed, logits)
        z = self.estimator.sample(logits, noise).value[0]
        return logits, tf.reshape(z, [-1, VARIABLES.value * CATEGORIES.value])

    def roll(
        self, x: tf.Tensor, action: tf.Tensor, seen: int, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Pictures [B, T, pixels], of the posterior for `seen` steps and then of the prior, and the loss."""
        batch, length = tf.shape(x)[0], x.shape[1]
        flat = tf.reshape(x, [batch, length, -1])
        h, pictures, losses = tf.zeros([batch, UNITS.value]), [], []
        for t in range(length):
            prior, imagined = self.state(self.prior, h, seeds.fold(seed, "prior", t))
            z = imagined
            if t < seen:
                inputs = tf.concat([h, self.seen(flat[:, t])], axis=-1)
                posterior, z = self.state(self.posterior, inputs, seeds.fold(seed, "posterior", t))
                losses.append(objectives.balanced_kl(posterior, prior).loss)
            pictures.append(self.decoder(tf.concat([h, z], axis=-1)))
            if t < seen:
                losses[-1] += 0.5 * tf.reduce_sum((flat[:, t] - pictures[-1]) ** 2, axis=-1)
            if t + 1 < length:
                moved = tf.one_hot(action[:, t], len(mazes.MOVES))
                h = self.memory(tf.concat([z, moved], axis=-1), [h])[0]
        return tf.stack(pictures, axis=1), tf.reduce_mean(tf.add_n(losses))


def _mlp(inputs: int, outputs: int) -> keras.Sequential:
    hidden = keras.layers.Dense(UNITS.value, activation="silu")
    return keras.Sequential([keras.Input([inputs]), hidden, keras.layers.Dense(outputs)])


def train(model: WorldModel, x: np.ndarray, action: np.ndarray) -> None:
    """Trains on walks that are seen to the end."""
    optimizer = keras.optimizers.Adam(1e-3, global_clipnorm=100.0)
    variables = model.trainable_variables
    optimizer.build(variables)
    model.decoder.layers[-1].bias.assign(x.mean(axis=(0, 1)).ravel())

    @tf.function
    def step(x: tf.Tensor, action: tf.Tensor, seed: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = model.roll(x, action, x.shape[1], seed)[1]
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)

    draw = np.random.default_rng(SEED.value)
    for number in range(STEPS.value):
        rows = draw.integers(0, len(x), 32)
        step(
            tf.constant(x[rows]),
            tf.constant(action[rows]),
            seeds.fold(seeds.base(SEED.value), "train", number),
        )


def brightest(pictures: np.ndarray, plan: np.ndarray) -> np.ndarray:
    """The open cell [..., 2] with the brightest pixels of pictures [..., H, W]."""
    height, width = plan.shape
    blocks = pictures.reshape(*pictures.shape[:-2], height, mazes.PIXELS, width, mazes.PIXELS)
    means = blocks.mean(axis=(-3, -1))
    means = np.where(plan == "#", -np.inf, means).reshape(*pictures.shape[:-2], -1)
    return np.stack(np.unravel_index(means.argmax(axis=-1), plan.shape), axis=-1)


def main(_: list[str]) -> None:
    unknown = [name for name in MAZES.value if name not in environments.names()]
    if unknown:
        raise app.UsageError(
            f"--mazes must be of {', '.join(environments.names())}. Received: mazes={unknown[0]!r}"
        )
    print("maze      imagined   the last place   the pictures themselves")
    for name in MAZES.value:
        keras.utils.set_random_seed(SEED.value)
        plan = environments.mazes_of(name)[0].cells
        x, action, _ = walks(name, WALKS.value, seed=1)
        model = WorldModel(x.shape[2:])
        train(model, x, action)
        x, action, cells = walks(name, 200, seed=2)
        seen = min(SEEN.value, LENGTH.value - 1)
        found = model.roll(tf.constant(x), tf.constant(action), seen, seeds.base(SEED.value))[0]
        pictures = found.numpy().reshape(x.shape)[..., 0]
        shares = [
            (guess == cells[:, seen:]).all(axis=-1).mean()
            for guess in (
                brightest(pictures[:, seen:], plan),
                cells[:, seen - 1 : seen],
                brightest(x[:, seen:, ..., 0], plan),
            )
        ]
        print(f"{name:8s}  {shares[0]:7.1%}   {shares[1]:14.1%}   {shares[2]:23.1%}", flush=True)


if __name__ == "__main__":
    app.run(main)
