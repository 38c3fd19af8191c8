"""The identity of a run: absolute paths, and fingerprints of its data and of its model."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import sys
from collections.abc import Mapping
from typing import Any, TypeVar

from tf_discrete import datasets
from tf_discrete._internal import reading
from tf_discrete._internal.writing import write_json
from tf_discrete.datasets import image_file, tfds_images
from tf_discrete.datasets.split import check_white_levels

from ..flags.config import defaults, to_json
from .run_directory import RunDirectory
from .stored_config import as_begun

Config = TypeVar("Config")
Identity = dict[str, Any]

FILE = "data.json"
"""In the folder of a run: the fingerprints of what it was made from."""

_FOLDERS = ("data_dir", "features", "run")
_EXPECTED = "the record of a run's data, a JSON object"
_REMEDY = "Remove it to go on without a check of the data; the next training writes it again."
_ACCEPT = "Restore the data, or give --accept_changed_data to take them as they are."


def absolute(config: Config) -> Config:
    """Returns a configuration whose paths mean the same in every working directory.

    Args:
        config: Dataclass; of its fields `dataset`, `data_dir`, `features` and `run` are made absolute. A
            `dataset` that is a name stays.
    """
    changes = {
        name: os.path.abspath(os.path.expanduser(getattr(config, name)))
        for name in _FOLDERS
        if getattr(config, name, "")
    }
    if hasattr(config, "dataset"):
        changes["dataset"] = absolute_dataset(config.dataset, getattr(config, "data_dir", ""))
    return dataclasses.replace(config, **changes)  # type: ignore[type-var]


def absolute_dataset(name: str, data_dir: str = "") -> str:
    """Returns the absolute path of a data set that is a file or a folder, any other name as it is.

    Args:
        name: As `datasets.get` takes it.
        data_dir: Folder of prepared TFDS data, whose names come before those of folders. Default: none.

    Example:
        >>> absolute_dataset("mnist"), absolute_dataset("/tmp/../photos/my.npz")
        ('mnist', '/photos/my.npz')
    """
    if name in datasets.names():
        return name
    path = os.path.expanduser(name)
    is_path = name.lower().endswith(".npz") or name.startswith(".") or os.path.isabs(path)
    if not is_path and os.path.isdir(path):
        bare = os.path.basename(name) == name
        is_path = not (bare and tfds_images.knows(name, data_dir or None))
    return os.path.abspath(path) if is_path else name


def of_splits(splits: Mapping[str, datasets.Split]) -> Identity:
    """Returns what tells the data of a run from other data, as JSON holds it.

    Args:
        splits: All splits, as `data.load_splits` returns them.

    Returns:
        A number of images, their shape, the number of classes, a fingerprint and the levels of white for
        each split.
    """
    return {name: of_split(split) for name, split in splits.items()}


def of_split(split: datasets.Split) -> Identity:
    """Returns the entry of one split in `of_splits`."""
    return {
        "images": len(split),
        "image_shape": list(split.image_shape),
        "num_classes": split.num_classes,
        "fingerprint": split.fingerprint,
        "white_levels": list(split.white_levels),
    }


def white_levels(folder: str | os.PathLike[str]) -> image_file.WhiteLevels:
    """Returns the stored values that were white in the training data of a run; unknown where it has not
    recorded them.

    Raises:
        DamagedFileError: The record cannot be read.
    """
    splits = read(folder).get("splits")
    train = splits.get("train") if isinstance(splits, dict) else None
    levels = train.get("white_levels") if isinstance(train, dict) else None
    if levels is None:
        return image_file.WhiteLevels()
    with reading.reading(pathlib.Path(folder) / FILE, _EXPECTED, _REMEDY):
        check_white_levels(levels)
    return image_file.WhiteLevels(*levels)


def claim(
    directory: RunDirectory,
    task: str,
    config: Config,
    may_differ: tuple[str, ...],
    splits: Identity,
    model: str | None = None,
) -> Config:
    """Claims the directory of a run for a configuration, its data and its model, and records them.

    Args:
        directory: Of the run.
        task: Name of its task, or of the program that writes it.
        config: Of the run; `config.accept_changed_data` tells whether data may differ from those recorded.
        may_differ: Fields in which a run that continues may differ. The path of its data may differ if
            the data are the same.
        splits: See `of_splits`.
        model: Digest of the model whose codes are learned, for a prior. Default: None.

    Returns:
        The configuration with absolute paths, and with the output_bias of a run that it continues where it
        leaves it to be chosen.

    Raises:
        ValueError: The folder holds another run, or a run with other data or of another model.
        OSError: No permission or no space.
    """
    config = absolute(config)
    if hasattr(config, "output_bias"):
        config = as_begun(config, directory, "output_bias", "auto")
    known = read(directory.path)
    found = {"splits": splits, **({} if model is None else {"model": model})}
    same = bool(known) and not differences(known.get("splits"), splits)
    may_differ = (*may_differ, "dataset") if same else may_differ
    directory.claim({"task": task, **to_json(config)}, may_differ, defaults(config))
    if known and model is not None and known.get("model") != model:
        raise ValueError(
            "A prior is of the codes of one model, and the model of the run is not that one any more. "
            "Choose another --output_dir. Received: "
            f"output_dir={str(directory.path)!r} with model={_short(known.get('model'))}, and a run with "
            f"model={_short(model)}"
        )
    earlier = list(known.get("earlier", [])) if known else []
    if known and not same:
        _refuse_or_warn(directory.path, known.get("splits"), splits, config.accept_changed_data)  # type: ignore[attr-defined]
        earlier.append(known.get("splits"))
    record = {**found, **({"earlier": earlier} if earlier else {})}
    if record != known:
        write_json(directory.path / FILE, record)
    return config


def check(
    folder: str | os.PathLike[str], splits: Mapping[str, datasets.Split], accept: bool
) -> None:
    """Compares splits with those that a run has recorded.

    Args:
        folder: Of the run.
        splits: Some of its splits, by name.
        accept: Whether others are taken, with a warning.

    Raises:
        ValueError: They differ.
    """
    known = read(folder)
    if not known:
        print(
            f"{os.fspath(folder)} holds no {FILE}: whether its data have changed is not known",
            file=sys.stderr,
        )
        return
    stored = known.get("splits")
    found = of_splits(splits)
    if isinstance(stored, dict):
        stored = {name: stored.get(name) for name in found}
    _refuse_or_warn(folder, stored, found, accept)


def read(folder: str | os.PathLike[str]) -> Identity:
    """Returns what the run in a folder has recorded, {} if nothing.

    Raises:
        DamagedFileError: The file cannot be read.
    """
    path = pathlib.Path(folder) / FILE
    return reading.read_json(path, _EXPECTED, _REMEDY) if os.path.lexists(path) else {}


def differences(stored: Any, found: Identity) -> list[str]:
    """Returns in what the recorded splits differ from those found, one phrase for each split.

    Example:
        >>> before = {"images": 9, "image_shape": [2, 2, 1], "num_classes": 2, "fingerprint": "ab"}
        >>> differences({"test": before}, {"test": {**before, "images": 8, "fingerprint": "cd"}})
        ['test: images=8 instead of 9']
        >>> differences({"test": before}, {"test": {**before, "fingerprint": "cd"}})
        ['test: other images or labels, fingerprint=cd instead of ab']
    """
    stored = stored if isinstance(stored, dict) else {}
    # Runs of before have not recorded the levels of white.
    known = {
        name: {"white_levels": found[name]["white_levels"], **entry}
        if isinstance(entry, dict) and "white_levels" in (found.get(name) or {})
        else entry
        for name, entry in stored.items()
    }
    return [
        f"{name}: {_difference(known.get(name), found.get(name))}"
        for name in dict.fromkeys((*found, *known))
        if known.get(name) != found.get(name)
    ]


def _difference(stored: Any, found: Any) -> str:
    if not isinstance(stored, dict) or not isinstance(found, dict):
        return "not recorded" if found else "missing"
    parts = [
        f"{name}={found.get(name)} instead of {stored.get(name)}"
        for name in ("images", "image_shape", "num_classes", "white_levels")
        if stored.get(name) != found.get(name)
    ]
    if parts:
        return ", ".join(parts)
    shown = [_short(value.get("fingerprint")) for value in (found, stored)]
    return f"other images or labels, fingerprint={shown[0]} instead of {shown[1]}"


def _refuse_or_warn(
    folder: str | os.PathLike[str], stored: Any, found: Identity, accept: bool
) -> None:
    differing = differences(stored, found)
    if not differing:
        return
    text = f"run={os.fspath(folder)!r} with {'; '.join(differing)}"
    if not accept:
        raise ValueError(
            "The data must be those that the run began with: files that were added or replaced also move "
            f"images between training and test. {_ACCEPT} Received: {text}"
        )
    print(f"The data have changed and are taken as they are: {text}", file=sys.stderr)


def _short(digest: Any) -> str:
    return str(digest)[:12]
