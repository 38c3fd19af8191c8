"""The index of a run's images: where it lies, how it is built, and what it must be of."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import shlex
from collections.abc import Iterator

from tf_discrete import codes as codes_lib
from tf_discrete._internal import locking
from tf_discrete._internal.counted import counted

from ..common import finished_run
from ..flags.search import Config
from .image_source import ImageSource


def folder_of(config: Config, finished: finished_run.FinishedRun) -> pathlib.Path:
    """The folder of the index: that of --index, else one of the run that is named after what is indexed."""
    if config.index:
        return pathlib.Path(config.index)
    if not config.images:
        return finished.directory.path / f"index-{config.split}"
    digest = hashlib.sha256(os.fsencode(config.images)).hexdigest()[:8]
    return finished.directory.path / f"index-{os.path.basename(config.images)}-{digest}"


def load_or_build(
    config: Config,
    finished: finished_run.FinishedRun,
    folder: pathlib.Path,
    source: ImageSource,
) -> codes_lib.CodeIndex:
    """The index in a folder, checked against the model and the images; built where there is none.

    Raises:
        FileNotFoundError: no folder of images.
        InUseError: another process is building the index.
        ValueError: an index of another model or of other images, or of images that have changed since.
    """
    wanted = {"split": None if config.images else config.split, "images": config.images or None}
    if config.images and not pathlib.Path(config.images).is_dir():
        raise FileNotFoundError(f"images must be a folder. Received: images={config.images!r}")
    if folder.exists() and not config.rebuild:
        index = codes_lib.CodeIndex.load(folder)
        index.check_model(finished.model)
        check_images(index, wanted, source, folder)
        return index
    with building(folder):
        identity = source.identity(config.images)
        codes, kept, skipped = source.encode(source.names(config.images), skip=True)
        print(f"{counted(len(kept), 'image')} encoded, {len(skipped):,} skipped")
        run = os.path.abspath(os.path.expanduser(config.run))
        metadata = {**wanted, "identity": identity, "run": run, "skipped": skipped}
        model = finished.model
        _, num_categories = model.latent_spec.digit_sizes
        index = codes_lib.CodeIndex(codes, num_categories, kept, model, metadata)
        index.save(folder, overwrite=config.rebuild)
    return index


@contextlib.contextmanager
def building(folder: pathlib.Path) -> Iterator[None]:
    """Keeps an index for this process while it is built: the folder itself is replaced at the end.

    Raises:
        InUseError: Another process is building it.
    """
    place = folder.with_name(f".{folder.name}.building")
    place.mkdir(parents=True, exist_ok=True)
    try:
        with locking.lock(place):
            yield
    finally:
        with contextlib.suppress(OSError):  # Another process may be there by now.
            place.rmdir()


def check_images(
    index: codes_lib.CodeIndex,
    wanted: dict[str, str | None],
    source: ImageSource,
    folder: pathlib.Path,
) -> None:
    """Refuses an index of other images than those that are asked for, as they are now.

    Raises:
        ValueError: names what differs.
    """
    stored = {name: index.metadata.get(name) for name in wanted}
    if stored != wanted:
        flags = " ".join(f"--{name}={shlex.quote(str(x))}" for name, x in stored.items() if x)
        raise ValueError(
            "The index must be of the images that are asked for. Give another --index, --rebuild, or the "
            f"flags of this one: {flags or 'unknown'}. Received: {wanted}, {str(folder)!r} with {stored}"
        )
    images = wanted["images"] or ""
    if index.metadata.get("identity") == source.identity(images):
        return
    now = source.names(images)
    before = {*index.ids, *index.metadata.get("skipped", ())}
    added, removed = [x for x in now if x not in before], sorted(before.difference(now))
    parts = [
        f"{len(names)} {what}, such as {names[0]!r}"
        for what, names in (("added", added), ("removed", removed))
        if names
    ]
    raise ValueError(
        "The index must be of the images as they are now. Give --rebuild to build it anew. Received: "
        f"{str(folder)!r} of {images or wanted['split']!r} with "
        f"{', '.join(parts) or 'images that have changed'}"
    )


def faiss_index(
    index: codes_lib.CodeIndex, folder: pathlib.Path, kind: str
) -> codes_lib.FaissIndex:
    """Loads the FAISS index of the codes, named by their digest; builds it if it is missing."""
    path = folder / f"{kind}-{index.digest[:12]}.faiss"
    if not path.exists():
        codes_lib.FaissIndex(index.codes, index.num_categories, kind).save(path)
    found = codes_lib.FaissIndex.load(path, index.num_variables, index.num_categories)
    if len(found) != len(index):
        raise ValueError(
            "The file of FAISS must be of the codes that its name tells. Remove it, and it is built again. "
            f"Received: {str(path)!r} with {len(found)} codes instead of {len(index)}"
        )
    return found
