import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import callbacks, evaluation, layers, losses, models

X = np.random.default_rng(0).integers(0, 2, [40, 6]).astype("float32")


def _vae():
    model = models.CategoricalVAE([6], num_variables=3, num_categories=4, hidden_units=[8])
    model.compile("sgd", run_eagerly=True)
    return model


def _functional():
    model = keras.Sequential(
        [
            keras.Input([6]),
            layers.LatentHead(3, 2, latents="bernoulli"),
            layers.GumbelSoftmax(latents="bernoulli", kl_weight=0.1, name="z"),
            keras.layers.Dense(6),
        ]
    )
    model.compile("sgd", loss=losses.NegativeLogLikelihood(), run_eagerly=True)
    return model


def _by_hand(model):
    if isinstance(model, models.CategoricalVAE):
        codes, probs, categories = model.encode(X), model.encode_probs(X), 4
    else:
        probs = tf.sigmoid(model.layers[0](X))
        codes, categories = tf.cast(probs > 0.5, tf.int32), 2
    usage = evaluation.CodeUsage(3, categories)
    usage.update(codes.numpy(), probs.numpy())
    return usage.result()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("make", [_vae, _functional])
@pytest.mark.parametrize("as_dataset", [False, True])
def test_logs_what_the_codes_of_the_data_are_used_for(make, as_dataset):
    model = make()
    data = tf.data.Dataset.from_tensor_slices((X, X)).batch(16) if as_dataset else X
    callback = callbacks.CodeUsageCallback(data, batch_size=16)
    assert callback.usage is None
    history = model.fit(X, X, epochs=2, verbose=0, callbacks=[callback]).history
    expected = _by_hand(model)
    np.testing.assert_array_equal(callback.usage.counts, expected.counts)
    logged = {name: values[-1] for name, values in history.items() if name.startswith("usage/")}
    assert logged == {
        "usage/perplexity": pytest.approx(expected.perplexity.mean()),
        "usage/perplexity_min": pytest.approx(expected.perplexity.min()),
        "usage/active_units": expected.active_units,
        "usage/mutual_information_nats": pytest.approx(
            expected.mutual_information.mean(), rel=1e-5
        ),
    }


def test_looks_every_so_many_epochs():
    model = _functional()
    callback = callbacks.CodeUsageCallback(X, every=2)
    history = model.fit(X, X, epochs=5, verbose=0, callbacks=[callback]).history
    assert len(history["loss"]) == 5 and len(history["usage/perplexity"]) == 2


def test_looking_changes_nothing():
    keras.utils.set_random_seed(0)
    watched = _functional()
    keras.utils.set_random_seed(0)
    alone = _functional()
    options = {"epochs": 2, "verbose": 0, "shuffle": False, "validation_data": (X, X)}
    looking = watched.fit(X, X, callbacks=[callbacks.CodeUsageCallback(X)], **options).history
    blind = alone.fit(X, X, **options).history
    for name in ("loss", "val_loss"):
        assert looking[name] == pytest.approx(blind[name], rel=1e-6)


def test_reads_at_most_so_many_examples():
    callback = callbacks.CodeUsageCallback(X, max_examples=7, batch_size=4)
    callback.set_model(_vae())
    assert callback.measure().num_examples == 7


@pytest.mark.parametrize("name", ["every", "max_examples", "batch_size"])
def test_refuses_sizes_below_one(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1. Received: {name}=0"):
        callbacks.CodeUsageCallback(X, **{name: 0})


def test_refuses_data_without_examples():
    callback = callbacks.CodeUsageCallback(X[:0])
    callback.set_model(_vae())
    with pytest.raises(ValueError, match="at least one example.*data=ndarray without examples"):
        callback.measure()


def test_refuses_a_model_without_discrete_latents_before_training():
    model = keras.Sequential([keras.Input([6]), keras.layers.Dense(6)])
    model.compile("sgd", loss="mse")
    before = model.get_weights()[0]
    with pytest.raises(ValueError, match="holds no stochastic layer"):
        model.fit(X, X, verbose=0, callbacks=[callbacks.CodeUsageCallback(X)])
    np.testing.assert_array_equal(model.get_weights()[0], before)
