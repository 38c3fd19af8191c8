"""TFLite files answer as the live model."""

from __future__ import annotations

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.export import small_models
from tf_discrete import export
from tf_discrete.models import CategoricalVAE

# Half precision differs from the file's float32; the others differ by rounding only.
TOLERANCES = {"mixed_bfloat16": 5e-2, "mixed_float16": 5e-3}


@pytest.mark.one_in(5)
@small_models.every_model
@pytest.mark.filterwarnings("ignore")
def test_every_deterministic_signature_answers_as_the_live_model(name, tmp_path):
    model = small_models.make(name)
    policies = [layer.dtype_policy.name for layer in model._flatten_layers()]
    export.save_tflite(model, tmp_path / "model.tflite")
    assert [layer.dtype_policy.name for layer in model._flatten_layers()] == policies
    assert os.listdir(tmp_path) == ["model.tflite"]

    interpreter = tf.lite.Interpreter(str(tmp_path / "model.tflite"))
    signatures = {key: s for key, s in model.signatures().items() if s.deterministic}
    assert set(interpreter.get_signature_list()) == set(signatures)
    description = model.manifest_entries()
    tolerance = TOLERANCES.get(name, 1e-5)
    for key, signature in signatures.items():
        runner, live = interpreter.get_signature_runner(key), small_models.compiled(signature)
        for batch_size in (1, 7):
            inputs = small_models.inputs(
                signature, batch_size, [0, 0], description["num_categories"]
            )
            expected = live(*inputs.values())
            answer = runner(**inputs)
            assert set(answer) == set(expected)
            for output, value in answer.items():
                assert value.dtype == expected[output].dtype.as_numpy_dtype
                np.testing.assert_allclose(
                    value, expected[output], rtol=tolerance, atol=tolerance, err_msg=key
                )
        _check_refused_rows(runner, signature, inputs, answer, key)


def _check_refused_rows(runner, signature, inputs, good, key):
    """No assertion survives in such a file: the row is NaN, or -1 for integers, and the others stay."""
    for spec in signature.inputs:
        bad = (
            [-1, signature.limits.get(spec.name, (0, 0))[1] + 1]
            if spec.dtype.is_integer
            else [np.nan]
        )
        if not spec.dtype.is_integer and spec.name in signature.limits:
            bad.append(255.0)
        for value in bad:
            values = inputs[spec.name].copy()
            values[2:3].reshape(-1)[0] = value  # The last may be of a part that is not read.
            answer = runner(**{**inputs, spec.name: values})
            for output, found in answer.items():
                if output == "packed":  # Bytes have no value to say so.
                    continue
                refused = np.isnan(found[2]) if found.dtype == np.float32 else found[2] == -1
                assert refused.all(), (key, spec.name, value, output, found[2])
                others = np.arange(7) != 2
                np.testing.assert_allclose(
                    found[others], good[output][others], rtol=1e-4, atol=1e-5
                )


def test_a_file_is_not_written_over_unless_asked(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_text("x")
    model = small_models.make("CategoricalVAE")
    with pytest.raises(FileExistsError, match="not written over"):
        export.save_tflite(model, path)
    assert path.read_text() == "x"
    with pytest.raises(FileExistsError, match="Only a TFLite file may be replaced"):
        export.save_tflite(model, path, overwrite=True)
    assert path.read_text() == "x"
    path.write_bytes(b"....TFL3")
    export.save_tflite(model, path, overwrite=True)
    assert path.read_bytes()[4:8] == b"TFL3" and path.stat().st_size > 8


@keras.saving.register_keras_serializable("tests.export")
class Erfinv(keras.layers.Layer):
    """A layer that TFLite has no operation for."""

    def call(self, inputs):
        return tf.math.erfinv(tf.tanh(inputs))


def test_an_operation_that_tflite_lacks_is_named(tmp_path):
    encoder = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(12), Erfinv()]
    )
    decoder = keras.Sequential(
        [
            keras.Input((3, 4)),
            keras.layers.Flatten(),
            keras.layers.Dense(64),
            keras.layers.Reshape((8, 8, 1)),
        ]
    )
    model = CategoricalVAE(
        (8, 8, 1), num_variables=3, num_categories=4, encoder=encoder, decoder=decoder
    )
    with pytest.raises(ValueError, match=r"built-in operations of TFLite.*Received: .*Erfinv$"):
        export.save_tflite(model, tmp_path / "model.tflite")
    assert os.listdir(tmp_path) == []
