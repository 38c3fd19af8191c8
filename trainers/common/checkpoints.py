"""The checkpoints of a run in one folder: numbered by epoch, on the disk before the next one begins."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
from typing import Any

import tensorflow as tf

from tf_discrete._internal import reading, writing

EXPECTED = "a checkpoint of this run's model"
REMEDY = "Restore it from a backup, or train again with another --output_dir."
_INDEX = re.compile(r"ckpt-(\d{1,18})\.index")
_OWN = re.compile(r"ckpt-(\d{1,18})[._].*|checkpoint\.tmp.*")


class CheckpointFolder:
    """Checkpoints `ckpt-EPOCH` of one object.

    Only files in the folder itself count. TensorFlow's text file `checkpoint` is written for other readers,
    but never read: damaged or foreign, it could name files anywhere, and have them removed.

    Args:
        checkpoint: The object that is saved and restored.
        folder: Path of the folder, created with the first checkpoint.
        keep: How many checkpoints stay. Default: None, all of them.

    Raises:
        ValueError: The folder or the one above it is a link.
    """

    def __init__(
        self, checkpoint: tf.train.Checkpoint, folder: pathlib.Path, keep: int | None = None
    ):
        _check_no_link(folder)
        self.checkpoint, self.folder, self.keep = checkpoint, folder, keep

    def epochs(self) -> list[int]:
        """Returns the epochs that have a complete checkpoint, the newest first."""
        if not self.folder.is_dir():
            return []
        found = [_INDEX.fullmatch(name) for name in os.listdir(self.folder)]
        return sorted((int(match.group(1)) for match in found if match), reverse=True)

    def path(self, epoch: int) -> pathlib.Path:
        """Returns the path of a checkpoint without the endings of its files."""
        return self.folder / f"ckpt-{epoch}"

    def save(self, epoch: int) -> None:
        """Writes the checkpoint of an epoch through to the disk, then removes what is not kept.

        Raises:
            OSError: No permission or no space; names the folder. Older checkpoints stay.
        """
        with writing.naming(self.path(epoch)):
            self.folder.mkdir(parents=True, exist_ok=True)
            self.checkpoint.write(str(self.path(epoch)))
            for file in self._files(epoch):
                writing.sync(file)
            kept = self._kept(epoch)
            lines = [f'model_checkpoint_path: "ckpt-{epoch}"\n']
            lines += [f'all_model_checkpoint_paths: "ckpt-{number}"\n' for number in reversed(kept)]
            writing.write_text(self.folder / "checkpoint", "".join(lines))
        self._remove_all_but(kept)

    def read(self, epoch: int) -> None:
        """Restores the checkpoint of an epoch.

        Raises:
            DamagedFileError: It cannot be read; the object may hold parts of it.
            FileNotFoundError: It has been removed meanwhile.
        """
        files = self._files(epoch)
        for file in files:
            reading.check_regular(file, EXPECTED, REMEDY)
        path = self.path(epoch)
        index = path.with_name(f"{path.name}.index")
        names = ", ".join(file.name for file in files)
        with reading.reading(index, f"{EXPECTED}, with all of {names}", REMEDY):
            try:
                self.checkpoint.read(str(path)).assert_existing_objects_matched()
            except Exception:
                if not index.exists():
                    raise FileNotFoundError(str(index)) from None
                raise

    def _files(self, epoch: int) -> list[pathlib.Path]:
        return sorted(self.folder.glob(f"ckpt-{epoch}.*"))

    def _kept(self, epoch: int) -> list[int]:
        """The newest epochs up to this one; later ones are of a course that is begun anew."""
        if self.keep is None:
            return self.epochs()
        return [number for number in self.epochs() if number <= epoch][: self.keep]

    def _remove_all_but(self, kept: list[int]) -> None:
        """Removes other checkpoints, and what killed processes have left of theirs."""
        for entry in list(os.scandir(self.folder)):
            match = _OWN.fullmatch(entry.name)
            if match is None or (match.group(1) and _is_of(entry.name, kept)):
                continue
            with contextlib.suppress(OSError):  # It goes with the next one.
                _remove(entry)


def _check_no_link(folder: pathlib.Path) -> None:
    """Refuses a folder that may be that of another run, whose old checkpoints would be removed."""
    for link in (folder, folder.parent):
        if link.is_symlink():
            raise ValueError(
                "The checkpoints of a run must lie in its folder: old ones are deleted. Replace the link by "
                f"the folder itself, or move the whole run. Received: {str(link)!r}, a link to "
                f"{os.readlink(link)!r}"
            )


def _is_of(name: str, epochs: list[int]) -> bool:
    return any(name.startswith((f"ckpt-{epoch}.index", f"ckpt-{epoch}.data")) for epoch in epochs)


def _remove(entry: Any) -> None:
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path)
    else:
        os.unlink(entry.path)
