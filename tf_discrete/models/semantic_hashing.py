"""The semantic hashing autoencoder: images to bits and back, without a KL."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import estimators
from tf_discrete._internal import checks
from tf_discrete.distributions import Discrete, LatentSpec
from tf_discrete.export.signature import Signature
from tf_discrete.layers.independent_prior import IndependentPrior
from tf_discrete.models import networks
from tf_discrete.models.binary_codes import BinaryCodes
from tf_discrete.types import (
    ActivationLike,
    Config,
    LikelihoodLike,
    NetworkLike,
    ObjectiveTerms,
    PriorLike,
    ScheduleLike,
    Seed,
    Tensor,
)


@keras.saving.register_keras_serializable("tf_discrete.models")
class SemanticHashingAutoencoder(BinaryCodes):
    """An autoencoder with N bits as code, by improved semantic hashing, trained on reconstruction alone.

    At inference the code is [logit > 0], so an image has one code and there is no noise. The metric
    "hard_elbo_nats" reports log p(x | code) - N log 2, a lower bound of log p(x) under the uniform prior.
    Methods that need a distribution of the code, such as the bound of many samples, use that of the noisy
    code: Bernoulli(Phi(logit / noise_stddev)).

    Args:
        data_shape: Tuple of ints, shape of an observation, such as (28, 28, 1).
        num_bits: Int N >= 1, number of bits. Default: 64.
        noise_stddev: Positive float or schedule, standard deviation of the Gaussian noise. Default: 1.0.
        discrete_fraction: Float in [0, 1] or schedule, such as `schedules.Linear(0.0, 0.5, steps=5000)`:
            probability that an element is rounded in training. Default: 0.5.
        flip_probability: Float in [0, 0.5) or schedule, probability that a rounded bit is flipped. Default:
            0.0.
        encoder: "mlp", "conv", a registered name, or a Keras model from [B, *data_shape] to N logits.
            Default: "mlp".
        decoder: A name, or a Keras model from [B, N] to the parameters of the likelihood. None: the decoder
            of the same name as the encoder. Default: None.
        hidden_units: Sequence of ints, hidden layers of the named networks. Default: (512, 256).
        activation: Name of the Keras activation of the hidden layers. Default: "relu".
        likelihood: Name or object, see `tf_discrete.likelihoods`. Default: "bernoulli", whose negative
            log-likelihood of grey pixels is the binary cross-entropy.
        code_prior: Prior of the codes that is trained in the same step and from which `sample` draws: an
            `AutoregressivePrior` or another `tf_discrete.types.Prior`, its config, or a function of N and
            2 that makes it, such as the class. The bounds stay those of the uniform prior. Its -log p(z) is
            the metric "prior_nats". Default: None.
        seed: Int, base seed of all samples. Default: 0.
        monitor_every: How often, in training steps, the discrete path is evaluated. Default: 10.

    Raises:
        ValueError: Arguments are out of range or contradict one another.

    Example:
        >>> model = SemanticHashingAutoencoder((8, 8, 1), num_bits=12, hidden_units=(16,))
        >>> model.compile(optimizer="adam")
        >>> x = tf.ones([5, 8, 8, 1])
        >>> model.encode(x).shape, model.encode_packed(x).shape, model.encode_packed(x).dtype
        (TensorShape([5, 12]), TensorShape([5, 2]), tf.uint8)

    Reference:
        Kaiser, Bengio. Discrete autoencoders for sequence models. 2018. arXiv:1801.09797.
    """

    collapse_advice = (
        "Their logits lie where the saturating sigmoid has no gradient. Raise noise_stddev, lower the "
        "learning rate, or use fewer bits."
    )

    def __init__(
        self,
        data_shape: Sequence[int],
        num_bits: int = 64,
        noise_stddev: ScheduleLike = 1.0,
        discrete_fraction: ScheduleLike = 0.5,
        flip_probability: ScheduleLike = 0.0,
        encoder: NetworkLike = "mlp",
        decoder: NetworkLike | None = None,
        hidden_units: Sequence[int] = (512, 256),
        activation: ActivationLike = "relu",
        likelihood: LikelihoodLike = "bernoulli",
        code_prior: PriorLike | None = None,
        seed: int = 0,
        monitor_every: int = 10,
        **kwargs: Any,
    ):
        estimator = estimators.SemanticHashing(noise_stddev, discrete_fraction, flip_probability)
        super().__init__(
            data_shape=data_shape,
            latent_spec=LatentSpec(
                checks.whole("num_bits", num_bits, 1, checks.INT32_MAX // 2), 2, "bernoulli"
            ),
            encoder=encoder,
            decoder=decoder,
            hidden_units=hidden_units,
            activation=activation,
            likelihood=likelihood,
            seed=seed,
            monitor_every=monitor_every,
            **kwargs,
        )
        self.prior: IndependentPrior = IndependentPrior(
            self.num_bits, latents="bernoulli", dtype=self._wide.name, name="prior"
        )
        self.estimator = estimator
        self.estimator.build((None, self.num_bits))
        self._differs_in_training = networks.differs_in_training(self.encoder)
        self._finish(
            code_prior, ("reconstruction_nats",), ("hard_elbo_nats", "hard_reconstruction_nats")
        )

    def prior_distribution(self) -> Discrete:
        """Returns the uniform prior p(z)."""
        return self.prior.distribution()

    def _posterior(self, x: Tensor, training: bool = False) -> Discrete:
        return self.estimator.distribution(self._logits(x, training))

    def _objective(self, x: Tensor, seed: Seed, training: bool) -> ObjectiveTerms:
        logits = self._logits(x, training)
        estimate = self.estimator.estimate(
            lambda z: self.conditional_log_likelihood(x, z, training),
            logits,
            self.estimator.draw_noise(seed, logits),
            training=training,
        )
        terms = {"reconstruction_nats": -estimate.value}
        shared = not (training and self._differs_in_training)
        encoded = logits if shared else None
        return ObjectiveTerms(-estimate.value, estimate.auxiliary, terms, encoded)

    def hard_terms(self, x: Tensor, seed: Seed, encoded: Tensor | None = None) -> dict[str, Tensor]:
        x = self.check_observations(x)
        bits = self.prior_distribution().one_hot(self._codes(x, encoded))
        reconstruction = -self.conditional_log_likelihood(x, bits[tf.newaxis])[0]
        return {
            "hard_elbo_nats": -reconstruction - self.num_bits * math.log(2.0),
            "hard_reconstruction_nats": reconstruction,
        }

    def log_weights(self, x: Tensor, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """Computes log p(x, z) - log q(z | x) in nats for S samples of the noisy code, [S, B]."""
        x = self.check_observations(x)
        posterior = self._posterior(x)
        codes = posterior.sample_codes(seed, num_samples)
        prior = self.prior_distribution()
        log_ratio = prior.code_log_prob(codes) - posterior.code_log_prob(codes)
        return self._code_log_likelihood(x, codes) + log_ratio

    def signatures(self) -> dict[str, Signature]:
        found = super().signatures()
        del found["encode_probs"]  # Served codes are deterministic.
        return found

    def get_config(self) -> Config:
        estimator = self.estimator.get_config()
        names = ("noise_stddev", "discrete_fraction", "flip_probability")
        return {
            **super().get_config(),
            "num_bits": self.num_bits,
            **{name: estimator[name] for name in names},
        }
