"""Images that stay in their files: the same images as in memory, in an order of seed and epoch."""

from __future__ import annotations

import io
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.datasets import image_folder_test, pipeline_test
from tf_discrete import datasets
from tf_discrete._internal.reading import DamagedFileError
from tf_discrete.datasets import image_cache, image_file, labels, record_file, record_folder
from tf_discrete.datasets.on_demand import OnDemandImages
from tf_discrete.datasets.source import Request

RANDOM = np.random.RandomState(0)
PIXELS = RANDOM.randint(0, 256, (60, 6, 5)).astype(np.uint8)


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def example(pixels: np.ndarray, label: int | None = None, key: str = "image") -> bytes:
    features = {key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded(pixels)]))}
    if label is not None:
        features["label"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write_shards(
    folder: pathlib.Path, count: int = 60, parts: int = 3, name: str = "digits", **options
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(parts):
        path = folder / f"{name}.tfrecord-{part:05d}-of-{parts:05d}"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for i in range(part * count // parts, (part + 1) * count // parts):
                writer.write(example(PIXELS[i], i % 3, **options))


def both(
    folder: pathlib.Path, split: str = "train", **options
) -> tuple[datasets.Split, datasets.Split]:
    """A split that is streamed, and the same one in memory."""
    return tuple(
        datasets.get(str(folder), split, stream=stream, **options) for stream in (True, False)
    )


def assert_same_split(streamed: datasets.Split, resident: datasets.Split) -> None:
    assert isinstance(streamed.images, OnDemandImages) and isinstance(resident.images, np.ndarray)
    assert streamed.images.shape == resident.images.shape
    np.testing.assert_array_equal(streamed.images[:], resident.images)
    if resident.labels is None:
        assert streamed.labels is None
    else:
        np.testing.assert_array_equal(streamed.labels, resident.labels)
    assert (streamed.num_classes, streamed.white_levels) == (
        resident.num_classes,
        resident.white_levels,
    )


@pytest.mark.one_in(2)
@pytest.mark.parametrize("classes", [False, True])
def test_a_streamed_folder_has_the_numbers_of_one_in_memory(tmp_path, classes):
    """A folder is shuffled as a whole, so nothing differs but where the images are."""
    for name in ("a", "b") if classes else ("",):
        image_folder_test.write(tmp_path / name, 20, colour=True)
    for split in ("train", "validation", "test"):
        assert_same_split(*both(tmp_path, split))
    streamed, resident = both(tmp_path, binarization="dynamic" if classes else "static")
    options = {"shuffle": True, "seed": 3, "start_epoch": 1}
    found, expected = (
        [batch["image"] for batch in pipeline_test.collect(data.batches(5, **options))]
        for data in (streamed, resident)
    )
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))
    batches = streamed.indexed_batches(5)
    assert not batches.in_memory
    stream = pipeline_test.collect(batches.stream().take(3))
    expected = pipeline_test.collect(resident.indexed_batches(5).stream().take(3))
    for batch, other in zip(stream, expected, strict=True):
        np.testing.assert_array_equal(batch["image"], other["image"])


def test_shards_are_read_as_they_lie(tmp_path):
    write_shards(tmp_path)
    splits = {split: both(tmp_path, split) for split in ("train", "validation", "test")}
    for pair in splits.values():
        assert_same_split(*pair)
    joined = np.concatenate([streamed.images[:] for streamed, _ in splits.values()])
    np.testing.assert_array_equal(joined[..., 0], PIXELS)
    train = splits["train"][0]
    assert train.num_classes == 3 and train.labels.tolist() == [i % 3 for i in range(len(train))]
    assert train.images.shards == (20, 20, len(train) - 40)


def test_names_of_shards_decide_on_the_split(tmp_path):
    write_shards(tmp_path, 30, 2, "photos-train", key="image/encoded")
    write_shards(tmp_path, 10, 1, "photos-test", key="image/encoded")
    assert len(datasets.get(str(tmp_path), "test", stream=True)) == 10
    assert len(datasets.get(str(tmp_path), "validation", stream=True)) == 3
    assert len(datasets.get(str(tmp_path), "train", stream=True, max_examples=7)) == 7
    assert datasets.get(str(tmp_path), "train", stream=True, image_size=(3, 3)).images[0].shape == (
        3,
        3,
        1,
    )


def test_an_epoch_of_shards_holds_every_image_once(tmp_path):
    write_shards(tmp_path)
    streamed, resident = both(tmp_path, buffer=8)
    options = {"shuffle": True, "seed": 2}
    epochs = [
        np.concatenate(
            [
                b["image"]
                for b in pipeline_test.collect(streamed.batches(7, start_epoch=epoch, **options))
            ]
        )
        for epoch in range(2)
    ]
    whole = {image.tobytes() for image in resident.images.astype(np.float32) / np.float32(255)}
    for images in epochs:
        assert len(images) == len(whole)
        assert {image.tobytes() for image in images} == whole
    assert (epochs[0] != epochs[1]).any()
    again = streamed.indexed_batches(7, seed=2, start_epoch=1, drop_remainder=False).stream()
    found = pipeline_test.collect(again.take(7))
    np.testing.assert_array_equal(np.concatenate([b["image"] for b in found]), epochs[1])


def test_labelled_rows_are_read_into_memory(tmp_path):
    write_shards(tmp_path)
    streamed, _ = both(tmp_path)
    few, many = labels.divide(streamed, np.arange(6))
    assert isinstance(few.images, np.ndarray) and isinstance(many.images, OnDemandImages)
    batch = next(iter(labels.batches(few, many, 3, 5, seed=0)))
    assert batch["image"].shape == (5, 6, 5, 1)


def test_images_of_bits_become_white(tmp_path):
    consulted = np.linspace(0, 299, 256).round()
    other = max(set(range(300)) - set(consulted.astype(int).tolist()))  # In the test split.
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        for i in range(300):
            writer.write(example(PIXELS[0] if i == other else PIXELS[i % 60] % 2))
    train = datasets.get(str(tmp_path), "train", stream=True)
    np.testing.assert_array_equal(train.images[0][..., 0], PIXELS[0] % 2 * 255)
    with pytest.raises(DamagedFileError, match=r"a\.tfrecord.*other images are of 0 and 1 only"):
        datasets.get(str(tmp_path), "test", stream=True).images[:]


def test_the_fingerprint_follows_names_sizes_and_pixels(tmp_path):
    image_folder_test.write(tmp_path / "a", 20)
    streamed, resident = (split.fingerprint for split in both(tmp_path / "a"))
    os.rename(tmp_path / "a", tmp_path / "moved")
    moved = datasets.get(str(tmp_path / "moved"), "train", stream=True)
    assert moved.fingerprint == streamed != resident
    for path in (tmp_path / "moved").iterdir():
        Image.fromarray(PIXELS[0]).save(path)
    changed = datasets.get(str(tmp_path / "moved"), "train", stream=True)
    assert changed.fingerprint != streamed


@pytest.mark.parametrize(
    "damage,message",
    [
        (lambda data: data[:-3], "it is cut off in the record at byte"),
        (lambda data: data + b"1234", "it is cut off at byte"),
        (lambda data: b"PK\x03\x04" * 50, "no record begins at byte 0"),
        (lambda data: data.replace(b"IHDR", b"IHDS", 1), "an image in the record at byte"),
        (lambda data: data.replace(b"image", b"photo"), "must hold its image under one of image"),
    ],
)
def test_damaged_and_foreign_shards_are_named(tmp_path, damage, message):
    write_shards(tmp_path, parts=2)
    path = sorted(tmp_path.iterdir())[0]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DamagedFileError, match=f"{path.name}") as raised:
        datasets.get(str(tmp_path), "train", stream=True).images[:]
    assert message in str(raised.value)


def test_a_missing_shard_is_named(tmp_path):
    write_shards(tmp_path, parts=4)
    os.remove(tmp_path / "digits.tfrecord-00002-of-00004")
    with pytest.raises(ValueError, match=r"without 1 of 4: digits\.tfrecord-00002-of-00004"):
        datasets.get(str(tmp_path), "train")


def test_names_of_some_splits_only_are_refused(tmp_path):
    write_shards(tmp_path, 10, 1, "photos-test")
    with pytest.raises(ValueError, match="must hold one of train, validation, test"):
        datasets.get(str(tmp_path), "train")


def test_an_image_of_another_size_is_named_when_it_is_read(tmp_path, monkeypatch):
    image_folder_test.write(tmp_path, 30)
    monkeypatch.setattr("tf_discrete.datasets.image_folder._CONSULTED", 3)
    Image.fromarray(PIXELS[0, :3]).save(tmp_path / "png013.png")
    with pytest.raises(ValueError, match=r"must all have one size.*png013\.png' of \(3, 5\)"):
        for split in ("train", "validation", "test"):
            datasets.get(str(tmp_path), split, stream=True).images[:]


def test_an_image_that_disappears_is_named(tmp_path):
    image_folder_test.write(tmp_path, 30)
    data = datasets.get(str(tmp_path), "train", stream=True)
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(tf.errors.OpError, match=r"whole, readable files.*\.png"):
        pipeline_test.collect(data.batches(5))


def resident_bytes() -> int:
    pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.one_in(2)
@pytest.mark.parametrize("kind", ["folder", "shards"])
def test_memory_stays_flat(tmp_path, kind):
    """Resident memory does not follow what is read: 100 MiB of pixels, 400 MiB as floats."""
    pixels = np.add.outer(np.arange(512), np.arange(512)).astype(np.uint8)
    if kind == "folder":
        for number in range(30):
            (tmp_path / f"{number}.png").write_bytes(encoded(pixels))
    else:
        with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
            for _ in range(30):
                writer.write(example(pixels))
    read = iter(datasets.get(str(tmp_path), "train", stream=True).indexed_batches(8).stream())
    for _ in range(10):
        next(read)
    before = resident_bytes()
    for _ in range(50):
        next(read)
    assert resident_bytes() - before < 60 * 2**20


def test_large_records_are_streamed_without_being_asked(tmp_path, monkeypatch):
    write_shards(tmp_path)
    monkeypatch.setattr(image_cache, "MEMORY_BYTES", 100)
    assert isinstance(datasets.get(str(tmp_path), "train").images, OnDemandImages)


def test_the_checksum_is_that_of_tensorflow(tmp_path):
    path = tmp_path / "a.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"abc")
    data = path.read_bytes()
    assert int.from_bytes(data[8:12], "little") == record_file.masked_crc32c(data[:8])
    assert [record for _, record in record_file.records(str(path))] == [b"abc"]


def test_records_are_decoded_as_files_of_a_folder_are(tmp_path):
    drawing = np.zeros([6, 5, 2], np.uint8)  # Grey and alpha.
    drawing[..., 1] = PIXELS[0]  # Black ink in the alpha channel.
    deep = Image.fromarray(PIXELS[1].astype(np.uint16) * 257)
    turned, exif = Image.fromarray(PIXELS[2].T), Image.Exif()
    exif[274] = 6  # Turned to the right when it is seen.
    files = []
    for image, options in (
        (Image.fromarray(drawing), {}),
        (deep, {}),
        (turned, {"exif": exif}),
        (Image.fromarray(PIXELS[3]), {}),
    ):
        buffer = io.BytesIO()
        image.save(buffer, "PNG", **options)
        files.append(buffer.getvalue())
    (tmp_path / "files").mkdir()
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        for number, data in enumerate(files):
            (tmp_path / "files" / f"{number}.png").write_bytes(data)
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
            features = tf.train.Features(feature={"image": feature})
            writer.write(tf.train.Example(features=features).SerializeToString())
    request = Request(str(tmp_path), "train", image_size=(6, 5))
    records = record_folder.RecordImages([str(tmp_path / "a.tfrecord")], request)
    white = image_file.WhiteLevels(255, 65535)
    assert records.white_levels == (255, 65535)
    for number in range(4):
        path = str(tmp_path / "files" / f"{number}.png")
        expected = image_file.decode(path, 1, (6, 5), white)
        np.testing.assert_array_equal(records[number], expected)
    np.testing.assert_array_equal(records[0][..., 0], 255 - PIXELS[0])
    np.testing.assert_array_equal(records[1][..., 0], PIXELS[1])


@pytest.mark.parametrize("most", [1, 255, 500, 4095, 60_000])
def test_records_of_16_bits_are_scaled_as_a_folder_is(tmp_path, most):
    random = np.random.default_rng(0)
    (tmp_path / "files").mkdir()
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        for number in range(30):
            buffer = io.BytesIO()
            pixels = random.integers(0, most + 1, [6, 5]).astype(np.uint16)
            Image.fromarray(pixels).save(buffer, "PNG")
            (tmp_path / "files" / f"{number:02}.png").write_bytes(buffer.getvalue())
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[buffer.getvalue()]))
            features = tf.train.Features(feature={"image": feature})
            writer.write(tf.train.Example(features=features).SerializeToString())
    records = record_folder.RecordImages(
        [str(tmp_path / "a.tfrecord")], Request(str(tmp_path), "train")
    )
    paths = [str(path) for path in sorted((tmp_path / "files").iterdir())]
    white = image_file.white_levels({path: image_file.header(path) for path in paths})
    assert records.white_levels == (255, white.sixteen)
    for number, path in enumerate(paths):
        np.testing.assert_array_equal(records[number], image_file.decode(path, 1, (6, 5), white))


def test_labels_that_are_ids_are_refused(tmp_path):
    for highest, told in (
        (2_000_000_000, "look like ids"),
        (3_000_000_000, "labels up to 3000000000"),
    ):
        with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
            for number, label in enumerate([0, 1, 2, highest] * 5):
                writer.write(example(PIXELS[number], label))
        with pytest.raises(ValueError, match=told):
            datasets.get(str(tmp_path), "train", stream=True)


def test_a_part_has_all_classes(tmp_path):
    for split in ("train", "test"):
        with tf.io.TFRecordWriter(str(tmp_path / f"{split}.tfrecord")) as writer:
            for number in range(60):
                writer.write(example(PIXELS[number], number // 20))
    for split in ("train", "test"):
        found = datasets.get(str(tmp_path), split, stream=True, max_examples=12)
        # The end of the training records is validation.
        assert np.bincount(found.labels).tolist() == ([4, 5, 3] if split == "train" else [4, 4, 4])
        assert (np.diff(found.labels) >= 0).all()  # In the order of the files.


def test_a_file_of_another_size_is_another_data_set(tmp_path):
    image_folder_test.write(tmp_path / "a", 400)
    before = both(tmp_path / "a")[0].fingerprint
    sampled = set(np.linspace(0, 399, 256).round().astype(int).tolist())
    paths = sorted((tmp_path / "a").rglob("*.png"))
    other = next(number for number in range(100, 400) if number not in sampled)
    data = paths[other].read_bytes()
    paths[other].write_bytes(data + b"\0")
    assert both(tmp_path / "a")[0].fingerprint != before
