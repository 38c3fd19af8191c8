"""Flags of trainers.encode."""

from __future__ import annotations

import dataclasses

from .config import option


@dataclasses.dataclass(frozen=True)
class Config:
    """Flags of the bulk encoder."""

    model: str = option("", "Folder of a SavedModel that trainers.export has written.", path=True)
    input: str = option(
        "",
        "Images: a pattern of TFRecord files such as 'shards/*.tfrecord', a folder of image files, or "
        "'tfds:NAME' or 'tfds:NAME:SPLIT'.",
    )
    output: str = option(
        "", "Folder of the codes; a run that was stopped goes on where it was.", path=True
    )
    data_dir: str = option("", "Folder of prepared TFDS data, for tfds: inputs.", path=True)
    image_feature: str = option("image", "Feature of an example that holds the image.")
    label_feature: str = option(
        "label", "Feature that holds the label, an integer; examples may go without."
    )
    score: bool = option(
        False, "Add the column score: log q(code | image) in nats, 0 where the code is certain."
    )
    batch_size: int = option(512, "Images that the model encodes at once.", lower=1)
    shard_size: int = option(
        16384, "Images of an output shard; TFRecord files have one shard each.", lower=1
    )
    beam: tuple[str, ...] = option(
        (),
        "Options of Apache Beam, such as --beam=--runner=FlinkRunner,--flink_master=host:8081. Default: "
        "Beam's own runner in this process.",
        repeated=True,
    )
