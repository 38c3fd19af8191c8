"""`save_tflite`: the deterministic signatures of a model for small devices."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from tf_discrete._internal import writing
from tf_discrete.export import saved_model

if TYPE_CHECKING:
    from tf_discrete.models import DiscreteModel


def save_tflite(
    model: DiscreteModel, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Writes a TFLite file with the model's deterministic signatures, built-in operations only.

    It computes in float32: a model of a mixed dtype policy answers in the precision of its weights.

    Args:
        model: whose `signatures` says which are deterministic.
        path: Path of the file; it is written atomically.
        overwrite: Bool, whether to replace what exists at the path. Default: False.

    Raises:
        FileExistsError: `path` exists already.
        OSError: no permission, no space.
        TypeError: the model has no signatures.
        ValueError: a layer has no counterpart among the built-in operations.

    Example:
        >>> import pathlib, tempfile
        >>> from tf_discrete.models import CategoricalVAE
        >>> model = CategoricalVAE((8, 8, 1), num_variables=4, num_categories=3, hidden_units=(16,))
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.tflite"
        >>> save_tflite(model, path)
        >>> sorted(tf.lite.Interpreter(str(path)).get_signature_list())
        ['decode', 'encode', 'encode_probs', 'reconstruct']
    """
    with writing.new_path(path, overwrite, ours=_is_tflite, kind="TFLite file") as file:
        file.write_bytes(convert(model))


def convert(model: DiscreteModel) -> bytes:
    """Returns the TFLite file of a model."""
    signatures = {
        name: signature
        for name, signature in saved_model.signatures_of(model).items()
        if signature.deterministic
    }
    with tempfile.TemporaryDirectory() as folder, _computing_in_float32(model):
        saved_model.write(model, signatures, pathlib.Path(folder))
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=list(signatures)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            return converter.convert()
        except Exception as error:  # The converter's own class is not public.
            missing = sorted(set(re.findall(r"'tf\.(\w+)' op is neither", str(error))))
            raise ValueError(
                "Every layer must have a counterpart among the built-in operations of TFLite. Replace "
                "what is named here. Received: model="
                f"{model.name!r} with {', '.join(missing) or str(error)[:300]}"
            ) from error


@contextlib.contextmanager
def _computing_in_float32(model: keras.Model) -> Iterator[None]:
    """TFLite has no kernels in half precision; weights are float32 under the mixed policies."""
    policies = [(layer, layer.dtype_policy) for layer in model._flatten_layers()]
    mixed = [(layer, policy) for layer, policy in policies if policy.name.startswith("mixed_")]
    try:
        for layer, _ in mixed:
            layer.dtype_policy = "float32"
        yield
    finally:
        for layer, policy in mixed:
            layer.dtype_policy = policy


def _is_tflite(path: pathlib.Path) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(8)[4:] == b"TFL3"  # The identifier of the file's schema.
