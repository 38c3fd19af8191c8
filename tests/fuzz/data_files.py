"""The files of images and of codes, for the fuzzer."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from tests.fuzz import mutations
from tests.fuzz.damaged import File, in_zip


def _codes() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, [40, 5])


def indexes(folder: pathlib.Path) -> list[File]:
    """The files of a `CodeIndex`, and of FAISS where it is installed."""
    from tf_discrete import codes

    drawn = _codes()
    index = codes.CodeIndex(drawn, 3, metadata={"split": "train"})
    index.save(folder / "index")

    def is_right(found: Any) -> bool:
        same = np.array_equal(found.codes, drawn) and found.metadata == index.metadata
        return same and found.ids == index.ids and found.model == index.model

    files = [
        File(
            folder / "index" / name,
            lambda: codes.CodeIndex.load(folder / "index"),
            is_right,
            damage,
        )
        for name, damage in (
            ("codes.npy", mutations.damage_bytes),
            ("ids.json", mutations.damage_json),
            ("manifest.json", mutations.damage_json),
        )
    ]
    try:
        import faiss  # noqa: F401
    except ImportError:
        return files
    for kind in ("flat", "hnsw", "ivf"):
        path = folder / f"{kind}.faiss"
        made = codes.FaissIndex(drawn, 3, kind)
        made.save(path)
        expected = made.search(drawn[:3], 4)

        def is_same(found: Any, expected: Any = expected) -> bool:
            return all(map(np.array_equal, found.search(drawn[:3], 4), expected))

        files.append(File(path, lambda path=path: codes.FaissIndex.load(path, 5, 3), is_same))
    return files


def compressed(folder: pathlib.Path) -> list[File]:
    """A file of compressed codes; nothing where constriction is not installed."""
    from tf_discrete import codes, models

    prior = models.AutoregressivePrior(num_variables=5, num_categories=3, units=4)
    drawn, path = _codes(), folder / "codes.bin"
    try:
        codes.compress(drawn, prior, path)
    except ImportError:
        return []
    return [
        File(
            path, lambda: codes.decompress(path, prior), lambda found: np.array_equal(found, drawn)
        )
    ]


def npz(folder: pathlib.Path) -> list[File]:
    """A data set in an `.npz` file, and crafted ones with right checksums of wrong arrays."""
    from tf_discrete import datasets

    random, path = np.random.default_rng(0), folder / "data.npz"
    images = random.integers(0, 256, [40, 3, 3]).astype(np.uint8)
    np.savez_compressed(path, image=images, label=np.arange(40) % 4)

    def read() -> Any:
        return datasets.get(str(path), "train")

    whole = np.array(read().images)

    def is_right(found: Any) -> bool:
        return np.array_equal(found.images, whole)

    def is_data(found: Any) -> bool:
        shape = found.images.shape[1:]
        return found.images.dtype in (np.uint8, np.float32) and shape == found.image_shape

    return [
        File(path, read, is_right),
        File(path, read, is_data, in_zip("image.npy", mutations.damage_bytes)),
        File(path, read, is_data, in_zip("label.npy", mutations.damage_bytes)),
    ]


def images(folder: pathlib.Path) -> list[File]:
    """Pictures of every kind."""
    from PIL import Image

    from tf_discrete.datasets import image_folder

    random = np.random.default_rng(0)
    colours = random.integers(0, 256, [9, 8, 4]).astype(np.uint8)
    files = []
    for name, array in (
        ("a.png", colours),
        ("b.png", colours[..., 0].astype(np.uint16) * 200),
        ("c.jpg", colours[..., :3]),
        ("d.bmp", colours[..., :3]),
        ("e.gif", colours[..., 0]),
        ("f.webp", colours[..., :3]),
        ("g.tif", colours[..., :3]),
        ("h.ppm", colours[..., :3]),
        ("i.pgm", colours[..., 0]),
    ):
        path = folder / name
        Image.fromarray(array).save(path)

        def read(path: pathlib.Path = path) -> Any:
            return image_folder.read(path, (4, 4, 3))

        def is_picture(found: Any) -> bool:
            return found.shape == (4, 4, 3) and found.dtype == np.uint8

        files.append(File(path, read, is_picture))
    return files


def caches(folder: pathlib.Path) -> list[File]:
    """Decoded images of a folder that does not fit into memory."""
    from tf_discrete.datasets import image_cache

    before, image_cache.MEMORY_BYTES = image_cache.MEMORY_BYTES, 1
    pictures = np.random.default_rng(0).integers(0, 256, [7, 3, 4, 2]).astype(np.uint8)

    def read() -> Any:
        limit, image_cache.MEMORY_BYTES = image_cache.MEMORY_BYTES, 1
        try:
            chunks = [(pictures, np.arange(7))]
            return image_cache.fill(7, (3, 4, 2), lambda: chunks, cache_dir=str(folder), key="a")
        finally:
            image_cache.MEMORY_BYTES = limit

    def is_data(found: Any) -> bool:
        return found[0].shape == pictures.shape and found[1].dtype == np.int32

    read()
    image_cache.MEMORY_BYTES = before
    return [File(path, read, is_data) for path in sorted(folder.glob("*/*.npy"))]


def records(folder: pathlib.Path) -> list[File]:
    """A TFRecord file of images; the checksums of its data are not compared."""
    import tensorflow as tf

    from tf_discrete import datasets

    pictures = np.random.default_rng(0).integers(0, 256, [30, 6, 5, 1]).astype(np.uint8)
    path = folder / "a.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, picture in enumerate(pictures):
            example = tf.train.Example()
            png = tf.io.encode_png(picture).numpy()
            example.features.feature["image"].bytes_list.value.append(png)
            example.features.feature["label"].int64_list.value.append(number % 3)
            writer.write(example.SerializeToString())

    def read() -> Any:
        found = datasets.get(str(folder), "train")
        return found.images[:], found.labels

    def is_data(found: Any) -> bool:
        return found[0].dtype == np.uint8 and len(found[0]) == len(found[1])

    return [File(path, read, is_data)]


def exact_indexes(folder: pathlib.Path) -> list[File]:
    """The files of an `ExactIndex`, compared with their checksums."""
    from tf_discrete import codes

    bits = np.random.default_rng(0).integers(0, 2, [300, 64])
    packed = codes.pack(bits, 2)
    path = folder / "index"
    index = codes.ExactIndex.build(path, packed, 64)

    def read() -> Any:
        return codes.ExactIndex.open(path, verify=True).search(packed[:4], 3)

    states = [read()]
    index.add(packed[:3], ids=[1000, 1001, 1002])
    states.append(read())
    index.delete([5])
    states.append(read())

    def is_right(found: Any) -> bool:
        return all(map(np.array_equal, found[:2], states[-1][:2]))

    def was_right(found: Any) -> bool:
        """A log that is cut off is that of changes which were never acknowledged."""
        return any(all(map(np.array_equal, found[:2], state[:2])) for state in states)

    return [
        File(
            file,
            read,
            was_right if file.name.startswith("log") else is_right,
            mutations.damage_json if file.suffix == ".json" else mutations.damage_bytes,
        )
        for file in sorted(path.iterdir())
        if file.is_file()
    ]


def code_files(folder: pathlib.Path) -> list[File]:
    """Parquet files of codes, which have no checksum of their own; nothing without pyarrow."""
    from tf_discrete.codes import code_files as files_lib

    packed = np.random.default_rng(0).integers(0, 256, [40, 2]).astype(np.uint8)
    path = folder / "codes.parquet"
    try:
        batch = files_lib.CodeBatch(np.arange(40), packed, np.arange(40) % 3)
        files_lib.write_codes(path, [batch], files_lib.CodeLayout(16))
    except ImportError:
        return []

    def read() -> Any:
        return list(files_lib.CodeFiles(path).batches())

    def is_data(found: Any) -> bool:
        return all(part.packed.shape == (len(part.ids), 2) for part in found)

    return [File(path, read, is_data)]
