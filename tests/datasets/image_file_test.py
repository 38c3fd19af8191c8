"""One file: transparency, bit depth, orientation and hostile contents."""

from __future__ import annotations

import io
import os
import pathlib
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_discrete.datasets import image_file
from tf_discrete.datasets.image_file import WhiteLevels

RANDOM = np.random.RandomState(0)
INK = np.zeros([6, 5], np.uint8)  # Of a drawing: where it is, and how strong.
INK[1:4, 2], INK[4, 3] = 255, 100


UNKNOWN = WhiteLevels()


def decode(path, channels: int = 1, white=UNKNOWN, size=(6, 5)) -> np.ndarray:
    return image_file.decode(str(path), channels, size, white)


def drawing(mode: str, colour: int) -> tuple[Image.Image, dict[str, object]]:
    """A drawing whose colour is constant, so that alpha alone holds it."""
    alpha = Image.fromarray(INK)
    if mode in ("LA", "RGBA"):
        image = Image.new(mode[:-1], (5, 6), (colour,) * 3 if mode == "RGBA" else colour)
        image.putalpha(alpha)
        return image, {}
    assert mode == "P"  # Each pixel is the index of an entry of one colour and its own alpha.
    image = Image.fromarray(INK, "P")
    image.putpalette([colour] * 768)
    return image, {"transparency": bytes(range(256))}


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
@pytest.mark.parametrize("colour", [0, 255])
def test_a_drawing_that_alpha_holds_is_seen(tmp_path, mode, colour):
    image, kwargs = drawing(mode, colour)
    image.save(tmp_path / "a.png", **kwargs)
    expected = 255 - INK if colour == 0 else INK  # On white; white ink on black.
    for channels in (1, 3):
        found = decode(tmp_path / "a.png", channels)
        np.testing.assert_array_equal(found, np.repeat(expected[..., None], channels, 2))


@pytest.mark.parametrize("suffix", ["png", "gif", "webp", "tif"])
def test_a_transparent_background_is_white_in_every_format(tmp_path, suffix):
    pixels = np.zeros([6, 5, 4], np.uint8)
    pixels[2:5, 1:3] = (200, 10, 30, 255)
    image = Image.fromarray(pixels)
    kwargs = {"lossless": True} if suffix == "webp" else {}
    image.save(tmp_path / f"a.{suffix}", **kwargs)
    found = decode(tmp_path / f"a.{suffix}", 3).astype(int)
    assert np.abs(found[3, 1] - (200, 10, 30)).max() <= 4
    assert found[0, 0].tolist() == [255, 255, 255]


def test_a_colour_that_is_declared_transparent_is_white(tmp_path):
    pixels = np.where(INK > 0, INK, 7).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", transparency=7)
    np.testing.assert_array_equal(decode(tmp_path / "a.png")[..., 0], np.where(INK, INK, 255))
    Image.fromarray(pixels.astype(np.uint16) * 257).save(tmp_path / "b.png", transparency=7 * 257)
    np.testing.assert_array_equal(decode(tmp_path / "b.png")[..., 0], np.where(INK, INK, 255))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_opaque_images_and_invisible_ones(tmp_path, mode):
    image = Image.fromarray(RANDOM.randint(0, 256, (6, 5)).astype(np.uint8))
    image.convert(mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode(tmp_path / "a.png")[..., 0], np.asarray(image))
    Image.new(mode, (5, 6)).save(tmp_path / "b.png")
    assert (decode(tmp_path / "b.png") == 255).all()


def levels(folder: pathlib.Path) -> WhiteLevels:
    return image_file.white_levels({str(p): image_file.header(str(p)) for p in folder.iterdir()})


@pytest.mark.parametrize(
    ("largest", "white"), [(1, 1), (200, 255), (256, 4095), (4095, 4095), (4096, 65535)]
)
@pytest.mark.parametrize("kind", ["grey", "grey with alpha", "colour", "tif"])
def test_sixteen_bits_are_scaled_by_what_the_files_use(tmp_path, largest, white, kind):
    stored = RANDOM.randint(0, largest + 1, (3, 6, 5, 1)).astype(np.uint16)
    stored[0, 0, 0], stored[1:] = largest, stored[1:] // 2
    for i, pixels in enumerate(stored):
        if kind == "colour":
            pixels = np.repeat(pixels, 3, 2)
        if kind == "grey with alpha":
            pixels = np.concatenate([pixels, np.full([6, 5, 1], 65535, np.uint16)], 2)
        if kind == "tif":
            Image.fromarray(pixels[..., 0]).save(tmp_path / f"{i}.tif")
        else:  # Pillow cannot write these.
            (tmp_path / f"{i}.png").write_bytes(tf.io.encode_png(pixels).numpy())
    found = levels(tmp_path)
    assert found == (None, white)
    for i, path in enumerate(sorted(tmp_path.iterdir())):
        assert image_file.header(str(path)) == ((6, 5), kind != "colour", 16)
        channels = 3 if kind == "colour" else 1
        expected = np.repeat(stored[i].astype(int) * 255 // white, channels, 2)
        np.testing.assert_array_equal(decode(path, channels, found), expected)


def test_a_file_that_does_not_fit_the_level_takes_its_own(tmp_path):
    pixels = RANDOM.randint(0, 256, (6, 5)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for white in (WhiteLevels(), WhiteLevels(1), WhiteLevels(255)):
        np.testing.assert_array_equal(decode(tmp_path / "a.png", 1, white)[..., 0], pixels)
    Image.fromarray(pixels % 2).save(tmp_path / "b.png")
    for white, factor in ((WhiteLevels(), 255), (WhiteLevels(1), 255), (WhiteLevels(255), 1)):
        found = decode(tmp_path / "b.png", 1, white)[..., 0]
        np.testing.assert_array_equal(found, pixels % 2 * factor)


def test_masks_of_0_and_1_keep_thin_lines_when_resized(tmp_path):
    mask = np.zeros([64, 64], np.uint8)
    mask[:, 9] = 1
    Image.fromarray(mask).save(tmp_path / "a.png")
    Image.fromarray(mask.astype(bool)).save(tmp_path / "b.png")
    white = levels(tmp_path)
    assert white == (1, None)
    found = decode(tmp_path / "a.png", 1, white, (16, 16))
    assert found.max() > 30
    np.testing.assert_array_equal(found, decode(tmp_path / "b.png", 1, white, (16, 16)))


def test_a_portable_greymap_says_itself_what_is_white(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 2 1 4095\n" + np.array([4095, 2048], ">u2").tobytes())
    (tmp_path / "b.pgm").write_bytes(b"P5 2 1 1\n\x01\x00")
    assert levels(tmp_path).sixteen is None
    assert decode(tmp_path / "a.pgm", size=(1, 2)).ravel().tolist() == [255, 127]
    assert decode(tmp_path / "b.pgm", size=(1, 2)).ravel().tolist() == [255, 0]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
def test_every_orientation_is_obeyed_and_others_mean_nothing(tmp_path, suffix):
    pixels = np.zeros([16, 24], np.uint8)
    pixels[:8, :8] = 255  # A white corner, top left.
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1)}
    for orientation in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 65535):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.{suffix}"
        Image.fromarray(pixels).save(path, exif=exif)
        size = image_file.header(str(path)).size
        assert size == ((24, 16) if orientation in (5, 6, 7, 8) else (16, 24))
        found = decode(path, size=size)[..., 0]
        place = (-1, 0) if orientation == 8 else corner.get(orientation, (0, 0))
        assert found[place] > 200 and (found > 128).sum() == 64


def png(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("width", "height"), [(13000, 13000), (8193, 8192), (2**31 - 1, 2)])
def test_more_pixels_than_are_sensible_are_not_decoded(tmp_path, width, height):
    (tmp_path / "a.png").write_bytes(png(width, height))
    with pytest.raises(ValueError, match=r"(at most 67108864 pixels|whole, readable).*a.png"):
        decode(tmp_path / "a.png")


def test_fifos_devices_and_folders_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    os.symlink("/dev/zero", tmp_path / "b.png")
    (tmp_path / "c.png").mkdir()
    for name in ("a", "b", "c"):
        with pytest.raises(
            ValueError, match=rf"Remove or replace the file.*{name}.png.*no regular"
        ):
            decode(tmp_path / f"{name}.png")


def test_only_the_listed_formats_are_opened(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 6\n%%EOF\n")
    with pytest.raises(ValueError, match="cannot identify image file"):
        decode(tmp_path / "a.png")


def test_floats_and_deep_colour_are_refused_with_what_to_do(tmp_path):
    Image.fromarray(np.zeros([6, 5], np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match="integers of 8 or 16 bits.*an .npz file.*a.tif"):
        decode(tmp_path / "a.tif")
    Image.fromarray(np.full([6, 5], 70000, np.int32)).save(tmp_path / "b.tif")
    with pytest.raises(ValueError, match="values in 0..65535.*b.tif' with values from 70000"):
        decode(tmp_path / "b.tif")
    (tmp_path / "c.tif").write_bytes(deep_tiff())
    with pytest.raises(ValueError, match="more than 8 bits must be grey. Convert it to PNG.*c.tif"):
        decode(tmp_path / "c.tif", 3, size=(1, 2))


def deep_tiff() -> bytes:
    """2 x 1 pixels of 3 x 16 bits."""
    tags = [(256, 3, 1, 2), (257, 3, 1, 1), (258, 3, 3, 122), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 1, 128), (277, 3, 1, 3), (278, 3, 1, 1), (279, 4, 1, 12)]
    stream = io.BytesIO(b"II*\0" + struct.pack("<IH", 8, len(tags)))
    stream.seek(0, os.SEEK_END)
    for tag, kind, count, value in tags:
        stream.write(struct.pack("<HHII", tag, kind, count, value))
    stream.write(struct.pack("<I", 0))
    assert stream.tell() == 122
    stream.write(struct.pack("<3H", 16, 16, 16) + struct.pack("<6H", *[4000] * 6))
    return stream.getvalue()


@pytest.mark.parametrize("deep", [False, True])
def test_grey_of_a_colour_is_its_luminance_with_and_without_alpha(tmp_path, deep):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, [6, 5, 3]).astype(np.uint8)
    expected = np.asarray(Image.fromarray(pixels).convert("L"))[..., None]
    Image.fromarray(pixels).save(tmp_path / "opaque.png")
    np.testing.assert_array_equal(decode(tmp_path / "opaque.png"), expected)
    alpha = np.full([6, 5, 1], 255, np.uint8)
    alpha[0, 0] = 254  # Hardly to be seen, but there.
    values = np.concatenate([pixels, alpha], axis=-1)
    if deep:
        data = tf.io.encode_png(tf.constant(values.astype(np.uint16) * 257)).numpy()
        (tmp_path / "alpha.png").write_bytes(data)
    else:
        Image.fromarray(values).save(tmp_path / "alpha.png")
    found = decode(tmp_path / "alpha.png").astype(int)
    assert np.abs(found - expected).max() <= 1
