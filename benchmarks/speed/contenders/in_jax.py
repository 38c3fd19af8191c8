"""The contender in JAX: one jitted scan over the steps of a turn, its weights donated."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from benchmarks.speed.interleaved import Turn
from benchmarks.speed.setting import ALPHA, PEAK_SIZE, Setting, labels, peak

TITLES = {"jax_scan": "JAX, jitted scan"}


def make(images: np.ndarray, setting: Setting, name: str) -> tuple[Turn, dict[str, float]]:
    """Returns a generator that trains `setting.steps` steps for each turn, and the peak of XLA."""
    del name
    os.environ["XLA_FLAGS"] = (
        "--xla_cpu_multi_thread_eigen="
        f"{'true' if setting.threads > 1 else 'false'} intra_op_parallelism_threads={setting.threads}"
    )
    import jax
    import jax.numpy as jnp

    square = jnp.ones([PEAK_SIZE, PEAK_SIZE], setting.dtype)
    product = jax.jit(jnp.matmul)
    product(square, square).block_until_ready()
    return _train(images, setting), {
        "peak": peak(lambda: product(square, square).block_until_ready())
    }


def _train(images: np.ndarray, setting: Setting) -> Turn:
    import jax
    import jax.numpy as jnp

    sizes, batch = setting.sizes, setting.batch
    rng = np.random.default_rng(0)
    weights = []
    for inputs, outputs in sizes.layers:
        limit = np.sqrt(6 / (inputs + outputs))
        kernel = rng.uniform(-limit, limit, [inputs, outputs]).astype(np.float32)
        weights.append((jnp.asarray(kernel), jnp.zeros([outputs])))
    encoder = len(sizes.hidden) + 1
    data = jnp.asarray(images)
    labelled = data[:batch].astype(jnp.float32)
    known = jax.nn.one_hot(jnp.asarray(labels(batch)), sizes.categories)

    def mlp(layers: Any, x: Any) -> Any:
        for number, (kernel, bias) in enumerate(layers):
            x = jax.nn.relu(x) if number else x
            product = jnp.matmul(
                x.astype(setting.dtype),
                kernel.astype(setting.dtype),
                preferred_element_type=jnp.float32,
            )
            x = product + bias
        return x

    def loss_of(weights: Any, x: Any, key: Any) -> Any:
        logits = mlp(weights[:encoder], x)
        if sizes.latents == "bernoulli":
            z = jax.nn.sigmoid(logits + jax.random.logistic(key, logits.shape))
            entropy = jnp.sum(jax.nn.softplus(logits) - jax.nn.sigmoid(logits) * logits)
            kl = logits.size * np.log(2.0) - entropy
        else:
            logits = logits.reshape(-1, sizes.variables, sizes.categories)
            log_q = jax.nn.log_softmax(logits)
            kl = jnp.sum(jnp.exp(log_q) * (log_q + np.log(sizes.categories)))
            z = jax.nn.softmax(logits + jax.random.gumbel(key, logits.shape)).reshape(len(x), -1)
        pixels = mlp(weights[encoder:], z)
        reconstruction = jnp.sum(jax.nn.softplus(pixels) - x * pixels)
        return (reconstruction + kl) / batch

    def m2_loss_of(weights: Any, x: Any, key: Any) -> Any:
        of_class, of_style, decoder = (
            weights[:encoder],
            weights[encoder : 2 * encoder + 1],
            weights[2 * encoder + 1 :],
        )
        class_key, style_key = jax.random.split(key)
        rows = jnp.concatenate([labelled, x])
        log_q = jax.nn.log_softmax(mlp(of_class, rows))
        guess = log_q[batch:]
        y = jax.nn.softmax(guess + jax.random.gumbel(class_key, guess.shape))
        y = jnp.concatenate([known, y])
        (kernel, _) = of_style[1]
        met = mlp(of_style[:1], rows) + mlp([(kernel, 0.0)], y)
        mean, log_scale = jnp.split(mlp(of_style[2:], jax.nn.relu(met)), 2, axis=-1)
        z = mean + jnp.exp(log_scale) * jax.random.normal(style_key, mean.shape)
        pixels = mlp(decoder, jnp.concatenate([y, z], axis=-1))
        reconstruction = jnp.sum(jax.nn.softplus(pixels) - rows * pixels)
        style_kl = 0.5 * jnp.sum(mean**2 + jnp.exp(2 * log_scale) - 1 - 2 * log_scale)
        uniform = np.log(sizes.categories)
        class_kl = jnp.sum(jnp.exp(guess) * (guess + uniform)) + batch * uniform
        cross_entropy = -jnp.sum(known * log_q[:batch])
        return (reconstruction + style_kl + class_kl + ALPHA * cross_entropy) / len(rows)

    objective = m2_loss_of if sizes.style else loss_of

    def step(carry: Any, chosen: Any) -> Any:
        weights, means, squares, count, key = carry
        key, own = jax.random.split(key)
        x = data[chosen].astype(jnp.float32)
        loss, gradients = jax.value_and_grad(objective)(weights, x, own)
        count += 1
        rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, gradients)
        squares = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, squares, gradients)
        weights = jax.tree.map(
            lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, means, squares
        )
        return (weights, means, squares, count, key), loss

    run = jax.jit(lambda carry, order: jax.lax.scan(step, carry, order), donate_argnums=0)
    zeros = jax.tree.map(jnp.zeros_like, weights)
    carry = (
        weights,
        zeros,
        jax.tree.map(jnp.zeros_like, weights),
        jnp.float32(0),
        jax.random.key(0),
    )
    while True:
        order = rng.integers(0, len(images), [setting.steps, batch]).astype(np.int32)
        carry, losses = run(carry, order)
        yield float(jnp.sum(losses)) / setting.steps
