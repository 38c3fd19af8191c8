"""Images to train on: embedded digits, TFDS image data sets, `.npz` files, image folders, your own."""

from tf_discrete.datasets.indexed_batches import IndexedBatches, Share
from tf_discrete.datasets.pipeline import indexed_arrays
from tf_discrete.datasets.registry import get, names
from tf_discrete.datasets.source import Arrays, Request, register
from tf_discrete.datasets.split import Split
from tf_discrete.datasets.splitting import take_split

__all__ = [
    "Arrays",
    "IndexedBatches",
    "Request",
    "Share",
    "Split",
    "get",
    "indexed_arrays",
    "names",
    "register",
    "take_split",
]
