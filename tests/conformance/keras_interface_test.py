"""Every public model and layer as a part of Keras: shapes, functional use, clones, summaries.

The list is that of `models.__all__` and `layers.__all__`; sizes are given to the constructors that take
them. Only what takes other inputs than its `data_shape`, or a layer's logits, has an entry in `OTHERS`.
"""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import layers, models, seeds

SIZES = {
    "data_shape": (4, 2),
    "num_variables": 2,
    "num_categories": 3,
    "num_bits": 3,
    "num_actions": 3,
    "num_classes": 3,
    "style_size": 2,
    "hidden_units": (5,),
}
LOGITS = (4, 3)


def head_of_image_and_class():
    image, y = keras.Input([3]), keras.Input([2])
    head = keras.layers.Dense(4)(keras.layers.concatenate([image, y]))
    return {"head": keras.Model([image, y], head)}


# What a class is made of besides `SIZES`, and its inputs: shape and dtype of each.
OTHERS = {
    "AutoregressivePrior": (dict, [((2,), "int32")]),
    "AutoregressiveTree": (lambda: {"branching": (2, 2)}, [((4,), "float32")]),
    "IndependentPrior": (dict, [((2,), "int32")]),
    "ConditionalNetwork": (head_of_image_and_class, [((3,), "float32"), ((2,), "float32")]),
}
CLASSES = {
    name: thing
    for module in (models, layers)
    for name in module.__all__
    if isinstance(thing := getattr(module, name), type)
    and issubclass(thing, keras.layers.Layer)
    and thing is not models.DiscreteModel
}
every_class = pytest.mark.parametrize("name", CLASSES)


def sizes_of(cls):
    if issubclass(cls, layers.StochasticLayer):
        return {}
    return {key: SIZES[key] for key in inspect.signature(cls).parameters if key in SIZES}


def make(name, **options):
    more, specs = OTHERS.get(name, (dict, None))
    made = CLASSES[name](**sizes_of(CLASSES[name]), **more(), **options)
    shape = getattr(made, "data_shape", None)
    if shape is None:
        shape = made.parts.data_shape if hasattr(made, "parts") else LOGITS
    return made, specs or [(shape, "float32")]


def values(specs, batch=3):
    drawn = [tf.random.stateless_uniform([batch, *shape], [0, 1]) for shape, _ in specs]
    return [
        tf.cast(x > 0.4, dtype) if len(drawn) == 1 else tf.cast(x, dtype)
        for x, (_, dtype) in zip(drawn, specs, strict=True)
    ]


@pytest.mark.one_in(3)
@every_class
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_shape_and_dtype_are_known_without_a_run(name, policy):
    keras.config.set_dtype_policy(policy)
    try:
        made, specs = make(name)
    finally:
        keras.config.set_dtype_policy("float32")
    result = made(*values(specs))
    shapes = [(None, *shape) for shape, _ in specs]
    assert tuple(made.compute_output_shape(*shapes))[1:] == tuple(result.shape[1:])
    assert made.compute_output_shape(*shapes)[0] is None
    symbolic = made.compute_output_spec(*(keras.KerasTensor((None, *s), d) for s, d in specs))
    assert tuple(symbolic.shape) == tuple(made.compute_output_shape(*shapes))
    assert symbolic.dtype == result.dtype.name


@pytest.mark.one_in(3)
@every_class
def test_functional_use_clones_and_summary(name):
    made, specs = make(name)
    inputs = [keras.Input(shape, dtype=dtype) for shape, dtype in specs]
    outside = keras.Model(inputs, made(*inputs))
    x = values(specs)
    expected = made(*x)
    np.testing.assert_array_equal(outside(x), expected)

    clone = keras.models.clone_model(outside)
    inner = clone.layers[-1]
    assert type(inner) is type(made) and inner is not made
    assert inner.get_config() == made.get_config()
    clone.set_weights(outside.get_weights())
    np.testing.assert_allclose(clone(x), expected, rtol=1e-6)

    if isinstance(made, keras.Model):
        alone = keras.models.clone_model(made)
        alone.set_weights(made.get_weights())
        np.testing.assert_allclose(alone(*x), expected, rtol=1e-6)
        lines = []
        made.summary(print_fn=lambda line, **options: lines.append(line))
        assert "Output Shape" in lines[0] and " ? " not in lines[0], lines[0]


@pytest.mark.one_in(3)
@every_class
def test_a_clone_has_the_seed_of_its_original_or_one_of_its_own(name):
    made, specs = make(name)
    if "seed" not in made.get_config():
        assert seeds.clone_with_new_seed(made).get_config() == made.get_config()
        return
    inputs = [keras.Input(shape, dtype=dtype) for shape, dtype in specs]
    outside = keras.Model(inputs, made(*inputs))
    same = keras.models.clone_model(outside)
    other = keras.models.clone_model(outside, clone_function=seeds.clone_with_new_seed)
    assert same.layers[-1].seed == made.seed != other.layers[-1].seed
    assert seeds.clone_with_new_seed(made, seed=7).seed == 7
    if isinstance(made, layers.StochasticLayer):
        x = [tf.zeros([50, *LOGITS])]
        drawn = [model(x, training=True) for model in (outside, same, other)]
        np.testing.assert_array_equal(drawn[0], drawn[1])
        assert np.any(drawn[0] != drawn[2])


def test_a_model_refuses_inputs_of_another_shape_before_it_runs():
    made, _ = make("CategoricalVAE")
    with pytest.raises(ValueError, match=r"\(5, 2\)|5"):
        made(keras.Input([5, 2]))
