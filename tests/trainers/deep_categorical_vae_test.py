"""The deep variants and the multi-sample objectives of the VAE's trainer."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainers import small_runs
from tf_discrete.models import CategoricalVAE, DeepCategoricalVAE
from trainers import categorical_vae, compiling, data

DEEP = {
    "num_layers": 2,
    "hidden_units": (),
    "units": "plus_minus",
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


def test_a_deep_run_from_the_flags_to_the_files(tmp_path):
    categorical_vae.run(small_runs.config(tmp_path / "run", **DEEP))
    rows = small_runs.rows(tmp_path / "run")
    assert rows[0]["train/multi_sample_bound_nats"] > rows[0]["train/elbo_nats"]
    assert rows[1]["validation/hard_elbo_nats"] > rows[0]["validation/hard_elbo_nats"]
    result = json.loads((tmp_path / "run/metrics.json").read_text())
    assert result["test/bound_nats"] > result["test/hard_elbo_nats"]
    loaded = keras.saving.load_model(tmp_path / "run/model.keras", compile=False)
    assert isinstance(loaded, DeepCategoricalVAE)
    served = tf.saved_model.load(str(tmp_path / "run/saved_model"))
    images = tf.random.stateless_uniform([3, 8, 8, 1], [0, 1])
    codes = served.signatures["encode"](image=images)["codes"]
    np.testing.assert_array_equal(codes, loaded.encode(images))
    assert codes.shape == [3, 8]
    for name in ("reconstructions", "samples", "codes", "traversal", "curves"):
        assert (tmp_path / "run" / f"{name}.png").exists()


def test_the_flags_choose_the_model(tmp_path):
    split = data.load_split(small_runs.config(tmp_path), "train")
    for changes, expected in [
        ({}, CategoricalVAE),
        ({"num_layers": 2}, DeepCategoricalVAE),
        ({"centering": True}, DeepCategoricalVAE),
        ({"units": "plus_minus"}, DeepCategoricalVAE),
        ({"objective": "doubly_reparameterized", "num_samples": 5}, CategoricalVAE),
    ]:
        settings = small_runs.config(tmp_path, **changes)
        assert type(categorical_vae.build_model(settings, split, 10)) is expected


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"encoder": "conv"}, "Leave --encoder out. Received: encoder='conv'"),
        ({"free_bits": 0.1}, "Leave --free_bits out. Received: free_bits=0.1"),
        ({"estimator": "gumbel_softmax"}, "weighs hard draws"),
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


@pytest.mark.parametrize("changes", [{}, {"units": "plus_minus"}, {"encoder": "conv"}])
def test_the_decoder_may_start_at_the_mean_image(tmp_path, changes):
    flags = {"output_bias": "mean", "binarization": "threshold", **changes}
    settings = small_runs.config(tmp_path, **flags)
    split = data.load_split(settings, "train")
    model = categorical_vae.build_model(settings, split, 1)
    decoder = (
        model.generative_chain.maps[0] if isinstance(model, DeepCategoricalVAE) else model.decoder
    )
    started = np.reshape(tf.sigmoid(decoder(tf.zeros([1, *decoder.input_shape[1:]]))), [8, 8])
    mean = (split.images > 127).mean(axis=0)[..., 0]
    expected = np.clip(mean, 1e-3, 1 - 1e-3)
    if "encoder" in changes:  # One bias for all places: the mean of their logits.
        expected = np.full([8, 8], 1 / (1 + np.exp(-np.mean(np.log(expected / (1 - expected))))))
    np.testing.assert_allclose(started, expected, rtol=1e-4)


def test_only_logits_start_at_the_mean_image(tmp_path):
    settings = small_runs.config(tmp_path, output_bias="mean", likelihood="gaussian")
    split = data.load_split(settings, "train")
    with pytest.raises(ValueError, match="Leave --output_bias out. Received: output_bias='mean'"):
        categorical_vae.build_model(settings, split, 1)
