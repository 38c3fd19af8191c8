"""A folder of image files as input of the bulk encoder."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tf_discrete.datasets import image_folder

from .shard import Images, Reading, Shard, identity, reason, reject, some_of


def shards(folder: str, size: int) -> list[Shard]:
    """Lists the shards of a folder, in the order of the paths.

    Raises:
        FileNotFoundError: No image there.
    """
    paths = sorted(image_folder.files(folder))
    if not paths:
        raise FileNotFoundError(
            f"The folder must hold images. Check the path. Received: input={folder!r}"
        )
    made = []
    for number, start in enumerate(range(0, len(paths), size)):
        part = tuple(paths[start : start + size])
        known = tuple(identity(path) for path in part)
        made.append(Shard(number, "folder", folder, start, part, identity=known))
    return made


def batches(shard: Shard, how: Reading) -> Iterator[Images]:
    """Images of a folder, resized as the trainers resize them."""
    shape: tuple[int, int, int] = how.data_shape  # type: ignore[assignment]
    for first in range(0, len(shard.files), how.batch_size):
        images, rejects, kept = [], [], []
        for place, path in enumerate(shard.files[first : first + how.batch_size], first):
            try:
                image = image_folder.read(path, shape, how.white_levels)
            except (OSError, ValueError) as error:
                rejects.append(reject(shard, place, path, reason(error)))
                continue
            images.append(image)
            kept.append(place)
        found = some_of(shard, 0, how, kept, images, [-1] * len(kept), rejects)
        yield found._replace(
            paths=tuple(_path_in(shard.source, shard.files[place]) for place in kept)
        )


def _path_in(folder: str, path: str) -> str:
    """Returns a path in a folder, with slashes; bytes of a name that are no text are escaped."""
    inside = os.path.relpath(path, folder).replace(os.sep, "/")
    return os.fsencode(inside).decode(errors="backslashreplace")
