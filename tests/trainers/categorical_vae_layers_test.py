"""Several stochastic layers and the multi-sample objectives of the VAE's trainer."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainers import small_runs
from tf_discrete.models import CategoricalVAE
from trainers.common import compiling, data, references
from trainers.common.stored_config import load
from trainers.flags.config import check, to_json
from trainers.tasks import categorical_vae

DEEP = {
    "num_layers": 2,
    "hidden_units": (),
    "code_values": "plus_minus",
    "centering": True,
    "weight_decay": 1e-3,
    "estimator": "vimco",
    "objective": "importance_weighted",
    "num_samples": 3,
    "epochs": 2,
    "learning_rate": 0.01,
    "max_examples": 150,
    "pictures_every": 0,
    "kl_warmup_steps": 0,
}


@pytest.mark.slow
def test_a_deep_run_from_the_flags_to_the_files(tmp_path):
    categorical_vae.run(small_runs.config(tmp_path / "run", **DEEP))
    rows = small_runs.rows(tmp_path / "run")
    assert rows[0]["train/multi_sample_bound_nats"] > rows[0]["train/elbo_nats"]
    assert rows[1]["validation/hard_elbo_nats"] > rows[0]["validation/hard_elbo_nats"]
    result = json.loads((tmp_path / "run/metrics.json").read_text())
    assert result["test/bound_nats"] > result["test/hard_elbo_nats"]
    loaded = keras.saving.load_model(tmp_path / "run/model.keras", compile=False)
    assert isinstance(loaded, CategoricalVAE) and loaded.num_layers == 2
    served = tf.saved_model.load(str(tmp_path / "run/saved_model"))
    images = tf.random.stateless_uniform([3, 8, 8, 1], [0, 1])
    codes = served.signatures["encode"](image=images)["codes"]
    np.testing.assert_array_equal(codes, loaded.encode(images))
    assert codes.shape == [3, 8]
    for name in ("reconstructions", "samples", "codes", "traversal", "curves"):
        assert (tmp_path / "run" / f"{name}.png").exists()


def test_flags_take_a_value_for_each_layer(tmp_path):
    split = data.load_split(small_runs.config(tmp_path), "train")
    per_layer = {
        "num_variables": (3, 2),
        "num_categories": (3, 4),
        "estimator": ("gumbel_softmax", "straight_through"),
        "temperature": (0.7, 0.4),
        "temperature_schedule": "constant",
    }
    settings = small_runs.config(tmp_path, **per_layer)
    check(settings)
    model = categorical_vae.build_model(settings, split, 10)
    assert [spec.num_variables for spec in model.chain.latents.specs] == [3, 2]
    assert [spec.num_categories for spec in model.chain.latents.specs] == [3, 4]
    assert [type(one).__name__ for one in model.estimators] == ["GumbelSoftmax", "StraightThrough"]
    found = [float(one.temperature.value) for one in model.estimators]
    np.testing.assert_allclose(found, [0.7, 0.4], rtol=1e-6)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(to_json(settings)))
    assert load(categorical_vae.Config, path) == settings
    for changes, layers in [
        ({}, 1),
        ({"num_layers": 2}, 2),
        ({"estimator": ("vimco", "nvil")}, 2),
        ({"num_layers": 2, "encoder": "conv"}, 2),
        ({"objective": "doubly_reparameterized", "num_samples": 5}, 1),
    ]:
        settings = small_runs.config(tmp_path, **changes)
        assert categorical_vae.build_model(settings, split, 10).num_layers == layers


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"free_bits": 0.1, "objective": "elbo"}, "Set free_bits=0. Received: .*free_bits=0.1"),
        ({"temperature": (1.0, 0.5, 0.2)}, "one for all layers"),
        ({"num_variables": (4, 3, 2)}, "num_variables must be one for all.*each of the 2"),
        ({"num_variables": (4, 0)}, r"num_variables must be at least 1.*\(4, 0\)"),
        ({"estimator": ()}, "estimator must be one value, or one for each layer"),
        ({"estimator": "gumbel_softmax"}, "weighs discrete samples"),
    ],
)
def test_flags_that_do_not_go_together(changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        categorical_vae.run(small_runs.config(tmp_path / "run", **{**DEEP, **changes}))
    assert not (tmp_path / "run").exists()


def test_weight_decay_shrinks_kernels_only(tmp_path):
    settings = small_runs.config(tmp_path, weight_decay=0.5, learning_rate=0.01)
    split = data.load_split(settings, "train")
    model = categorical_vae.build_model(settings, split, 10)
    compiling.compile_model(model, settings, 10)
    for variable in model.trainable_variables:
        variable.assign(tf.ones_like(variable))
    zeros = [tf.zeros_like(variable) for variable in model.trainable_variables]
    model.optimizer.apply(zeros, model.trainable_variables)
    for variable in model.trainable_variables:
        left = 1 - 0.5 * 0.01 if variable.name == "kernel" else 1.0
        np.testing.assert_allclose(variable, left * np.ones(variable.shape), rtol=1e-6)


@pytest.mark.parametrize("changes", [{}, {"code_values": "plus_minus"}, {"encoder": "conv"}])
def test_the_decoder_may_start_at_the_mean_image(tmp_path, changes):
    flags = {"output_bias": "mean", "binarization": "threshold", **changes}
    settings = small_runs.config(tmp_path, **flags)
    split = data.load_split(settings, "train")
    model = categorical_vae.build_model(settings, split, 1)
    categorical_vae.start(model, settings, {"train": split})
    decoder = model.decoder
    started = np.reshape(tf.sigmoid(decoder(tf.zeros([1, *decoder.input_shape[1:]]))), [8, 8])
    mean = (split.images > 127).mean(axis=0)[..., 0]
    expected = np.clip(mean, 1e-3, 1 - 1e-3)
    if "encoder" in changes:  # One bias for all places: the mean of their logits.
        expected = np.full([8, 8], 1 / (1 + np.exp(-np.mean(np.log(expected / (1 - expected))))))
    np.testing.assert_allclose(started, expected, rtol=1e-4)


@pytest.mark.parametrize("scale", [0.2, 0.0])
def test_gaussian_pixels_start_at_the_mean_image(tmp_path, scale, monkeypatch):
    flags = {"likelihood": "gaussian", "likelihood_scale": scale, "binarization": "none"}
    settings = small_runs.config(tmp_path, **flags)
    split = data.load_split(settings, "train")
    with monkeypatch.context() as patched:  # A run that continues needs no mean image.
        patched.setattr(references, "mean_image", None)
        model = categorical_vae.build_model(settings, split, 1)
    categorical_vae.start(model, settings, {"train": split})
    started = model.likelihood.mean(model.decoder(tf.zeros([1, *model.decoder.input_shape[1:]])))
    expected = (split.images / 255).mean(axis=0)
    np.testing.assert_allclose(np.reshape(started, expected.shape), expected, atol=1e-6)


def test_other_pixels_do_not_start_at_the_mean_image(tmp_path):
    flags = {"output_bias": "mean", "likelihood": "categorical_intensity"}
    settings = small_runs.config(tmp_path, **flags)
    split = data.load_split(settings, "train")
    with pytest.raises(
        ValueError, match="out, or choose --likelihood=bernoulli or gaussian. Received"
    ):
        categorical_vae.build_model(settings, split, 1)
