"""The manifest of an export: what a program must know to use it, without this package."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import pathlib
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import distributions
from tf_discrete._internal import reading, writing
from tf_discrete.types import JsonObject

FORMAT_VERSION = 2
FILE_NAME = "assets.extra/manifest.json"
"""Where the manifest lies in a SavedModel; its readers leave `assets.extra` alone."""
_OWN = re.compile(
    r"saved_model\.pb|fingerprint\.pb|assets|variables|variables/variables\.(index|data-\d+-of-\d+)"
    rf"|assets\.extra|{re.escape(FILE_NAME)}"
)
"""Names that Keras and this package write into the folder of a SavedModel."""
_EXPECTED = "the manifest of an export, as export.save has written it"
_REMEDY = "Export the model again."


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The manifest of an export.

    Attributes:
        format_version: Version of this manifest.
        model: registered name of the model's class.
        model_digest: `codes.model_digest` of the model, by which its codes are known.
        data_shape: Shape of one observation.
        latent_shape: Shape of one latent, (N, K), or (N,) for Bernoulli latents.
        latents: Kind of latents, such as "categorical", "bernoulli" or "tree:32,32".
        num_variables: N.
        num_categories: K; 2 for Bernoulli latents.
        num_classes: Number of classes of the labels, or None for a model without labels.
        codes: their dtype, axes, smallest and largest value and what a value means; of trees the branching.
        preprocessing: what was done to the data before the model saw them, or None if not known.
        temperature: of the relaxation at the end of training, a list where several layers have one each,
            or None where there is none.
        signatures: name -> inputs and outputs (name -> shape, dtype; None is the batch) and whether
            it is deterministic. The first is the default.
        versions: Versions of tensorflow, keras and tf_discrete at export.
        metadata: the user's own.
    """

    format_version: int
    model: str
    model_digest: str
    data_shape: tuple[int, ...]
    latent_shape: tuple[int, ...]
    latents: str
    num_variables: int
    num_categories: int
    num_classes: int | None
    codes: JsonObject
    preprocessing: JsonObject | None
    temperature: float | list[float] | None
    signatures: JsonObject
    versions: dict[str, str]
    metadata: JsonObject


def make(
    description: JsonObject,
    model_digest: str,
    signatures: JsonObject,
    preprocessing: Mapping[str, object] | None,
    metadata: Mapping[str, object] | None,
) -> Manifest:
    """Returns the manifest of a model.

    Args:
        description: what `DiscreteModel.manifest_entries` returns.
        model_digest: what `codes.model_digest` returns.
        signatures: as the manifest holds them.
        preprocessing: Preprocessing of the data, or None.
        metadata: the user's own, or None.
    """
    return Manifest(
        format_version=FORMAT_VERSION,
        model=description["model"],
        model_digest=model_digest,
        data_shape=tuple(description["data_shape"]),
        latent_shape=tuple(description["latent_shape"]),
        latents=description["latents"],
        num_variables=description["num_variables"],
        num_categories=description["num_categories"],
        num_classes=description.get("num_classes"),
        codes={
            "axes": ["batch", "variable"],
            "min": 0,
            "max": description["num_categories"] - 1,
            **distributions.get(description["latents"]).describe_codes(),
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


def check_json(value: object, argument: str) -> None:
    """Refuses what JSON cannot hold.

    Raises:
        ValueError: Names the argument.
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
    for where, folders, files in os.walk(path):
        inside = pathlib.Path(where).relative_to(path)
        names = [(inside / name).as_posix() for name in (*folders, *files)]
        if not all(_OWN.fullmatch(name) for name in names):
            return False
    try:
        stored = reading.read_json(path / FILE_NAME, _EXPECTED, _REMEDY)
    except reading.DamagedFileError:  # The model is exported again.
        return True
    return {"format_version", "signatures", "model"} <= stored.keys()


def load_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Reads the manifest of an export, also while another process replaces it.

    Args:
        path: Path of the SavedModel, as given to `export.save`.

    Raises:
        FileNotFoundError: no SavedModel there, or one that `export.save` has not written.
        ValueError: the file is corrupt, or of a version that this package cannot read.
    """
    return reading.read_folder(writing.expand(path), _load)


def _load(folder: pathlib.Path) -> Manifest:
    file = folder / FILE_NAME
    try:
        stored = reading.read_json(file, _EXPECTED, _REMEDY)
    except FileNotFoundError:
        raise FileNotFoundError(
            "The path must be a SavedModel that tf_discrete.export.save has written, with its "
            f"{FILE_NAME}. Check the path. Received: path={str(folder)!r}"
        ) from None
    version = stored.get("format_version")
    if type(version) is not int:
        reason = "no object with a format_version"
        raise reading.damaged(file, _EXPECTED, _REMEDY, reason)
    if version != FORMAT_VERSION:
        raise ValueError(
            f"This version of tf_discrete reads manifests of format version {FORMAT_VERSION}. Export the "
            "model again, or install the version that wrote it. Received: "
            f"format_version={version} in {str(file)!r}"
        )
    wrong = [name for name, is_right in _FIELDS.items() if not is_right(stored.get(name, ...))]
    unknown = sorted(stored.keys() - _FIELDS.keys() - {"format_version"})
    if wrong or unknown:
        reason = f"fields that are missing, wrong or unknown: {wrong + unknown}"
        raise reading.damaged(file, _EXPECTED, _REMEDY, reason)
    shapes = {name: tuple(stored[name]) for name in ("data_shape", "latent_shape")}
    return Manifest(**{**stored, **shapes})


def _is_whole(value: object) -> bool:
    return type(value) is int and value >= 1


def _is_shape(value: object) -> bool:
    return isinstance(value, list) and all(_is_whole(size) for size in value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_latents(value: object) -> bool:
    try:
        distributions.get(value)  # type: ignore[arg-type]
    except ValueError:
        return False
    return True


def _is_object(value: object) -> bool:
    return isinstance(value, dict) and _is_finite(value)


def _is_finite(value: object) -> bool:
    """Whether a value of JSON holds finite numbers only; Python reads NaN, which JSON does not have."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _is_temperature(value: object) -> bool:
    values = value if isinstance(value, list) else [value]
    return value is None or all(
        isinstance(each, (int, float)) and not isinstance(each, bool) and math.isfinite(each)
        for each in values
    )


def _is_signatures(value: Any) -> bool:
    return _is_object(value) and all(isinstance(each, dict) for each in value.values())


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "model": _is_text,
    "model_digest": _is_text,
    "data_shape": _is_shape,
    "latent_shape": _is_shape,
    "latents": _is_latents,
    "num_variables": _is_whole,
    "num_categories": lambda value: _is_whole(value) and value >= 2,
    "num_classes": lambda value: value is None or _is_whole(value),
    "codes": _is_object,
    "preprocessing": lambda value: value is None or _is_object(value),
    "temperature": _is_temperature,
    "signatures": _is_signatures,
    "versions": lambda value: _is_object(value) and all(map(_is_text, value.values())),
    "metadata": _is_object,
}
"""Fields of a manifest, with their types."""
