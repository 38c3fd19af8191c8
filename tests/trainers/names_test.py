"""The names that flags show without TensorFlow are those of the package."""

from __future__ import annotations

import dataclasses

from tf_discrete import estimators, likelihoods
from tf_discrete._internal import arguments
from tf_discrete.codes import faiss_index
from tf_discrete.distributions import kinds, latent_spec
from tf_discrete.layers import code_embedding
from tf_discrete.layers.quantizers import gradient_rules, nearest_codeword, vector
from tf_discrete.models import categorical_vae, networks, structured_prediction
from trainers.flags import names
from trainers.flags.structured_prediction import Config as StructuredPrediction
from trainers.tasks import quantized_autoencoder


def _own(found, cls):
    """Those that the package registers; other tests register more."""
    return [name for name in found if cls(name).__module__.startswith("tf_discrete.")]


def test_registered_names():
    latents = kinds.REGISTRY
    assert list(names.LATENTS) == _own([name for name, _ in latents.items()], latents.entry)
    assert list(names.ESTIMATORS) == _own(estimators.names(), estimators.get_class)
    categorical = estimators.names(latents="categorical")
    assert list(names.CATEGORICAL_ESTIMATORS) == _own(categorical, estimators.get_class)
    assert set(names.NETWORKS) <= set(networks.names())
    assert list(names.LIKELIHOODS) == _own(likelihoods.names(), likelihoods.registry.REGISTRY.entry)


def test_choices():
    assert names.OBJECTIVES == categorical_vae.OBJECTIVES
    assert names.CODE_VALUES == latent_spec.CODE_VALUES
    assert set(names.CODE_EMBEDDINGS) == set(code_embedding.MODES)
    assert names.CODEBOOKS == vector.CODEBOOKS
    assert names.DISTANCES == nearest_codeword.DISTANCES
    assert list(names.GRADIENT_RULES) == gradient_rules.names()
    assert names.QUANTIZERS == tuple(quantized_autoencoder.QUANTIZERS)
    assert names.FAISS_KINDS == faiss_index.KINDS
    choices = {
        field.name: field.metadata["choices"] for field in dataclasses.fields(StructuredPrediction)
    }
    assert choices["objective"] == tuple(structured_prediction.OBJECTIVES)
    assert choices["code_values"] == names.CODE_VALUES
    assert arguments.PRIORS == ("uniform", "learned")
