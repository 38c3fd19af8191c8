import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import estimators, layers, models, seeds
from tf_discrete.distributions import LatentSpec

TREE, K, BRANCHING = "tree:2,3,4", 24, (2, 3, 4)
SPEC = LatentSpec(2, K, TREE)
CODES = np.array([[0, 23], [7, 7], [11, 4]])


def values(codes=CODES, dtype=tf.float32):
    return SPEC.uniform(dtype).one_hot(codes)


def made(mode, **options):
    layer = layers.CodeEmbedding(
        K, 5, TREE, mode=mode, embeddings_initializer="glorot_normal", **options
    )
    layer(values())
    return layer


def test_a_table_has_a_row_for_each_code():
    layer = made("table")
    assert layer.table.shape == (K, 5)
    np.testing.assert_array_equal(layer(values()), layer.table.numpy()[CODES])
    np.testing.assert_array_equal(tf.function(layer)(values()), layer.table.numpy()[CODES])


def test_the_gradient_of_a_table_is_sparse_and_right():
    layer = made("table")
    weights = tf.constant(np.random.RandomState(0).normal(size=[3, 2, 5]), tf.float32)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(weights * layer(values()))
    gradient = tape.gradient(total, layer.table.value)
    assert isinstance(gradient, tf.IndexedSlices) and gradient.values.shape == [6, 5]
    expected = np.zeros([K, 5])
    np.add.at(expected, CODES, weights.numpy())
    np.testing.assert_allclose(tf.convert_to_tensor(gradient), expected, rtol=1e-6)


def multilinear(table, z):
    """The continuation of a table from the corners, by its definition: a sum over all codes."""
    z = tf.reshape(z, [*z.shape[:-2], -1, 3, 4])
    probs = tf.einsum("...a,...b,...c->...abc", *(z[..., d, :b] for d, b in enumerate(BRANCHING)))
    return tf.reshape(probs, [*z.shape[:-2], K]) @ table.value


def test_the_gradient_of_the_value_is_that_of_the_multilinear_continuation():
    layer, z = made("table", dtype="float64"), values(dtype=tf.float64)
    weights = tf.constant(np.random.RandomState(1).normal(size=[3, 2, 5]))

    def gradient(function):
        with tf.GradientTape() as tape:
            tape.watch(z)
            total = tf.reduce_sum(weights * function(z) ** 2)
        return tape.gradient(total, z).numpy()

    allowed = np.isfinite(SPEC.uniform().logits)
    expected = gradient(lambda z: multilinear(layer.table, z))
    np.testing.assert_allclose(gradient(layer)[:, allowed], expected[:, allowed], atol=1e-12)


@pytest.mark.parametrize("name", ["straight_through", "reinmax", "score_function", "disarm"])
def test_estimators_train_the_logits_through_a_table(name):
    """In float64 the straight-through gradient is that of the continuation, which sums over all codes."""
    layer = made("table", dtype="float64")
    logits = tf.constant(np.random.RandomState(2).normal(size=[3, 6, 4]))
    estimator = estimators.get(name, latents=TREE)
    noise = estimator.draw_noise(seeds.base(0), logits, 2)

    def gradient(embed):
        def objective(z):
            return tf.reduce_sum(tf.sin(embed(z)), axis=[-2, -1])

        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = estimator.estimate(objective, logits, noise).value
        return tape.gradient(value, logits)

    expected = gradient(lambda z: multilinear(layer.table, z))
    np.testing.assert_allclose(gradient(layer), expected, atol=1e-12)


RELAXED = tf.constant(np.random.RandomState(3).dirichlet(np.ones(2), [3, 6]), tf.float32)
RELAXED = tf.pad(RELAXED, [[0, 0], [0, 0], [0, 2]])


def test_a_table_refuses_values_that_are_not_one_hot():
    layer = made("table")
    with pytest.raises(ValueError, match="one-hot digits alone.*mode='digit_sum'.*highest numbers"):
        layer(RELAXED)
    with pytest.raises(tf.errors.InvalidArgumentError, match="one-hot digits alone"):
        tf.function(layer)(RELAXED)
    mixed = tf.concat([values()[:2], RELAXED[2:]], axis=0)
    found = tf.function(layer, jit_compile=True)(mixed)  # XLA leaves out the check.
    np.testing.assert_array_equal(found[:2], layer(values())[:2])
    assert np.isnan(found[2]).all()
    model = keras.Sequential([layers.StochasticLayer(latents=TREE), layer])
    with pytest.raises(ValueError, match="one-hot digits alone"):
        model(tf.zeros([3, 6, 4]), training=True)
    assert made("digit_sum")(RELAXED).shape == [3, 2, 5]


def test_a_sum_of_digits():
    layer = made("digit_sum")
    tables = layer.table.numpy().reshape(3, 4, 5)
    digits = np.asarray(SPEC.digits(CODES)).reshape(3, 2, 3)
    expected = sum(tables[depth, digits[..., depth]] for depth in range(3))
    np.testing.assert_allclose(layer(values()), expected, rtol=1e-6)


def test_one_hot_digits():
    layer = made("one_hot")
    assert not layer.weights
    np.testing.assert_array_equal(layer(values()), tf.reshape(values(), [3, 2, 12]))


@pytest.mark.parametrize("mode", ["table", "digit_sum", "one_hot"])
@pytest.mark.parametrize("latents, categories", [("categorical", 6), ("bernoulli", 2), (TREE, K)])
def test_shapes_and_saving_with_every_kind(mode, latents, categories, tmp_path):
    spec = LatentSpec(2, categories, latents)
    inputs = keras.Input(spec.shape)
    layer = layers.CodeEmbedding(categories, 5, latents, mode)
    model = keras.Model(inputs, layer(inputs))
    z = spec.uniform().one_hot([[0, 1], [1, 1]])
    assert model(z).shape == [2, *model.output_shape[1:]] == [2, 2, model.output_shape[2]]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(z), model(z))
    sample = tf.stack([z, z, z])
    np.testing.assert_array_equal(layer(sample)[1], model(z))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_dtype_policies_read_the_same_row(policy):
    big = layers.CodeEmbedding(100_000, 2, "tree:100,1000", dtype=policy)
    codes = np.array([[99_999], [2**16 + 1]])
    z = LatentSpec(1, 100_000, "tree:100,1000").uniform().one_hot(codes)
    found = big(z)
    assert found.dtype == big.compute_dtype and big.table.dtype == big.variable_dtype
    np.testing.assert_array_equal(found, tf.cast(big.table.numpy()[codes], found.dtype))


def test_masked_digits_keep_the_gradient_finite():
    logits = tf.constant(np.random.RandomState(2).normal(size=[3, 6, 4]), tf.float32)
    logits = tf.where(tf.range(4) == 1, -np.inf, logits)
    layer, estimator = made("table"), estimators.get("straight_through", latents=TREE)
    noise = estimator.draw_noise(seeds.base(0), logits, 1)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.reduce_sum(layer(estimator.sample(logits, noise).value))
    gradient = tape.gradient(total, logits).numpy()
    assert np.isfinite(gradient).all() and not gradient[..., 1].any()


def decoder(**options):
    embedding = layers.CodeEmbedding(K, 5, TREE, **options)
    return keras.Sequential(
        [keras.Input(SPEC.shape), embedding, keras.layers.Flatten(), keras.layers.Dense(16)]
    )


def vae(estimator, latents=TREE, num_categories=K, code_values="zero_one", **options):
    return models.CategoricalVAE(
        (4, 4, 1),
        2,
        num_categories,
        latents,
        encoder="mlp",
        decoder=decoder(**options),
        hidden_units=(8,),
        estimator=estimator,
        code_values=code_values,
    )


def test_a_model_whose_values_it_cannot_read_is_refused():
    with pytest.raises(ValueError, match="needs one-hot samples.*estimator=GumbelSoftmax"):
        vae("gumbel_softmax")
    for name in ("rebar", "relax", "muprop"):
        with pytest.raises(
            ValueError, match="one-hot samples, also in control variates.*objective_control"
        ):
            vae(name)
        vae(name, mode="digit_sum")
    vae(estimators.RELAX(latents=TREE, objective_control=False))
    vae("gumbel_softmax", mode="digit_sum")
    with pytest.raises(ValueError, match="Set code_values='zero_one'.*'plus_minus'"):
        vae("reinmax", code_values="plus_minus")
    vae("reinmax", code_values="plus_minus", mode="digit_sum")
    with pytest.raises(ValueError, match="Features are probabilities.*mode='table'"):
        models.feature_networks(vae("reinmax"))
    with pytest.raises(ValueError, match=r"num_categories=24.*model with num_categories=36"):
        vae("reinmax", "tree:3,3,4", 36)


@pytest.mark.parametrize("jit", [False, True])
def test_the_gradient_norm_sums_the_slices_of_a_row(jit):
    model, x = vae("straight_through"), tf.ones([20, 4, 4, 1])
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    with tf.GradientTape() as tape:
        seed = model.step_seed(tf.convert_to_tensor(model.micro_step), "train")
        loss = tf.reduce_mean(model.objective(x, seed, training=True).loss)
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    sparse = [one for one in gradients if isinstance(one, tf.IndexedSlices)]
    assert len(sparse) == 1 and len(np.unique(sparse[0].indices)) < len(sparse[0].indices)
    expected = tf.linalg.global_norm([tf.convert_to_tensor(one) for one in gradients])
    if jit:  # Of other samples, so by the norm alone.
        found = tf.function(lambda: model._gradient_norm(gradients), jit_compile=True)()
    else:
        found = model.train_step(x)["gradient_norm"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"width": 0}, "width must be at least 1"),
        ({"mode": "rows"}, "mode must be one of table, digit_sum, one_hot"),
        ({"num_categories": 25}, r"Set num_categories=24, or branching=\(25,\)"),
        ({"num_categories": 10**9, "latents": "tree:1000,1000,1000"}, "Set mode='digit_sum'"),
        ({"embeddings_initializer": "rows"}, "embeddings_initializer must be"),
    ],
)
def test_bad_input_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        layers.CodeEmbedding(**{"num_categories": K, "latents": TREE, **options})


@pytest.mark.parametrize("shape", [[2, 6], [2, 6, 5], [2, 5, 4], [6, 4]])
def test_values_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match="Give the layer the latents of its model"):
        made("table")(tf.zeros(shape))
