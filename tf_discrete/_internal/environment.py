"""Refuses a Keras that does not run on TensorFlow, before anything else is imported."""

from __future__ import annotations

import os


def check_backend() -> None:
    """Checks that Keras uses its TensorFlow backend.

    Raises:
        ImportError: another backend is asked for by KERAS_BACKEND or by Keras' configuration file.
    """
    wanted = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if wanted == "tensorflow":
        import keras

        wanted = keras.config.backend()
    if wanted != "tensorflow":
        raise ImportError(
            "tf_discrete needs the TensorFlow backend of Keras 3. Set KERAS_BACKEND=tensorflow before "
            f"Python starts. Received: KERAS_BACKEND={wanted!r}"
        )
