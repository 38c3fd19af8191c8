"""The manifest of an export: what a program must know to use it, without this package."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

FORMAT_VERSION = 1
FILE_NAME = "assets.extra/manifest.json"
"""Where the manifest lies in a SavedModel; its readers leave `assets.extra` alone."""
_OWN = {"saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra"}
"""What Keras and this package write into the folder of a SavedModel."""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What an export says of itself.

    Attributes:
        format_version: of this manifest.
        model: registered name of the model's class.
        data_shape: of one observation.
        latent_shape: of one latent, (N, K), or (N,) for Bernoulli latents.
        latents: "categorical" or "bernoulli".
        num_variables: N.
        num_categories: K; 2 for Bernoulli latents.
        num_classes: of the labels, or None for a model without labels.
        codes: their dtype, axes, smallest and largest value and what a value means.
        preprocessing: what was done to the data before the model saw them, or None if not known.
        temperature: of the relaxation at the end of training, a list where several layers have one each,
            or None where there is none.
        signatures: name -> inputs and outputs (name -> shape, dtype; None is the batch) and whether
            it is deterministic. The first is the default.
        versions: of tensorflow, keras and tf_discrete at export.
        metadata: the user's own.
    """

    format_version: int
    model: str
    data_shape: tuple[int, ...]
    latent_shape: tuple[int, ...]
    latents: str
    num_variables: int
    num_categories: int
    num_classes: int | None
    codes: dict[str, Any]
    preprocessing: dict[str, Any] | None
    temperature: float | list[float] | None
    signatures: dict[str, Any]
    versions: dict[str, str]
    metadata: dict[str, Any]


_KINDS: dict[str, Any] = {
    "model": str,
    "data_shape": list,
    "latent_shape": list,
    "latents": str,
    "num_variables": int,
    "num_categories": int,
    "num_classes": (int, type(None)),
    "codes": dict,
    "preprocessing": (dict, type(None)),
    "temperature": (int, float, list, type(None)),
    "signatures": dict,
    "versions": dict,
    "metadata": dict,
}


def make(
    description: Mapping[str, Any],
    signatures: dict[str, Any],
    preprocessing: Mapping[str, Any] | None,
    metadata: Mapping[str, Any] | None,
) -> Manifest:
    """The manifest of a model.

    Args:
        description: what `DiscreteModel.describe` returns.
        signatures: as the manifest holds them.
        preprocessing: of the data, or None.
        metadata: the user's own, or None.
    """
    bits = description["latents"] == "bernoulli"
    return Manifest(
        format_version=FORMAT_VERSION,
        model=description["model"],
        data_shape=tuple(description["data_shape"]),
        latent_shape=tuple(description["latent_shape"]),
        latents=description["latents"],
        num_variables=description["num_variables"],
        num_categories=description["num_categories"],
        num_classes=description.get("num_classes"),
        codes={
            "dtype": "int32",
            "axes": ["batch", "variable"],
            "min": 0,
            "max": description["num_categories"] - 1,
            "value": "bit" if bits else "category",
        },
        preprocessing=None if preprocessing is None else dict(preprocessing),
        temperature=description.get("temperature"),
        signatures=signatures,
        versions={
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            # The package is loaded if this module is; importing it here would be a circle.
            "tf_discrete": sys.modules["tf_discrete"].__version__,
        },
        metadata={} if metadata is None else dict(metadata),
    )


def check_json(value: Any, argument: str) -> None:
    """Refuses what JSON cannot hold.

    Raises:
        ValueError: names the argument.
    """
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{argument} must be what JSON holds: dicts, lists, strings, finite numbers, booleans and "
            f"None. Received: {argument}={value!r} ({error})"
        ) from None


def write(manifest: Manifest, folder: pathlib.Path) -> None:
    """Writes the manifest of a SavedModel."""
    file = folder / FILE_NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dataclasses.asdict(manifest), indent=2, allow_nan=False)
    file.write_text(text + "\n", encoding="utf-8")


def is_export(path: pathlib.Path) -> bool:
    """Returns whether a folder is a SavedModel that `export.save` has written, and holds nothing else."""
    if not (path / "saved_model.pb").is_file() or not (path / FILE_NAME).is_file():
        return False
    return {entry.name for entry in path.iterdir()} <= _OWN


def load_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Reads the manifest of an export.

    Args:
        path: of the SavedModel, as given to `export.save`.

    Raises:
        FileNotFoundError: no SavedModel there, or one that `export.save` has not written.
        ValueError: the file is corrupt, or of a version that this package cannot read.
    """
    file = pathlib.Path(path) / FILE_NAME
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            "The path must be a SavedModel that tf_discrete.export.save has written, with its "
            f"{FILE_NAME}. Received: path={os.fspath(path)!r}"
        ) from None
    except ValueError as error:  # No UTF-8 or no JSON.
        raise _corrupt(file, error) from None
    if not isinstance(stored, dict) or not isinstance(stored.get("format_version"), int):
        raise _corrupt(file, "no object with a format_version")
    if stored["format_version"] != FORMAT_VERSION:
        raise ValueError(
            f"This version of tf_discrete reads manifests of format version {FORMAT_VERSION}. Export the "
            "model again, or install the version that wrote it. Received: "
            f"format_version={stored['format_version']} in {str(file)!r}"
        )
    wrong = [name for name, kind in _KINDS.items() if not isinstance(stored.get(name, ...), kind)]
    unknown = sorted(stored.keys() - _KINDS.keys() - {"format_version"})
    if wrong or unknown:
        raise _corrupt(file, f"fields that are missing, wrong or unknown: {wrong + unknown}")
    shapes = {name: tuple(stored[name]) for name in ("data_shape", "latent_shape")}
    return Manifest(**{**stored, **shapes})


def _corrupt(file: pathlib.Path, reason: object) -> ValueError:
    return ValueError(
        f"The manifest cannot be read. Export the model again. Received: {str(file)!r} ({reason})"
    )
