"""A file that is damaged case by case, and what its reader does."""

from __future__ import annotations

import io
import pathlib
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tests.fuzz import mutations

Damage = Callable[[bytes, np.random.Generator], tuple[str, bytes]]


class File(NamedTuple):
    """One file that is damaged.

    Attributes:
        path: where it is, whole.
        read: reads it, and whatever belongs to it.
        is_right: whether what was read is right, or may not be called wrong for lack of a checksum.
        damage: returns the name of a mutation and the damaged content.
    """

    path: pathlib.Path
    read: Callable[[], Any]
    is_right: Callable[[Any], bool]
    damage: Damage = mutations.damage_bytes


def attack(files: list[File], cases: range, tally: mutations.Tally, begin: Any = None) -> None:
    """Damages one file after another, and counts what its reader does.

    Args:
        files: Of one kind; each case takes the next one.
        cases: Numbers of the cases.
        tally: Counts.
        begin: Called with the number of each case. Default: None.
    """
    for case in cases:
        if begin is not None:
            begin(case)
        file = files[case % len(files)]
        whole = file.path.read_bytes()
        name, content = file.damage(whole, mutations.generator(case))
        try:
            file.path.write_bytes(content)
            verdict = mutations.judge(file.read, file.is_right, file.path.name)
        finally:
            file.path.write_bytes(whole)
        tally.add(f"case {case} of {file.path.name}: {name}", verdict)


def anything(_: Any) -> bool:
    """Formats without a checksum: what was read has the right type, or the reader had failed."""
    return True


def in_zip(member: str, damage: Damage) -> Damage:
    """Damages one member of a zip and packs it again, with the checksum of the damaged content."""

    def change(data: bytes, random: np.random.Generator) -> tuple[str, bytes]:
        packed = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(packed, "w") as changed:
            for name in archive.namelist():
                content = archive.read(name)
                if name == member:
                    mutation, content = damage(content, random)
                changed.writestr(name, content)
        return f"{mutation} in {member}", packed.getvalue()

    return change
