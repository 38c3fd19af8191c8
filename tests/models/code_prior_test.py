"""A model and a prior of its codes, trained in the same step: each learns as it would alone."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.golden import code_prior as golden
from tests.golden.categorical_vae import differences
from tests.models import small_models
from tf_discrete import evaluation, export, seeds
from tf_discrete.models import (
    AutoregressivePrior,
    CategoricalVAE,
    IndependentPrior,
    SemanticHashingAutoencoder,
)

OPTIONS = {"units": 4, "embedding_units": 3, "chunk_size": 1}
SEED = tf.constant([0, 1])
lstm = functools.partial(AutoregressivePrior, **OPTIONS)


def make(**changes):
    keras.utils.set_random_seed(0)
    return small_models.make(code_prior=lstm, **changes)


@pytest.fixture(scope="module")
def trained():
    model = make()
    model.compile(optimizer=keras.optimizers.SGD(0.05))
    logs = [model.train_on_batch(small_models.data(), return_dict=True) for _ in range(30)]
    return model, logs


@pytest.mark.parametrize("case", golden.CASES)
def test_the_golden_numbers(case):
    expected = golden.golden()[case]
    assert differences(golden.numbers(case), expected, golden.TOLERANCE, case) == []


def test_the_model_ends_as_it_would_alone(trained):
    alone = small_models.make()
    alone.compile(optimizer=keras.optimizers.SGD(0.05))
    for _ in range(30):
        alone.train_on_batch(small_models.data())
    for found, expected in zip(trained[0].encoder.weights, alone.encoder.weights, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_prior_learns_the_codes_of_the_moment(trained):
    model, logs = trained
    assert logs[-1]["prior_nats"] < logs[0]["prior_nats"] - 0.1
    x = small_models.data()
    terms = model.objective(x, SEED, training=False)
    nats = -model.code_prior.log_prob(model.encode(x))
    np.testing.assert_allclose(terms.terms["prior_nats"], nats, rtol=1e-5)
    alone = small_models.make()
    for mine, other in zip(evaluation.network_weights(alone).values(), groups(model), strict=True):
        for one, two in zip(mine, other, strict=True):
            one.assign(two)
    expected = alone.objective(x, SEED, training=False)
    np.testing.assert_allclose(terms.loss, expected.loss, rtol=1e-6)
    np.testing.assert_allclose(terms.auxiliary - expected.auxiliary, nats, rtol=1e-5)


def groups(model):
    """The weights of the model's own networks."""
    weights = evaluation.network_weights(model)
    return [found for name, found in weights.items() if not name.startswith("code_prior")]


def test_the_model_gets_no_gradient_from_the_prior():
    model = make()
    with tf.GradientTape() as tape:
        nats = model.objective(small_models.data(), SEED, training=True).terms["prior_nats"]
    variables = model.trainable_variables
    gradients = tape.gradient(nats, [variable.value for variable in variables])
    own = {id(variable) for variable in model.code_prior.trainable_variables}
    for variable, gradient in zip(variables, gradients, strict=True):
        assert (gradient is not None) == (id(variable) in own), variable.path


def test_samples_come_from_the_prior_and_bounds_from_the_models_own(trained):
    model, _ = trained
    expected = model.decode(model.code_prior.sample(7, seed=3))
    np.testing.assert_array_equal(model.sample(7, seed=3), expected)
    own = model.sample_codes(7, 3, prior=model.prior)
    np.testing.assert_array_equal(own, model.prior.sample(7, 3))
    assert (own != model.sample_codes(7, 3)).numpy().any()
    alone = type(model).from_config({**model.get_config(), "code_prior": None})
    for mine, other in zip(groups(alone), groups(model), strict=True):
        for one, two in zip(mine, other, strict=True):
            one.assign(two)
    np.testing.assert_array_equal(alone.sample_codes(7, 3), own)
    x = small_models.data()
    np.testing.assert_array_equal(model.log_likelihood(x, 3), alone.log_likelihood(x, 3))


def test_the_temperature_and_top_p_reach_the_prior(trained):
    model, _ = trained
    options = {"temperature": 0.5, "top_p": 0.7}
    codes = model.code_prior.sample(40, seed=3, **options)
    assert (codes != model.sample_codes(40, 3)).numpy().any()
    np.testing.assert_array_equal(model.sample_codes(40, 3, **options), codes)
    np.testing.assert_array_equal(model.sample(40, 3, **options), model.decode(codes))
    with pytest.raises(ValueError, match="temperature=0"):
        model.sample(2, temperature=0)
    with pytest.raises(TypeError, match="temperature"):
        model.sample(2, prior=model.prior, temperature=0.5)


def test_files_hold_both(trained, tmp_path):
    model, _ = trained
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(again.sample(5, seed=1), model.sample(5, seed=1))
    x = small_models.data()
    np.testing.assert_array_equal(again.encode(x), model.encode(x))
    export.save(model, tmp_path / "saved")
    served = tf.saved_model.load(str(tmp_path / "saved")).signatures
    sampled = served["sample"](num=tf.constant(5), seed=SEED)
    np.testing.assert_array_equal(sampled["codes"], model.sample_codes(5, SEED))
    np.testing.assert_array_equal(served["encode"](image=x)["codes"], model.encode(x))


def test_a_checkpoint_holds_both(trained, tmp_path):
    model, _ = trained
    path = tf.train.Checkpoint(model=model).write(str(tmp_path / "both"))
    again = make()
    tf.train.Checkpoint(model=again).read(path).assert_existing_objects_matched()
    np.testing.assert_array_equal(again.sample(5, seed=1), model.sample(5, seed=1))


def test_a_clone_has_a_prior_of_its_own(trained):
    model, _ = trained
    clone = keras.models.clone_model(model)
    assert clone.code_prior is not model.code_prior
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone.sample(5, seed=1), model.sample(5, seed=1))
    lines = []
    model.summary(print_fn=lambda line, **options: lines.append(line))
    assert "code_prior" in lines[0] or "autoregressive_prior" in lines[0]


def test_another_estimator_keeps_the_prior(trained):
    model, _ = trained
    other = evaluation.with_estimator(model, type(model.estimator)())
    np.testing.assert_array_equal(other.sample(5, seed=1), model.sample(5, seed=1))


def test_a_class_makes_the_prior_of_the_models_sizes():
    bits = small_models.make(**small_models.BERNOULLI, code_prior=AutoregressivePrior)
    assert (bits.code_prior.num_variables, bits.code_prior.num_categories) == (2, 2)
    hashing = SemanticHashingAutoencoder(
        (4,), num_bits=5, hidden_units=(), code_prior=IndependentPrior
    )
    assert hashing.sample(3).shape == (3, 4)
    assert (hashing.code_prior.num_variables, hashing.code_prior.num_categories) == (5, 2)
    nats = hashing.objective(small_models.data(), SEED, training=True).terms["prior_nats"]
    np.testing.assert_allclose(nats, np.full([6], 5 * np.log(2)), rtol=1e-6)


def test_networks_start_as_they_would_without_a_prior():
    models = []
    for code_prior in (None, lstm):
        keras.utils.set_random_seed(3)
        models.append(CategoricalVAE(**small_models.ARGUMENTS, code_prior=code_prior))
    for one, two in zip(groups(models[0]), groups(models[1]), strict=True):
        for mine, other in zip(one, two, strict=True):
            np.testing.assert_array_equal(mine, other)


def test_independent_variables_learn_their_frequencies():
    """There the gradient is 0 and the metric the entropy of the variables."""
    prior = IndependentPrior(2, 3, learned=True)
    model, x = small_models.make(code_prior=prior), small_models.data()
    shares = np.stack([(model.encode(x).numpy() == k).mean(0) for k in range(3)], axis=1)
    prior.logits.assign(np.log(np.maximum(shares, 1e-9)))
    with tf.GradientTape() as tape:
        nats = tf.reduce_mean(model.objective(x, SEED, training=True).terms["prior_nats"])
    np.testing.assert_allclose(tape.gradient(nats, prior.logits.value), 0 * shares, atol=1e-6)
    entropy = -(shares * np.log(np.maximum(shares, 1e-9))).sum()
    assert float(nats) == pytest.approx(entropy, rel=1e-5) and entropy > 0.4


def test_codes_of_several_layers_have_one_prior():
    deep = CategoricalVAE(
        (4,), num_variables=(3, 2), num_categories=3, hidden_units=(), code_prior=lstm
    )
    x = small_models.data()
    terms = deep.objective(x, SEED, training=True).terms
    expected = -deep.code_prior.log_prob(deep.encode(x))
    np.testing.assert_allclose(terms["prior_nats"], expected, rtol=1e-5)
    assert deep.sample(3, seed=0).shape == (3, 4)
    assert deep.code_prior.num_variables == 5


def test_under_xla_the_nats_of_a_refused_observation_are_nan():
    model = small_models.make(code_prior=IndependentPrior)
    x = small_models.data().numpy()
    x[1] = 255.0
    compiled = tf.function(
        lambda x: model.objective(x, SEED, True).terms["prior_nats"],
        jit_compile=True,
        autograph=False,
    )
    np.testing.assert_array_equal(np.isnan(compiled(x)), np.arange(6) == 1)


def test_an_encoder_that_differs_in_training_gives_its_codes_at_inference():
    model = make(centering=True)
    x = small_models.data()
    terms = model.objective(x, seeds.base(0), training=True)
    assert terms.encoded is None
    # The mean that is subtracted at inference is the one that the step has moved.
    nats = -model.code_prior.log_prob(model.encode(x))
    np.testing.assert_allclose(terms.terms["prior_nats"], nats, rtol=1e-5)


@keras.saving.register_keras_serializable("tests.code_prior")
class Constant:
    """A prior of one's own, no Keras layer: all probability on one code."""

    def __init__(self, num_variables, num_categories):
        self.num_variables, self.num_categories = num_variables, num_categories

    def log_prob(self, codes, training=False):
        return tf.where(tf.reduce_all(codes == 0, axis=1), 0.0, -9.0)

    def sample(self, num_samples, seed):
        return tf.zeros([num_samples, self.num_variables], tf.int32)

    def get_config(self):
        return {"num_variables": self.num_variables, "num_categories": self.num_categories}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable("tests.code_prior")
class Bias(keras.layers.Layer):
    """A prior of one's own whose weight is made in `build`."""

    num_variables, num_categories = 2, 3

    def build(self, input_shape):
        self.bias = self.add_weight(shape=())

    def log_prob(self, codes, training=False):
        return self.bias * tf.cast(codes[:, 0], tf.float32)

    def sample(self, num_samples, seed):
        return tf.zeros([num_samples, 2], tf.int64)


@pytest.mark.parametrize("prior", [Constant, Bias()], ids=["object", "layer"])
def test_a_prior_of_ones_own(prior):
    model = small_models.make(code_prior=prior)
    x = small_models.data()
    assert set(np.unique(model.sample_codes(4, 0))) == {0}
    assert model.sample_codes(4, 0).dtype == tf.int32
    nats = model.objective(x, SEED, training=True).terms["prior_nats"]
    np.testing.assert_allclose(nats, -model.code_prior.log_prob(model.encode(x)))
    again = type(model).from_config(model.get_config())
    assert type(again.code_prior) is type(model.code_prior)
    assert again.get_config() == model.get_config()


class Unregistered(Constant):
    """Cannot be read back from a file."""


@pytest.mark.parametrize(
    "code_prior,message",
    [
        (AutoregressivePrior(3, 3, units=2), r"num_categories=\(3, 3\), model with \(2, 3\)"),
        ("lstm", "code_prior must be a prior of codes, with num_variables.*'lstm'"),
        (keras.layers.Dense(3), "code_prior must be a prior of codes"),
        (lambda n, k: None, "code_prior must be a prior of codes.*code_prior=None"),
        (int, "must make a prior of num_variables and num_categories.*class 'int'"),
        ({"class_name": "x", "config": {}}, "code_prior must be the config of an object"),
        ({}, "code_prior must be a prior of codes"),
        (Unregistered, "code_prior must be made of classes.*Unregistered"),
    ],
    ids=["sizes", "name", "layer", "function", "class", "config", "empty", "unregistered"],
)
def test_what_is_no_prior_of_the_codes_is_refused(code_prior, message):
    with pytest.raises(ValueError, match=message):
        small_models.make(code_prior=code_prior)


def test_layers_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match=r"once for all layers.*per_variable=\(2, 2, 3\)"):
        CategoricalVAE((4,), num_variables=(2, 1), num_categories=(2, 3), code_prior=lstm)
