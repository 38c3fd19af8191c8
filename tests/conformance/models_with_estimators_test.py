"""Every pathwise estimator, by name, inside the categorical VAE: trains, in both precisions, and scores."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import estimators, models, seeds

CASES = [
    (name, latents)
    for latents in ("categorical", "bernoulli")
    for name in estimators.names(family="pathwise", latents=latents)
]
every_case = pytest.mark.parametrize("name,latents", CASES, ids=["-".join(case) for case in CASES])


@pytest.fixture(params=["float32", "mixed_float16"])
def policy(request):
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(request.param)
    yield request.param
    keras.mixed_precision.set_dtype_policy(before)


@every_case
def test_trains_by_name(name, latents, policy):
    keras.utils.set_random_seed(0)
    categories = 3 if latents == "categorical" else 2
    model = models.CategoricalVAE(
        (4, 4, 1),
        num_variables=3,
        num_categories=categories,
        latents=latents,
        hidden_units=(8,),
        estimator=name,
        monitor_every=1,
    )
    model.compile(optimizer=keras.optimizers.SGD(0.01), run_eagerly=True)
    x = tf.cast(tf.random.stateless_uniform([6, 4, 4, 1], [0, 1]) > 0.5, tf.float32)
    before = [w.numpy() for w in model.encoder.trainable_variables]
    logs = {}
    for _ in range(2):
        logs = model.train_on_batch(x, return_dict=True)
    assert np.isfinite(list(logs.values())).all()
    moved = [
        np.abs(w - b).max() for w, b in zip(model.encoder.trainable_variables, before, strict=True)
    ]
    assert min(moved) > 0, "the gradient does not reach every weight of the encoder"
    # Evaluation uses the law that the estimator declares.
    posterior = model.posterior(x)
    np.testing.assert_allclose(posterior.logits, model.estimator.law(model.logits(x)).logits)
    assert np.isfinite(model.log_likelihood(x, 5, seeds.base(0))).all()
