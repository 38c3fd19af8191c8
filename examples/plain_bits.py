"""Sends a waveform through a few bits and back, without a variational penalty: rate against distortion.

    python -m examples.plain_bits

The signal is a second-order autoregressive process, a resonance with noise, cut into frames of 32 samples. An
autoencoder maps each frame to bits by semantic hashing and back, and is trained by the squared error alone.
Printed is the signal-to-noise ratio at several rates, next to three numbers: a quantiser of single samples
(Lloyd-Max), the same after the Karhunen-Loeve transform with bits allotted by variance, and the bound of
rate-distortion theory for Gaussian frames, which no code of any length exceeds.
"""

from __future__ import annotations

import keras
import numpy as np
from absl import app, flags

import tf_discrete

FRAME = 32
"""Samples of a frame."""
FRAMES = flags.DEFINE_integer("frames", 50_000, "Training frames.", lower_bound=100)
EPOCHS = flags.DEFINE_integer("epochs", 20, "Passes over the training frames.", lower_bound=1)
BITS = flags.DEFINE_multi_integer("bits", [8, 16, 32, 64], "Bits of a frame, a run for each.")
UNITS = flags.DEFINE_integer("units", 256, "Units of the hidden layers.", lower_bound=1)


def frames(count: int, seed: int) -> np.ndarray:
    """Frames of the signal with variance 1, float32 [count, FRAME]."""
    draw = np.random.default_rng(seed)
    noise = draw.normal(size=[count, FRAME + 200])
    signal = np.zeros_like(noise)
    for t in range(2, noise.shape[1]):
        signal[:, t] = 1.6 * signal[:, t - 1] - 0.85 * signal[:, t - 2] + noise[:, t]
    signal = signal[:, 200:]  # The process has forgotten its start.
    return (signal / signal.std()).astype(np.float32)


def decibels(signal: np.ndarray, received: np.ndarray) -> float:
    """Signal-to-noise ratio, in dB."""
    return float(10 * np.log10(np.mean(signal**2) / np.mean((signal - received) ** 2)))


def autoencoder(bits: int) -> keras.Model:
    """Frames to bits and back."""
    return keras.Sequential(
        [
            keras.Input([FRAME]),
            keras.layers.Dense(UNITS.value, activation="relu"),
            keras.layers.Dense(UNITS.value, activation="relu"),
            keras.layers.Dense(bits),
            tf_discrete.SemanticHashing(seed=0),
            keras.layers.Dense(UNITS.value, activation="relu"),
            keras.layers.Dense(UNITS.value, activation="relu"),
            keras.layers.Dense(FRAME),
        ]
    )


def learned(train: np.ndarray, test: np.ndarray, bits: int) -> float:
    """Signal-to-noise ratio of the autoencoder."""
    keras.utils.set_random_seed(0)
    model = autoencoder(bits)
    steps = EPOCHS.value * -(-len(train) // 250)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)), "mse")
    model.fit(train, train, batch_size=250, epochs=EPOCHS.value, verbose=0)
    return decibels(test, model.predict(test, batch_size=1000, verbose=0))


def lloyd(values: np.ndarray, bits: int) -> np.ndarray:
    """Levels of the best scalar quantiser of some values, [2**bits]."""
    levels = np.quantile(values, (np.arange(2**bits) + 0.5) / 2**bits)
    for _ in range(100):
        nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2, values)
        count = np.maximum(np.bincount(nearest, minlength=len(levels)), 1)
        levels = np.sort(np.bincount(nearest, values, minlength=len(levels)) / count)
    return levels


def quantised(train: np.ndarray, test: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Quantises each column with its number of bits, [FRAME]; a column without bits becomes its mean."""
    result = np.empty_like(test)
    for column, some in enumerate(bits):
        levels = (
            lloyd(train[:, column], int(some)) if some else train[:, column].mean(keepdims=True)
        )
        result[:, column] = levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, test[:, column])]
    return result


def allotted(variance: np.ndarray, bits: int) -> np.ndarray:
    """Gives bits to columns one by one, each to the column with the largest error so far."""
    given, error = np.zeros(len(variance), np.int64), variance.copy()
    for _ in range(bits):
        worst = int(np.argmax(error))
        given[worst] += 1
        error[worst] /= 4
    return given


def bound(variance: np.ndarray, bits: int) -> float:
    """Largest signal-to-noise ratio of Gaussian frames with these variances, by reverse water-filling."""
    low, high = 0.0, float(variance.max())
    for _ in range(200):
        water = (low + high) / 2
        rate = 0.5 * np.log2(np.maximum(variance / water, 1)).sum()
        low, high = (water, high) if rate > bits else (low, water)
    return float(10 * np.log10(variance.sum() / np.minimum(variance, high).sum()))


def main(_: list[str]) -> None:
    train, test = frames(FRAMES.value, 0), frames(max(100, FRAMES.value // 5), 1)
    variance, basis = np.linalg.eigh(np.cov(train.T))
    variance = np.maximum(variance, 1e-9)
    print("bits/frame  bits/sample  single samples  transform  autoencoder  bound   (dB)")
    for bits in BITS.value:
        even = np.full(FRAME, bits // FRAME)
        even[: bits % FRAME] += 1
        single = decibels(test, quantised(train, test, even))
        coded = quantised(train @ basis, test @ basis, allotted(variance, bits)) @ basis.T
        print(
            f"{bits:10d}  {bits / FRAME:11.2f}  {single:14.2f}  {decibels(test, coded):9.2f}"
            f"  {learned(train, test, bits):11.2f}  {bound(variance, bits):5.2f}",
            flush=True,
        )


if __name__ == "__main__":
    app.run(main)
