"""TensorBoard: every term, usage of the codes, pictures, histograms, hyper-parameters, projector."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.hparams import api as hparams

from tf_discrete import plots, seeds
from tf_discrete._internal import writing
from tf_discrete.evaluation import Usage

from . import charts, embedding_projector, standard_errors
from .history_fields import fields_of

Pictures = Callable[[Any, np.ndarray, "Sequence[str] | None"], dict[str, Any]]
"""(model, validation images, the names of their classes or None) -> named figures."""


def autoencoder_pictures(
    model: Any, images: np.ndarray, labels: Sequence[str] | None
) -> dict[str, Any]:
    """Reconstructions, and samples from the prior."""
    shown, labels = images[:20], None if labels is None else labels[:20]
    reconstructions = np.clip(model.reconstruct(shown), 0.0, 1.0)
    samples = np.clip(model.sample(64, seeds.base(model.seed)), 0.0, 1.0)
    return {
        "reconstructions": plots.reconstructions(shown, reconstructions, labels),
        "samples": plots.image_grid(samples, columns=8),
    }


class ScalarLog(keras.callbacks.Callback):
    """Writes the logs of each epoch: a chart for each quantity, with a curve for each split.

    Args:
        folder: Of the event files; one sub-folder each for train and validation.
        monitored: Field of the history that decides the best epoch, which its chart says.
    """

    def __init__(self, folder: pathlib.Path, monitored: str = ""):
        super().__init__()
        self.folder, self.monitored = folder, monitored
        self._writers: dict[str, tf.summary.SummaryWriter] = {}
        self._laid_out = False

    def on_train_begin(self, logs: Any = None) -> None:
        if self.monitored:
            with self._writer("train").as_default(step=0):
                tag = charts.chart(self.monitored.split("/", 1)[1]).tag
                tf.summary.text("best_epoch", f"The highest validation value of `{tag}` decides.")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        step = int(np.asarray(self.model.optimizer.iterations))
        for name, value in fields_of(logs or {}).items():
            split, field = name.split("/", 1)
            chart = charts.chart(field)
            text = (
                charts.deciding(chart.description) if name == self.monitored else chart.description
            )
            with self._writer(split).as_default(step=step):
                tf.summary.scalar(chart.tag, value, description=text)
        with self._writer("train").as_default(step=step):
            rate, chart = self.model.optimizer.learning_rate, charts.chart("learning_rate")
            tf.summary.scalar(chart.tag, float(np.asarray(rate)), description=chart.description)
            if not self._laid_out:
                fields = (name.split("/", 1)[1] for name in fields_of(logs or {}))
                write_layout([chart.tag, *(charts.chart(field).tag for field in fields)])
                self._laid_out = True
        self.write_more(epoch, step)
        with writing.naming(self.folder):
            for writer in self._writers.values():
                writer.flush()

    def write_more(self, epoch: int, step: int) -> None:
        """Writes what a subclass adds at the end of an epoch. Default: nothing."""

    def _writer(self, split: str) -> Any:
        if split not in self._writers:
            with writing.naming(self.folder):
                self._writers[split] = file_writer(self.folder / split)
        return self._writers[split]


class TensorBoardLog(ScalarLog):
    """Writes the logs of each epoch, and pictures every n epochs.

    Args:
        folder: of the event files; one sub-folder each for train and validation.
        config: hyper-parameters of the run.
        images: a batch of validation images, float [B, H, W, C].
        labels: the names of their classes, "" for an image without one, or None.
        pictures_every: epochs; 0 for no pictures, no histograms and no projector.
        usage: of the codes of the last epoch, read from the logs' callback; a function without
            arguments.
        pictures: of the model, see `Pictures`.
        monitored: field of the history that decides the best epoch, which its chart says.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        config: dict[str, Any],
        images: np.ndarray,
        labels: Sequence[str] | None,
        pictures_every: int,
        usage: Any,
        pictures: Pictures,
        monitored: str = "",
    ):
        super().__init__(folder, monitored)
        self.config, self.images, self.labels = config, images, labels
        self.pictures_every, self.usage, self.pictures = pictures_every, usage, pictures

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        with self._writer("train").as_default(step=0):
            values = {key: _hparam(value) for key, value in self.config.items()}
            hparams.hparams(values, trial_id=str(self.folder.parent.name))
            text = json.dumps(self.config, indent=2)
            tf.summary.text("config", f"```\n{text}\n```")

    def write_more(self, epoch: int, step: int) -> None:
        if self.pictures_every and (epoch == 0 or (epoch + 1) % self.pictures_every == 0):
            with self._writer("validation").as_default(step=step):
                self._pictures()

    def on_train_end(self, logs: Any = None) -> None:
        if self._writers and self.pictures_every:
            probs = self.model.encode_probs(self.images).numpy()
            step = int(np.asarray(self.model.optimizer.iterations))
            folder = self.folder / "validation"
            embedding_projector.write(folder, probs, self.images, self.labels, step)

    def _pictures(self) -> None:
        for name, figure in self.pictures(self.model, self.images, self.labels).items():
            charts.write_picture(name, figure)
        usage: Usage | None = self.usage()
        if usage is not None:
            figure = plots.code_usage(usage.counts, usage.perplexity, collapsed=usage.collapsed)
            charts.write_picture("codes", figure)
            charts.write_histogram("perplexity_per_variable", usage.perplexity)
        charts.write_histogram("posterior_logits", self.model.logits(self.images))
        charts.write_histogram("posterior_probs", self.model.encode_probs(self.images))
        for variable in self.model.trainable_variables:
            charts.write_histogram(f"weights/{variable.path}", variable.value)


class Profile(keras.callbacks.Callback):
    """Profiles calls `FIRST` to `LAST` of a run for a folder of TensorBoard, after a warm-up."""

    FIRST, LAST = 2, 5

    def __init__(self, folder: pathlib.Path):
        super().__init__()
        self.folder = folder
        self._seen = 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._seen == self.FIRST:
            tf.profiler.experimental.start(str(self.folder))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._seen += 1
        if self._seen == self.LAST:
            tf.profiler.experimental.stop()

    def on_train_end(self, logs: Any = None) -> None:
        if self.FIRST < self._seen < self.LAST:
            tf.profiler.experimental.stop()


def file_writer(folder: pathlib.Path) -> tf.summary.SummaryWriter:
    """Returns a writer of events whose `flush`, and nothing before it, meets a full disk."""
    return tf.summary.create_file_writer(str(folder), max_queue=10**6, flush_millis=10**9)


def write_test_scalars(folder: pathlib.Path, result: dict[str, Any]) -> None:
    """Writes the test results, so that the hyper-parameter page can sort runs by them, and their layout."""
    tags = []
    with (
        writing.naming(folder),
        tf.summary.create_file_writer(str(folder / "test")).as_default(step=result["steps"]),
    ):
        for name, value in result.items():
            if name.startswith("test/") and isinstance(value, (int, float)):
                chart = charts.chart(name.removeprefix("test/"))
                tf.summary.scalar(chart.tag, value, description=chart.description)
                # Standard errors are written as scalars but left out of the layout.
                if standard_errors.ERROR not in name:
                    tags.append(chart.tag)
    with (  # TensorBoard merges layouts in the order of the folders: those of training come first.
        writing.naming(folder),
        tf.summary.create_file_writer(str(folder / "validation")).as_default(step=result["steps"]),
    ):
        write_layout(tags, (charts.TEST,))


def write_layout(tags: Sequence[str], groups: Sequence[str] | None = None) -> None:
    """Writes the layout of the custom scalars: the charts of the tags, by the question of each.

    Args:
        tags: Of the scalars of a run.
        groups: Those that are laid out. Default: all.
    """
    found = charts.layout(tags)
    categories = [
        layout_pb2.Category(
            title=group.replace("_", " "),
            chart=[
                layout_pb2.Chart(
                    title=title,
                    multiline=layout_pb2.MultilineChartContent(
                        tag=[f"^{re.escape(tag)}$" for tag in tags]
                    ),
                )
                for title, tags in found[group].items()
            ],
        )
        for group in found
        if groups is None or group in groups
    ]
    if categories:
        pb = custom_scalar.pb(layout_pb2.Layout(category=categories))
        tf.summary.experimental.write_raw_pb(pb.SerializeToString())


def _hparam(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str)) else str(value)
