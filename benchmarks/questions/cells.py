"""The trainings behind docs/questions.md: which there are, and what each one comes to."""

from __future__ import annotations

import functools
import gc
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from benchmarks.questions import documentation
from benchmarks.questions.setting import Config
from tf_discrete import (
    codes,
    datasets,
    estimators,
    evaluation,
    layers,
    likelihoods,
    models,
    optimizers,
    schedules,
)

BITS, HIDDEN = 32, (128,)
BOUND_EXAMPLES = 2000
ANNEALED = schedules.Exponential(initial=1.0, rate=3e-4, floor=0.3)


class Cell(NamedTuple):
    """One training: the row of a table that it is of, one setting of the row, a seed."""

    question: str
    row: str
    setting: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its record."""
        return f"{self.question}/{self.row}/{self.setting or 'default'}/{self.seed}"


Measured = dict[str, float]

# Discrete VAE against Gumbel-Softmax.

TEMPERATURES: dict[str, Any] = {"0.5": 0.5, "1": 1.0, "1 to 0.3": ANNEALED}
SMOOTHINGS: dict[str, dict[str, Any]] = {
    "gumbel_softmax": {f"temperature {key}": value for key, value in TEMPERATURES.items()},
    "discrete_vae": {f"sharpness {value:g}": value for value in (3.0, 5.0, 8.0)},
    "overlapping_exponentials": {f"sharpness {value:g}": value for value in (3.0, 5.0, 8.0)},
}


def smoothing(config: Config, cell: Cell) -> Measured:
    """Trains 784-128-(32 bits)-128-784 on fixed-binarised MNIST by one relaxation of bits."""
    argument = cell.setting.split()[0]
    given = {argument: SMOOTHINGS[cell.row][cell.setting]}
    estimator = estimators.get(cell.row, latents="bernoulli", **given)
    train = _images(config, "binarized_mnist", "train")
    model = _train_autoencoder(
        models.CategoricalVAE(
            train.image_shape,
            BITS,
            2,
            latents="bernoulli",
            hidden_units=HIDDEN,
            estimator=estimator,
            seed=cell.seed,
        ),
        config,
        train,
        cell.seed,
    )
    validation, test = (
        _images(config, "binarized_mnist", split) for split in ("validation", "test")
    )
    metrics = model.evaluate(test.batches(500), verbose=0, return_dict=True)
    part = test.batches(500).take(BOUND_EXAMPLES // 500)
    bound = evaluation.evaluate_bound(model, part, config.num_samples)
    chosen_by = model.evaluate(validation.batches(500), verbose=0, return_dict=True)
    return {
        "validation_hard_elbo_nats": chosen_by["hard_elbo_nats"],
        "hard_elbo_nats": metrics["hard_elbo_nats"],
        "elbo_nats": metrics["elbo_nats"],
        "bound_nats": bound.mean_nats,
        "active": evaluation.collect_usage(model, test.batches(500)).active_units,
    }


# Does straight-through cost accuracy?

ESTIMATORS = ("gumbel_softmax", "straight_through", "straight_through_gumbel_softmax", "reinmax")
BOTTLENECKS = ("none", "softmax", *ESTIMATORS)


def classifier(config: Config, cell: Cell) -> Measured:
    """Trains 784-128-(8 x 8 categories)-64-10 to read digits through discrete variables."""
    keras.utils.set_random_seed(cell.seed)
    train, test = (_images(config, "mnist", split) for split in ("train", "test"))
    bottleneck: keras.Layer
    if cell.row in ("none", "softmax"):
        bottleneck = keras.layers.Activation("linear" if cell.row == "none" else "softmax")
    else:
        bottleneck = layers.StochasticLayer(cell.row, temperature=1.0, seed=cell.seed)
    head = layers.LatentHead(8, 8)
    reader = [
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(10),
    ]
    start = [keras.Input(train.image_shape), keras.layers.Flatten()]
    encoder = keras.Sequential([*start, keras.layers.Dense(HIDDEN[0], activation="relu"), head])
    decoder = keras.Sequential([keras.Input([8, 8]), *reader])
    model = keras.Sequential([encoder, bottleneck, decoder])
    model.compile(
        optimizers.FusedAdam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    x, y = train.images[:] / np.float32(255.0), np.asarray(train.labels)
    model.fit(x, y, batch_size=100, epochs=_epochs(config.steps, len(x)), verbose=0)
    logits = encoder.predict(test.images[:] / np.float32(255.0), verbose=0, batch_size=500)
    values = logits if cell.row == "none" else np.eye(8, dtype=np.float32)[logits.argmax(-1)]
    found = {"accuracy": _accuracy(decoder, values, test)}
    if cell.row == "softmax":
        found["accuracy_relaxed"] = _accuracy(decoder, tf.nn.softmax(logits).numpy(), test)
    return found


def _accuracy(reader: keras.Model, values: np.ndarray, split: datasets.Split) -> float:
    found = reader.predict(values, verbose=0, batch_size=500).argmax(-1)
    return float(np.mean(found == np.asarray(split.labels)))


# A binary autoencoder without a KL, and a variational one.

PENALTIES = {
    "gumbel_softmax, KL": 1.0,
    "gumbel_softmax, no KL": 0.0,
    "semantic_hashing, no KL": None,
}
SIZES = (32, 96)


def penalty(config: Config, cell: Cell) -> Measured:
    """Trains 784-128-(bits)-128-784 on grey MNIST, with the KL to the uniform prior or without."""
    bits = int(cell.setting.split()[0])
    train, test = (_images(config, "mnist", split) for split in ("train", "test"))
    shared: dict[str, Any] = {"hidden_units": HIDDEN, "seed": cell.seed}
    weight = PENALTIES[cell.row]
    model: Any
    if weight is None:
        model = models.SemanticHashingAutoencoder(train.image_shape, bits, **shared)
    else:
        model = models.CategoricalVAE(
            train.image_shape,
            bits,
            2,
            latents="bernoulli",
            temperature=ANNEALED,
            kl_weight=weight,
            **shared,
        )
    mean = np.clip(train.images[:].mean(axis=0) / 255.0, 1e-3, 1 - 1e-3)
    models.networks.set_output_bias(model.decoder, np.log(mean / (1 - mean)))
    _train_autoencoder(model, config, train, cell.seed)
    metrics = model.evaluate(test.batches(500), verbose=0, return_dict=True)
    found = codes.encode_batches(model, train.batches(500))
    asked = codes.encode_batches(model, test.batches(500))
    retrieved = evaluation.evaluate_retrieval(
        asked[:1000],
        np.asarray(test.labels)[:1000],
        found,
        np.asarray(train.labels),
        k=min(100, len(found)),
        ties="expected",
    )
    return {
        "reconstruction_nats": evaluation.reconstruction_nats(model, test.batches(500)).mean_nats,
        "hard_elbo_nats": metrics["hard_elbo_nats"],
        "active": evaluation.collect_usage(model, test.batches(500)).active_units,
        "precision_at_100": retrieved.precision_at_k,
    }


# Cosine similarity in the place of the log-likelihood.

LOSSES = {
    "cosine": (10, 100, 1000),
    "gaussian": (100, 1000),
    "gaussian_lengths": (100, 1000),
}
"""The concentrations of each."""


def cosine(config: Config, cell: Cell) -> Measured:
    """Trains V-128-(32 bits)-128-V on TF-IDF rows; both Gaussians have the scale 1 / sqrt(concentration)."""
    data = _texts(config.num_words)
    concentration = float(cell.setting.split()[1])
    likelihood: likelihoods.Likelihood
    if cell.row == "cosine":
        likelihood = likelihoods.CosineSimilarity(concentration)
    else:
        likelihood = likelihoods.Gaussian(concentration**-0.5)
    lengths = np.linalg.norm(data.train, axis=1).mean()
    train, test = (
        x / (lengths if cell.row == "gaussian_lengths" else np.linalg.norm(x, axis=1)[:, None])
        for x in (data.train, data.test)
    )
    size = train.shape[1]
    keras.utils.set_random_seed(cell.seed)
    model = models.CategoricalVAE(
        (size,),
        BITS,
        2,
        latents="bernoulli",
        hidden_units=HIDDEN,
        likelihood=likelihood,
        estimator="straight_through_gumbel_softmax",
        temperature=1.0,
        seed=cell.seed,
    )
    model.compile(optimizers.FusedAdam(1e-3))
    model.fit(train, batch_size=100, epochs=_epochs(config.text_steps, len(train)), verbose=0)
    metrics = model.evaluate(test, batch_size=500, verbose=0, return_dict=True)
    found, asked = model.encode(train), model.encode(test)
    decoded = np.asarray(model.decode(asked))
    retrieved = evaluation.evaluate_retrieval(
        asked, data.test_labels, found, data.train_labels, k=min(10, len(found)), ties="expected"
    )
    measured = {
        "cosine": float(np.mean(_cosine(decoded, test))),
        "kl_nats": metrics["kl_nats"],
        "active": evaluation.collect_usage(model, [test]).active_units,
        "precision_at_10": retrieved.precision_at_k,
    }
    if cell.row == "cosine":
        constant = log_normalizer(concentration, size) - log_normalizer(0.0, size)
        measured["gain_nats"] = metrics["hard_elbo_nats"] + constant
    return measured


def log_normalizer(concentration: float, size: int) -> float:
    """Returns log C of the von Mises-Fisher density C exp(concentration * cosine) on the sphere of R^size."""
    if not concentration:  # The uniform density: one over the area of the sphere.
        return math.lgamma(size / 2) - math.log(2) - size / 2 * math.log(math.pi)
    order = size / 2 - 1
    bessel = float(tfp.math.log_bessel_ive(np.float64(order), np.float64(concentration)))
    powers = order * math.log(concentration) - size / 2 * math.log(2 * math.pi)
    return powers - bessel - concentration


def exact_search(config: Config) -> Measured:
    """Precision at 10 of the nearest texts by the cosine of their TF-IDF rows themselves."""
    data = _texts(config.num_words)
    near = np.argsort(-_unit(data.test) @ _unit(data.train).T, axis=1, kind="stable")[:, :10]
    hits = data.train_labels[near] == data.test_labels[:, np.newaxis]
    return {
        "precision_at_10": float(hits.mean()),
        "train": len(data.train),
        "test": len(data.test),
        "modules": int(data.train_labels.max()) + 1,
    }


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.sum(a * b, axis=1) / np.maximum(norms, 1e-12)


# All of them.

Train = Callable[[Config, Cell], Measured]
QUESTIONS: dict[str, tuple[Train, dict[str, tuple[str, ...]]]] = {
    "straight_through": (classifier, {row: ("",) for row in BOTTLENECKS}),
    "cosine": (
        cosine,
        {row: tuple(f"concentration {value}" for value in tried) for row, tried in LOSSES.items()},
    ),
    "smoothing": (smoothing, {row: tuple(settings) for row, settings in SMOOTHINGS.items()}),
    "penalty": (penalty, {row: tuple(f"{size} bits" for size in SIZES) for row in PENALTIES}),
}
"""The function that makes a cell of a question, and the settings of each row."""


@functools.lru_cache
def _texts(num_words: int) -> documentation.Vectors:
    return documentation.vectors(num_words)


@functools.lru_cache
def _load(name: str, split: str, data_dir: str, max_examples: int) -> datasets.Split:
    return datasets.get(name, split, data_dir=data_dir or None, max_examples=max_examples or None)


def _images(config: Config, name: str, split: str) -> datasets.Split:
    return _load(name, split, config.data_dir, config.max_examples)


def _epochs(steps: int, examples: int) -> int:
    return max(1, round(steps * 100 / examples))


def _train_autoencoder(model: Any, config: Config, train: datasets.Split, seed: int) -> Any:
    steps = train.steps_per_epoch(100, drop_remainder=True)
    model.compile(optimizers.FusedAdam(1e-3), steps_per_execution=steps)
    batches = train.indexed_batches(100, seed=seed, drop_remainder=True)
    model.fit(batches, epochs=_epochs(config.steps, len(train)), verbose=0)
    return model


def measure(config: Config, cell: Cell) -> Measured:
    """Trains a cell and scores it; Keras forgets what was made before."""
    keras.backend.clear_session()
    gc.collect()
    keras.utils.set_random_seed(cell.seed)
    found = QUESTIONS[cell.question][0](config, cell)
    return {name: round(float(value), 5) for name, value in found.items()}
