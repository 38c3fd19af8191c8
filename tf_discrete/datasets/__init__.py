"""Images to train on: embedded digits, TFDS image data sets, `.npz` files and folders of images."""

from tf_discrete.datasets import embedded as embedded
from tf_discrete.datasets.registry import get, names
from tf_discrete.datasets.source import register
from tf_discrete.datasets.split import Split

__all__ = ["Split", "get", "names", "register"]
