"""Flags of programs that read a finished run."""

from __future__ import annotations

import dataclasses

from .config import option


@dataclasses.dataclass(frozen=True)
class MovedDataFlags:
    """Where the data of a run are now."""

    dataset: str = option("", "The data, if they have moved. Default: those of the run.")
    data_dir: str = option("", "Folder of prepared TFDS data. Default: that of the run.", path=True)


@dataclasses.dataclass(frozen=True)
class TrustFlags:
    """Which modules of a run are imported."""

    import_module: tuple[str, ...] = option(
        (), "Modules to import first. Those that the run has imported must be among them."
    )
    trust_run: bool = option(
        False, "Import the modules that the run names without naming them. They are code."
    )
