"""`TabulationObjective`: what `VariationalStateTabulation` minimises, and its bounds."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from tf_discrete import estimators
from tf_discrete._internal import integer_checks
from tf_discrete.distributions import Bernoulli
from tf_discrete.estimators import backward
from tf_discrete.models.state_windows import StateWindows, Windows
from tf_discrete.objectives import stochastic_layers
from tf_discrete.schedules import ScheduledVariable
from tf_discrete.types import ObjectiveTerms, Seed, Tensor

TERMS = ("elbo_nats", "reconstruction_nats", "kl_nats")
HARD_TERMS = ("hard_elbo_nats", "hard_reconstruction_nats", "hard_kl_nats")


class TabulationObjective:
    """The loss and the terms of a batch of windows, see `VariationalStateTabulation`.

    A plain object: the model tracks what it is made of.

    Args:
        parts: Distributions of windows and of their states.
        num_actions: Int.
        estimator: Estimator of the states.
        num_samples: Number of samples of the states of a window.
        kl_weight: Weight of the KL in the loss.
        prior_temperature: Temperature of the relaxed transitions; None for the KL of bits.
        differs_in_training: Bool, whether the encoder is another one at inference.
    """

    def __init__(
        self,
        parts: StateWindows,
        num_actions: int,
        estimator: estimators.Estimator,
        num_samples: int,
        kl_weight: ScheduledVariable,
        prior_temperature: float | None,
        differs_in_training: bool,
    ):
        self.parts, self.num_actions = parts, num_actions
        self.estimator, self.num_samples = estimator, num_samples
        self.kl_weight, self.prior_temperature = kl_weight, prior_temperature
        self.differs_in_training = differs_in_training

    def __call__(self, windows: Windows, seed: Seed, training: bool) -> ObjectiveTerms:
        """Returns the terms of a batch."""
        logits = self.parts.logits(windows.image, training)
        noise = self.estimator.draw_noise(seed, logits, self.num_samples)
        estimated = self._terms if self.prior_temperature is None else self._relaxed_terms
        loss, auxiliary, kl = estimated(windows, logits, noise, training)
        # XLA leaves out the check of the actions: a wrong one shows in the loss.
        known = integer_checks.rows_in(windows.action, 0, self.num_actions - 1)
        loss = tf.where(known, loss, tf.cast(math.nan, loss.dtype))
        reconstruction = loss - tf.cast(self.kl_weight.value, kl.dtype) * kl
        terms = dict(zip(TERMS, (-reconstruction - kl, reconstruction, kl), strict=True))
        shared = not (training and self.differs_in_training)
        return ObjectiveTerms(loss, auxiliary, terms, logits if shared else None)

    def _terms(
        self, windows: Windows, logits: Tensor, noise: Tensor, training: bool
    ) -> tuple[tf.Tensor, ...]:
        """The loss by the estimator, the auxiliary loss, and the KL given the state before, [B] each."""
        image, action = windows
        outside = backward.divide_gradient(logits, self.estimator.gradient_scale)
        posterior = self.estimator.distribution(outside)
        weight = tf.fill(tf.shape(logits)[:1], tf.cast(self.kl_weight.value, logits.dtype))

        def objective_fn(z: Tensor) -> tf.Tensor:
            kl = posterior.kl_divergence(self.parts.prior(z, action, training))
            return self.parts.log_likelihood(image, z, training) - weight * kl

        numbers = self.parts.window * math.prod(self.parts.data_shape)
        context = tf.reshape(image, [-1, numbers])
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weight)
            estimate = self.estimator.estimate(
                objective_fn, logits, noise, context=context, training=training
            )
        # The estimate is linear in what it is the mean of, whatever the estimator.
        kl = -tf.stop_gradient(tape.gradient(estimate.value, weight))
        return -estimate.value, estimate.auxiliary, kl

    def _relaxed_terms(
        self, windows: Windows, logits: Tensor, noise: Tensor, training: bool
    ) -> tuple[tf.Tensor, ...]:
        """The loss of the relaxed model, whose KL is one of densities, 0, and that KL, [B] each."""
        image, action = windows
        estimator: Any = self.estimator
        sample = estimator.sample(logits, noise)
        prior = self.parts.prior(sample.value, action, training)
        ratio = stochastic_layers.relaxed_log_ratio(
            Bernoulli.latents,
            sample.log_value,
            logits,
            prior.logits,
            estimator.temperature.value,
            self.prior_temperature,
        )
        log_likelihood = self.parts.log_likelihood(image, sample.value, training)
        kl = -estimators.mean(ratio)
        loss = tf.cast(self.kl_weight.value, kl.dtype) * kl - estimators.mean(log_likelihood)
        return loss, tf.zeros_like(loss), kl

    def hard_terms(
        self, windows: Windows, seed: Seed, encoded: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Returns the terms of the discrete path."""
        image, action = windows
        logits = self.parts.logits(image) if encoded is None else encoded
        posterior = self.estimator.distribution(logits)
        z = posterior.sample(seed, 1)
        kl = posterior.kl_divergence(self.parts.prior(z, action))[0]
        reconstruction = -self.parts.log_likelihood(image, z)[0]
        return dict(zip(HARD_TERMS, (-reconstruction - kl, reconstruction, kl), strict=True))

    def log_weights(self, windows: Windows, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """Computes log p(x, z) - log q(z | x) in nats for S samples of the states, [S, B]."""
        image, action = windows
        posterior = self.estimator.distribution(self.parts.logits(image))
        z = posterior.sample(seed, num_samples)
        log_ratio = self.parts.prior(z, action).log_prob(z) - posterior.log_prob(z)
        return self.parts.log_likelihood(image, z) + log_ratio
