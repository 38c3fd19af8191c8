"""The bound by compiled parts: against enumeration, and against the same samples without XLA."""

import numpy as np
import pytest

from tests.models import small_models
from tf_discrete import evaluation
from tf_discrete._internal import fusion
from tf_discrete.models import CategoricalVAE, SemanticHashingAutoencoder, StructuredPrediction

SHAPE = (4, 5, 1)
X = np.random.RandomState(0).randint(2, size=[7, *SHAPE]).astype(np.float32)
SIZES = {"num_variables": 3, "num_categories": 6, "hidden_units": ()}

MODELS = {
    "one layer": lambda: CategoricalVAE(SHAPE, prior="learned", **SIZES),
    "hidden layers": lambda: CategoricalVAE(SHAPE, **{**SIZES, "hidden_units": (8, 6)}),
    "two layers": lambda: CategoricalVAE(SHAPE, num_layers=2, code_values="plus_minus", **SIZES),
    "bits": lambda: CategoricalVAE(
        SHAPE, num_variables=5, num_categories=2, latents="bernoulli", hidden_units=()
    ),
    "other pixels": lambda: CategoricalVAE(SHAPE, likelihood="gaussian", **SIZES),
    "structured prediction": lambda: StructuredPrediction(SHAPE, **SIZES),
    "semantic hashing": lambda: SemanticHashingAutoencoder(SHAPE, num_bits=4, hidden_units=()),
}


IN_SUITE = ("one layer", "two layers", "bits")


def randomised(model):
    """With weights that make the samples matter."""
    random = np.random.RandomState(1)
    for variable in model.trainable_variables:
        variable.assign(random.normal(scale=0.3, size=variable.shape))
    return model


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "name",
    [name if name in IN_SUITE else pytest.param(name, marks=pytest.mark.slow) for name in MODELS],
)
def test_compiled_parts_do_not_change_it(name, monkeypatch):
    model = randomised(MODELS[name]())
    fused = evaluation.evaluate_bound(model, [X[:5], X[5:]], 30, rows=60)
    monkeypatch.setattr(fusion, "_available", lambda: False)
    plain = evaluation.evaluate_bound(model, [X[:5], X[5:]], 30, rows=60)
    np.testing.assert_allclose(fused, plain, rtol=1e-5)


def test_many_samples_give_the_likelihood():
    """By enumeration; the mean weight of S samples deviates by that of one / sqrt(S)."""
    model, samples = randomised(MODELS["one layer"]()), 20_000
    truth = small_models.truth(model, X)
    deviation = np.sqrt(truth["weight_variance"] / samples)
    assert deviation.max() < 0.1
    found = evaluation.evaluate_bound(model, [X], samples).mean_nats
    error = np.sqrt(np.mean(deviation**2) / len(X))
    assert abs(found - truth["log_p"].mean()) < 5 * error + 1e-3
