"""What every public model's signatures must keep, so that any program can serve any of them.

`saved_model_test` has what they answer.
"""

from __future__ import annotations

import inspect

import pytest
import tensorflow as tf

from tests.export import small_models
from tf_discrete import export

CLASSES = sorted(small_models.CLASSES)


@pytest.fixture(scope="module", params=CLASSES)
def model(request):
    return small_models.make(request.param)


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
