"""Trees in layers, models, codes and exports, up to more categories than int32 counts."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import codes, distributions, evaluation, export, layers, models, seeds
from tf_discrete.optimizers import LazyAdam

X = tf.constant(np.random.RandomState(0).uniform(size=[20, 4, 4, 1]), tf.float32)
TREE, K = "tree:2,3,4", 24
HUGE, MANY = "tree:2048,2048,1024", 2**32


def vae(latents=TREE, num_categories=K, **options):
    arguments = {"num_variables": 2, "hidden_units": (8,), "estimator": "reinmax", **options}
    return models.CategoricalVAE(
        (4, 4, 1), num_categories=num_categories, latents=latents, **arguments
    )


@pytest.mark.parametrize("estimator", ["reinmax", "score_function", "gumbel_softmax"])
def test_the_autoencoder(estimator, tmp_path):
    model = vae(estimator=estimator, prior="learned")
    model.compile("sgd", run_eagerly=True)
    logs = model.train_step(X)
    assert np.isfinite(logs["hard_elbo_nats"]) and 0 <= logs["kl_nats"] < 2 * np.log(K)
    found = model.encode(X)
    assert found.dtype == tf.int64 and found.shape == [20, 2] and found.numpy().max() < K
    np.testing.assert_allclose(model.decode(found), model.reconstruct(X), rtol=1e-6)
    assert model.sample(3, seed=0).shape == [3, 4, 4, 1]
    assert np.isfinite(model.log_likelihood(X, 3)).all()
    log_prob = model.prior.log_prob(model.sample_codes(5, seed=1))
    np.testing.assert_allclose(log_prob, np.full(5, -2 * np.log(K)), atol=0.05)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.encode(X), found)
    assert again.latents == TREE


def test_the_bounds_are_those_of_the_dense_model():
    """The same encoder and decoder with one logit for each leaf: the same ELBO, by enumeration."""
    model = vae(estimator="enumeration", num_variables=1)
    logits, kind = model.logits(X), distributions.get(TREE)
    values = kind(logits[:1]).one_hot(np.arange(K)[:, np.newaxis])
    log_q = kind(logits).log_prob(values[:, tf.newaxis])
    log_p = model.conditional_log_likelihood(X, tf.repeat(values[:, tf.newaxis], 20, axis=1))
    elbo = tf.reduce_sum(tf.exp(log_q) * (log_p - log_q - np.log(K)), axis=0)
    terms = model.objective(X, seeds.base(0), training=True)
    np.testing.assert_allclose(-terms.loss, elbo, rtol=1e-5)


def test_several_layers():
    model = vae(num_variables=(2, 1))
    model.compile("sgd", run_eagerly=True)
    assert np.isfinite(model.train_step(X)["hard_elbo_nats"])
    assert model.encode(X).shape == [20, 3] and model.sample(2).shape == [2, 4, 4, 1]
    with pytest.raises(ValueError, match="The product of branching must be num_categories"):
        vae(num_variables=2, num_categories=(K, 36))


def test_more_categories_than_int32_counts(tmp_path):
    model = vae(HUGE, MANY, num_variables=1)
    found = codes.encode_batches(model, [X])
    assert found.dtype == np.int64 and found.max() > 2**31
    packed = codes.pack(found, MANY)
    assert packed.shape == (20, 4)
    np.testing.assert_array_equal(codes.unpack(packed, 1, MANY), found)
    decoded = model.decode(found)
    manifest = export.save(model, tmp_path / "exported")
    assert export.load_manifest(tmp_path / "exported") == manifest
    assert manifest.latents == HUGE and manifest.latent_shape == (3, 2048)
    assert manifest.codes["dtype"] == "int64" and manifest.codes["max"] == MANY - 1
    assert manifest.codes["branching"] == [2048, 2048, 1024]
    served = tf.saved_model.load(str(tmp_path / "exported")).signatures
    np.testing.assert_array_equal(served["encode"](image=X)["codes"], found)
    np.testing.assert_allclose(
        served["decode"](codes=tf.constant(found))["image"], decoded, rtol=1e-5
    )
    seed = tf.constant([0, 1])
    assert served["sample"](num=tf.constant(2), seed=seed)["codes"].dtype == tf.int64
    with pytest.raises(ValueError, match="codes must lie in"):
        model.decode([[MANY]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="codes must be in"):
        served["decode"](codes=tf.constant([[MANY]]))


def test_usage_search_and_priors_read_digits():
    model = vae(code_prior=lambda n, k: models.AutoregressivePrior(n, k, units=4), latents="tree:5,5",
                num_categories=25)  # fmt: skip
    assert (model.code_prior.num_variables, model.code_prior.num_categories) == (4, 5)
    model.compile("sgd", run_eagerly=True)
    assert np.isfinite(model.train_step(X)["prior_nats"])
    sampled = model.sample_codes(50, seed=0)
    assert sampled.dtype == tf.int64 and sampled.shape == [50, 2] and sampled.numpy().max() > 4
    usage = evaluation.collect_usage(model, [X])
    assert usage.counts.shape == (4, 5) and usage.counts.sum() == 80
    digits, categories = codes.encode_digits(model, [X])
    assert digits.shape == (20, 4) and categories == 5
    index = codes.CodeIndex(digits, categories, model=model)
    index.check_model(model)
    found = index.search(digits[:1], k=20)
    expected = (digits[found.indices[0]] != digits[0]).sum(axis=1)
    np.testing.assert_array_equal(found.distances[0], expected)
    with pytest.raises(ValueError, match="Give a branching of equal numbers"):
        models.AutoregressivePrior.for_model(vae())


def test_compression_reads_digits(tmp_path):
    pytest.importorskip("constriction", reason="constriction is an extra")
    model = vae("tree:2048,2048,2048", 2**33, num_variables=1)
    digits, _ = codes.encode_digits(model, [X])
    prior = models.AutoregressivePrior.for_model(model, units=4)
    report = codes.compress(digits, prior, tmp_path / "codes.bin")
    again = codes.decompress(tmp_path / "codes.bin", prior)
    assert report.num_codes == 20
    np.testing.assert_array_equal(model.latent_spec.join_digits(again), model.encode(X))


@pytest.mark.parametrize("prior", ["uniform", "learned"])
def test_layers(prior, tmp_path):
    head = layers.LatentHead(2, K, TREE)
    layer = layers.StochasticLayer("reinmax", latents=TREE, kl_weight=0.1, prior=prior, seed=1)
    model = keras.Sequential([keras.Input([16]), head, layer, layers.CodeEmbedding(K, 3, TREE)])
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(1))
    assert head.compute_output_shape((None, 16)) == (None, 6, 4)
    assert layer.compute_output_shape((None, 6, 4)) == (None, 6, 4)
    model.compile(LazyAdam(), loss="mse", run_eagerly=True)
    rows = tf.reshape(X, [20, 16])
    model.fit(rows, rows[:, :1], verbose=0)
    assert 0 <= float(layer.kl_nats.result()) < 2 * np.log(K)
    posterior = layer.posterior(head(rows))
    uniform = layer.prior.distribution()
    assert np.isfinite(posterior.kl_divergence(uniform)).all()
    value = layer(head(rows), training=True)
    np.testing.assert_array_equal(posterior.one_hot(posterior.code(value)), value)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(rows), model(rows), rtol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_dtype_policies(policy):
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        model = vae(HUGE, MANY, num_variables=1)
        found = model.encode(X)
        posterior = model.posterior(X)
        np.testing.assert_array_equal(
            found, posterior.code(tf.cast(posterior.one_hot(found), model.compute_dtype))
        )
        layer = layers.StochasticLayer(latents=TREE, inference="draw")
        assert layer(tf.zeros([2, 3, 4])).dtype == layer.compute_dtype
    finally:
        keras.config.set_dtype_policy(before)


def with_table():
    decoder = keras.Sequential(
        [
            keras.Input([4, 16]),
            layers.CodeEmbedding(2**16, 4, "tree:16,16,16,16"),
            keras.layers.Flatten(),
            keras.layers.Dense(16),
        ]
    )
    return vae("tree:16,16,16,16", 2**16, num_variables=1, encoder="mlp", decoder=decoder)


def table_of(model):
    return model.decoder.layers[0].table.numpy()


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_a_step_moves_the_rows_that_it_reads(policy):
    """With Adam on the whole table the rows of the first step would move in the second one too."""
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        model = with_table()
    finally:
        keras.config.set_dtype_policy(before)
    model.compile(LazyAdam(0.01), run_eagerly=True)
    model.optimizer.build(model.trainable_variables)
    tables = [table_of(model)]
    for step in range(2):
        model.train_step(X[10 * step : 10 * step + 10])
        tables.append(table_of(model))
    first, second = ((old != new).any(axis=1) for old, new in zip(tables, tables[1:], strict=False))
    assert 0 < first.sum() <= 10 and 0 < second.sum() <= 10 and (first & ~second).any()


def traced_sizes(model):
    """How many numbers each tensor of a training step has, with one in the place of unknown rows."""
    model.optimizer.build(model.trainable_variables)
    step = tf.function(model.train_step, autograph=False).get_concrete_function(X[:10])
    graph = step.graph.as_graph_def(add_shapes=True)
    nodes = [*graph.node, *(n for one in graph.library.function for n in one.node_def)]
    shapes = [tf.TensorShape(s) for n in nodes for s in n.attr["_output_shapes"].list.shape]
    assert all(shape.rank is not None for shape in shapes)
    return [np.prod([1 if size is None else size for size in shape]) for shape in shapes]


def test_no_tensor_of_a_step_is_as_long_as_the_table():
    """Neither one-hot categories [batch, K] nor a gradient [K, E], which Keras' Adam has."""
    model = with_table()
    model.compile(LazyAdam(0.01))
    sizes = traced_sizes(model)
    assert len(sizes) > 500 and max(sizes) < 2**14
    model.compile("adam")
    assert max(traced_sizes(model)) == 2**16 * 4


def test_a_saved_model_goes_on_with_the_same_numbers(tmp_path):
    model = with_table()
    model.compile(LazyAdam(0.01), run_eagerly=True)
    options = {"batch_size": 10, "shuffle": False, "verbose": 0}
    model.fit(X, epochs=1, **options)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    again.run_eagerly = True
    losses = [one.fit(X, epochs=1, **options).history["loss"] for one in (model, again)]
    assert losses[0] == losses[1]
    for one, other in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, other)
