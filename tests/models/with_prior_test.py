"""A model and its prior, trained together: each learns as it would alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import small_models
from tf_discrete import export
from tf_discrete.models import (
    AutoregressivePrior,
    CategoricalVAE,
    StructuredPrediction,
    WithPrior,
)

OPTIONS = {"units": 4, "embedding_units": 3, "chunk_size": 1}


def make(**changes):
    keras.utils.set_random_seed(0)
    model = small_models.make(**changes)
    return WithPrior(model, AutoregressivePrior.for_model(model, **OPTIONS))


@pytest.fixture(scope="module")
def trained():
    both = make()
    both.compile(optimizer=keras.optimizers.SGD(0.05))
    logs = [both.train_on_batch(small_models.data(), return_dict=True) for _ in range(30)]
    return both, logs


def test_the_model_ends_as_it_would_alone(trained):
    alone = small_models.make()
    alone.compile(optimizer=keras.optimizers.SGD(0.05))
    for _ in range(30):
        alone.train_on_batch(small_models.data())
    for found, expected in zip(
        trained[0].model.encoder.weights, alone.encoder.weights, strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_prior_learns_the_codes_of_the_moment(trained):
    both, logs = trained
    assert logs[-1]["prior_nats"] < logs[0]["prior_nats"] - 0.1
    codes = both.encode(small_models.data())
    terms = both.objective(small_models.data(), tf.constant([0, 1]), training=False)
    np.testing.assert_allclose(terms.terms["prior_nats"], -both.prior.log_prob(codes), rtol=1e-5)
    alone = both.model.objective(small_models.data(), tf.constant([0, 1]), training=False)
    np.testing.assert_allclose(terms.loss, alone.loss, rtol=1e-6)
    np.testing.assert_allclose(
        terms.auxiliary - alone.auxiliary, terms.terms["prior_nats"], rtol=1e-5
    )


def test_samples_come_from_the_prior(trained):
    both, _ = trained
    expected = both.model.decode(both.prior.sample(7, seed=3))
    np.testing.assert_array_equal(both.sample(7, seed=3), expected)
    x = small_models.data()
    np.testing.assert_array_equal(both(x), both.model.reconstruct(x))
    np.testing.assert_array_equal(both.reconstruct(x), both.model.reconstruct(x))
    np.testing.assert_array_equal(both.log_likelihood(x, 3), both.model.log_likelihood(x, 3))
    assert both.max_decoder_rows() == both.model.max_decoder_rows()
    assert both.posterior(x).probs.shape == (6, 2, 3)


def test_the_temperature_and_top_p_reach_the_prior(trained):
    both, _ = trained
    options = {"temperature": 0.5, "top_p": 0.7}
    codes = both.prior.sample(40, seed=3, **options)
    assert (codes != both.sample_codes(40, 3)).numpy().any()
    np.testing.assert_array_equal(both.sample_codes(40, 3, **options), codes)
    np.testing.assert_array_equal(both.sample(40, 3, **options), both.model.decode(codes))
    with pytest.raises(ValueError, match="temperature=0"):
        both.sample(2, temperature=0)


def test_files_hold_both(trained, tmp_path):
    both, _ = trained
    both.save(tmp_path / "both.keras")
    again = keras.saving.load_model(tmp_path / "both.keras")
    np.testing.assert_array_equal(again.sample(5, seed=1), both.sample(5, seed=1))
    x = small_models.data()
    np.testing.assert_array_equal(again.encode(x), both.encode(x))
    export.save(both, tmp_path / "saved")
    served = tf.saved_model.load(str(tmp_path / "saved")).signatures
    drawn = served["sample"](num=tf.constant(5), seed=tf.constant([1, 2]))
    np.testing.assert_array_equal(drawn["codes"], both.sample_codes(5, tf.constant([1, 2])))
    np.testing.assert_array_equal(served["encode"](image=x)["codes"], both.encode(x))


def test_the_default_prior_fits_bernoulli_codes_too():
    both = WithPrior(small_models.make(**small_models.BERNOULLI))
    assert (both.prior.num_variables, both.prior.num_categories) == (2, 2)


def test_codes_of_several_layers_have_one_prior():
    deep = CategoricalVAE((4,), num_variables=(3, 2), num_categories=3, hidden_units=())
    both = WithPrior(deep, AutoregressivePrior.for_model(deep, **OPTIONS))
    terms = both.objective(small_models.data(), tf.constant([0, 1]), training=True).terms
    np.testing.assert_allclose(
        terms["prior_nats"], -both.prior.log_prob(deep.encode(small_models.data())), rtol=1e-5
    )
    assert both.sample(3, seed=0).shape == (3, 4)
    assert both.prior.num_variables == 5


def test_a_prior_of_other_codes_is_refused():
    with pytest.raises(ValueError, match=r"num_categories=\(3, 3\), model with \(2, 3\)"):
        WithPrior(small_models.make(), AutoregressivePrior(3, 3, units=2))


def test_a_model_that_does_not_decode_is_refused():
    with pytest.raises(
        ValueError, match="must decode codes.*Received: model=<StructuredPrediction"
    ):
        WithPrior(StructuredPrediction((4,), num_variables=2))
