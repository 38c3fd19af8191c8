"""The embedding projector of TensorBoard: the codes of images as points, with their pictures."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins import projector

from tf_discrete._internal import writing

from .checkpoints import CheckpointFolder


def write(
    folder: pathlib.Path,
    probs: np.ndarray,
    images: np.ndarray,
    labels: Sequence[str] | None,
    step: int,
) -> None:
    """Writes points, labels and pictures, each file atomically; the configuration, which names them, last.

    Args:
        folder: Of the event files, where the projector looks for its configuration.
        probs: float [B, ...], the posterior probabilities of the images.
        images: float [B, H, W, C] in [0, 1].
        labels: Names of their classes, "" for an image without one, or None.
        step: Of the training.
    """
    points = tf.Variable(probs.reshape(len(probs), -1), name="embedding")
    checkpoints = CheckpointFolder(
        tf.train.Checkpoint(embedding=points), folder / "embedding", keep=2
    )
    checkpoints.save(step)
    names = map(str, range(len(images))) if labels is None else (x or "unlabelled" for x in labels)
    writing.write_text(folder / "labels.tsv", "".join(f"{name}\n" for name in names))
    with writing.replaced_file(folder / "sprite.png") as new:
        new.write_bytes(tf.io.encode_png(_sheet(images)).numpy())
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add()
    embedding.tensor_name = "embedding/.ATTRIBUTES/VARIABLE_VALUE"
    embedding.metadata_path = "labels.tsv"
    embedding.sprite.image_path = "sprite.png"
    height, width = images.shape[1:3]
    embedding.sprite.single_image_dim.extend([width, height])
    config.model_checkpoint_path = str(checkpoints.path(step))
    text = text_format.MessageToString(config)
    writing.write_text(folder / "projector_config.pbtxt", text)


def _sheet(images: np.ndarray) -> np.ndarray:
    """Returns images in a square, row by row, uint8 [side * H, side * W, C]."""
    side = int(np.ceil(np.sqrt(len(images))))
    height, width, channels = images.shape[1:]
    sheet = np.zeros([side * side, height, width, channels], np.float32)
    sheet[: len(images)] = images
    sheet = sheet.reshape(side, side, height, width, channels).transpose(0, 2, 1, 3, 4)
    return (sheet.reshape(side * height, side * width, channels) * 255).astype(np.uint8)
