"""Variational state tabulation: its bounds by enumeration, what it learns, its codes, and what it refuses."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tf_discrete import estimators, seeds
from tf_discrete.models import VariationalStateTabulation

tfd = tfp.distributions
BITS, ACTIONS, WINDOW, BATCH = 2, 3, 3, 4


def make(**options):
    """A model with weights far from their start."""
    keras.utils.set_random_seed(1)
    options = {"window": WINDOW, "hidden_units": (5,), "transition_units": (4,), **options}
    options.setdefault("likelihood", "bernoulli")
    model = VariationalStateTabulation((2, 3), ACTIONS, BITS, **options)
    random = np.random.RandomState(3)
    for variable in model.trainable_variables:
        variable.assign(random.normal(scale=0.7, size=variable.shape))
    return model


def data(seed: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
    draw = np.random.default_rng(seed)
    image = draw.integers(0, 2, [BATCH, WINDOW, 2, 3]).astype(np.float32)
    return tf.constant(image), tf.constant(draw.integers(0, ACTIONS, [BATCH, WINDOW - 1]), tf.int32)


def all_states() -> np.ndarray:
    """All states of a window, [64, T, N]."""
    bits = np.indices([2] * (WINDOW * BITS)).reshape(WINDOW * BITS, -1).T
    return bits.reshape(-1, WINDOW, BITS).astype(np.float32)


def joint(model, image, action):
    """log p(x, z) and log q(z | x) of all states of the windows, [64, B]."""
    log_x, log_z, log_q = parts(model, image, action)
    return log_x + log_z, log_q


def parts(model, image, action):
    """log p(x | z), log p(z) and log q(z | x) of all states, [64, B] each, from the networks alone."""
    z = all_states()
    rows = tf.reshape(image, [-1, 2, 3])
    logits = tf.reshape(model.encoder(rows), [BATCH, WINDOW, BITS])
    log_q = tf.reduce_sum(tfd.Bernoulli(logits=logits).log_prob(z[:, tf.newaxis]), [-2, -1])
    pixels = tf.reshape(model.decoder(z.reshape(-1, BITS)), [len(z), 1, WINDOW, 2, 3])
    log_x = tf.reduce_sum(tfd.Bernoulli(logits=pixels).log_prob(image), [-3, -2, -1])
    after = tf.reshape(model.transitions(z.reshape(-1, BITS)), [len(z), WINDOW, ACTIONS, BITS])
    log_z = tfd.Bernoulli(logits=model.prior.logits).log_prob(z[:, 0])
    log_z = tf.reduce_sum(log_z, -1)[:, tf.newaxis]
    for t in range(WINDOW - 1):
        chosen = tf.gather(after[:, t], action[:, t], axis=1)
        found = tfd.Bernoulli(logits=chosen).log_prob(z[:, t + 1][:, tf.newaxis])
        log_z += tf.reduce_sum(found, -1)
    return log_x, log_z, log_q


def test_the_bound_and_its_gradient_are_those_of_enumeration():
    model, (image, action) = make(estimator="enumeration", kl_weight=0.3), data()
    assert model.objective_name == "elbo"
    with tf.GradientTape(persistent=True) as tape:
        log_x, log_z, log_q = parts(model, image, action)
        elbo = tf.reduce_sum(tf.exp(log_q) * (log_x + log_z - log_q), axis=0)
        kl = tf.reduce_sum(tf.exp(log_q) * (log_q - log_z), axis=0)
        exact = elbo + 0.7 * kl
        terms = model.objective((image, action), seeds.base(0), training=True)
    np.testing.assert_allclose(terms.terms["elbo_nats"], elbo, rtol=1e-5)
    np.testing.assert_allclose(terms.terms["kl_nats"], kl, rtol=1e-5)
    np.testing.assert_allclose(terms.terms["reconstruction_nats"], -elbo - kl, rtol=1e-5)
    np.testing.assert_allclose(terms.loss, -exact, rtol=1e-5)
    variables = [v.value for v in model.trainable_variables]
    for wanted, found in zip(
        tape.gradient(exact, variables), tape.gradient(terms.loss, variables), strict=True
    ):
        np.testing.assert_allclose(-found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("estimator", ["score_function", "disarm", "gumbel_softmax"])
def test_the_bound_with_discrete_kl_is_estimated_without_bias(estimator):
    """Value and gradient for the encoder, within 5 standard errors of the exact ones."""
    options = {"temperature": 0.1} if estimator == "gumbel_softmax" else {}
    model = make(estimator=estimator, objective="elbo", num_samples=200, **options)
    image, action = data()
    kernel = model.encoder.trainable_variables[-1]
    with tf.GradientTape() as tape:
        log_joint, log_q = joint(model, image, action)
        exact = tf.reduce_mean(tf.reduce_sum(tf.exp(log_q) * (log_joint - log_q), axis=0))
    wanted = tape.gradient(exact, kernel.value)

    @tf.function
    def draw(seed):
        with tf.GradientTape() as tape:
            terms = model.objective((image, action), seed, training=True)
            value = tf.reduce_mean(terms.terms["elbo_nats"])
        return value, tape.gradient(value, kernel.value)

    drawn = [draw(seeds.fold(seeds.base(0), "draw", k)) for k in range(30)]
    values, gradients = (np.array(list(found)) for found in zip(*drawn, strict=True))
    relaxed = estimator == "gumbel_softmax"  # Has a bias of its own.
    for found, right in ((values, exact), (gradients, wanted)):
        error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
        allowed = 5 * error + (0.1 if relaxed else 1e-5)
        assert (np.abs(found.mean(axis=0) - right) < allowed).all()


@pytest.mark.one_in(6)
@pytest.mark.parametrize("estimator", estimators.names(latents="bernoulli"))
def test_every_estimator_of_bits_trains_the_encoder(estimator):
    model, (image, action) = make(estimator=estimator), data()
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    before = [v.numpy() for v in model.encoder.trainable_variables]
    logs = model.train_on_batch({"image": image, "action": action}, return_dict=True)
    assert np.isfinite(logs["loss"])
    for one, other in zip(before, model.encoder.trainable_variables, strict=True):
        assert (one != other.numpy()).any()


def test_the_relaxed_bound_takes_the_densities():
    model, (image, action) = make(prior_temperature=0.7, kl_weight=0.3), data()
    assert model.objective_name == "relaxed_elbo"
    assert float(model.estimator.temperature.value) == pytest.approx(2 / 3)
    seed = seeds.base(0)
    found = model.objective((image, action), seed, training=True)
    logits = tf.reshape(model.encoder(tf.reshape(image, [-1, 2, 3])), [BATCH, WINDOW * BITS])
    noise = model.estimator.draw_noise(seed, logits, 1)
    y = (logits + noise)[0] / (2 / 3)
    z = tf.reshape(tf.sigmoid(y), [BATCH, WINDOW, BITS])
    after = tf.reshape(model.transitions(tf.reshape(z, [-1, BITS])), [BATCH, WINDOW, ACTIONS, BITS])
    after = tf.gather(after[:, :-1], action, axis=2, batch_dims=2)
    first = tf.broadcast_to(model.prior.logits, [BATCH, 1, BITS])
    prior = tf.reshape(tf.concat([first, after], axis=1), [BATCH, -1])
    # The logit of a relaxed bit is logistic.
    log_q = tfd.Logistic(logits / (2 / 3), 1 / (2 / 3)).log_prob(y)
    log_p = tfd.Logistic(prior / 0.7, 1 / 0.7).log_prob(y)
    pixels = tf.reshape(model.decoder(tf.reshape(z, [-1, BITS])), image.shape)
    log_x = tf.reduce_sum(tfd.Bernoulli(logits=pixels).log_prob(image), [1, 2, 3])
    kl = tf.reduce_sum(log_q - log_p, axis=-1)
    np.testing.assert_allclose(found.terms["elbo_nats"], log_x - kl, rtol=1e-4)
    np.testing.assert_allclose(found.terms["kl_nats"], kl, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.loss, 0.3 * kl - log_x, rtol=1e-4)


def test_the_discrete_path_and_the_bound_of_many_samples():
    model, (image, action) = make(), data()
    log_joint, log_q = joint(model, image, action)
    exact = tf.reduce_sum(tf.exp(log_q) * (log_joint - log_q), axis=0)
    hard = [
        model.hard_terms((image, action), seeds.fold(seeds.base(0), "hard", k)) for k in range(300)
    ]
    values = np.array([terms["hard_elbo_nats"] for terms in hard])
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    assert (np.abs(values.mean(axis=0) - exact) < 5 * error + 1e-4).all()
    parts = hard[0]["hard_reconstruction_nats"] + hard[0]["hard_kl_nats"]
    np.testing.assert_allclose(hard[0]["hard_elbo_nats"], -parts, rtol=1e-6)
    likelihood = tf.reduce_logsumexp(log_joint, axis=0)
    found = model.log_likelihood((image, action), 20_000, chunk=20_000)
    np.testing.assert_allclose(found, likelihood, atol=0.1)


PLACES = np.repeat(np.eye(4, dtype=np.float32), 4, axis=1)


def ring(count: int, seed: int) -> dict[str, np.ndarray]:
    """Walks on a ring of four pictures: action 0 stays, 1 and 2 go on and back."""
    draw = np.random.default_rng(seed)
    action = draw.integers(0, 3, [count, 1])
    place = draw.integers(0, 4, [count])
    after = (place + np.array([0, 1, -1])[action[:, 0]]) % 4
    image = PLACES[np.stack([place, after], axis=1)]
    return {"image": image, "action": action.astype(np.int32)}


@pytest.mark.parametrize("estimator", ["gumbel_softmax", "straight_through", "disarm"])
def test_the_states_after_actions_are_learned(estimator):
    keras.utils.set_random_seed(0)
    model = VariationalStateTabulation(
        (16,), 3, 8, estimator=estimator, hidden_units=(32,), likelihood="bernoulli"
    )
    model.compile(keras.optimizers.Adam(0.01), steps_per_execution=25, jit_compile=False)
    logs = model.fit(ring(5000, 0), batch_size=100, epochs=8, verbose=0).history
    assert logs["hard_elbo_nats"][-1] > logs["hard_elbo_nats"][0] + 1
    states = model.encode(PLACES)
    assert len(np.unique(states, axis=0)) == 4
    right = []
    for action, step in enumerate((0, 1, -1)):
        probs = model.predict_probs(states, [action] * 4)
        np.testing.assert_array_equal(model.predict_codes(states, [action] * 4), probs > 0.5)
        # log p(z' | z, a) of each of the four states.
        after = tf.reduce_sum(tfd.Bernoulli(probs=probs[:, tf.newaxis]).log_prob(states), axis=-1)
        right.append(tf.argmax(after, axis=1) == (np.arange(4) + step) % 4)
    assert np.mean(right) >= 0.75  # Of 12 pairs; 0.25 by chance.


def test_an_action_that_does_not_exist_makes_the_loss_nan_where_xla_leaves_out_the_check():
    model, (image, _) = make(), data()
    z = tf.zeros([BATCH, BITS])
    assert np.isnan(model.transition(z, [0, 1, 2, 3]).logits[3]).all()

    @tf.function(jit_compile=True)
    def loss(action):
        return model.objective((image, action), seeds.base(0), training=True).loss

    found = loss(tf.constant([[0, 1], [0, 3], [2, 2], [-1, 0]])).numpy()
    np.testing.assert_array_equal(np.isnan(found), [False, True, False, True])


def test_windows_and_single_observations():
    model, (image, action) = make(), data()
    whole = model({"image": image, "action": action})
    assert whole.shape == image.shape
    np.testing.assert_allclose(whole[:, 1], model.reconstruct(image[:, 1]), rtol=1e-5)
    np.testing.assert_allclose(model.predict(image[:, 1], verbose=0), whole[:, 1], rtol=1e-5)
    packed = model.encode_packed(image[:, 0])
    np.testing.assert_array_equal(
        packed, np.packbits(model.encode(image[:, 0]).numpy().astype(np.uint8), axis=1)
    )
    assert model.sample(5).shape == (5, 2, 3)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"action": [[0, 3]] * BATCH}, "action must be in 0..2. Received: minimum=0, maximum=3"),
        ({"action": [[0]] * BATCH}, r"action must be int \[B, 2\]"),
        ({"action": [[0.0, 1.0]] * BATCH}, "action.dtype=float32"),
        ({"action": [[0, 1]]}, "image and action must have as many examples"),
        ({"image": np.zeros([BATCH, 2, 2, 3])}, "Each example must have the shape"),
        ({"image": np.full([BATCH, 3, 2, 3], 7.0)}, "Received: image from 7 to 7"),
    ],
)
def test_bad_windows_are_refused_before_a_step(change, message):
    model, (image, action) = make(), data()
    model.compile("adam", run_eagerly=True)
    given = {"image": np.array(image), "action": np.array(action)}
    given |= {name: np.asarray(value) for name, value in change.items()}
    if given["action"].dtype == np.float64:
        given["action"] = given["action"].astype(np.float32)
    before = [v.numpy() for v in model.trainable_variables]
    if len(given["action"]) == BATCH:
        with pytest.raises(ValueError, match=message):
            model.fit(given, batch_size=BATCH, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.log_likelihood((given["image"], given["action"]))
    for one, other in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, other.numpy())


def test_bad_arguments_and_batches():
    for options, message in (
        ({"window": 1}, "window must be at least 2.*Received: window=1"),
        ({"prior_temperature": 0.0}, "prior_temperature must be"),
        (
            {"estimator": "disarm", "objective": "relaxed_elbo"},
            "Choose objective='elbo'.*Received: estimator=DisARM",
        ),
        ({"objective": "bound"}, "objective must be one of relaxed_elbo, elbo"),
        ({"prior": "none"}, "prior must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            make(**options)
    model, (image, action) = make(), data()
    with pytest.raises(
        ValueError, match="A batch must be a dict with 'image'.*Received: EagerTensor"
    ):
        model.unpack_batch(image)
    with pytest.raises(ValueError, match=r"Received: \['image'\]"):
        model.unpack_batch({"image": image})
    for method in (model.log_likelihood, lambda x: model.hard_terms(x, seeds.base(0))):
        with pytest.raises(ValueError, match=r"Give a tuple \(image, action\)"):
            method(image[:, 0])
    states = model.encode(image[:, 0])
    with pytest.raises(ValueError, match=r"action must be int \[B\]"):
        model.predict_codes(states, action)
    with pytest.raises(ValueError, match="action must be in 0..2"):
        model.predict_codes(states, [0, 1, 2, 3])
    with pytest.raises(ValueError, match="codes and action must have as many examples"):
        model.predict_codes(states, [0, 1])
