"""The Parquet file for embedding-atlas: its columns, its neighbours, its images."""

import builtins
import io

import numpy as np
import pytest
from PIL import Image

from tf_discrete.explorer import atlas

CODES = np.random.default_rng(0).integers(0, 3, [40, 5])
PIXELS = np.random.default_rng(1).integers(0, 256, [40, 4, 6, 1], dtype=np.uint8)


def test_neighbours_are_the_nearest_others():
    found = atlas.columns(CODES, 3, PIXELS, num_neighbors=6)["neighbors"]
    distances = (CODES[:, np.newaxis] != CODES).sum(-1)
    for own, row in enumerate(found):
        others = [i for i in np.argsort(distances[own], kind="stable") if i != own][:6]
        assert row["distances"] == distances[own, others].tolist()
        assert own not in row["ids"] and len(set(row["ids"])) == 6
        assert row["distances"] == distances[own, row["ids"]].tolist()


def test_equal_codes_lie_on_one_point_and_have_one_another():
    codes = np.array([[0, 1]] * 8 + [[2, 0], [1, 1]])
    found = atlas.columns(codes, 3, PIXELS[:10], num_neighbors=3)
    assert len(set(np.round(found["projection_x"][:8], 5))) == 1
    assert all(row["distances"] == [0, 0, 0] for row in found["neighbors"][:8])
    assert found["code"][8] == "2 0"


@pytest.mark.filterwarnings("error")
def test_images_of_one_code_lie_on_one_point():
    found = atlas.columns(np.zeros([4, 2], int), 3, PIXELS[:4])
    assert found["projection_x"] == found["projection_y"] == [0.0] * 4


def test_one_image_has_no_neighbours():
    found = atlas.columns(CODES[:1], 3, PIXELS[:1])
    assert found["neighbors"] == [{"ids": [], "distances": []}]
    assert found["projection_x"] == found["projection_y"] == [0.0]


@pytest.mark.parametrize("channels", [1, 3])
def test_the_file_holds_images_and_columns(tmp_path, channels):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is in tf-discrete[parquet]")
    pixels = np.repeat(PIXELS, channels, axis=-1)
    found = atlas.columns(CODES, 3, pixels, labels=np.arange(40))
    atlas.write(tmp_path / "codes.parquet", found)
    table = parquet.read_table(tmp_path / "codes.parquet")
    names = ["image", "projection_x", "projection_y", "code", "neighbors", "label"]
    assert table.column_names == names and table.num_rows == 40
    assert table.to_pydict()["neighbors"] == found["neighbors"]
    image = np.asarray(Image.open(io.BytesIO(table["image"][7].as_py()["bytes"])))
    np.testing.assert_array_equal(image.reshape(pixels[7].shape), pixels[7])


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    real = builtins.__import__

    def missing(name, *arguments, **options):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r"pip install 'tf-discrete\[parquet\]'"):
        atlas.write(tmp_path / "codes.parquet", {"code": []})
