"""Estimators and layers of the same name: the wrong one says which is right."""

from __future__ import annotations

import keras
import pytest
import tensorflow as tf

from tf_discrete import estimators, layers, models
from tf_discrete.estimators import base

LOGITS = tf.zeros([2, 3, 4])
CALLS = {
    "tensor": lambda estimator: estimator(LOGITS),
    "symbolic": lambda estimator: estimator(keras.Input([3, 4])),
    "sequential": lambda estimator: keras.Sequential([keras.Input([3, 4]), estimator]),
    "call": lambda estimator: estimator.call(LOGITS),
}


def test_the_names_are_those_that_are_both():
    assert set(base.LAYERS) == set(estimators.__all__) & set(layers.__all__)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", base.LAYERS)
def test_an_estimator_that_is_called_names_its_layer(name, call):
    made = getattr(estimators, name)(latents="bernoulli")
    with pytest.raises(TypeError, match=rf"Use the layer tf_discrete.layers.{name}\(.*Received: "):
        CALLS[call](made)


@pytest.mark.parametrize("name", estimators.names())
def test_every_estimator_says_who_takes_it(name):
    cls = estimators.get_class(name)
    made = cls(latents=cls.spec.supports[0])
    if cls.__name__ in base.LAYERS:
        remedy = f"tf_discrete.layers.{cls.__name__}"
    elif cls.family == "score":
        remedy = f"CategoricalVAE.estimator='{name}'"
    else:
        remedy = f"StochasticLayer.estimator='{name}'"
    with pytest.raises(TypeError, match=f"is not called. .*{remedy}.*Received: no inputs"):
        made()


def test_an_estimator_without_a_name_of_its_own_is_given_as_an_object():
    class Mine(estimators.StraightThrough):
        pass

    with pytest.raises(TypeError, match=r"StochasticLayer\(estimator=Mine\(\.\.\.\)\)"):
        Mine()(LOGITS)


TAKERS = {
    "layer": lambda one: layers.StochasticLayer(one, latents="bernoulli"),
    "get": estimators.get,
    "vae": lambda one: models.CategoricalVAE((4,), estimator=one),
    "one of several": lambda one: models.CategoricalVAE(
        (4,), num_layers=2, estimator=["reinmax", one], hidden_units=()
    ),
    "prediction": lambda one: models.StructuredPrediction((4,), estimator=one),
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("name", base.LAYERS)
def test_a_layer_in_the_place_of_an_estimator_is_refused(name, taker):
    message = (
        rf"estimator must be an estimator, and {name} is a layer. "
        rf"Give '\w+' or tf_discrete.estimators.{name}\(.*Received: estimator="
    )
    for given in (getattr(layers, name)(), getattr(layers, name)):
        with pytest.raises(TypeError, match=message):
            TAKERS[taker](given)


def test_another_layer_is_refused_too():
    with pytest.raises(
        TypeError, match=r"Dense is a layer. Give one of tf_discrete.estimators.nam"
    ):
        layers.StochasticLayer(keras.layers.Dense(3))
