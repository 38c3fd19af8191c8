"""The arguments of the semi-supervised VAE that are refused."""

from __future__ import annotations

import keras
import pytest

from tests.models import semi_supervised_models as small
from tf_discrete.models import (
    Augmentation,
    Regularization,
    SemiSupervisedVAE,
)

REFUSED = {
    "classes": ({"num_classes": 1}, "num_classes must be at least 2. Received: num_classes=1"),
    "classes in int32": (
        {"num_classes": 2**31},
        "num_classes must be at most 2147483647. Received",
    ),
    "style": ({"style_size": 0}, "style_size must be at least 1. Received: style_size=0"),
    "estimator": ({"estimator": "reinmx"}, "Did you mean 'reinmax'.*Received: estimator='reinmx'"),
    "kind": ({"estimator": "arm"}, "supports bernoulli latents only"),
    "alpha": ({"alpha": -1.0}, "alpha must not be negative at any step.*Received: alpha=-1.0"),
    "regularization": (
        {"regularization": "strong"},
        "regularization must be a Regularization, its config or None. Received: .*'strong'",
    ),
    "normalization": (
        {"normalization": "group"},
        "normalization must be one of none, batch. Received: normalization='group'",
    ),
    "samples": ({"num_samples": 0}, "num_samples must be at least 1. Received: num_samples=0"),
    "shift": (
        {"regularization": Regularization(augmentation=Augmentation(shift=1))},
        r"Only images .* can be shifted, rotated or zoomed. Set shift=0. Received: shift=1",
    ),
    "turn": (
        {"regularization": Regularization(augmentation=Augmentation(rotation=10.0))},
        r"Set rotation=0. Received: rotation=10.0, feature_shape=",
    ),
    "own": (
        {"classifier": keras.Sequential([keras.Input([4]), keras.layers.Dense(3)])},
        "With a classifier of your own give a style_encoder too.*Received: style_encoder=None",
    ),
    "hidden": ({"hidden_units": ()}, r"at least one hidden layer. Received: hidden_units=\(\)"),
    "encoder": (
        {"style_encoder": max},
        "style_encoder must be one of conv, conv_grid, mlp, or a Keras model",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    changes, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        small.make(**changes)


def test_names_of_networks_in_messages_are_those_of_the_arguments():
    image = keras.Sequential([keras.Input([4]), keras.layers.Dense(4)])
    for changes, message in (
        ({"classifier": "nope"}, "classifier must be one of.*Received: classifier='nope'"),
        ({"style_encoder": "nope"}, "style_encoder must be one of.*Received: style_encoder='nope'"),
        (
            {"classifier": image, "style_encoder": "mlp", "decoder": "mlp"},
            "classifier must give 3 values",
        ),
        (
            {"style_encoder": image},
            "two inputs, .image, class.*Received: style_encoder with 1 input",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            small.make(**changes)


def test_a_style_encoder_of_a_wrong_size_is_refused():
    image, y = keras.Input([4]), keras.Input([3])
    head = keras.Model([image, y], keras.layers.Dense(5)(keras.layers.concatenate([image, y])))
    with pytest.raises(ValueError, match="must give 4 values for each pair.*Received: output"):
        small.make(style_encoder=head)


def test_an_activation_that_cannot_be_saved_is_refused_by_its_name():
    with pytest.raises(ValueError, match="activation must be made of.*Received: activation with"):
        SemiSupervisedVAE((2, 2, 1), num_classes=2, activation=lambda x: x)
