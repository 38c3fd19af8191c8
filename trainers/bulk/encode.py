"""Encodes images to packed codes: plan, pipeline, manifest."""

from __future__ import annotations

import os
import pathlib

from tf_discrete._internal import checks, extras, locking, writing
from tf_discrete._internal.counted import counted
from tf_discrete.codes.code_files import CodeLayout
from tf_discrete.datasets.split import check_white_levels
from tf_discrete.export.manifest import Manifest, load_manifest
from tf_discrete.types import JsonObject

from ..flags.encode import Config
from . import inputs, output
from .shard import Reading, Shard


def run(config: Config) -> None:
    """Encodes what is not encoded yet, and writes the manifest when all is.

    Raises:
        FileExistsError: The output holds something else.
        FileNotFoundError: No model or no images there.
        ImportError: Apache Beam is not installed.
        InUseError: Another job is writing the output.
        OSError: No permission, or no space.
        ValueError: A flag is missing, the output was begun with another model, other images or other flags,
            or no image can be read.
    """
    for name in ("model", "input", "output"):
        if not getattr(config, name):
            raise ValueError(f"{name} must be given. Give --{name}. Received: {name}=''")
    with extras.required("Bulk encoding needs Apache Beam", "beam"):
        from . import pipeline
    manifest = load_manifest(config.model)
    layout = code_layout(manifest, config.score)
    found = inputs.shards(config.input, config.shard_size, config.data_dir)
    plan: JsonObject = {
        "model": layout.model,
        "num_variables": layout.num_variables,
        "num_categories": layout.num_categories,
        "input": inputs.fingerprint(found),
    }
    if config.score:
        plan["score"] = True
    if any(shard.kind != "folder" for shard in found):
        plan |= {"image_feature": config.image_feature, "label_feature": config.label_feature}
    preprocessing = manifest.preprocessing or {}
    white = preprocessing.get("white_levels") or (None, None)
    check_white_levels(white)
    how = Reading(
        manifest.data_shape,
        config.batch_size,
        config.image_feature,
        config.label_feature,
        config.data_dir,
        tuple(white),
    )
    scale = checks.positive("preprocessing.scale", preprocessing.get("scale", 1 / 255))
    threshold = preprocessing.get("binarization", "none") != "none"
    plan["preprocessing"] = [scale, threshold, *how.white_levels]
    folder = pathlib.Path(os.path.abspath(writing.expand(config.output)))
    with writing.naming(folder):
        (folder / output.RECORDS).parent.mkdir(parents=True, exist_ok=True)
    with locking.lock(folder):
        output.start(folder, plan)
        with writing.naming(folder):
            (folder / output.RECORDS).mkdir(exist_ok=True)
        pending = [shard for shard in found if not output.is_done(folder, shard.number)]
        if len(pending) < len(found):
            print(f"{len(found) - len(pending)} of {len(found)} shards are done already")
        encoder = pipeline.SavedModelEncoder(
            os.path.abspath(config.model),
            layout,
            how,
            scale,
            threshold,
            config.score,
        )
        seconds = 0.0
        if pending:
            seconds = pipeline.run(pending, encoder, str(folder), layout, config.beam)
        made = output.finish(folder, (shard.number for shard in found), plan)
    speed = f", {sum_of(made, pending) / seconds:,.0f} a second" if seconds else ""
    print(
        f"{counted(made['count'], 'code')}, {counted(made['num_rejects'], 'reject')} in {folder}{speed}"
    )


def sum_of(manifest: dict, pending: list[Shard]) -> int:
    """Returns the number of codes in the shards that were encoded now."""
    new = {output.shard_file(shard.number) for shard in pending}
    return sum(shard["count"] for shard in manifest["shards"] if shard["file"] in new)


def code_layout(manifest: Manifest, score: bool) -> CodeLayout:
    """Returns what the bytes of an export's codes mean.

    Raises:
        ValueError: A model without a signature that is needed.
    """
    needed = {"encode": "codes", **({"encode_probs": "probs"} if score else {})}
    for name, output_name in needed.items():
        if output_name not in manifest.signatures.get(name, {}).get("outputs", {}):
            remedy = ", or leave --score out" if name == "encode_probs" else ""
            raise ValueError(
                f"The model must have the signature {name}, with the output {output_name}. Export a model "
                f"with codes{remedy}. Received: a model of "
                f"{manifest.model} with {', '.join(manifest.signatures)}"
            )
    return CodeLayout(manifest.num_variables, manifest.num_categories, manifest.model_digest)
