"""Flags of trainers.export."""

from __future__ import annotations

import dataclasses

from .config import option
from .finished_run import TrustFlags


@dataclasses.dataclass(frozen=True)
class Config(TrustFlags):
    """The flags of the export."""

    run: str = option("", "Folder of the run, with its config.json and model.keras.", path=True)
    path: str = option("", "Folder of the SavedModel to write; see also --tflite.", path=True)
    tflite: str = option(
        "",
        "TFLite file to write, with the signatures that draw nothing, for small devices.",
        path=True,
    )
    overwrite: bool = option(False, "Write over what stands at --path and --tflite.")
    import_module: tuple[str, ...] = option(
        (),
        "Modules to import first: your own registered estimators, networks and likelihoods, and those that "
        "the run has imported.",
    )
