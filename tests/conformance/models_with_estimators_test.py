"""Every pathwise estimator, by name, inside the categorical VAE: trains and scores.

tests/models/categorical_vae_arguments_test.py saves and loads the model with every one.
"""

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
IMAGES = tf.cast(tf.random.stateless_uniform([6, 4, 4, 1], [0, 1]) > 0.5, tf.float32)


def small_model(name, latents, **arguments):
    keras.utils.set_random_seed(0)
    model = models.CategoricalVAE(
        (4, 4, 1),
        num_variables=3,
        num_categories=3 if latents == "categorical" else 2,
        latents=latents,
        hidden_units=(8,),
        estimator=name,
        monitor_every=1,
    )
    model.compile(optimizer=keras.optimizers.SGD(0.01), **arguments)
    return model


@every_case
def test_trains_and_scores_by_name(name, latents):
    model = small_model(name, latents, run_eagerly=True)
    before = [w.numpy() for w in model.encoder.trainable_variables]
    logs = [model.train_on_batch(IMAGES, return_dict=True) for _ in range(2)][-1]
    assert np.isfinite(list(logs.values())).all()
    after = [w.numpy() for w in model.encoder.trainable_variables]
    moved = [np.abs(new - old).max() for new, old in zip(after, before, strict=True)]
    assert min(moved) > 0, "the gradient does not reach every weight of the encoder"
    # Evaluation uses the law that the estimator declares.
    posterior = model.posterior(IMAGES)
    np.testing.assert_allclose(posterior.logits, model.estimator.law(model.logits(IMAGES)).logits)
    bound = model.log_likelihood(IMAGES, 5, seeds.base(0))
    assert np.isfinite(bound).all()


@every_case
def test_trains_under_xla_and_mixed_precision(name, latents):
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        model = small_model(name, latents, jit_compile=True)
        logs = model.train_on_batch(IMAGES, return_dict=True)
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    assert np.isfinite(list(logs.values())).all()
    assert all(np.isfinite(w.numpy()).all() for w in model.trainable_variables)
