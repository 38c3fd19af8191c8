"""What every public model's signatures must keep, so that any program can serve any of them."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import tensorflow as tf

from tests.export import small_models
from tf_discrete import export

CLASSES = sorted(small_models.CLASSES)


@pytest.fixture(scope="module", params=CLASSES)
def model(request):
    return small_models.make(request.param)


@pytest.fixture(scope="module")
def calls(model):
    """The compiled functions of its signatures: each is traced once, for every size of a batch."""
    return {name: small_models.compiled(one) for name, one in model.signatures().items()}


def test_there_are_models_to_look_at():
    assert "CategoricalVAE" in CLASSES


def test_names_are_identifiers_and_the_default_reads_one_batch(model):
    signatures = model.signatures()
    assert all(name.isidentifier() and name != "serving_default" for name in signatures)
    default = next(iter(signatures.values()))
    assert default.deterministic
    assert [spec.shape[0] for spec in default.inputs] == [None]


def test_inputs_are_named_as_the_arguments(model):
    for name, signature in model.signatures().items():
        assert isinstance(signature, export.Signature)
        parameters = list(inspect.signature(signature.fn).parameters)
        assert parameters == [spec.name for spec in signature.inputs], name


def test_inputs_are_batches_numbers_or_a_seed(model):
    for signature in model.signatures().values():
        for spec in signature.inputs:
            assert spec.dtype in (tf.float32, tf.int32)
            if spec.name == "seed":
                assert spec.shape == [2] and spec.dtype == tf.int32
            elif spec.shape.rank:
                assert spec.shape[0] is None and None not in spec.shape[1:]
            else:
                assert spec.dtype == tf.int32


def test_a_signature_takes_a_seed_if_and_only_if_it_draws(model):
    for name, signature in model.signatures().items():
        takes_seed = "seed" in [spec.name for spec in signature.inputs]
        assert takes_seed != signature.deterministic, name


@pytest.mark.parametrize("batch_size", [0, 1, 7])
def test_outputs_are_named_batches_and_repeat(model, calls, batch_size):
    categories = model.manifest_entries()["num_categories"]
    for name, signature in model.signatures().items():
        arguments = small_models.inputs(signature, batch_size, [1, 2], categories)
        first, second = (calls[name](*arguments.values()) for _ in range(2))
        assert first, name
        for key, value in first.items():
            assert value.shape[0] == batch_size, (name, key)
            assert value.dtype in (tf.float32, tf.int32, tf.uint8)  # Of packed codes.
            assert np.all(np.isfinite(value))
            assert np.array_equal(value, second[key]), (name, key)


def test_the_description_has_what_a_manifest_needs(model, tmp_path):
    manifest = export.save(model, tmp_path / "saved_model", metadata={"note": "x"})
    assert manifest == export.load_manifest(tmp_path / "saved_model")
    assert manifest.model.endswith(type(model).__name__)
    assert manifest.codes["max"] == manifest.num_categories - 1
