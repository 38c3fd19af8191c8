"""Any image data set of TensorFlow Datasets, by its name there."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tf_discrete.datasets import image_cache, record_file, record_folder, resizing, splitting
from tf_discrete.datasets.source import REGISTRY, SPLITS, UNLABELLED, Arrays, Request
from tf_discrete.types import Tensor

if TYPE_CHECKING:
    import tensorflow_datasets

_CHUNK = 256
_FIRST, _BEGINNING = 8, 1000
"""Images by which black and white ones are recognised: of the part that is read, and of train."""


def load(request: Request) -> Arrays:
    """Loads one split of a TFDS image data set.

    The data are read from `data_dir` if they have been prepared there, and downloaded by TFDS
    otherwise. 'validation' and 'test' are the official splits where they exist; else validation is
    the last `validation_fraction` of the training images, and test their last tenth. Images of 0 and
    1 only become 0 and 255 before they are resized. Data of more than 2 GiB are decoded once into a
    cache file under `data_dir`; with `request.stream` the images stay in the files of TFDS.

    Args:
        request: what is wanted; `name` may carry a config and a version ("name/config:1.0.0").

    Returns:
        Arrays with uint8 images.

    Raises:
        ImportError: if tensorflow_datasets is not installed.
        ValueError: if the name is unknown, or the data set has no images of one size.
        RuntimeError: if the data can neither be found nor downloaded.
    """
    tfds = _import_tfds()
    if not knows(request.name, request.data_dir):
        _refuse_unknown(tfds, request)
    builder = _prepared_builder(tfds, request)
    explicit = [split for split in SPLITS if split in builder.info.splits]
    if "train" not in explicit:
        raise ValueError(
            "A TFDS data set must have a split named train. Choose another data set. "
            f"Received: name={request.name!r} with splits {sorted(builder.info.splits)}"
        )
    image_key, label_key, num_classes = _features(tfds, builder.info.features, request)
    shape, resize = _image_shape(builder.info.features[image_key], request)

    source = request.split if request.split in explicit else "train"
    start, stop = 0, builder.info.splits[source].num_examples
    if source == "train":
        start, stop = splitting.bounds(stop, request, explicit)
    elif request.max_examples is not None:
        stop = min(stop, request.max_examples)

    if request.stream:
        return _stream(builder, source, (start, stop), (image_key, label_key), num_classes, request)

    def examples(split: str) -> tf.data.Dataset:
        in_order = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
        return builder.as_dataset(split=split, shuffle_files=False, read_config=in_order)

    def largest(split: str) -> int:
        found = examples(split).map(lambda features: tf.reduce_max(features[image_key]))
        return int(found.reduce(tf.constant(0, tf.uint8), tf.maximum))

    def decode(white: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        def example(features: dict[str, tf.Tensor]) -> tuple[Tensor, Tensor, Tensor]:
            image = features[image_key]
            most = tf.reduce_max(image)
            image *= tf.constant(255 // white, tf.uint8)
            if resize:
                image = resizing.resize_tensor(image, shape[:2])
            return image, features[label_key] if label_key else UNLABELLED, most

        wanted = examples(f"{source}[{start}:{stop}]").map(example).batch(_CHUNK).prefetch(2)
        for image, label, most in wanted.as_numpy_iterator():
            if most.max() > white:
                raise _NotBinaryError
            yield image, label

    def fill(white: int) -> tuple[np.ndarray, np.ndarray]:
        return image_cache.fill(
            stop - start,
            shape,
            lambda: decode(white),
            cache_dir=os.path.join(os.path.dirname(str(builder.data_dir)), "decoded"),
            key=f"{builder.info.full_name} {source} {start} {stop} {white}",
        )

    # Images of 0 and 1 only are black and white; most others show at once that they are not.
    first = largest(f"{source}[{start}:{min(stop, start + _FIRST)}]")
    beginning = min(_BEGINNING, builder.info.splits["train"].num_examples)
    white = 1 if first <= 1 and largest(f"train[:{beginning}]") == 1 else 255
    try:
        images, labels = fill(white)
    except _NotBinaryError:
        white = 255
        images, labels = fill(white)
    return Arrays(
        images,
        labels if label_key else None,
        num_classes,
        tuple(builder.info.features[label_key].names) if label_key else None,
        (white, None),
        carved=source != request.split,
    )


def _stream(
    builder: tensorflow_datasets.core.DatasetBuilder,
    source: str,
    part: tuple[int, int],
    keys: tuple[str, str | None],
    num_classes: int | None,
    request: Request,
) -> Arrays:
    """Returns the images of a split, which stay in the TFRecord files that TFDS has written."""
    paths = [os.fspath(path) for path in builder.info.splits[source].filepaths]
    if not all(".tfrecord" in os.path.basename(path) for path in paths):
        raise ValueError(
            "TFDS data are streamed from TFRecord files. Prepare them with file_format='tfrecord', or leave "
            f"stream out. Received: name={request.name!r} with {os.path.basename(paths[0])!r}"
        )
    channels = builder.info.features[keys[0]].shape[-1]
    images = record_folder.RecordImages(paths, request, record_file.Keys(*keys), channels)
    label = keys[1]
    names = tuple(builder.info.features[label].names) if label else None
    return record_folder.arrays(images.part(*part), request, num_classes, names)


class _NotBinaryError(Exception):
    """Images that began as 0 and 1 only have other values later."""


def knows(name: str, data_dir: str | None) -> bool:
    """Returns whether TFDS has this data set, or `data_dir` holds it prepared; False without TFDS."""
    try:
        tfds = _import_tfds()
    except ImportError:
        return False
    base = re.split("[/:]", name)[0]
    if base in tfds.list_builders(with_community_datasets=False):
        return True
    return bool(base) and data_dir is not None and _is_prepared(os.path.join(data_dir, base))


def _is_prepared(folder: str) -> bool:
    return any("dataset_info.json" in files for _, _, files in os.walk(folder))


def _import_tfds() -> ModuleType:
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise ImportError(
            "TFDS data sets need the package tensorflow-datasets. Run "
            f"`pip install tensorflow-datasets importlib_resources`. Received: {error}"
        ) from error
    return tensorflow_datasets


def _refuse_unknown(tfds: ModuleType, request: Request) -> None:
    known = tfds.list_builders(with_community_datasets=False)
    near = difflib.get_close_matches(request.name, [*REGISTRY, *known], n=5)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise ValueError(
        f"The data set must be a registered one ({', '.join(REGISTRY)}), a TFDS image data set, or the "
        f"path of an .npz file or of a folder of images. {hint}Received: name={request.name!r}, "
        f"data_dir={request.data_dir!r}"
    )


def _prepared_builder(
    tfds: ModuleType, request: Request
) -> tensorflow_datasets.core.DatasetBuilder:
    try:
        builder = tfds.builder(request.name, data_dir=request.data_dir)
        if not builder.is_prepared():
            builder.download_and_prepare()
    except Exception as error:  # TFDS raises whatever its downloaders and its disk raise
        raise RuntimeError(
            "The data set is not in data_dir and could not be downloaded and prepared there. Give "
            "the data_dir of a machine that has it, or check name, network and free space. "
            f"Received: name={request.name!r}, data_dir={request.data_dir!r}; "
            f"{type(error).__name__}: {error}"
        ) from error
    return builder


def _features(
    tfds: ModuleType, features: tensorflow_datasets.features.FeatureConnector, request: Request
) -> tuple[str, str | None, int | None]:
    """Returns the keys of image and label, and the number of classes."""
    features = dict(features) if hasattr(features, "keys") else {}
    image_keys = [k for k, v in features.items() if type(v) is tfds.features.Image]
    if "image" in image_keys:
        image_keys = ["image"]
    if len(image_keys) != 1:
        raise ValueError(
            "A data set must have one image per example, under the key image or as its only image. "
            f"Choose another one. Received: name={request.name!r} with features {sorted(features)}"
        )
    label = features.get("label")
    if isinstance(label, tfds.features.ClassLabel):
        return image_keys[0], "label", label.num_classes
    return image_keys[0], None, None


def _image_shape(
    feature: tensorflow_datasets.features.Image, request: Request
) -> tuple[tuple[int, int, int], bool]:
    """(height, width, channels) after decoding, and whether that takes a resize."""
    height, width, channels = feature.shape
    if np.dtype(feature.np_dtype) != np.uint8 or channels is None:
        raise ValueError(
            "Images must be uint8 with a known number of channels. Choose another data set. "
            f"Received: name={request.name!r} with images of shape {feature.shape} and dtype "
            f"{np.dtype(feature.np_dtype)}"
        )
    if request.image_size is not None:
        size = request.image_size
        return (size[0], size[1], channels), size != (height, width)
    if height is None or width is None:
        raise ValueError(
            "Images must all have one size. Give image_size=(height, width) to resize them. "
            f"Received: name={request.name!r} with images of shape {feature.shape}"
        )
    return (height, width, channels), False
