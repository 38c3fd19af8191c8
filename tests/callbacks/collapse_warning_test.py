import warnings

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import callbacks, models
from tf_discrete.callbacks import collapse_warning
from tf_discrete.evaluation import CodeUsage
from tf_discrete.layers import quantizers

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


def _quantized(*in_use, stack=False):
    """Codebooks at the k-means of 128 vectors, all but the given numbers of codewords moved far away."""
    quantizer = quantizers.VectorQuantizer(32)
    if stack:
        quantizer = quantizers.GroupedQuantizer(quantizer, num_groups=2)
    model = models.QuantizedAutoencoder([6], quantizer, (2, 4), hidden_units=[8])
    model.compile("sgd", run_eagerly=True)
    model.adapt(tf.constant(X))
    parts = model.quantizer.parts if stack else [model.quantizer]
    for part, count in zip(parts, in_use, strict=False):
        codewords = part.codebook.codewords().numpy()
        codewords[count:] += 1e3
        part.codebook.assign(codewords)
    return model


def test_a_healthy_codebook_is_silent():
    messages, logs = _epoch_end(_callback(_quantized()), 0)
    assert messages == [] and logs["usage/used_codes"] > 0.9


def test_a_codebook_of_which_few_codes_are_used_is_told_once():
    callback = _callback(_quantized(4), begin=1)
    assert _epoch_end(callback, 0)[0] == []
    (message,), logs = _epoch_end(callback, 1)
    assert "After epoch 2 1 of 1 codebooks have collapsed." in message
    assert "Codes in use of 32: 4 by codebook 0. Equally common codes would make it 31." in message
    assert "Start the codebook at data by adapt" in message
    assert logs["usage/used_codes"] == 4 / 32 and logs["usage/collapsed_units"] == 0
    assert _epoch_end(callback, 2)[0] == []
    callback.on_train_begin()
    assert len(_epoch_end(callback, 2)[0]) == 1


def test_each_codebook_of_several_is_counted_over_its_positions():
    (message,), logs = _epoch_end(_callback(_quantized(32, 3, stack=True)), 0)
    assert "1 of 2 codebooks have collapsed. Codes in use of 32: 3 by codebook 1." in message
    assert logs["usage/used_codes"] > (0.9 * 32 + 3) / 64


def test_other_models_have_no_codebooks():
    assert "usage/used_codes" not in _epoch_end(_callback(_vae()), 0)[1]


def test_the_expected_use_is_that_of_uniform_codes():
    counted = CodeUsage(num_variables=2, num_categories=8, deterministic=True)
    random = np.random.default_rng(0)
    found = []
    for _ in range(400):
        counted.reset()
        counted.update(random.integers(0, 8, [5, 2]))
        found.append(collapse_warning.codebook_use(counted.result(), 1))
    used = np.concatenate([use.used for use in found])
    error = used.std() / np.sqrt(len(used))
    assert abs(used.mean() - found[0].expected) < 4 * error
    assert found[0].expected == pytest.approx(8 * (1 - (7 / 8) ** 10))
