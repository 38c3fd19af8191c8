"""The autoregressive prior: a distribution over all codes, exact by enumeration; draws; training; files."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models import small_models
from tf_discrete import seeds
from tf_discrete.models import AutoregressivePrior

# num_variables, num_categories, chunk_size: chunks that divide the code, that do not, and a single one.
SIZES = [(4, 2, 1), (5, 2, 2), (3, 3, 2), (4, 2, 4), (2, 5, 1)]
every_size = pytest.mark.parametrize("sizes", SIZES)


def make(sizes, **options):
    """A prior with weights far from their start."""
    prior = AutoregressivePrior(*sizes, units=6, embedding_units=4, **options)
    random = np.random.RandomState(1)
    for weight in prior.weights:
        weight.assign(random.normal(scale=1.2, size=weight.shape))
    return prior


@pytest.fixture(scope="module", params=SIZES, ids=str)
def prior(request):
    return make(request.param)


@pytest.fixture(scope="module")
def one():
    return make((5, 2, 2))


def all_codes(prior):
    values = itertools.product(range(prior.num_categories), repeat=prior.num_variables)
    return np.array(list(values), np.int32)


def test_probabilities_of_all_codes_sum_to_one(prior):
    codes = all_codes(prior)
    log_prob = prior.log_prob(codes)
    assert log_prob.dtype == tf.float32
    probs = np.exp(log_prob.numpy().astype(float))
    np.testing.assert_allclose(probs.sum(), 1.0, rtol=1e-5)
    assert probs.max() > 3 * probs.min()  # The distribution is not uniform.


def test_symbols_are_numbers_with_the_first_variable_in_front(prior):
    codes = all_codes(prior)
    symbols = prior.symbols(codes).numpy()
    np.testing.assert_array_equal(prior.codes_of(symbols), codes)
    size, categories = prior.chunk_size, prior.num_categories
    expected = [
        [
            int("".join(map(str, code[start : start + size])), categories)
            for start in range(0, prior.num_variables, size)
        ]
        for code in codes.tolist()
    ]
    np.testing.assert_array_equal(symbols, expected)
    for chunk, possible in enumerate(prior.possible()):
        assert set(np.flatnonzero(possible)) == set(symbols[:, chunk])


def test_a_chunk_depends_on_those_before_it_only(one):
    codes = all_codes(one)
    logits = one.logits_of(one.symbols(codes)).numpy()
    for chunk in range(one.num_chunks):
        groups = {}
        for code, row in zip(codes, logits[:, chunk], strict=True):
            groups.setdefault(tuple(code[: chunk * one.chunk_size]), []).append(row)
        for rows in groups.values():
            np.testing.assert_allclose(rows, np.broadcast_to(rows[0], np.shape(rows)), atol=1e-5)
        if chunk:
            firsts = [rows[0][:2] for rows in groups.values()]
            assert np.ptp(firsts, axis=0).max() > 0.01


def _frequencies(prior, draws):
    codes = all_codes(prior)
    place = {tuple(code): i for i, code in enumerate(codes.tolist())}
    counts = np.bincount([place[tuple(code)] for code in draws.tolist()], minlength=len(codes))
    return counts / len(draws)


def _assert_drawn_from(frequencies, probs, count):
    """Within 5 standard errors everywhere, and nothing where the distribution has nothing."""
    error = np.sqrt(np.maximum(probs * (1 - probs), 1e-12) / count)
    assert (abs(frequencies - probs) < 5 * error + 1e-6).all()
    assert (frequencies[probs == 0] == 0).all()


def test_draws_have_the_frequencies_of_the_law(prior):
    probs = np.exp(prior.log_prob(all_codes(prior)).numpy())
    draws = prior.sample(20_000, seed=3).numpy()
    assert draws.dtype == np.int32
    _assert_drawn_from(_frequencies(prior, draws), probs, 20_000)


def _conditional_law(prior, change):
    """The distribution whose conditionals are `change` of the prior's, by enumeration."""
    codes = all_codes(prior)
    symbols = prior.symbols(codes).numpy()
    logits = prior.logits_of(symbols).numpy().astype(float)
    probs = np.ones(len(codes))
    for chunk in range(prior.num_chunks):
        for row in range(len(codes)):
            probs[row] *= change(logits[row, chunk])[symbols[row, chunk]]
    return probs


def _softmax(logits):
    exps = np.exp(logits - logits.max())
    return exps / exps.sum()


def test_the_temperature_divides_the_logits_of_every_chunk(one):
    probs = _conditional_law(one, lambda logits: _softmax(logits / 0.5))
    np.testing.assert_allclose(probs.sum(), 1.0)
    draws = one.sample(20_000, seed=4, temperature=0.5).numpy()
    _assert_drawn_from(_frequencies(one, draws), probs, 20_000)


def _nucleus(logits, top_p):
    probs = _softmax(logits)
    kept, mass = np.zeros(len(probs), bool), 0.0
    for index in np.argsort(-probs):
        if mass < top_p:
            kept[index] = True
        mass += probs[index]
    return kept * probs / (kept * probs).sum()


@pytest.mark.parametrize("top_p", [0.6, 0.9])
def test_top_p_keeps_the_fewest_values_that_reach_it(one, top_p):
    probs = _conditional_law(one, lambda logits: _nucleus(logits, top_p))
    assert (probs == 0).any()
    draws = one.sample(20_000, seed=5, top_p=top_p).numpy()
    _assert_drawn_from(_frequencies(one, draws), probs, 20_000)


def test_a_tiny_top_p_is_the_most_probable_value_of_each_chunk(one):
    draws = one.sample(50, seed=5, top_p=1e-6).numpy()
    assert (draws == draws[0]).all()


def test_equal_seeds_give_equal_draws_and_others_others(one):
    first, again, other = (one.sample(30, seed=seed).numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(one.sample(30, seeds.base(1)), first)


def test_all_draws_share_one_compiled_function():
    prior = make((4, 2, 2))
    for count, options in (
        (3, {}),
        (7, {"temperature": 0.5}),
        (2, {"temperature": 2, "top_p": 0.9}),
    ):
        for seed in (0, 1, seeds.base(1), np.int32([1, 2])):
            assert prior.sample(count, seed, **options).shape == (count, 4)
    assert prior.sample(tf.constant(5), top_p=tf.constant(0.5)).shape == (5, 4)
    assert prior._compiled_draw.experimental_get_tracing_count() == 1


def test_draws_and_densities_work_inside_a_graph_and_under_xla(one):
    @tf.function(jit_compile=True, autograph=False)
    def both():
        codes = one.sample(64, seeds.base(0))
        return codes, one.log_prob(codes)

    codes, log_prob = both()
    np.testing.assert_allclose(log_prob, one.log_prob(codes.numpy()), rtol=1e-4, atol=1e-4)


def test_bits_are_nats_over_log_2(one):
    codes = one.sample(1005, seed=0)  # More than are scored at once.
    expected = -np.mean(one.log_prob(codes)) / math.log(2)
    np.testing.assert_allclose(one.bits_per_item(codes), expected, rtol=1e-6)


@pytest.mark.slow
def test_training_finds_the_entropy_of_the_data():
    """Codes of 2 fair bits, twice: ln 4 nats; independent variables would need twice as many."""
    bits = np.random.default_rng(0).integers(0, 2, [512, 2])
    codes = np.concatenate([bits, bits], axis=1)
    keras.utils.set_random_seed(0)
    prior = AutoregressivePrior(4, chunk_size=1, units=16, embedding_units=8)
    prior.compile(optimizer=keras.optimizers.Adam(0.02))
    history = prior.fit(codes, epochs=12, batch_size=64, verbose=0).history["loss"]
    nats = prior.evaluate(codes, verbose=0)
    assert abs(history[0] - 4 * math.log(2)) < 0.3
    assert 0.98 * math.log(4) < nats < 1.1 * math.log(4)
    np.testing.assert_allclose(nats, -np.mean(prior.log_prob(codes)), rtol=1e-5)


@pytest.mark.parametrize("name", ["metrics", "weighted_metrics"])
def test_metrics_are_refused_on_several_workers(monkeypatch, name):
    prior = make((4, 2, 2))
    prior.compile("sgd", **{name: [keras.metrics.Mean()]})
    prior.make_train_function(force=True)
    monkeypatch.setattr(AutoregressivePrior, "_on_workers", True)
    for make_function in (prior.make_train_function, prior.make_test_function):
        with pytest.raises(ValueError, match=f"Leave metrics.*Received: .*{name}=.<Mean"):
            make_function(force=True)
    without = make((4, 2, 2))
    without.compile("sgd")
    without.make_train_function(force=True)


def test_weights_of_examples_count(one):
    codes = all_codes(one)
    log_prob = one.log_prob(codes)
    weights = np.linspace(0, 2, len(codes))
    loss = one.compute_loss(y_pred=log_prob, sample_weight=weights)
    np.testing.assert_allclose(loss, -np.mean(weights * log_prob), rtol=1e-5)


def test_gradients_are_finite_where_a_short_chunk_masks_values(one):
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(one.log_prob(all_codes(one)))
    gradients = tape.gradient(loss, [w.value for w in one.trainable_variables])
    assert len(gradients) == 7
    for gradient in gradients:
        assert np.isfinite(tf.convert_to_tensor(gradient)).all()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_dtype_policies(policy):
    prior = make((5, 2, 2), dtype=policy)
    log_prob = prior.log_prob(all_codes(prior))
    assert log_prob.dtype == (tf.float64 if policy == "float64" else tf.float32)
    np.testing.assert_allclose(np.exp(log_prob).sum(), 1.0, rtol=1e-5)
    assert prior.sample(4, seed=0).shape == (4, 5)


def test_a_file_holds_all_of_it(one, tmp_path):
    one.save(tmp_path / "prior.keras")
    again = keras.saving.load_model(tmp_path / "prior.keras")
    codes = all_codes(one)
    np.testing.assert_array_equal(one.log_prob(codes), again.log_prob(codes))
    np.testing.assert_array_equal(one.sample(9, seed=1), again.sample(9, seed=1))
    assert again.get_config() == one.get_config()


def test_it_fits_the_codes_of_a_model():
    model = small_models.make()
    prior = AutoregressivePrior.for_model(model, units=4)
    codes = model.encode(small_models.data())
    assert prior.log_prob(codes).shape == (6,)
    assert model.decode(prior.sample(3, seed=0)).shape == (3, 4)
    with pytest.raises(ValueError, match="must have discrete codes"):
        AutoregressivePrior.for_model(keras.Sequential())


def test_the_default_chunk_takes_up_to_256_values():
    chunks = {
        sizes: AutoregressivePrior(*sizes, units=1).chunk_size
        for sizes in [(20, 2), (3, 2), (20, 10), (20, 16), (4, 1000)]
    }
    assert list(chunks.values()) == [8, 3, 2, 2, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_variables": 0}, "num_variables must be at least 1.*num_variables=0"),
        (
            {"num_variables": 4, "num_categories": 1},
            "num_categories must be at least 2.*num_categories=1",
        ),
        ({"num_variables": 4, "chunk_size": 5}, "no more than the code.*1 to 4.*chunk_size=5"),
        ({"num_variables": 4, "chunk_size": 0}, "Received: chunk_size=0"),
        ({"num_variables": 40, "chunk_size": 17}, "chunk_size of at most 16.*chunk_size=17"),
        ({"num_variables": 9, "num_categories": 10, "chunk_size": 5}, "at most 4"),
        (
            {"num_variables": 3, "num_categories": 70_000},
            "at most 65536 categories.*fewer categories. Received: num_categories=70000",
        ),
        ({"num_variables": 4, "units": 0}, "units must be at least 1.*units=0"),
        ({"num_variables": 4, "embedding_units": 0}, "embedding_units=0"),
    ],
)
def test_sizes_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AutoregressivePrior(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "temperature must be positive.*temperature=0.0"),
        ({"temperature": math.inf}, "temperature=inf"),
        ({"top_p": 0.0}, r"top_p must be in \(0, 1\].*top_p=0.0"),
        ({"top_p": 1.1}, "top_p=1.1"),
    ],
)
def test_draws_out_of_range_are_refused(one, options, message):
    with pytest.raises(ValueError, match=message):
        one.sample(3, **options)


def test_codes_of_another_model_are_refused(one):
    with pytest.raises(ValueError, match=r"codes must be \[B, 5\].*codes.shape=\(2, 4\)"):
        one.log_prob(np.zeros([2, 4], int))
    with pytest.raises(ValueError, match="maximum=2"):
        one.log_prob(np.full([2, 5], 2))
    with pytest.raises(ValueError, match=r"codes must be \[B, 5\].*codes.shape=\(2, 4\)"):
        tf.function(one.log_prob)(tf.zeros([2, 4], tf.int32))


@pytest.mark.parametrize(
    "argument,value,message",
    [
        ("num_samples", tf.constant("x"), "an integer >= 0. Received: num_samples="),
        ("temperature", tf.constant("x"), "positive and finite. Received: temperature="),
        ("temperature", tf.zeros([0, 3]), "positive and finite. Received: temperature="),
        ("temperature", tf.constant(0.0), "positive and finite. Received: temperature="),
        ("top_p", tf.constant("x"), "in .0, 1.. Received: top_p="),
        ("top_p", tf.zeros([0, 3]), "in .0, 1.. Received: top_p="),
    ],
)
def test_tensors_that_are_no_number_are_refused(one, argument, value, message):
    with pytest.raises(ValueError, match=f"{argument} must be {message}"):
        one.sample(**{"num_samples": 2, argument: value})


def test_a_symbolic_number_must_be_a_scalar(one):
    sample = tf.function(lambda p: one.sample(2, seed=0, top_p=p), autograph=False)
    assert sample(tf.constant(0.5)).shape[0] == 2
    with pytest.raises(ValueError, match="top_p must be a number, or a floating scalar.*top_p="):
        sample.get_concrete_function(tf.TensorSpec([3]))
