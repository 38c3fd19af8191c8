"""Accuracy with a hundred classes under several orders of the classes in their tree.

    python -m benchmarks.trees.orders --data_dir=$TF_DISCRETE_DATA_DIR

divides the images of each digit of MNIST into ten kinds by k-means of their pixels: a hundred classes. It
trains the semi-supervised VAE from few labels of each, with a class that is a path through a tree 10 x 10,
for as many steps under each order: the digit first and then the kind, which takes somebody who knows both;
numbers at random; and the orders that `--class_order` finds for these numbers. The images, the labelled ones
among them and the initial weights of a seed are the same for all orders. Each training adds a record to
benchmarks/results/tree_orders.jsonl; what is there is not trained again.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks import help_flag, provenance, store
from benchmarks.semi_supervised.earlier_defaults import EARLIER
from trainers.common import command_line, tables
from trainers.flags.config import check, option

if not help_flag.GIVEN:
    import keras

    from tf_discrete import datasets
    from trainers.common import class_orders, classification, compiling, data
    from trainers.common import run as run_lib
    from trainers.common.callbacks import StopAtNaN
    from trainers.tasks import semi_supervised

RESULTS = "tree_orders"
KINDS = 10
ORDERS = {
    "the digit first": "given",
    "at random": "given",
    "clustered": "clustered",
    "learned": "learned",
}
"""Orders by their names, and what `--class_order` is set to."""
KNOWN = "the digit first"


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the comparison."""

    dataset: str = option("mnist", "Data with labels of ten classes, see trainers.semi_supervised.")
    data_dir: str = option("", "Folder of prepared TFDS data. Default: TFDS's own.")
    max_examples: int = option(20_000, "Maximum number of examples of each split. 0: all.", lower=0)
    labels_per_class: int = option(5, "Labelled images of each of the hundred classes.", lower=1)
    epochs: int = option(3, "Passes over the training images.", lower=1)
    batch_size: int = option(100, "Unlabelled images in a step, and labelled ones.", lower=1)
    hidden_units: tuple[int, ...] = option((256,), "Units of the hidden layers.")
    num_seeds: int = option(3, "Trainings of each order.", lower=1)
    seed: int = option(0, "The first seed.", lower=0, upper=2**31)
    results: str = option(RESULTS, "Table of benchmarks/results that takes the records.")


def settings_of(config: Config, order: str, seed: int) -> semi_supervised.Config:
    """The configuration of the trainer."""
    return semi_supervised.Config(
        dataset=config.dataset,
        data_dir=config.data_dir,
        max_examples=config.max_examples,
        binarization="dynamic",
        likelihood="bernoulli",
        latents="tree",
        branching=(10, KINDS),
        class_order=ORDERS[order],
        labels_per_class=config.labels_per_class,
        label_seed=seed,
        epochs=config.epochs,
        batch_size=config.batch_size,
        labelled_batch_size=config.batch_size,
        hidden_units=config.hidden_units,
        monitor_every=10**6,
        seed=seed,
        **EARLIER,
    )


def with_kinds(splits: data.Splits) -> data.Splits:
    """The splits with classes 10 * digit + kind, the kinds of a digit by k-means of its training images."""
    from sklearn.cluster import KMeans

    found = {name: np.zeros(len(split), np.int32) for name, split in splits.items()}
    for digit in range(10):
        pixels = {name: _pixels(split, digit) for name, split in splits.items()}
        clusters = KMeans(KINDS, n_init=1, random_state=0).fit(pixels["train"])
        for name, split in splits.items():
            own = split.labels == digit
            found[name][own] = KINDS * digit + clusters.predict(pixels[name])
    return {
        name: dataclasses.replace(
            split, labels=found[name], num_classes=10 * KINDS, class_names=None
        )
        for name, split in splits.items()
    }


def renumbered(splits: data.Splits, numbers: np.ndarray) -> data.Splits:
    """The splits with other numbers of the classes, int32 [100]."""
    return {
        name: dataclasses.replace(split, labels=numbers[split.labels])
        for name, split in splits.items()
    }


def measure(config: Config, order: str, seed: int, kinds: data.Splits) -> dict[str, float]:
    """Trains a model under an order and classifies the test images."""
    numbers = np.arange(10 * KINDS, dtype=np.int32)
    if order != KNOWN:
        numbers = np.random.RandomState(seed).permutation(numbers)
    settings = settings_of(config, order, seed)
    check(settings)
    model = train(settings, renumbered(kinds, numbers))
    digit_of = np.argsort(numbers) // KINDS
    test = renumbered({"test": kinds["test"]}, numbers)["test"]
    probs, labels = classification.read(classification.compiled(model), test)
    chosen = probs.argmax(axis=-1)
    leaves = numbers if order == KNOWN else np.arange(len(numbers))
    if model.class_order is not None:
        leaves = model.class_order.array()
    return {
        "accuracy": float(np.mean(chosen == labels)),
        "digit_accuracy": float(np.mean(digit_of[chosen] == digit_of[labels])),
        "same_digit": same_group(digit_of[leaves].reshape(10, KINDS)),
    }


def train(settings: semi_supervised.Config, splits: data.Splits) -> Any:
    """Trains as trainers.semi_supervised does, without a folder."""
    keras.backend.clear_session()
    gc.collect()
    run_lib.prepare(settings)
    divided = semi_supervised.divide(settings, splits)
    steps = divided["train"].steps_per_epoch(settings.batch_size, drop_remainder=True)
    model = semi_supervised.build_model(settings, divided["train"], steps)
    compiling.compile_model(model, settings, steps)
    model.steps_per_execution = compiling.choose_steps_per_execution(settings, steps, in_loop=True)
    model.fit(
        semi_supervised.batches(settings, divided, 0),
        epochs=settings.epochs,
        steps_per_epoch=steps,
        callbacks=[StopAtNaN(), *class_orders.make_callbacks(settings, divided["labelled"])],
        shuffle=False,
        verbose=0,
    )
    return model


def same_group(groups: np.ndarray) -> float:
    """The share of pairs in one row, int [rows, n], that are equal.

    Example:
        >>> same_group(np.array([[1, 1, 2], [3, 3, 3]]))   # 1 of 3 and 3 of 3
        0.6666666666666666
    """
    count = groups.shape[1]
    equal = (groups[:, :, np.newaxis] == groups[:, np.newaxis]).sum() - groups.size
    return float(equal / (len(groups) * count * (count - 1)))


def run(config: Config) -> str:
    """Trains what is missing; returns the table."""
    check(config)
    made = provenance.record()
    kinds: data.Splits = {}
    for seed in range(config.seed, config.seed + config.num_seeds):
        for order in ORDERS:
            key = f"{order}, seed {seed}"
            if store.newest(config.results, key) is None:
                kinds = kinds or with_kinds(data.load_splits(settings_of(config, order, seed)))
                found = measure(config, order, seed, kinds)
                about = {"name": key, "order": order, "seed": seed, "provenance": made}
                fields = ("epochs", "batch_size", "labels_per_class")
                settings = {name: getattr(config, name) for name in fields}
                counts = {"train_images": len(kinds["train"]), "test_images": len(kinds["test"])}
                store.append(config.results, {**about, **settings, **counts, **found})
                print(f"{key}: {found}", flush=True)
    text = table(store.read(config.results))
    print(text)
    return text


def table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """All orders in Markdown, a row each: means over the seeds, with the standard deviation."""
    lines = []
    for order in ORDERS:
        own = [record for record in records.values() if record["order"] == order]
        if own:
            shares = (
                tables.spread([100 * record[field] for record in own], 1)
                for field in ("accuracy", "digit_accuracy", "same_digit")
            )
            lines.append((order, *shares, str(len(own))))
    some = next(iter(records.values()))
    header = (
        *("order of the classes", "accuracy, %", "accuracy of the digit, %"),
        *("pairs below one node that are of one digit, %", "seeds"),
    )
    command = "python -m benchmarks.trees.orders --data_dir=$TF_DISCRETE_DATA_DIR"
    return (
        f"{tables.markdown(header, lines)}\n{some['labels_per_class']} labels of each of {10 * KINDS} "
        f"classes, {some['train_images']:,} training images, {some['epochs']} epochs, "
        f"{some['test_images']:,} test images; {provenance.line(some['provenance'], command)}"
    )


def _pixels(split: datasets.Split, digit: int) -> np.ndarray:
    """The pixels of the images of a digit, float32 [n, pixels]."""
    images = np.asarray(split.images)[split.labels == digit]
    return images.reshape(len(images), -1).astype(np.float32)


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
