"""The pipeline on Apache Beam: shards, encoded by its inference transform, written in the same stage."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.ml.inference.base import ModelHandler, RunInference
from apache_beam.options.pipeline_options import PipelineOptions

from tf_discrete._internal import checks
from tf_discrete.codes.code_files import CodeLayout
from tf_discrete.codes.packing import pack

from . import inputs, lost_workers, output
from .shard import Reading, Shard


class SavedModelEncoder(ModelHandler[Shard, output.Encoded, Any]):
    """Encodes shards by the `encode` signature of a SavedModel.

    An element is a whole shard: its images are read and encoded a batch at a time, and its codes, which are
    small, are written by the next step of the same stage. So every shard that is done stays done when the
    job is killed.

    Args:
        path: Folder of the SavedModel.
        layout: Variables and categories of its codes.
        how: How images are read.
        scale: What 8-bit pixels are multiplied by.
        threshold: Whether the model reads black and white, cut at 1/2.
        score: Whether to compute the log-probability of each code.
    """

    def __init__(
        self,
        path: str,
        layout: CodeLayout,
        how: Reading,
        scale: float,
        threshold: bool,
        score: bool,
    ):
        super().__init__()
        self._path, self._layout, self._how = path, layout, how
        self._scale, self._threshold, self._score = scale, threshold, score

    def load_model(self) -> Any:
        """Loads the SavedModel, once for each process."""
        loaded = tf.saved_model.load(self._path)
        encode, encode_probs = (loaded.signatures.get(name) for name in ("encode", "encode_probs"))

        @tf.function(autograph=False, reduce_retracing=True)
        def of_pixels(pixels: tf.Tensor) -> tuple[tf.Tensor, ...]:
            image = tf.cast(pixels, tf.float32) * self._scale
            if self._threshold:
                image = tf.cast(image > 0.5, tf.float32)
            codes = encode(image=image)["codes"]
            if not self._score:
                return (codes,)
            return codes, code_log_prob(encode_probs(image=image)["probs"])

        of_pixels.loaded = loaded  # Its variables live as long as the function.
        return of_pixels

    def run_inference(
        self, batch: Sequence[Shard], model: Any, inference_args: Any = None
    ) -> Iterable[output.Encoded]:
        """Yields the codes of each shard."""
        for shard in batch:
            yield self._encode(shard, model)

    def batch_elements_kwargs(self) -> dict[str, int]:
        """One shard at a time, so that it is written before the next is read."""
        return {"min_batch_size": 1, "max_batch_size": 1}

    def _encode(self, shard: Shard, model: Any) -> output.Encoded:
        ids, packed, labels = [np.zeros(0, np.int64)], [], [np.zeros(0, np.int64)]
        scores, rejects = [np.zeros(0, np.float32)], []
        paths: list[str] = []
        packed.append(pack(np.zeros([0, self._layout.num_variables], np.int32), self._layout[1]))
        for part in inputs.batches(shard, self._how):
            rejects += part.rejects
            if len(part.ids):
                codes, *score = model(tf.constant(part.images))
                packed.append(pack(codes.numpy(), self._layout.num_categories))
                scores += [one.numpy() for one in score]
                ids.append(part.ids)
                labels.append(part.labels)
                paths += part.paths
        return output.Encoded(
            shard.number,
            np.concatenate(ids),
            np.concatenate(packed),
            np.concatenate(labels),
            rejects,
            np.concatenate(scores) if self._score else None,
            tuple(paths),
        )


def code_log_prob(probs: tf.Tensor) -> tf.Tensor:
    """Returns log q(code | image) in nats, [B], where each variable or digit of the code is the likeliest.

    Args:
        probs: What `encode_probs` returns: [B, N, K], or of a 1, [B, N].

    Example:
        >>> code_log_prob(tf.constant([[0.5, 0.25]])).numpy().round(3)  # log(1/2 * 3/4)
        array([-0.981], dtype=float32)
    """
    if probs.shape.rank == 2:
        probs = tf.stack([1 - probs, probs], axis=-1)
    return tf.reduce_sum(tf.math.log(tf.reduce_max(probs, axis=-1)), axis=-1)


class WriteShard(beam.DoFn):
    """Writes a shard, and yields how many images it has and how many were rejected.

    Args:
        folder: The output.
        layout: Of the codes.
    """

    def __init__(self, folder: str, layout: CodeLayout):
        super().__init__()
        self._folder, self._layout = folder, layout

    def process(self, encoded: output.Encoded) -> Iterator[tuple[int, int]]:
        """Writes one shard."""
        output.write_shard(pathlib.Path(self._folder), encoded, self._layout)
        yield len(encoded.ids), len(encoded.rejects)


def run(
    pending: Sequence[Shard],
    encoder: SavedModelEncoder,
    folder: str,
    layout: CodeLayout,
    arguments: Sequence[str],
) -> float:
    """Encodes and writes shards; returns the seconds it took.

    Args:
        pending: The shards that are not done.
        encoder: Encodes them.
        folder: The output.
        layout: Of the codes.
        arguments: Options of Beam.

    Raises:
        ValueError: Options that Beam does not know.
        WorkerGoneError: A worker process of Beam's own runner is gone.
    """
    options = PipelineOptions(list(arguments))
    unknown = [name for name in arguments if not name.startswith("--")]
    if unknown:
        checks.refuse("beam", "options of Beam, each with two dashes", unknown)
    began = time.perf_counter()
    with lost_workers.ending(), beam.Pipeline(options=options) as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(list(pending), reshuffle=False)
            | "Spread" >> beam.Reshuffle()
            | "Encode" >> RunInference(encoder)
            | "Write" >> beam.ParDo(WriteShard(folder, layout))
        )
    return time.perf_counter() - began
