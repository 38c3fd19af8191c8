"""The words of a run from its first to its last line: data, model, epochs, and each phase of the end.

Every program says it with these functions. On a terminal a phase is a bar, or a clock where nobody knows how
much there is; in a log file it is a line when it begins, one every half a minute, and one when it ends.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tqdm

from tf_discrete import datasets
from tf_discrete._internal.counted import counted
from tf_discrete.likelihoods import Likelihood
from tf_discrete.models import DiscreteModel

from . import likelihood_words
from .data import Splits
from .duration import duration

SECONDS = 30.0
"""Seconds between two lines of a phase in a log file."""
_TICK = 0.5
"""Seconds between two moves of a clock on a terminal."""
_NAMES_SHOWN = 12

Progress = Callable[[int], None]
"""Called with the number of items that were done since the last call."""


def say(title: str, text: str) -> None:
    """Prints one line of what a run does, at once."""
    print(f"{title + ':':<10}{text}", flush=True)


def say_start(
    name: str, splits: Splits, model: DiscreteModel, *, epochs: int, steps: int, monitored: str
) -> None:
    """Says what was read, what is trained, and for how long.

    Args:
        name: Name of the data set.
        splits: Of the run.
        model: Built.
        epochs: At most.
        steps: Of an epoch.
        monitored: Field of the history by which the best epoch is chosen.
    """
    say("Data", data_words(name, splits))
    say("Pixels", pixel_words(splits["train"], model))
    say("Model", model_words(model))
    say(
        "Training",
        f"{counted(epochs, 'epoch')} of {counted(steps, 'step')}; the best epoch has the highest {monitored}",
    )


def data_words(name: str, splits: Splits) -> str:
    """Returns the number of images of each split, their shape and their classes, in words.

    Example:
        >>> digits = {split: datasets.get("digits", split) for split in ("train", "validation", "test")}
        >>> print(data_words("digits", digits))
        digits: 1,294 training, 144 validation (from train) and 359 test (from train) images of ...; ...
    """
    train = splits["train"]
    counts = []
    for split, word in (("train", "training"), ("validation", "validation"), ("test", "test")):
        taken = " (from train)" if splits[split].carved else ""
        counts.append(f"{len(splits[split]):,} {word}{taken}")
    shape = " x ".join(map(str, train.image_shape))
    text = f"{name}: {', '.join(counts[:2])} and {counts[2]} images of {shape}; {_classes(train)}"
    if "labelled" in splits:
        count = len(splits["labelled"])
        text += f"; {count:,} of the training images {'lends its' if count == 1 else 'lend their'} label"
    return text


def model_words(model: DiscreteModel) -> str:
    """Returns the class of a model, its codes, its estimator and the number of its parameters, in words."""
    parts = [type(model).__name__]
    spec = getattr(model, "latent_spec", None)
    if spec is not None:
        categories = counted(spec.num_categories, "category", "categories")
        words = f"{counted(spec.num_variables, 'variable')} of {categories}"
        digits, _ = spec.digit_sizes
        if digits != spec.num_variables:
            words += f" in {digits:,} digits"
        parts.append(words)
    parts += dict.fromkeys(
        str(getattr(one, "registered_name", type(one).__name__)) for one in _estimators(model)
    )
    count = sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)
    if count:  # Those of a frozen model are not counted.
        parts.append(counted(count, "parameter"))
    return ", ".join(parts)


def pixel_words(split: datasets.Split, model: Any) -> str:
    """Returns what the pixels are and what the numbers of the model mean, in words."""
    return likelihood_words.pixels(split, likelihood_of(model), reads_features(model))


def reads_features(model: Any) -> bool:
    """Returns whether a model reads features of the images in their place."""
    return getattr(model, "feature_extractor", None) is not None


def likelihood_of(model: Any) -> Likelihood | None:
    """Returns the likelihood of a model; None for one that has none."""
    found = getattr(model, "likelihood", None)
    return found if isinstance(found, Likelihood) else None


@contextlib.contextmanager
def phase(name: str, total: int | None = None, unit: str = "image") -> Iterator[Progress]:
    """Says that a phase begins, how far it is, and how long it took.

    Args:
        name: Of the phase, such as "Test bound".
        total: Items that it works through. Default: None, unknown.
        unit: What an item is. Default: "image".

    Yields:
        A function that is called with the number of items done since the last call.

    Example:
        >>> with phase("Counting", total=3, unit="number") as advance:
        ...     for number in range(3):
        ...         advance(1)
        Counting ...
        Counting: ... s
    """
    terminal = sys.stderr.isatty()
    began = told = time.monotonic()
    done = 0
    if not terminal:
        print(f"{name} ...", flush=True)
    bar = tqdm.tqdm(
        total=total,
        desc=name,
        unit=unit,
        leave=False,
        dynamic_ncols=True,
        disable=not terminal,
        bar_format=None if total else "{desc} ... {elapsed}",
    )
    bar.refresh()

    def advance(count: int) -> None:
        nonlocal done, told
        done += count
        bar.update(count)
        now = time.monotonic()
        if not terminal and total and now - told >= SECONDS:
            told = now
            left = duration((now - began) / done * (total - done))
            print(f"{name}: {done:,} of {counted(total, unit)}, {left} left", flush=True)

    def tick() -> None:
        if terminal:
            bar.refresh()
        elif not total:
            print(f"{name}: {duration(time.monotonic() - began)} so far", flush=True)

    try:
        with _ticking(tick, _TICK if terminal else SECONDS):
            yield advance
    finally:
        bar.close()
    print(f"{name}: {duration(time.monotonic() - began)}", flush=True)


@contextlib.contextmanager
def _ticking(tick: Callable[[], None], seconds: float) -> Iterator[None]:
    """Calls `tick` again and again, in a thread of its own."""
    over = threading.Event()

    def turn() -> None:
        while not over.wait(seconds):
            tick()

    thread = threading.Thread(target=turn, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _classes(split: datasets.Split) -> str:
    if split.num_classes is None:
        return "no labels"
    text = counted(split.num_classes, "class", "classes")
    names = split.class_names
    if names is None or tuple(map(str, range(len(names)))) == names:
        return text
    shown = ", ".join(f"{number} {name}" for number, name in enumerate(names[:_NAMES_SHOWN]))
    return f"{text}: {shown}{', ...' if len(names) > _NAMES_SHOWN else ''}"


def _estimators(model: Any) -> list[Any]:
    found = getattr(model, "estimators", None) or getattr(model, "estimator", None) or ()
    return list(found) if isinstance(found, (list, tuple)) else [found]
