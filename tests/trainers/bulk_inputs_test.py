"""The input of the bulk encoder: images of records and folders are those that training reads."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, PngImagePlugin

from tf_discrete.datasets import record_file
from trainers.bulk import inputs
from trainers.bulk.shard import Reading

_EARLY = "this record and all after it: the file ends early"
PIXELS = np.random.default_rng(0).integers(0, 256, [4, 9, 8]).astype(np.uint8)


def png(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def write(path, files, key="image"):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for data in files:
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
            example = tf.train.Example(features=tf.train.Features(feature={key: feature}))
            writer.write(example.SerializeToString())


def read(source, **changes):
    options = {"data_shape": (9, 8, 1), "batch_size": 2, "image_feature": "image"}
    how = Reading(**{**options, "label_feature": "label", "data_dir": "", **changes})
    parts = [
        part for shard in inputs.shards(str(source), 100) for part in inputs.batches(shard, how)
    ]
    return np.concatenate([part.images for part in parts]), [r for p in parts for r in p.rejects]


def test_records_and_files_are_read_alike(tmp_path):
    drawing = np.zeros([9, 8, 4], np.uint8)
    drawing[..., 3] = PIXELS[1]
    exif = Image.Exif()
    exif[274] = 6
    deep = Image.fromarray(PIXELS[3].astype(np.uint16) * 16)  # 12 bits.
    files = [
        png(Image.fromarray(PIXELS[0])),
        png(Image.fromarray(drawing)),
        png(Image.fromarray(PIXELS[2].T), exif=exif),
        png(deep),
    ]
    write(tmp_path / "a.tfrecord", files)
    (tmp_path / "files").mkdir()
    for number, data in enumerate(files):
        (tmp_path / "files" / f"{number}.png").write_bytes(data)
    for white in ((255, 4095), (None, None), (255, 65535)):
        found = [read(tmp_path / name, white_levels=white) for name in ("*.tfrecord", "files")]
        assert found[0][1] == found[1][1] == []
        np.testing.assert_array_equal(found[0][0], found[1][0])
    images = found[0][0][..., 0]
    np.testing.assert_array_equal(images[:2], [PIXELS[0], 255 - PIXELS[1]])
    np.testing.assert_array_equal(images[3], PIXELS[3].astype(int) * 16 * 255 // 65535)


def test_an_image_file_of_as_many_bytes_as_pixels_is_decoded(tmp_path):
    image, size = Image.new("L", (300, 1), 7), 300
    padding = PngImagePlugin.PngInfo()
    padding.add(
        b"juNk", bytes(size - len(png(image)) - 12)
    )  # A chunk takes 12 bytes more than it holds.
    data = png(image, pnginfo=padding)
    assert len(data) == size
    write(tmp_path / "a.tfrecord", [data])
    images, rejects = read(tmp_path / "a.tfrecord", data_shape=(1, size, 1))
    assert rejects == [] and (images == 7).all()
    raw = b"\x89PNG" + bytes(size - 4)  # Pixels that begin as a file does, and are none.
    write(tmp_path / "b.tfrecord", [raw])
    images, rejects = read(tmp_path / "b.tfrecord", data_shape=(1, size, 1))
    assert rejects == [] and images.tobytes() == raw


def test_what_is_no_image_is_rejected(tmp_path):
    write(tmp_path / "a.tfrecord", [png(Image.fromarray(PIXELS[0])), b"nothing"])
    images, rejects = read(tmp_path / "a.tfrecord")
    assert len(images) == 1 and rejects[0]["id"] == 1
    assert "cannot identify image file" in rejects[0]["reason"]


@pytest.mark.parametrize("kind", ["folder", "tfrecord"])
def test_the_fingerprint_does_not_depend_on_how_a_path_is_typed(tmp_path, monkeypatch, kind):
    (tmp_path / "photos").mkdir()
    if kind == "folder":
        Image.fromarray(PIXELS[0]).save(tmp_path / "photos" / "a.png")
    else:
        write(tmp_path / "photos" / "a.tfrecord", [png(Image.fromarray(PIXELS[0]))])
    end = "" if kind == "folder" else os.sep + "*.tfrecord"
    monkeypatch.chdir(tmp_path)
    found = [
        inputs.fingerprint(inputs.shards(path + end, 100))
        for path in ("photos", "./photos", str(tmp_path / "photos"))
    ]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_a_damaged_record_is_one_reject_and_a_damaged_length_ends_the_file(tmp_path, batch_size):
    path = tmp_path / "a.tfrecord"
    write(path, [image.tobytes() for image in PIXELS])
    whole = path.read_bytes()
    length = len(whole) // len(PIXELS)
    middle = length + length // 2  # In the bytes of record 1.
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    images, rejects = read(path, batch_size=batch_size)
    np.testing.assert_array_equal(images[..., 0], PIXELS[[0, 2, 3]])
    assert [reject["id"] for reject in rejects] == [1]
    assert rejects[0]["name"].endswith("a.tfrecord#1") and "checksum" in rejects[0]["reason"]
    path.write_bytes(whole[: 2 * length] + b"\xff" + whole[2 * length + 1 :])
    images, rejects = read(path, batch_size=batch_size)
    np.testing.assert_array_equal(images[..., 0], PIXELS[:2])
    assert [reject["id"] for reject in rejects] == [2]
    assert "this record and all after it" in rejects[0]["reason"]


def test_pixels_of_0_and_1_are_black_and_white_where_the_model_has_seen_such(tmp_path):
    write(tmp_path / "a.tfrecord", [(image % 2).tobytes() for image in PIXELS])
    mixed = [
        (PIXELS[0] % 2).tobytes(),
        png(Image.fromarray(PIXELS[1] % 2)),
        PIXELS[2].tobytes(),
        (PIXELS[3] % 2).tobytes(),
    ]
    write(tmp_path / "b.tfrecord", mixed)
    images, rejects = read(tmp_path / "a.tfrecord", white_levels=(1, None))
    np.testing.assert_array_equal(images[..., 0], PIXELS % 2 * np.uint8(255))
    images, rejects = read(tmp_path / "b.tfrecord", white_levels=(1, None), batch_size=4)
    np.testing.assert_array_equal(images[..., 0], PIXELS[[0, 1, 3]] % 2 * np.uint8(255))
    assert [reject["id"] for reject in rejects] == [2]
    assert "a model of images of 0 and 1" in rejects[0]["reason"]
    images, _ = read(tmp_path / "a.tfrecord", white_levels=(255, None))
    np.testing.assert_array_equal(images[..., 0], PIXELS % 2)


def prepare(folder, version="1.0.0", count=80, seed=0):
    """Prepares a TFDS data set in four files, with labels 0, 1, ...; returns these as they are stored."""
    tfds = pytest.importorskip("tensorflow_datasets")

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version(version)
        name = "numbered"

        def _info(self):
            image = tfds.features.Image(shape=(9, 8, 1))
            features = {"image": image, "label": tfds.features.ClassLabel(num_classes=count)}
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _split_generators(self, download_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for number in range(count):
                image = np.full([9, 8, 1], (number + seed) % 256, np.uint8)
                yield number, {"image": image, "label": number}

    builder = Builder(data_dir=str(folder))
    config = tfds.download.DownloadConfig(try_download_gcs=False, num_shards=4)
    builder.download_and_prepare(download_config=config)
    paths = [os.fspath(path) for path in builder.info.splits["train"].filepaths]
    assert len(paths) == 4
    features = {"label": tf.io.FixedLenFeature([], tf.int64)}
    return [
        int(tf.io.parse_single_example(record, features)["label"])
        for path in paths
        for record in tf.data.TFRecordDataset(path)
    ]


def test_ids_of_tfds_are_places_in_its_files(tmp_path):
    stored = prepare(tmp_path)
    how = Reading((9, 8, 1), 7, "image", "label", str(tmp_path))
    for size in (30, 1000):
        shards = inputs.shards("tfds:numbered:train", size, str(tmp_path))
        parts = [part for shard in shards for part in inputs.batches(shard, how)]
        ids = np.concatenate([part.ids for part in parts])
        np.testing.assert_array_equal(ids, np.arange(80))
        assert np.concatenate([part.labels for part in parts]).tolist() == stored
        pixels = np.concatenate([part.images[:, 0, 0, 0] for part in parts])
        assert pixels.tolist() == stored


def test_damage_of_tfds_is_rejected(tmp_path):
    stored = prepare(tmp_path)
    how = Reading((9, 8, 1), 7, "image", "label", str(tmp_path))
    first, second = sorted(tmp_path.rglob("*.tfrecord-*"))[:2]
    places = [[place for place, _ in record_file.records(str(path))] for path in (first, second)]
    data = bytearray(first.read_bytes())
    data[places[0][3] + 20] ^= 1
    first.write_bytes(data)
    second.write_bytes(second.read_bytes()[: places[1][2] + 20])
    begin, end = len(places[0]), len(places[0]) + len(places[1])
    for size in (5, 1000):
        parts = [
            part
            for shard in inputs.shards("tfds:numbered:train", size, str(tmp_path))
            for part in inputs.batches(shard, how)
        ]
        ids = np.concatenate([part.ids for part in parts]).tolist()
        assert ids == [*range(3), *range(4, begin + 2), *range(end, 80)]
        labels = np.concatenate([part.labels for part in parts])
        np.testing.assert_array_equal(labels, np.array(stored)[ids])
        rejects = [reject for part in parts for reject in part.rejects]
        assert [reject["id"] for reject in rejects[:2]] == [3, begin + 2]
        assert rejects[0]["name"] == f"{first}#3" and "checksum" in rejects[0]["reason"]
        assert "this record and all after it" in rejects[1]["reason"]


@pytest.mark.parametrize("damaged", [False, True])
def test_a_file_of_tfds_that_ends_early_is_rejected(tmp_path, damaged):
    """It ends between two records, so that it reads as a whole file with fewer of them."""
    prepare(tmp_path)
    how = Reading((9, 8, 1), 7, "image", "label", str(tmp_path))
    first, second = sorted(tmp_path.rglob("*.tfrecord-*"))[:2]
    places = [[place for place, _ in record_file.records(str(path))] for path in (first, second)]
    cut = places[0][14] - 12  # The length of a record and its checksum take 12 bytes.
    data = bytearray(first.read_bytes()[:cut])
    data[places[0][3] + 20] ^= damaged
    first.write_bytes(data)
    second.write_bytes(b"")
    begin, end = len(places[0]), len(places[0]) + len(places[1])
    for size in (5, 1000):  # Also shards that would begin after the end of a file.
        shards = inputs.shards("tfds:numbered:train", size, str(tmp_path))
        parts = [part for shard in shards for part in inputs.batches(shard, how)]
        ids = np.concatenate([part.ids for part in parts]).tolist()
        assert ids == [
            place for place in (*range(14), *range(end, 80)) if place != 3 or not damaged
        ]
        rejects = [reject for part in parts for reject in part.rejects][damaged:]
        assert {"id": 14, "name": f"{first}#14", "reason": _EARLY} == rejects[0]
        assert {"id": begin, "name": f"{second}#0", "reason": _EARLY} in rejects
        assert size == 5 or len(rejects) == 2


def test_a_missing_file_of_tfds_is_refused(tmp_path):
    prepare(tmp_path)
    sorted(tmp_path.rglob("*.tfrecord-*"))[2].unlink()
    with pytest.raises(FileNotFoundError, match="without 1 of 4: .*tfrecord-00002-of-00004"):
        inputs.shards("tfds:numbered:train", 100, str(tmp_path))


def test_another_version_or_other_files_of_tfds_are_another_input(tmp_path):
    found = []
    for number, (version, seed) in enumerate([("1.0.0", 0), ("1.0.1", 0), ("1.0.0", 9)]):
        prepare(tmp_path / str(number), version, seed=seed)
        shards = inputs.shards("tfds:numbered:train", 100, str(tmp_path / str(number)))
        found.append(inputs.fingerprint(shards)[0]["identity"])
    again = inputs.shards("tfds:numbered:train", 100, str(tmp_path / "0"))
    assert inputs.fingerprint(again)[0]["identity"] == found[0]
    assert len(set(found)) == 3


def test_a_missing_part_of_records_is_refused(tmp_path):
    names = [f"digits-{number:05d}-of-00003.tfrecord" for number in range(3)]
    for name in ("lone.tfrecord", *names):
        write(tmp_path / name, [png(Image.fromarray(PIXELS[0]))])
    assert len(inputs.shards(str(tmp_path / "*"), 100)) == 4
    assert len(inputs.shards(str(tmp_path / "digits-00000*"), 100)) == 1  # The others are there.
    (tmp_path / names[1]).unlink()
    for pattern in ("*", "*-00000-*"):
        with pytest.raises(ValueError, match="without 1 of 3: digits-00001-of-00003.tfrecord"):
            inputs.shards(str(tmp_path / pattern), 100)


def test_images_of_another_size_are_resized_in_records_as_in_folders(tmp_path):
    data = png(Image.fromarray(PIXELS[0]))
    write(tmp_path / "a.tfrecord", [data, PIXELS[0][:6].tobytes()])
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.png").write_bytes(data)
    images, rejects = read(tmp_path / "*.tfrecord", data_shape=(5, 6, 1))
    np.testing.assert_array_equal(images, read(tmp_path / "files", data_shape=(5, 6, 1))[0])
    assert images.shape == (1, 5, 6, 1)
    assert [reject["id"] for reject in rejects] == [1]  # Pixels as they are have no size.


def test_a_link_to_nowhere_is_a_reject_in_a_folder_and_an_error_among_records(tmp_path):
    (tmp_path / "a.png").write_bytes(png(Image.fromarray(PIXELS[0])))
    (tmp_path / "b.png").symlink_to(tmp_path / "gone.png")
    images, rejects = read(tmp_path)
    np.testing.assert_array_equal(images[..., 0], PIXELS[:1])
    assert [(reject["id"], reject["name"]) for reject in rejects] == [(1, str(tmp_path / "b.png"))]
    write(tmp_path / "a.tfrecord", [PIXELS[0].tobytes()])
    (tmp_path / "b.tfrecord").symlink_to(tmp_path / "gone.tfrecord")
    with pytest.raises(FileNotFoundError, match="1 links to nowhere.*b.tfrecord"):
        inputs.shards(str(tmp_path / "*.tfrecord"), 100)
