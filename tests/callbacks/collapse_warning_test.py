import warnings

import numpy as np
import pytest

from tf_discrete import callbacks, models

X = np.random.default_rng(0).integers(0, 2, [64, 6]).astype("float32")


def _vae():
    """Its encoder is one affine map, so a test can say what each of 3 variables knows of x."""
    model = models.CategoricalVAE(
        [6], num_variables=3, num_categories=2, latents="bernoulli", hidden_units=[]
    )
    model.compile("sgd", run_eagerly=True)
    return model


def _connect(model, *variables):
    """Lets the given variables copy a pixel each; the others ignore the data."""
    kernel = np.zeros([6, 3], "float32")
    for variable in variables:
        kernel[variable, variable] = 20.0
    model.encoder.set_weights([kernel, -kernel.sum(axis=0) / 2])


def _epoch_end(callback, epoch):
    logs = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        callback.on_epoch_end(epoch, logs)
    return [str(warning.message) for warning in caught], logs


def _callback(model, **options):
    callback = callbacks.CollapseWarning(X, **options)
    callback.set_model(model)
    callback.on_train_begin()
    return callback


def test_names_the_variables_and_gives_advice():
    model = _vae()
    callback = _callback(model)
    _connect(model, 1)
    (message,), logs = _epoch_end(callback, 4)
    assert "After epoch 5 2 of 3 latent variables have collapsed: 0, 2." in message
    assert "kl_weight=schedules.Linear" in message and "free_bits" in message
    assert logs["usage/collapsed_units"] == 2 and logs["usage/active_units"] == 1


def test_is_silent_while_all_variables_are_active():
    model = _vae()
    callback = _callback(model)
    _connect(model, 0, 1, 2)
    messages, logs = _epoch_end(callback, 0)
    assert messages == [] and logs["usage/collapsed_units"] == 0


def test_warns_of_each_variable_once():
    model = _vae()
    callback = _callback(model)
    _connect(model, 1)
    assert len(_epoch_end(callback, 0)[0]) == 1
    assert _epoch_end(callback, 1)[0] == []
    _connect(model, 1, 2)  # fewer than before: nothing new
    assert _epoch_end(callback, 2)[0] == []
    _connect(model, 2)  # variable 1 has collapsed now
    assert len(_epoch_end(callback, 3)[0]) == 1
    callback.on_train_begin()
    assert len(_epoch_end(callback, 0)[0]) == 1


def test_waits_for_the_epochs_it_is_told_and_looks_as_often():
    model = _vae()
    callback = _callback(model, every=2, begin=3)
    _connect(model)
    assert [len(_epoch_end(callback, epoch)[0]) for epoch in range(4)] == [0, 0, 0, 1]


def test_warns_in_fit():
    same = np.ones([32, 6], "float32")
    with pytest.warns(UserWarning, match="3 of 3 latent variables have collapsed: 0, 1, 2"):
        history = _vae().fit(same, verbose=0, callbacks=[callbacks.CollapseWarning(same)]).history
    assert history["usage/collapsed_units"] == [3]


def test_refuses_a_negative_begin():
    with pytest.raises(ValueError, match="begin must be at least 0. Received: begin=-1"):
        callbacks.CollapseWarning(X, begin=-1)


def test_a_model_without_a_kl_is_not_told_to_weigh_it():
    model = models.StructuredPrediction([6], num_variables=2, num_categories=2)
    model.compile("sgd", run_eagerly=True)
    same = np.ones([8, 6], "float32")
    with pytest.warns(UserWarning, match="about the data. Lower the temperature, train longer"):
        model.fit(same, verbose=0, callbacks=[callbacks.CollapseWarning(same)])
