"""`save`: a model as a SavedModel that needs TensorFlow alone."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

from tf_discrete._internal import writing
from tf_discrete.codes.digest import model_digest
from tf_discrete.export import manifest as manifest_lib
from tf_discrete.export.manifest import Manifest
from tf_discrete.export.signature import Outputs, Signature
from tf_discrete.types import JsonObject, Servable


def save(
    model: Servable,
    path: str | os.PathLike[str],
    *,
    preprocessing: Mapping[str, object] | None = None,
    metadata: Mapping[str, object] | None = None,
    overwrite: bool = False,
) -> Manifest:
    """Writes a SavedModel with the model's signatures and a manifest.

    The signatures take batches of any size, 0 included. Inputs of another shape or outside the limits in the
    manifest raise an error. Every sample is a function of the `seed` input. Outputs are int32 or float32
    under every dtype policy.

    Args:
        model: `DiscreteModel` with `signatures` and `manifest_entries`; the first signature is the default.
        path: Path of the folder, which is written atomically.
        preprocessing: Preprocessing of the data, such as {"scale": 1 / 255, "binarization": "dynamic"}, for
            the manifest; the signatures take preprocessed data. Default: None.
        metadata: Further entries of the manifest. Default: None.
        overwrite: Bool, whether to replace what exists at the path. Default: False.

    Returns:
        manifest: As `load_manifest` reads it.

    Raises:
        FileExistsError: `path` exists already.
        OSError: no permission, no space.
        TypeError: the model has no signatures.
        ValueError: preprocessing or metadata that JSON cannot hold.

    Example:
        >>> import tempfile
        >>> from tf_discrete.models import CategoricalVAE
        >>> model = CategoricalVAE((8, 8, 1), num_variables=4, num_categories=3, hidden_units=(16,))
        >>> path = tempfile.mkdtemp()
        >>> save(model, path, preprocessing={"scale": 1 / 16}).latent_shape
        (4, 3)
        >>> served = tf.saved_model.load(path)
        >>> served.signatures["encode"](image=tf.ones([7, 8, 8, 1]))["codes"].shape
        TensorShape([7, 4])
    """
    signatures = signatures_of(model)
    manifest_lib.check_json(preprocessing, "preprocessing")
    manifest_lib.check_json(metadata, "metadata")
    with writing.new_path(
        path, overwrite, ours=manifest_lib.is_export, kind="SavedModel of tf_discrete"
    ) as folder:
        described = write(model, signatures, folder)
        manifest = manifest_lib.make(
            model.manifest_entries(), model_digest(model), described, preprocessing, metadata
        )
        manifest_lib.write(manifest, folder)
    return manifest


def signatures_of(model: Servable) -> dict[str, Signature]:
    """Returns the signatures of a model.

    Raises:
        TypeError: it has none.
    """
    if not hasattr(model, "signatures") or not hasattr(model, "manifest_entries"):
        raise TypeError(
            "Only a model that says what it offers can be exported. Give a subclass of "
            "tf_discrete.models.DiscreteModel with `signatures` and `manifest_entries`. "
            f"Received: model={model!r}"
        )
    return model.signatures()


def write(
    model: keras.Model, signatures: Mapping[str, Signature], folder: pathlib.Path
) -> JsonObject:
    """Writes the SavedModel; returns what a manifest says of its signatures."""
    archive = keras.export.ExportArchive()
    # For the lookup tables of layers. Tracked itself, a model would be written next to the signatures, twice.
    archive.track(tf.train.Checkpoint(model=model))
    described = {}
    for name, signature in signatures.items():
        fn = archive.add_endpoint(name, float32_outputs(signature.fn), list(signature.inputs))
        outputs = fn.get_concrete_function().structured_outputs
        described[name] = {
            "inputs": {
                spec.name: {**_describe(spec), **_limits(signature, spec.name)}
                for spec in signature.inputs
            },
            "outputs": {key: _describe(spec) for key, spec in outputs.items()},
            "deterministic": signature.deterministic,
        }
    archive.write_out(str(folder), verbose=False)
    return described


def float32_outputs(fn: Callable[..., Outputs]) -> Callable[..., Outputs]:
    """`fn` with its floating outputs cast to float32."""

    def cast(*inputs: tf.Tensor) -> Outputs:
        outputs = fn(*inputs)
        return {
            name: tf.cast(value, tf.float32) if value.dtype.is_floating else tf.identity(value)
            for name, value in outputs.items()
        }

    return cast


def _limits(signature: Signature, name: str) -> dict[str, float]:
    return dict(zip(("minimum", "maximum"), signature.limits.get(name, ()), strict=False))


def _describe(spec: tf.TensorSpec) -> JsonObject:
    return {"shape": spec.shape.as_list(), "dtype": spec.dtype.name}
