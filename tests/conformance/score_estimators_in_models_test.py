"""Score estimators inside a model: in a few training steps what they own moves.

tests/models/categorical_vae_arguments_test.py saves and loads the model with every one.
"""

import keras
import numpy as np
import pytest

from tf_discrete import estimators, models

CASES = [
    (name, latents)
    for name in estimators.names("score")
    for latents in estimators.get_class(name).spec.supports
]
every_case = pytest.mark.parametrize("name,latents", CASES, ids=["-".join(case) for case in CASES])


def small_model(estimator, latents, **arguments):
    return models.CategoricalVAE(
        (3, 3, 1),
        num_variables=2,
        num_categories=3 if latents == "categorical" else 2,
        latents=latents,
        hidden_units=(5,),
        estimator=estimator,
        **arguments,
    )


def images():
    x = np.random.RandomState(0).uniform(size=[8, 3, 3, 1]) > 0.5
    return x.astype(np.float32)


@pytest.mark.one_in(4)
@every_case
def test_training_moves_every_weight_and_evaluation_none(name, latents):
    model = small_model(name, latents)
    before = [w.numpy().copy() for w in model.estimator.weights]
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    model.optimizer.build(model.trainable_variables)
    for _ in range(2):
        logs = model.train_step(images())
    assert np.isfinite([logs["loss"], logs["gradient_norm"]]).all()
    after = [w.numpy().copy() for w in model.estimator.weights]
    for weight, old, new in zip(model.estimator.weights, before, after, strict=True):
        scheduled = weight.path.split("/")[-1] in ("temperature", "scale", "entropy_weight")
        assert scheduled or np.any(old != new), weight.path
    if after:
        model.test_step(images())
    for weight, new in zip(model.estimator.weights, after, strict=True):
        np.testing.assert_array_equal(weight, new, err_msg="evaluation must not train")
