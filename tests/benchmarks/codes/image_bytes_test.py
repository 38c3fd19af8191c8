"""What is counted of a PNG and a JPEG is their data, and all of it."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from benchmarks.codes import image_bytes

IMAGE = np.random.default_rng(0).integers(0, 255, [19, 28], dtype=np.uint8)


@pytest.mark.parametrize("image", [IMAGE, np.stack([IMAGE] * 3, axis=-1)])
def test_a_png_holds_the_pixels_and_its_payload_inflates_to_them(image):
    data = image_bytes.png(image)
    np.testing.assert_array_equal(image_bytes.read(data), image)
    start = data.index(b"IDAT") + 4
    size = image_bytes.png_payload(data)  # One chunk, as the image is small.
    rows = zlib.decompress(data[start : start + size])
    assert len(rows) == image.shape[0] * (1 + image[0].size)
    # Signature, header chunk, the chunks' own 12 bytes and the end chunk are all the rest.
    assert len(data) == 8 + 25 + 12 + size + 12


def test_the_scan_of_a_jpeg_lies_between_its_last_header_and_its_end():
    for optimize in (True, False):
        data = image_bytes.jpeg(IMAGE, 50, optimize)
        header = data.rindex(b"\xff\xda")
        length = int.from_bytes(data[header + 2 : header + 4], "big")
        assert data.endswith(b"\xff\xd9")
        assert image_bytes.jpeg_payload(data) == len(data) - header - 2 - length - 2 > 100
    assert image_bytes.read(data).shape == IMAGE.shape
    plain = np.full([28, 28], 128, np.uint8)
    assert image_bytes.jpeg_payload(image_bytes.jpeg(plain, 50)) < 20
