"""Flags of programs that read a finished run."""

from __future__ import annotations

import dataclasses

from .config import option


@dataclasses.dataclass(frozen=True)
class MovedDataFlags:
    """Location of the data of a run."""

    dataset: str = option("", "Data set, if its location has changed. Default: that of the run.")
    data_dir: str = option("", "Folder of prepared TFDS data. Default: that of the run.", path=True)


@dataclasses.dataclass(frozen=True)
class TrustFlags:
    """Which modules of a run are imported."""

    import_module: tuple[str, ...] = option(
        (), "Modules to import first. The modules of the run must be among them."
    )
    trust_run: bool = option(
        False,
        "Import the modules of the run without --import_module. They are code and run as such.",
    )
