"""Flags of trainers.export."""

from __future__ import annotations

import dataclasses

from .config import option
from .finished_run import TrustFlags


@dataclasses.dataclass(frozen=True)
class Config(TrustFlags):
    """Flags of the export."""

    run: str = option("", "Directory of the run, with config.json and model.keras.", path=True)
    path: str = option("", "Directory of the SavedModel to write; see also --tflite.", path=True)
    tflite: str = option(
        "",
        "TFLite file to write, with the deterministic signatures, for small devices.",
        path=True,
    )
    overwrite: bool = option(False, "Replace an existing export at --path and --tflite.")
    import_module: tuple[str, ...] = option(
        (),
        "Modules to import first: your own registered estimators, networks and likelihoods, among them "
        "those of the run.",
    )
