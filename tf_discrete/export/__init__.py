"""Export of trained models: a SavedModel with named signatures and a manifest, and TFLite."""

from tf_discrete.export.autoencoder import autoencoder_signatures
from tf_discrete.export.completion import completion_signatures
from tf_discrete.export.manifest import FORMAT_VERSION, Manifest, load_manifest
from tf_discrete.export.saved_model import save
from tf_discrete.export.signature import Signature
from tf_discrete.export.tflite import save_tflite

__all__ = [
    "FORMAT_VERSION",
    "Manifest",
    "Signature",
    "autoencoder_signatures",
    "completion_signatures",
    "load_manifest",
    "save",
    "save_tflite",
]
