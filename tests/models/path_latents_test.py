"""The categorical VAE whose digits depend on the digits before: by enumeration of all leaves."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from tests.models.checkpoint_test import check_all_are_kept
from tf_discrete import codes, evaluation, export, layers, models, seeds
from tf_discrete.estimators import Enumeration, ScoreFunction
from tf_discrete.layers import StochasticLayer

X = tf.constant(np.random.RandomState(0).uniform(size=[3, 4, 4, 1]), tf.float32)
K, BRANCHING = 64, "4,4,4"
SIZES = pytest.mark.parametrize("num_categories", [K, 50], ids=["full", "ragged"])


def vae(num_categories=K, latents=f"path:{BRANCHING}", learn=True, **options):
    """A model whose residual networks have learned something, unless `learn` is False."""
    keras.utils.set_random_seed(0)
    arguments = {
        "num_variables": 1,
        "hidden_units": (8,),
        "estimator": "enumeration",
        "digit_units": (5,),
        **options,
    }
    model = models.CategoricalVAE(
        (4, 4, 1), num_categories=num_categories, latents=latents, **arguments
    )
    random = np.random.RandomState(1)
    for part in (getattr(model.chain, "network", None), getattr(model.prior, "network", None)):
        for weight in part.weights if learn and part is not None else ():
            weight.assign(random.normal(scale=0.5, size=weight.shape))
    return model


def all_leaves(model, x=X):
    """log q, log p and log p(x | z) of all categories, [K, B] each."""
    found = tf.range(model.num_categories, dtype=tf.int64)[:, tf.newaxis, tf.newaxis]
    found = tf.repeat(found, len(x), axis=1)
    q, p = model.posterior(x), model.prior_distribution()
    log_likelihood = model.conditional_log_likelihood(x, q.one_hot(found))
    return q.code_log_prob(found), p.code_log_prob(found), log_likelihood


def test_at_first_it_is_the_tree_of_independent_digits():
    path, tree = vae(learn=False), vae(latents=f"tree:{BRANCHING}")
    for name in ("encoder", "decoder"):
        getattr(path, name).set_weights(getattr(tree, name).get_weights())
    terms, others = (model.objective(X, seeds.base(0), True) for model in (path, tree))
    for name in ("elbo_nats", "reconstruction_nats", "kl_nats"):
        np.testing.assert_allclose(terms.terms[name], others.terms[name], rtol=1e-6)
    np.testing.assert_array_equal(path.encode(X), tree.encode(X))
    np.testing.assert_allclose(path.encode_probs(X), tree.encode_probs(X), rtol=1e-5)


def assert_frequencies(counts, expected):
    """Demands frequencies within 5 standard errors, which one sampler in a million misses."""
    total = counts.sum(axis=0)
    error = np.sqrt(expected * (1 - expected) / total)
    assert np.all(np.abs(counts / total - expected) < 5 * error + 1e-3)


@SIZES
@pytest.mark.parametrize("prior", ["uniform", "learned"])
def test_bound_and_gradient_are_those_of_the_enumeration(num_categories, prior):
    model = vae(num_categories, prior=prior, kl_weight=0.7)
    variables = [v.value for v in model.trainable_variables]
    with tf.GradientTape() as tape:
        log_q, log_p, log_likelihood = all_leaves(model)
        q = tf.exp(log_q)
        reconstruction = -tf.reduce_sum(q * log_likelihood, axis=0)
        kl = tf.reduce_sum(q * (log_q - log_p), axis=0)
        loss = reconstruction + 0.7 * kl
    exact = tape.gradient(loss, variables)
    for log_prob in (log_q, log_p):
        np.testing.assert_allclose(tf.reduce_logsumexp(log_prob, axis=0), 0.0, atol=1e-5)
    with tf.GradientTape() as tape:
        terms = model.objective(X, seeds.base(0), training=True)
    found = tape.gradient(terms.loss, variables)
    np.testing.assert_allclose(terms.loss, loss, rtol=1e-5)
    np.testing.assert_allclose(terms.terms["kl_nats"], kl, rtol=1e-5)
    np.testing.assert_allclose(terms.terms["reconstruction_nats"], reconstruction, rtol=1e-5)
    np.testing.assert_allclose(terms.terms["elbo_nats"], -reconstruction - kl, rtol=1e-5)
    for one, other, variable in zip(found, exact, model.trainable_variables, strict=True):
        largest = max(1e-3, np.abs(other).max())
        np.testing.assert_allclose(one, other, atol=2e-5 * largest, err_msg=variable.path)
    assert len(model.prior.trainable_variables) == (0 if prior == "uniform" else 14)


@SIZES
def test_codes_and_the_bound_of_many_samples(num_categories):
    model = vae(num_categories, prior="learned")
    log_q, log_p, log_likelihood = all_leaves(model)
    found = model.encode(X)
    assert found.dtype == tf.int64 and found.shape == [3, 1]
    sampled = model.posterior(X).sample_codes(seeds.base(1), 2000).numpy()[..., 0]
    assert sampled.max() < num_categories
    frequency = np.stack([np.bincount(row, minlength=num_categories) for row in sampled.T], axis=1)
    assert_frequencies(frequency, np.exp(log_q))
    log_weights = model.log_weights(X, 5000, seeds.base(3))
    elbo = tf.reduce_sum(tf.exp(log_q) * (log_p + log_likelihood - log_q), axis=0)
    error = np.mean(log_weights, axis=0) - elbo
    assert np.all(np.abs(error) < 5 * np.std(log_weights, axis=0) / np.sqrt(5000))
    drawn = model.sample_codes(2000, seed=0).numpy()
    assert drawn.shape == (2000, 1) and drawn.max() < num_categories
    expected = np.exp(log_p[:, 0])
    assert_frequencies(np.bincount(drawn[:, 0], minlength=num_categories), expected)
    np.testing.assert_allclose(
        model.prior.log_prob(drawn[:5]), np.log(expected)[drawn[:5, 0]], rtol=1e-4
    )
    np.testing.assert_allclose(model.decode(found), model.reconstruct(X), rtol=1e-6)
    assert model.logits(X).shape == model.encode_probs(X).shape == [3, 3, 4]


def test_the_discrete_path_takes_the_kl_at_the_nodes():
    model = vae(50, prior="learned")
    x = tf.repeat(X[:1], 4000, axis=0)
    terms = model.hard_terms(x, seeds.base(0))
    kl = -terms["hard_elbo_nats"] - terms["hard_reconstruction_nats"]
    log_q, log_p, _ = all_leaves(model, X[:1])
    exact = np.sum(np.exp(log_q) * (log_q - log_p))
    assert abs(np.mean(kl) - exact) < 5 * np.std(kl) / np.sqrt(len(kl))
    assert np.min(kl) >= 0.0 and np.std(kl) > 0.0


def test_the_importance_weighted_bound_of_two_samples():
    model = vae(50, objective="importance_weighted", estimator="vimco", num_samples=2)
    log_q, log_p, log_likelihood = (part.numpy()[:, 0] for part in all_leaves(model, X[:1]))
    log_weight = log_likelihood + log_p - log_q
    pairs = np.logaddexp(log_weight[:, None], log_weight) - np.log(2.0)
    exact = np.sum(np.exp(log_q[:, None] + log_q) * pairs)
    terms = model.objective(tf.repeat(X[:1], 4000, axis=0), seeds.base(0), training=True)
    found = terms.terms["multi_sample_bound_nats"].numpy()
    assert abs(found.mean() - exact) < 5 * found.std() / np.sqrt(len(found))
    np.testing.assert_allclose(-terms.loss, found)
    elbo = np.sum(np.exp(log_q) * log_weight)
    scale = 5 * np.std(terms.terms["elbo_nats"]) / np.sqrt(len(found))
    assert abs(np.mean(terms.terms["elbo_nats"]) - elbo) < scale


def test_variance_normalisation_divides_the_whole_gradient():
    def gradient(normalized):
        estimator = ScoreFunction(baseline="none", variance_normalization=normalized)
        model = vae(50, estimator=estimator)
        if normalized:
            for scale, one in zip((2.0, 3.0, 4.0), model.estimators, strict=True):
                one.spread.update([-scale, scale])
        with tf.GradientTape() as tape:
            loss = model.objective(X, seeds.base(0), training=False).loss
        network = model.chain.network
        return tape.gradient(loss, [layer.kernel.value for layer in network.contexts])

    for scale, plain, divided in zip((2, 3, 4), gradient(False), gradient(True), strict=True):
        np.testing.assert_allclose(scale * divided, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "estimator", ["reinmax", "nvil", "straight_through_gumbel_softmax", "disarm", "daps"]
)
def test_training(estimator):
    model = vae(
        60, estimator=estimator, prior="learned", num_samples=2 if estimator == "daps" else None
    )
    model.compile("adam", run_eagerly=True)
    before = [v.numpy() for v in model.trainable_variables]
    logs = model.train_step(X)
    assert np.isfinite(logs["hard_elbo_nats"]) and np.isfinite(logs["gradient_norm"])
    moved = [
        np.any(old != v.numpy()) for old, v in zip(before, model.trainable_variables, strict=True)
    ]
    assert np.mean(moved) > 0.8


def test_training_under_xla():
    model = vae(50, estimator="reinmax", prior="learned")
    model.compile("adam", jit_compile=True)
    assert np.isfinite(model.fit(X, verbose=0).history["loss"]).all()


@pytest.mark.parametrize(
    "mode, estimator", [("table", "reinmax"), ("digit_sum", "reinmax"), ("table", "enumeration")]
)
def test_decoders_that_read_embeddings(mode, estimator):
    embedding = layers.CodeEmbedding(50, 5, f"path:{BRANCHING}", mode)
    dense = keras.layers.Dense(16)
    decoder = keras.Sequential([keras.Input([3, 4]), embedding, keras.layers.Flatten(), dense])
    model = vae(50, decoder=decoder, estimator=estimator)
    assert embedding.table.shape == ((50, 5) if mode == "table" else (12, 5))
    model.compile("sgd", run_eagerly=True)
    assert np.isfinite(model.train_step(X)["loss"])


def test_paths_that_cannot_be_listed_are_refused():
    with pytest.raises(ValueError, match="64 paths, max_configurations=63"):
        vae(estimator=Enumeration(max_configurations=63))


def test_a_prior_that_samples_digits_of_no_category_is_refused():
    with pytest.raises(ValueError, match="those of no category.*num_categories=50"):
        models.AutoregressivePrior.for_model(vae(50))
    assert models.AutoregressivePrior.for_model(vae()).num_variables == 3


def test_saving_and_export(tmp_path):
    model = vae(50, prior="learned", estimator="nvil")
    found = model.encode(X)
    np.testing.assert_array_equal(codes.encode_batches(model, [X]), found)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.encode(X), found)
    assert again.get_config() == model.get_config() and len(again.estimators) == 3
    np.testing.assert_allclose(
        again.log_likelihood(X, 5, seed=1), model.log_likelihood(X, 5, seed=1), rtol=1e-5
    )
    manifest = export.save(model, tmp_path / "exported")
    assert (manifest.latents, manifest.latent_shape) == (f"path:{BRANCHING}", (3, 4))
    assert manifest.codes["branching"] == [4, 4, 4] and manifest.codes["max"] == 49
    served = tf.saved_model.load(str(tmp_path / "exported")).signatures
    np.testing.assert_array_equal(served["encode"](image=X)["codes"], found)
    decoded = served["decode"](codes=found)["image"]
    np.testing.assert_allclose(decoded, model.decode(found), rtol=1e-5)
    sampled = served["sample"](num=tf.constant(20), seed=tf.constant([0, 1]))["codes"]
    np.testing.assert_array_equal(sampled, model.sample_codes(20, tf.constant([0, 1])))
    usage = evaluation.collect_usage(model, [X])
    assert usage.counts.shape == (3, 4) and usage.counts.sum() == 9


def test_a_checkpoint_holds_every_weight(tmp_path):
    made = [vae(50, prior="learned", estimator="nvil") for _ in range(2)]
    check_all_are_kept(*made, tmp_path)


def test_gradients_have_no_exact_reference():
    assert evaluation.exact_reference(vae(), X) is None


def test_a_prior_of_the_digits():
    model = vae(code_prior=lambda n, k: models.AutoregressivePrior(n, k, units=4), learn=False)
    assert (model.code_prior.num_variables, model.code_prior.num_categories) == (3, 4)
    assert model.sample(2).shape == [2, 4, 4, 1]
    assert special.logsumexp(model.prior.log_prob(np.arange(K)[:, np.newaxis])) == pytest.approx(
        0, abs=1e-5
    )


PATH = f"path:{BRANCHING}"
REFUSED = {
    "variables": (lambda: vae(num_variables=2), "A path is one variable.*latents='tree:4,4,4'"),
    "layers": (lambda: vae(num_layers=2), "stochastic layers already. Set num_layers=1"),
    "estimators": (lambda: vae(estimator=["reinmax"] * 3), "one estimator for all digits"),
    "categories": (lambda: vae(65), "must reach num_categories"),
    "relaxed": (
        lambda: vae(estimator="gumbel_softmax"),
        "must be one-hot. Choose an estimator such as",
    ),
    "control": (lambda: vae(50, estimator="rebar"), "ragged or masked tree.*disarm"),
    "density": (lambda: vae(objective="relaxed_elbo"), "no relaxed density.*'importance_weighted'"),
    "free bits": (lambda: vae(free_bits=0.1), "of which a path has a sample. Set free_bits=0"),
    "prior": (lambda: vae(50, code_prior=models.AutoregressivePrior), "samples categories alone"),
    "units": (lambda: vae(digit_units=(0,)), "digit_units must be a sequence"),
    "layer": (lambda: StochasticLayer("reinmax", latents=PATH), "Each digit of path:4,4,4 latents"),
    "independent": (lambda: models.IndependentPrior(1, K, PATH), "no independent prior"),
    "features": (lambda: models.feature_networks(vae()), "Train a model with latents of a tree"),
    "structured": (
        lambda: models.StructuredPrediction(
            (4, 1), num_variables=1, num_categories=K, num_layers=1, latents=PATH
        ),
        "give it to CategoricalVAE",
    ),
    "classes": (
        lambda: models.SemiSupervisedVAE((4, 4, 1), num_classes=K, latents=PATH),
        "give it to CategoricalVAE",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_path_cannot_do_is_refused(case):
    make, said = REFUSED[case]
    with pytest.raises(ValueError, match=said):
        make()
