"""A prepared data set of TFDS as input of the bulk encoder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from .shard import Images, Reading, Shard, all_of, identity, white


def shards(name: str, size: int, data_dir: str) -> list[Shard]:
    """Lists the shards of NAME[:SPLIT].

    Raises:
        ValueError: No such split, or it is not prepared.
    """
    import tensorflow_datasets as tfds

    name, _, split = name.partition(":")
    split = split or "train"
    found = tfds.builder(name, data_dir=data_dir or None)
    if split not in found.info.splits:
        known = ", ".join(found.info.splits) or "none: prepare the data set first"
        raise ValueError(
            f"The data set must have the split, and must be prepared. Choose one of {known}. "
            f"Received: input='tfds:{name}:{split}', data_dir={data_dir!r}"
        )
    count = found.info.splits[split].num_examples
    source = f"{name}:{split}"
    files = map(os.fspath, found.info.splits[split].filepaths)
    versions = (found.info.full_name, *map(identity, files))
    return [
        Shard(number, "tfds", source, start, stop=min(start + size, count), identity=versions)
        for number, start in enumerate(range(0, count, size))
    ]


def batches(shard: Shard, how: Reading) -> Iterator[Images]:
    """Examples of a prepared data set, in the order of its files."""
    import tensorflow_datasets as tfds

    name, split = shard.source.rsplit(":", 1)
    found = tfds.builder(name, data_dir=how.data_dir or None)
    part = f"{split}[{shard.start}:{shard.stop}]"
    in_order = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    dataset = found.as_dataset(split=part, shuffle_files=False, read_config=in_order)
    place = 0
    for batch in dataset.batch(how.batch_size):
        images = batch["image"].numpy()
        labels = (
            batch["label"].numpy().astype(np.int64) if "label" in batch else -np.ones(len(images))
        )
        if images.shape[1:] != how.data_shape:
            raise ValueError(
                "The images must have the shape that the model reads. Choose another data set or model. "
                f"Received: images {images.shape[1:]}, a model of {how.data_shape}"
            )
        yield all_of(shard, place, white(images, how), labels.astype(np.int64), [])
        place += len(images)
