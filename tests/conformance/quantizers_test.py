"""What every quantiser must do, whatever it is: each test is a complaint about some other implementation."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import layers
from tf_discrete.layers import quantizers
from tf_discrete.layers.quantizers import (
    FiniteScalarQuantizer,
    GroupedQuantizer,
    LookupFreeQuantizer,
    ResidualQuantizer,
    SimVQ,
    VectorQuantizer,
)

SIZE = 6
X = tf.random.stateless_normal([4, 5, SIZE], [0, 1])
MASK = tf.constant(np.arange(5) < np.array([[5], [2], [0], [3]]))

CASES = {
    "vector": lambda: VectorQuantizer(8),
    "vector_gradient": lambda: VectorQuantizer(8, "gradient"),
    "vector_rotation": lambda: VectorQuantizer(8, gradient="rotation"),
    "vector_diveq": lambda: VectorQuantizer(8, "gradient", gradient="diveq"),
    "vector_cosine": lambda: VectorQuantizer(8, distance="cosine", code_size=3),
    "sim_vq": lambda: SimVQ(8),
    "finite_scalar": lambda: FiniteScalarQuantizer((4, 3)),
    "lookup_free": lambda: LookupFreeQuantizer(SIZE, bits_per_code=2),
    "spherical": lambda: LookupFreeQuantizer(4, spherical=True),
    "residual": lambda: ResidualQuantizer(VectorQuantizer(8, gradient="rotation"), 3, dropout=0.9),
    "residual_diveq": lambda: ResidualQuantizer(
        VectorQuantizer(8, "gradient", "diveq"), 2, code_size=4
    ),
    "residual_beam": lambda: ResidualQuantizer(VectorQuantizer(8), 2, beam_size=3),
    "grouped": lambda: GroupedQuantizer(VectorQuantizer(8), 3),
    "grouped_shared": lambda: GroupedQuantizer(FiniteScalarQuantizer((5, 5)), 3, shared=True),
    "grouped_residual": lambda: GroupedQuantizer(ResidualQuantizer(VectorQuantizer(8), 2), 2),
}
COMPILED = ("vector", "sim_vq", "finite_scalar", "lookup_free", "spherical")
"""Cases that XLA compiles in short time; argsort takes it seconds for each codebook."""
every_case = pytest.mark.parametrize("case", CASES)


@functools.cache
def _adapted(case):
    """The weights of a case that was started at the k-means of `X`."""
    keras.utils.set_random_seed(0)
    layer = CASES[case]()
    layer.build((None, SIZE))
    layer.adapt(X)
    return [variable.numpy() for variable in layer.weights]


def make(case, **changes):
    layer = CASES[case]()
    if changes:
        layer = type(layer).from_config({**layer.get_config(), **changes})
    layer.build((None, SIZE))
    for variable, value in zip(layer.weights, _adapted(case), strict=True):
        variable.assign(value)
    return layer


@functools.cache
def shared(case):
    """The layer of a case for tests that change nothing of it."""
    return make(case)


@functools.cache
def _rounded(case):
    """Vectors that bfloat16 holds exactly and float16 nearly, with their codes and what these decode to."""
    x = tf.cast(tf.cast(X, tf.bfloat16), tf.float32)
    codes = shared(case).encode(x)
    return x, codes.numpy(), shared(case).decode(codes).numpy()


def step(layer, x=X, mask=None):
    """A training step on the loss and on the vectors; returns what the layer gave, before the step."""
    with tf.GradientTape() as tape:
        found = layer.quantize_vectors(x, training=True, mask=mask)
        loss = tf.reduce_sum(found.loss) + tf.reduce_sum(tf.square(found.vectors - x))
    variables = layer.trainable_variables
    gradients = tape.gradient(loss, [v.value for v in variables])
    keras.optimizers.SGD(1e-3).apply([tf.convert_to_tensor(g) for g in gradients], variables)
    return found


def test_every_public_quantizer_is_tested():
    classes = {
        cls
        for cls in map(quantizers.__dict__.get, quantizers.__all__)
        if isinstance(cls, type) and issubclass(cls, quantizers.Quantizer)
    }
    assert classes - {quantizers.Quantizer} == {type(make()) for make in CASES.values()}
    assert layers.quantizers is quantizers


@pytest.mark.one_in(3)
@every_case
def test_codes_in_training_are_those_at_inference(case):
    """Also of residual quantisers with dropout, and whatever the gradient rule."""
    layer = make(case)
    for _ in range(2):
        before = layer.encode(X)
        np.testing.assert_array_equal(step(layer).codes, before)


@every_case
def test_vectors_of_codes_are_those_of_the_forward_pass(case):
    layer = make(case)
    step(layer)
    vectors, codes = layer(X)
    assert vectors.shape == X.shape and codes.shape == (4, 5, layer.num_variables)
    assert codes.dtype == layer.code_dtype
    assert 0 <= codes.numpy().min() and codes.numpy().max() < layer.num_categories
    np.testing.assert_allclose(layer.decode(codes), vectors, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(layer.encode(X), codes)


@every_case
def test_padding_changes_nothing(case):
    """Neither what is returned elsewhere nor what is learned, even where it is NaN."""
    padded = tf.where(MASK[..., None], X, np.nan)
    layer, alone = make(case), make(case)
    found = layer.quantize_vectors(padded, training=True, mask=MASK)
    expected = alone.quantize_vectors(tf.boolean_mask(X, MASK), training=True)
    for one, other in zip(layer.weights, alone.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(tf.boolean_mask(found.codes, MASK), expected.codes)
    np.testing.assert_allclose(tf.boolean_mask(found.vectors, MASK), expected.vectors, atol=1e-6)
    np.testing.assert_allclose(tf.boolean_mask(found.loss, MASK), expected.loss, atol=1e-5)
    assert (found.codes.numpy()[~MASK.numpy()] == -1).all()
    for blank in (found.vectors, found.loss, layer.decode(found.codes, MASK)):
        assert not blank.numpy()[~MASK.numpy()].any()


@pytest.mark.parametrize("case", ["vector", "residual", "grouped"])
@pytest.mark.parametrize("kind", ["padding", "empty"])
def test_a_batch_without_vectors_changes_nothing(case, kind):
    layer = make(case)
    before = [v.numpy() for v in layer.weights if "float" in v.dtype]
    x, mask = (X, tf.zeros([4, 5], tf.bool)) if kind == "padding" else (X[:0], MASK[:0])
    vectors, codes = layer(x, training=True, mask=mask)
    assert vectors.shape == x.shape and np.isfinite(layer.losses).all()
    after = [v.numpy() for v in layer.weights if "float" in v.dtype]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


@every_case
def test_gradients_reach_the_input_and_the_weights(case):
    layer = make(case)
    with tf.GradientTape() as tape:
        tape.watch(X)
        found = layer.quantize_vectors(X, training=True)
        loss = tf.reduce_sum(found.loss) + tf.reduce_sum(tf.square(found.vectors - 1.0))
    gradients = tape.gradient(loss, [X, *(v.value for v in layer.trainable_variables)])
    for gradient in gradients:
        assert np.isfinite(tf.convert_to_tensor(gradient)).all()
    assert gradients[0].numpy().any()


@pytest.mark.one_in(3)
@every_case
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_codes_do_not_depend_on_the_dtype_policy(case, policy):
    x, expected, decoded = _rounded(case)
    same = make(case, dtype=policy)
    for source, target in zip(shared(case).weights, same.weights, strict=True):
        if "step" not in target.path:
            assert target.dtype in (source.dtype, "float64")
    vectors, codes = same(tf.cast(x, same.compute_dtype))
    assert vectors.dtype == same.compute_dtype
    np.testing.assert_array_equal(codes, expected)
    tolerance = {"mixed_float16": 1e-3, "mixed_bfloat16": 1e-2}.get(policy, 1e-5)
    np.testing.assert_allclose(vectors, decoded, rtol=tolerance, atol=tolerance)


@pytest.mark.one_in(3)
@every_case
def test_keras_files(case, tmp_path):
    inputs = keras.Input([5, SIZE])
    layer = make(case)
    model = keras.Model(inputs, layer(inputs))
    step(layer)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for one, other in zip(again(X), model(X), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.layers[-1].get_config() == layer.get_config()
    assert [v.path for v in again.weights] == [v.path for v in model.weights]


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=() if case in COMPILED else pytest.mark.slow) for case in CASES],
)
def test_xla_gives_the_same_codes(case):
    layer = make(case)
    expected = layer.encode(X)
    train = tf.function(
        lambda x: layer.quantize_vectors(x, training=True), jit_compile=True, autograph=False
    )
    found = train(X)
    assert np.isfinite(found.loss).all()
    assert (found.codes.numpy() == expected.numpy()).mean() > 0.97  # Near-ties may fall otherwise.


@every_case
def test_any_leading_axes(case):
    layer = shared(case)
    codes = layer.encode(X)
    for shape in ([20], [2, 2, 5], [2, 2, 1, 5]):
        got = layer.encode(tf.reshape(X, [*shape, SIZE]))
        np.testing.assert_array_equal(got, tf.reshape(codes, [*shape, -1]))
    np.testing.assert_array_equal(layer.encode(X[0, 0]), codes[0, 0])


@every_case
def test_the_loss_is_added_with_its_weight(case):
    layer = make(case, loss_weight=0.5)
    expected = 0.5 * tf.reduce_sum(layer.quantize_vectors(X, mask=MASK).loss) / np.sum(MASK)
    layer(X, mask=MASK)
    assert len(layer.losses) == layer.has_loss
    if layer.has_loss:
        np.testing.assert_allclose(layer.losses[0], expected, rtol=1e-5)


@every_case
def test_bad_input_is_refused(case):
    layer = shared(case)
    nan = tf.concat([X[:1], np.nan * X[1:2]], axis=0)
    with pytest.raises(ValueError, match="inputs must be finite.*Received: inputs from nan"):
        layer.encode(nan)
    good = layer.encode(X).numpy()
    for wrong in (good - 100, good + layer.num_categories):
        with pytest.raises(
            ValueError, match=r"codes must lie in \[0, .*Received: minimum, maximum ="
        ):
            layer.decode(wrong)
    with pytest.raises(ValueError, match="codes must be integers.*Received: codes.dtype=float32"):
        layer.decode(tf.cast(good, tf.float32))
    with pytest.raises(ValueError, match="one number for each variable.*Received: codes.shape="):
        layer.decode(np.concatenate([good, good], axis=-1))
    with pytest.raises(ValueError, match="before it decodes.*Received: built=False"):
        CASES[case]().decode(good)
    with pytest.raises(ValueError, match=r"vectors of size 6.*Received: inputs.shape=\(3, 7\)"):
        layer.encode(tf.ones([3, 7]))
    for mask in (tf.ones([4, 6]), tf.ones([4, 5, SIZE])):
        with pytest.raises(
            ValueError, match="mask must have the first axes.*Received: mask.shape="
        ):
            layer.encode(X, mask)
        with pytest.raises(
            ValueError, match="mask must have the first axes.*Received: mask.shape="
        ):
            layer.decode(good, mask)
    with pytest.raises(ValueError, match="Fix the last axis.*Received: inputs.shape="):
        CASES[case]().build((None, None))


@pytest.mark.parametrize("case", ["vector", "finite_scalar"])
def test_bad_input_is_refused_in_graphs_and_blanked_in_xla(case):
    layer = shared(case)
    nan = tf.concat([X[:1], np.nan * X[1:2]], axis=0)
    good = layer.encode(X).numpy()
    wrong = tf.constant(good + layer.num_categories)
    with pytest.raises(tf.errors.InvalidArgumentError, match="codes must lie in"):
        tf.function(layer.decode, autograph=False)(wrong)
    with pytest.raises(tf.errors.InvalidArgumentError, match="inputs must be finite"):
        tf.function(layer.encode, autograph=False)(nan)
    compiled = tf.function(
        lambda x, c: (layer.quantize_vectors(x), layer.decode(c)), jit_compile=True, autograph=False
    )
    found, decoded = compiled(nan, wrong)
    assert np.isnan(decoded).all() and np.isnan(found.vectors[1]).all()
    assert (found.codes[1].numpy() == -1).all() and (found.codes[0].numpy() == good[0]).all()


def _sizes(graph):
    inner = [f.graph for f in getattr(graph, "_functions", {}).values() if hasattr(f, "graph")]
    for one in (graph, *inner):
        for operation in one.get_operations():
            for tensor in operation.outputs:
                if tensor.dtype.is_floating and tensor.shape.is_fully_defined():
                    yield operation.type, tensor.shape.as_list()


@pytest.mark.parametrize("kind", ["moving_average", "gradient"])
def test_no_one_hot_of_vectors_and_codewords(kind):
    """One matrix of distances, which has no gradient, and nothing else of that size."""
    layer, vectors, codewords = VectorQuantizer(301, kind), 257, 301
    layer.build((None, SIZE))

    def train(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            found = layer.quantize_vectors(x, training=True)
            loss = tf.reduce_sum(found.loss) + tf.reduce_sum(found.vectors)
        return tape.gradient(loss, x)

    spec = tf.TensorSpec([vectors, SIZE])
    graph = tf.function(train, autograph=False).get_concrete_function(spec).graph
    large = {name for name, shape in _sizes(graph) if shape == [vectors, codewords]}
    assert large <= {"MatMul", "Sub", "BatchMatMulV2"} and large


def test_masks_reach_the_layers_behind():
    inputs = keras.Input([5], dtype="int32")
    embedded = keras.layers.Embedding(7, SIZE, mask_zero=True)(inputs)
    vectors, codes = VectorQuantizer(8)(embedded)
    model = keras.Model(inputs, [vectors, codes])
    _, found = model(tf.constant([[3, 1, 0, 0, 0]]))
    assert found.numpy()[0, :2].min() >= 0 and (found.numpy()[0, 2:] == -1).all()
    assert vectors._keras_mask is not None


def test_fit_learns_clusters():
    """By plain `compile` and `fit`."""
    centres = tf.random.stateless_normal([8, SIZE], [0, 2])
    x = tf.repeat(centres, 8, axis=0) + 0.01 * tf.random.stateless_normal([64, SIZE], [0, 3])
    layer = VectorQuantizer(8, decay=0.5)
    inputs = keras.Input([SIZE])
    model = keras.Model(inputs, layer(inputs)[0])
    model.compile("sgd", loss="mse")
    model.fit(x, x, batch_size=64, epochs=15, shuffle=False, verbose=0)
    assert float(tf.reduce_mean(tf.square(model(x) - x))) < 0.2 * np.var(x)
