"""Prefixes discrete symbols to a character model: how many of their bits come back as shorter text.

    python -m examples.sequence_autoencoder

A line of text is compressed eight times by convolutions into symbols of 8 bits, 1 bit for each character. A
causal transformer reads the symbols and then the characters, and predicts each character. Next to it the same
transformer is trained without symbols. Printed are the bits per character of both, and the share of the bits
of the code by which the text got shorter, the DSAE of Kaiser and Bengio (2018, arXiv:1801.09797): 100 % is a
code that says only what the character model could not know. Lines are padded; padding is in no loss, no
symbol of it reaches the transformer, and its bits do not count.

The text is the help of the language that ships with Python (`pydoc_data.topics`), so the numbers depend on
the version of Python. Every tenth topic is left for the test.
"""

from __future__ import annotations

import pydoc_data.topics
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

import tf_discrete
from tf_discrete.layers import quantizers

BLOCK, BITS = 8, 8
"""Characters that share a symbol, and bits of a symbol."""
CODES = flags.DEFINE_list(
    "codes",
    ["semantic_hashing", "gumbel_softmax", "finite_scalar"],
    "Kinds of symbols, a run for each.",
)
STEPS = flags.DEFINE_integer("steps", 2000, "Training steps.", lower_bound=1)
LENGTH = flags.DEFINE_integer("length", 80, "Characters of a line; a multiple of 8.", lower_bound=8)
UNITS = flags.DEFINE_integer("units", 64, "Size of the vectors.", lower_bound=4)
BLOCKS = flags.DEFINE_integer("blocks", 1, "Of the transformer.", lower_bound=1)
BATCH = flags.DEFINE_integer("batch_size", 32, "Lines of a training step.", lower_bound=1)
MAX_LINES = flags.DEFINE_integer("max_lines", None, "Training and test lines. Default: all.")
EAGER = flags.DEFINE_bool("eager", False, "Do not compile, for runs of a few steps.")
SEEDS = flags.DEFINE_integer("seeds", 1, "Runs of each network.", lower_bound=1)


def lines() -> tuple[np.ndarray, np.ndarray, int]:
    """Training and test lines, int [n, LENGTH] with 0 for padding, and the number of characters.

    Longer lines are left out.
    """
    topics = [text for _, text in sorted(pydoc_data.topics.topics.items())]
    alphabet = {c: i + 1 for i, c in enumerate(sorted(set("".join(topics))))}

    def coded(texts: list[str]) -> np.ndarray:
        whole = [line + "\n" for text in texts for line in text.split("\n") if line.strip()]
        whole = [line for line in whole if len(line) <= LENGTH.value][: MAX_LINES.value]
        codes = np.zeros([len(whole), LENGTH.value], np.int32)
        for row, line in zip(codes, whole, strict=True):
            row[: len(line)] = [alphabet[c] for c in line]
        return codes

    test = topics[::10]
    return coded([text for i, text in enumerate(topics) if i % 10]), coded(test), len(alphabet) + 1


class SemanticHash(keras.layers.Layer):
    """A symbol as bits, by semantic hashing."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_masking = True
        self.logits = keras.layers.Dense(BITS)
        self.bits = tf_discrete.SemanticHashing(seed=0)

    def call(
        self, x: tf.Tensor, training: bool = False, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        return self.bits(self.logits(x), training=training)


class OneOfMany(keras.layers.Layer):
    """A symbol as one of 256 categories, by Gumbel-Softmax with a falling temperature."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_masking = True
        self.logits = keras.layers.Dense(2**BITS)
        falling = tf_discrete.schedules.Linear(1.0, 0.3, steps=STEPS.value)
        self.sample = tf_discrete.StochasticLayer("gumbel_softmax", falling, seed=0)

    def call(
        self, x: tf.Tensor, training: bool = False, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        return self.sample(self.logits(x)[..., None, :], training=training, mask=mask)[..., 0, :]


class Quantised(keras.layers.Layer):
    """A symbol as four numbers of four levels each."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_masking = True
        self.levels = quantizers.FiniteScalarQuantizer([4] * (BITS // 2))

    def call(
        self, x: tf.Tensor, training: bool = False, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        return self.levels(x, training=training, mask=mask)[0]


KINDS = {
    "semantic_hashing": SemanticHash,
    "gumbel_softmax": OneOfMany,
    "finite_scalar": Quantised,
}


class Block(keras.layers.Layer):
    """Attention and a network for each position, both added to what they read."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = keras.layers.MultiHeadAttention(4, UNITS.value // 4)
        self.norms = [keras.layers.LayerNormalization() for _ in range(2)]
        self.wide = keras.layers.Dense(4 * UNITS.value, activation="relu")
        self.narrow = keras.layers.Dense(UNITS.value)

    def call(self, x: tf.Tensor, visible: tf.Tensor) -> tf.Tensor:
        normed = self.norms[0](x)
        x = x + self.attention(normed, normed, attention_mask=visible)
        return x + self.narrow(self.wide(self.norms[1](x)))


class CharacterModel(keras.Model):
    """Predicts each character of a line from those before it, and from the symbols of the line.

    Args:
        num_characters: Int, the padding among them.
        symbols: Layer from vectors float [B, P, D] and their mask to symbols float [B, P, E]; None for none.
    """

    def __init__(self, num_characters: int, symbols: keras.layers.Layer | None):
        super().__init__()
        self.symbols = symbols
        self.read = keras.layers.Embedding(num_characters, UNITS.value)
        self.places = keras.layers.Embedding(LENGTH.value, UNITS.value)
        # What a symbol shares with its characters, so that they find it.
        self.spans = keras.layers.Embedding(LENGTH.value // BLOCK, UNITS.value)
        self.blocks = [Block() for _ in range(BLOCKS.value)]
        self.norm = keras.layers.LayerNormalization()
        self.write = keras.layers.Dense(num_characters)
        if symbols is not None:
            self.seen = keras.layers.Embedding(num_characters, UNITS.value)
            self.halve = [
                keras.layers.Conv1D(UNITS.value, 4, 2, padding="same", activation="relu")
                for _ in range(3)
            ]
            self.prefix = keras.layers.Dense(UNITS.value)

    def call(self, lines: tf.Tensor, training: bool = False) -> tf.Tensor:
        if lines.shape[1] != LENGTH.value:
            raise ValueError(
                "Lines must have the length of the model. Pad shorter ones, cut longer ones, or raise "
                f"--length. Received: lines.shape={tuple(lines.shape)}, length={LENGTH.value}"
            )
        valid = lines > 0
        x = self.read(tf.pad(lines[:, :-1], [[0, 0], [1, 0]]))  # the line, one place later
        places = tf.range(LENGTH.value)
        x += self.places(places) + self.spans(places // BLOCK)
        if self.symbols is not None:
            symbols, used = self.compress(lines, training)
            symbols = self.prefix(symbols) + self.spans(places[: LENGTH.value // BLOCK])
            x = tf.concat([symbols, x], axis=1)
            valid = tf.concat([used, valid], axis=1)
        size = x.shape[1]
        visible = tf.linalg.band_part(tf.ones([size, size], tf.bool), -1, 0) & valid[:, tf.newaxis]
        # A place that sees nothing would be undefined, so that each sees itself.
        visible |= tf.eye(size, dtype=tf.bool)
        for block in self.blocks:
            x = block(x, visible)
        return self.write(self.norm(x[:, -LENGTH.value :]))

    def compress(self, lines: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Symbols of lines, float [B, P, E], and which of them have characters, bool [B, P]."""
        valid = lines > 0
        used = tf.reduce_any(tf.reshape(valid, [-1, LENGTH.value // BLOCK, BLOCK]), axis=-1)
        x = self.seen(lines) * tf.cast(valid, tf.float32)[..., tf.newaxis]
        for layer in self.halve:
            x = layer(x)
        return self.symbols(x, training=training, mask=used), used


def batches(lines: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Endless batches: lines as input and target, and the weight of each character, 0 for padding."""
    draw = np.random.default_rng(seed)
    while True:
        some = lines[draw.integers(len(lines), size=BATCH.value)]
        yield some, some, (some > 0).astype(np.float32)


def bits_per_character(
    train: np.ndarray, test: np.ndarray, num_characters: int, kind: str | None, seed: int
) -> float:
    """Trains a character model, and returns its bits per character of the test lines."""
    keras.utils.set_random_seed(seed)
    model = CharacterModel(num_characters, KINDS[kind]() if kind else None)
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(3e-3, STEPS.value), clipnorm=1.0
        ),
        keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        ),
        run_eagerly=EAGER.value,
        weighted_metrics=[
            keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="nats")
        ],
    )
    model.fit(batches(train, seed), steps_per_epoch=STEPS.value, verbose=0)
    weights = (test > 0).astype(np.float32)
    found = model.evaluate(test, test, 100, 0, weights, return_dict=True)
    return found["nats"] / np.log(2)


def main(_: list[str]) -> None:
    if LENGTH.value % BLOCK:
        raise app.UsageError(
            f"--length must be a multiple of {BLOCK}. Received: length={LENGTH.value}"
        )
    unknown = [name for name in CODES.value if name not in KINDS]
    if unknown:
        raise app.UsageError(
            f"--codes must be of {', '.join(KINDS)}. Received: codes={unknown[0]!r}"
        )
    train, test, num_characters = lines()
    used = np.ceil((test > 0).sum(axis=1) / BLOCK).sum() * BITS / (test > 0).sum()
    print(
        f"{len(train)} lines to train, {len(test)} to test; {used:.3f} bits of code per character"
    )
    print("symbols           seed  bits per character  bought back     DSAE")
    for seed in range(SEEDS.value):
        without = bits_per_character(train, test, num_characters, None, seed)
        print(f"{'none':16s}  {seed:4d}  {without:18.3f}", flush=True)
        for kind in CODES.value:
            found = bits_per_character(train, test, num_characters, kind, seed)
            saved = without - found
            print(
                f"{kind:16s}  {seed:4d}  {found:18.3f}  {saved:11.3f}  {saved / used:7.1%}",
                flush=True,
            )


if __name__ == "__main__":
    app.run(main)
