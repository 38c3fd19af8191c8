"""Images and their codes as a Parquet file, in the columns that Apple's embedding-atlas shows."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image
from sklearn import decomposition

from tf_discrete import codes as codes_lib
from tf_discrete._internal import extras, parquet_files, writing

FLAGS = "--image=image --x=projection_x --y=projection_y --neighbors=neighbors"
"""The flags with which embedding-atlas shows the file."""
_KEY = b"tf_discrete.atlas"


def columns(
    codes: np.ndarray,
    num_categories: int,
    pixels: np.ndarray,
    labels: ArrayLike | None = None,
    num_neighbors: int = 10,
) -> dict[str, list[Any]]:
    """Returns the columns of the file by name, one entry for each image.

    Args:
        codes: int [M, N] in [0, K).
        num_categories: K.
        pixels: uint8 [M, H, W, 1 or 3].
        labels: [M], names of classes or their numbers. Default: None, no column.
        num_neighbors: Neighbours of each image, at most M - 1. Default: 10.

    Returns:
        image: {"bytes": PNG}.
        projection_x, projection_y: first two principal components of the one-hot codes.
        code: the code in digits, with spaces between.
        neighbors: {"ids", "distances"}, rows by Hamming distance, without the image itself.
        label: the labels, if given.

    Example:
        >>> found = columns(np.array([[0, 1], [0, 2], [1, 1]]), 3, np.zeros([3, 2, 2, 1], np.uint8))
        >>> found["code"][1], found["neighbors"][0]
        ('0 2', {'ids': [1, 2], 'distances': [1, 1]})
    """
    codes = np.asarray(codes)
    xy = _projection(codes, num_categories)
    found: dict[str, list[Any]] = {
        "image": [{"bytes": _png(image)} for image in pixels],
        "projection_x": xy[:, 0].tolist(),
        "projection_y": xy[:, 1].tolist(),
        "code": [" ".join(map(str, code)) for code in codes],
        "neighbors": _neighbors(codes, num_categories, num_neighbors),
    }
    return found if labels is None else {**found, "label": np.asarray(labels).tolist()}


def write(path: str | os.PathLike[str], found: dict[str, list[Any]]) -> None:
    """Writes columns as a Parquet file, atomically; one that this function has written is replaced.

    Raises:
        FileExistsError: Something else is at the path.
        ImportError: pyarrow is not installed.
        OSError: No permission or no space; names the path.
    """
    with extras.required("Parquet files need pyarrow", "parquet"):
        import pyarrow
        import pyarrow.parquet
    table = pyarrow.table(found).replace_schema_metadata({_KEY: b"1"})
    ours = parquet_files.has_key(_KEY)
    with writing.new_path(path, True, ours=ours, kind="Parquet file of an atlas") as new:
        pyarrow.parquet.write_table(table, new)


def _projection(codes: np.ndarray, num_categories: int) -> np.ndarray:
    """Returns two numbers for each code, float [M, 2]; the same each time."""
    if not len(codes) or (codes == codes[0]).all():
        return np.zeros([len(codes), 2])
    one_hot = np.eye(num_categories, dtype=np.float32)[codes].reshape([len(codes), -1])
    count = min(2, *one_hot.shape)
    pca = decomposition.PCA(count, svd_solver="randomized", random_state=0)
    xy = pca.fit_transform(one_hot)
    return np.pad(xy, [(0, 0), (0, 2 - count)])


def _neighbors(codes: np.ndarray, num_categories: int, count: int) -> list[dict[str, list[int]]]:
    count = min(count, len(codes) - 1)
    index = codes_lib.CodeIndex(codes, num_categories)
    distances, indices = index.search(codes, count + 1)
    rows = []
    for own, (away, ids) in enumerate(zip(distances.tolist(), indices.tolist(), strict=True)):
        # Of many equal codes the image itself may be missing; then the last one goes.
        pairs = [pair for pair in zip(ids, away, strict=True) if pair[0] != own][:count]
        rows.append({"ids": [i for i, _ in pairs], "distances": [d for _, d in pairs]})
    return rows


def _png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG")
    return file.getvalue()
