"""Structured prediction: its predictions, its parts, its files, and what it refuses."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.structured_models import data, log_p, make
from tf_discrete import codes, estimators, evaluation, schedules
from tf_discrete.models import AutoregressivePrior, StructuredPrediction


def test_the_default_completion_follows_the_most_probable_choices():
    model, x = make(), data()
    first = tf.argmax(model.chain.logits(0, x[:, :3]), axis=-1)
    one_hot = tf.one_hot(first, 3)
    second = tf.one_hot(tf.argmax(model.chain.logits(1, one_hot), axis=-1), 3)
    expected = tf.sigmoid(model.parameters(second))
    np.testing.assert_allclose(model.complete(x)[:, 3:], expected, rtol=1e-6)
    np.testing.assert_array_equal(model.encode(x)[:, :2], first)
    np.testing.assert_allclose(model.predict(x, verbose=0), model.complete(x), rtol=1e-6)
    assert model.encode_probs(x).shape == [4, 3, 3]


def test_its_codes_have_a_prior():
    model, x = make(), data(20)
    found = codes.encode_batches(model, [x[:12], x[12:]])
    np.testing.assert_array_equal(found, model.encode(x))
    prior = AutoregressivePrior.for_model(model, chunk_size=1, units=8, embedding_units=4)
    assert (prior.num_variables, prior.num_categories) == (3, 3)
    prior.compile(optimizer=keras.optimizers.Adam(0.1))
    prior.optimizer.build(prior.trainable_variables)
    before = prior.bits_per_item(found)
    prior.fit(found, epochs=15, batch_size=20, verbose=0)
    assert prior.bits_per_item(found) < 0.8 * before


def test_what_is_to_be_predicted_is_not_read():
    model, x = make(), data()
    other = tf.concat([x[:, :3], 1.0 - x[:, 3:]], axis=1)
    np.testing.assert_array_equal(model.complete(x), model.complete(other))
    np.testing.assert_array_equal(model.sample(x, 3), model.sample(other, 3))
    assert np.abs(model.log_likelihood(x) - model.log_likelihood(other)).max() > 0.1


def test_the_upper_half_of_an_image_predicts_the_lower():
    model = StructuredPrediction((4, 3, 1), num_variables=2, num_categories=3)
    x = data(shape=(4, 3, 1))
    inputs, outputs = model.parts.split(x)
    np.testing.assert_array_equal(tf.reshape(inputs, [4, 2, 3, 1]), x[:, :2])
    np.testing.assert_array_equal(tf.reshape(outputs, [4, 2, 3, 1]), x[:, 2:])
    np.testing.assert_array_equal(model.complete(x)[:, :2], x[:, :2])


def test_a_mask_says_what_is_given():
    mask = np.array([True, False, False, True, False, True])
    model, x = make(mask=mask), data()
    completed = model.complete(x).numpy()
    np.testing.assert_array_equal(completed[:, mask], x.numpy()[:, mask])
    assert not np.isin(completed[:, ~mask], [0, 1]).any()


def test_two_arrays_are_fitted_and_scored():
    model = make(data_shape=(2, 2), output_shape=(3,), estimator="vimco", centering=True)
    x, y = data(8, (2, 2)), data(8, (3,))
    model.compile(optimizer="sgd", run_eagerly=True)
    logs = model.fit(x, y, validation_data=(x, y), epochs=1, verbose=0).history
    assert np.isfinite([logs["loss"], logs["val_hard_elbo_nats"]]).all()
    assert model.complete(x).shape == [8, 3] and model.sample(x, 2).shape == [2, 8, 3]
    np.testing.assert_allclose(
        model.log_likelihood((x, y), 5000, chunk=5000), log_p(model, (x, y)), atol=0.2
    )
    bound = evaluation.evaluate_bound(model, [(x, y)], 10)
    assert bound.num_examples == 8
    assert model.predict(x, verbose=0).shape == (8, 3)


def test_each_layer_has_its_own_estimator_and_temperature():
    annealed = schedules.Linear(1.0, 0.5, steps=1)
    model = make(temperature=(annealed, 0.3), monitor_every=1)
    assert model.chain.estimators[0] is not model.chain.estimators[1]
    model.compile(optimizer="sgd")
    for _ in range(2):
        logs = model.train_step(data())
    assert float(logs["temperature"]) == 0.5
    assert float(logs["temperature_2"]) == pytest.approx(0.3)
    mixed = make(estimator=["score_function", "gumbel_softmax"])
    assert mixed.num_samples == 2
    own = estimators.get("nvil")
    shared = make(estimator=own)
    assert shared.chain.estimators[0] is own and type(shared.chain.estimators[1]) is type(own)
    assert shared.chain.estimators[1] is not own


@pytest.mark.parametrize(
    "changes",
    [
        {"estimator": "nvil", "objective": "multi_sample", "num_samples": 3},
        {"estimator": "rebar", "latents": "bernoulli", "centering": True},
        {"mask": [True, False, True, False, True, True], "temperature": (0.5, 0.7)},
    ],
    ids=["nvil", "rebar", "mask"],
)
def test_files_keep_everything(changes, tmp_path):
    changes = dict(changes)
    model = make(changes.pop("latents", "categorical"), monitor_every=1, **changes)
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    model.optimizer.build(model.trainable_variables)
    model.train_step(data())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    assert len(loaded.weights) == len(model.weights)
    for ours, theirs in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(loaded.log_likelihood(data(), 7), model.log_likelihood(data(), 7))


@pytest.mark.slow
def test_training_under_xla_and_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = make(estimator="vimco", objective="multi_sample", num_samples=3)
        model.compile(optimizer="adam", jit_compile=True)
        logs = model.train_on_batch(data(), return_dict=True)
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite(list(logs.values())).all()
    assert model.log_likelihood(data()).dtype == tf.float32


@pytest.mark.slow
def test_training_learns_the_other_half():
    x = np.random.RandomState(0).randint(2, size=[200, 3]).astype(np.float32)
    x = np.concatenate([x, 1 - x], axis=1)
    keras.utils.set_random_seed(0)
    model = StructuredPrediction(
        (6,), num_variables=6, num_categories=2, estimator="straight_through_gumbel_softmax"
    )
    model.compile(optimizer=keras.optimizers.Adam(0.1))
    before = float(tf.reduce_mean(model.log_likelihood(x, 10)))
    model.fit(x, batch_size=20, epochs=20, verbose=0)
    after = float(tf.reduce_mean(model.log_likelihood(x, 10)))
    assert before < -1.5 and after > -0.2
    assert np.abs(model.complete(x)[:, 3:] - x[:, 3:]).mean() < 0.2


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"data_shape": (5,)}, "two halves along its first axis.*even.*data_shape=.5,"),
        ({"mask": np.ones([3], bool)}, r"mask must be bool.*\(6,\).*mask of shape \(3,\)"),
        ({"mask": np.ones([6])}, "mask must be bool.*dtype float64"),
        ({"mask": [[True], [True, False]]}, r"mask must be bool.*\(6,\).*dtype object"),
        ({"data_shape": (0, 8)}, r"data_shape must be.*>= 1.*data_shape=\(0, 8\)"),
        ({"output_shape": (0,)}, r"output_shape must be.*>= 1.*output_shape=\(0,\)"),
        ({"mask": np.ones([6], bool)}, "something to be predicted.*6 of 6 true"),
        ({"mask": np.ones([6], bool), "output_shape": (3,)}, "Give one of the two.*output_shape="),
        ({"num_samples": 0}, "num_samples must be at least 1. Received: num_samples=0"),
        ({"num_samples": 2.5}, "num_samples must be an integer >= 1. Received: num_samples=2.5"),
        ({"num_samples": -2}, "num_samples must be at least 1. Received: num_samples=-2"),
        ({"temperature": (0.5,)}, "temperature must be one for all.*of the 2.*temperature=.0.5,"),
        ({"num_variables": (2, 2, 2)}, "num_variables must be one for all.*of the 2"),
        ({"estimator": ["nvil"]}, "estimator must be one for all layers"),
        ({"num_layers": 0}, "num_layers must be at least 1. Received: num_layers=0"),
        ({"objective": "elbo"}, "objective must be one of single_sample, multi_sample"),
        ({"code_values": "one_two"}, "code_values must be one of zero_one, plus_minus"),
        (
            {"estimator": "score_function", "num_samples": 1},
            "Layer 1 of 2: ScoreFunction needs at least 2 samples",
        ),
        (
            {"estimator": ["gumbel_softmax", "rebar"], "objective": "multi_sample"},
            "Layer 2 of 2: REBAR takes the reductions mean.*such as vimco.*Received: reduce=log_mean_exp",
        ),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"shape \(6,\) that the model was made for.*\(4, 5\)"):
        make().complete(data(shape=(5,)))
    model = make(data_shape=(3,), output_shape=(2,))
    with pytest.raises(ValueError, match=r"learns from two arrays. Give \(x, y\).*Received: "):
        model.log_likelihood(data(shape=(3,)))
    with pytest.raises(ValueError, match=r"as many examples. Received: len\(x\)=4, len\(y\)=3"):
        model.log_likelihood((data(shape=(3,)), data(shape=(2,))[:3]))
    model.compile(optimizer="sgd", run_eagerly=True)
    with pytest.raises(ValueError, match="learns from two arrays"):
        model.fit(data(shape=(3,)), verbose=0)


def test_completions_of_no_draws_have_no_mean():
    with pytest.raises(ValueError, match="num_samples must be at least 1. Received: num_samples=0"):
        make().complete(data(), 0)
    with pytest.raises(
        ValueError, match="num_samples must be at least 0. Received: num_samples=-1"
    ):
        make().sample(data(), -1)
    assert make().sample(data(), 0).shape == (0, *data().shape)
