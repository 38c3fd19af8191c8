"""Every public layer against what is asked of all layers. A new one is an entry of `CASES`."""

import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import estimators, layers, schedules

ANNEALED = schedules.Linear(1.0, 0.5, steps=10)
# Name of the layer, its options, the shape of an input without the batch.
CASES = {
    "CodeEmbedding": ("CodeEmbedding", {}, (4, 10)),
    "CodeEmbedding-tree": (
        "CodeEmbedding",
        {"num_categories": 24, "latents": "tree:2,3,4", "width": 5, "mode": "digit_sum"},
        (2, 6, 4),
    ),
    "GumbelGateLSTM": ("GumbelGateLSTM", {}, (4, 3)),
    "LatentHead": ("LatentHead", {}, (6,)),
    "LatentHead-bernoulli": (
        "LatentHead",
        {"num_variables": 3, "num_categories": 2, "latents": "bernoulli"},
        (5, 6),
    ),
    "GumbelSoftmax": ("GumbelSoftmax", {}, (4, 3)),
    "GumbelSoftmax-hard": (
        "GumbelSoftmax",
        {"hard": True, "temperature": ANNEALED, "latents": "bernoulli"},
        (4,),
    ),
    "SemanticHashing": ("SemanticHashing", {}, (4,)),
    "SemanticHashing-flips": (
        "SemanticHashing",
        {"noise_stddev": 0.5, "flip_probability": 0.1, "inference": "draw"},
        (2, 4),
    ),
    "StraightThrough": ("StraightThrough", {}, (4, 3)),
    "StraightThrough-draw": ("StraightThrough", {"inference": "draw", "seed": 5}, (2, 4, 3)),
    "StochasticLayer": ("StochasticLayer", {}, (4, 3)),
    "StochasticLayer-mean": ("StochasticLayer", {"inference": "mean"}, (4, 3)),
    "StochasticLayer-kl": (
        "StochasticLayer",
        {"estimator": "reinmax", "kl_weight": ANNEALED, "prior": "learned"},
        (5, 4, 3),
    ),
}
DETERMINISTIC = ("CodeEmbedding", "GumbelGateLSTM", "LatentHead")
"""Layers without draws, or whose inputs are no logits: their own tests say what they draw."""
RECURRENT = ("GumbelGateLSTM",)
"""Layers that read a mask of time steps."""
OF_ESTIMATORS = {
    f"StochasticLayer-{name}": (
        "StochasticLayer",
        {"estimator": name, "latents": estimators.get_class(name).spec.supports[0]},
        (4, 3),
    )
    for name in estimators.names(family="pathwise")
}
OWN = tuple(CASES)
"""Those that differ in what the layers do, and not in the estimator alone."""
CASES |= OF_ESTIMATORS
every_case = pytest.mark.parametrize("case", CASES)
stochastic_cases = pytest.mark.parametrize(
    "case", [case for case, (name, _, _) in CASES.items() if name not in DETERMINISTIC]
)


def make(case, **options):
    name, own, shape = CASES[case]
    return getattr(layers, name)(**own, **options), shape


def inputs(shape, batch=3):
    return tf.random.stateless_normal([batch, *shape], [0, 1])


def draws_at_inference(case):
    return CASES[case][1].get("inference") == "draw"


def model_of(case):
    layer, shape = make(case, name="layer")
    return keras.Sequential([keras.layers.Input(shape), layer, keras.layers.Flatten()])


def test_the_table_holds_every_public_layer_by_default_too():
    public = {name for name in layers.__all__ if isinstance(getattr(layers, name), type)}
    assert {name for name, _, _ in CASES.values()} == public
    assert {name for name, options, _ in CASES.values() if not options} == public


@every_case
def test_config_round_trip(case):
    layer, shape = make(case)
    layer(inputs(shape))
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(layer)
    assert keras.saving.serialize_keras_object(again) == config
    assert [tuple(w.shape) for w in again.weights] == [tuple(w.shape) for w in layer.weights]


@every_case
def test_symbolic_shape_and_dtype_are_those_of_the_result(case):
    layer, shape = make(case)
    symbolic = layer(keras.Input(shape))
    result = layer(inputs(shape))
    assert symbolic.shape[0] is None and symbolic.shape[1:] == tuple(result.shape[1:])
    assert symbolic.dtype == result.dtype.name


@pytest.mark.one_in(3)
@every_case
def test_keras_file_round_trip(case, tmp_path):
    model = model_of(case)
    x = inputs(CASES[case][2])
    for _ in range(3):
        model(x, training=True)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for a, b in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    for training in (True, False):  # The same counters and seeds: the same draws follow.
        np.testing.assert_array_equal(model(x, training=training), again(x, training=training))


def _traced(case):
    """Estimators are traced and compiled in estimator_numerics_test, in the layer by `make test-slow`."""
    return pytest.param(case, marks=[pytest.mark.slow] if case in OF_ESTIMATORS else [])


@pytest.mark.one_in(4)
@pytest.mark.parametrize("case", [_traced(case) for case in CASES])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_one_trace_serves_every_batch(case, jit_compile):
    layer, shape = make(case)
    layer.build([None, *shape])
    traced = tf.function(
        lambda x: (layer(x, training=True), layer(x, training=False)),
        jit_compile=jit_compile,
        autograph=False,
        input_signature=[tf.TensorSpec([None, *shape])],
    )
    for batch in (0, 1, 4):
        for value in traced(inputs(shape, batch)):
            assert tuple(value.shape) == (batch, *layer.compute_output_shape((batch, *shape))[1:])
            assert np.isfinite(value).all()


@pytest.mark.one_in(4)
@every_case
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_dtype_policies(case, policy):
    layer, shape = make(case, dtype=policy)
    variable = tf.Variable(inputs(shape))
    with tf.GradientTape() as tape:
        value = layer(variable, training=True)
        total = tf.reduce_sum(tf.cast(value, tf.float32) * inputs(value.shape[1:]))
    assert value.dtype == layer.compute_dtype == layer(variable).dtype.name
    assert np.isfinite(tape.gradient(total, variable)).all()
    floats = {w.dtype for w in layer.trainable_weights}
    assert floats <= {
        "float64" if policy == "float64" and CASES[case][0] in DETERMINISTIC else "float32"
    }


@stochastic_cases
def test_same_seed_repeats_and_new_call_gives_new_noise(case):
    layer, shape = make(case)
    x = tf.zeros([40, *shape])
    first, second = layer(x, training=True), layer(x, training=True)
    assert np.any(first != second)
    given = [layer(x, training=True, seed=seed) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(given[0], given[1])
    assert np.any(given[0] != given[2])
    assert np.any(layer(x) != layer(x)) == draws_at_inference(case)


@stochastic_cases
def test_an_equal_layer_draws_the_same(case):
    layer, shape = make(case, name="layer")
    twin = type(layer).from_config(layer.get_config())
    x = inputs(shape)
    for training in (True, True, False):
        np.testing.assert_array_equal(layer(x, training=training), twin(x, training=training))


@pytest.mark.parametrize("case", [case for case in CASES if case not in RECURRENT])
def test_a_mask_passes_through(case):
    layer, shape = make(case)
    mask = tf.constant([True, False, True])
    x = inputs(shape)
    x._keras_mask = mask
    np.testing.assert_array_equal(layer(x)._keras_mask, mask)


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    "policy,temperature", [("float32", 1e-8), ("mixed_float16", 1e-4), ("mixed_bfloat16", 1e-8)]
)
@stochastic_cases
def test_certain_variables_give_finite_values_and_gradients(case, policy, temperature):
    """Bits with logits of +-inf, categories with all others masked, and equal ones at a low temperature."""
    name, options, shape = CASES[case]
    if name in ("GumbelSoftmax", "StraightThrough"):
        options = {**options, "temperature": temperature}
    layer = getattr(layers, name)(**{**options, "kl_weight": 1.0}, dtype=policy)
    values = np.zeros([3, *shape], "float32")
    bernoulli = layer.latents == "bernoulli"
    values[0, ..., 0], values[0, ..., 1:] = (np.inf if bernoulli else 0.3), -np.inf
    logits = tf.Variable(tf.cast(values, layer.compute_dtype))
    for training in (True, False):
        with tf.GradientTape() as tape:
            z = layer(logits, training=training)
            total = tf.reduce_sum(tf.cast(z, tf.float32) * inputs(z.shape[1:]))
            if bernoulli or not layer.prior.learned:
                total += tf.add_n(layer.losses)
        assert np.isfinite(z).all() and np.isfinite(total)
        gradient = tape.gradient(total, logits)
        assert gradient is None or np.isfinite(gradient).all()
    if "flip_probability" not in options:
        assert (layer(logits).numpy()[0, ..., 0] > 0.999).all()


LOADER = """
import sys, numpy as np, tensorflow as tf
folder = sys.argv[1]
for case in sys.argv[2:]:
    served = tf.saved_model.load(f"{folder}/{case}")
    answer = served.serve(np.load(f"{folder}/{case}.npy"))
    np.save(f"{folder}/{case}.answer.npy", answer)
assert not any(name.startswith("tf_discrete") for name in sys.modules)
"""


@pytest.mark.parametrize(
    "cases",
    [
        OWN[::4],
        pytest.param(tuple(OWN), marks=pytest.mark.slow),
        pytest.param(tuple(OF_ESTIMATORS), marks=pytest.mark.slow),
    ],
)
def test_exports_answer_in_a_process_that_knows_tensorflow_only(cases, tmp_path):
    models = {case: model_of(case) for case in cases}
    for case, model in models.items():
        model.export(str(tmp_path / case), verbose=False)
        np.save(tmp_path / f"{case}.npy", inputs(CASES[case][2]))
    loader = [sys.executable, "-c", LOADER, str(tmp_path), *models]
    done = subprocess.run(loader, cwd=pathlib.Path(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    for case, model in models.items():
        answer = np.load(tmp_path / f"{case}.answer.npy")
        np.testing.assert_allclose(
            answer, model(inputs(CASES[case][2])), rtol=1e-5, atol=1e-6, err_msg=case
        )
