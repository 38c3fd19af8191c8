"""The quantised autoencoder: images to the codes of a quantiser and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import estimators
from tf_discrete._internal import checks, replicas
from tf_discrete.distributions import Discrete, LatentSpec
from tf_discrete.export.signature import Signature
from tf_discrete.layers.independent_prior import IndependentPrior
from tf_discrete.layers.quantizers import Quantizer, VectorQuantizer
from tf_discrete.layers.quantizers.composite import copies
from tf_discrete.models import autoencoder, networks
from tf_discrete.types import (
    ActivationLike,
    Config,
    LikelihoodLike,
    NetworkLike,
    ObjectiveTerms,
    PriorLike,
    Seed,
    Tensor,
)

OTHERS = -100.0
"""Logit of the codes that an observation does not have; its own has 0. Finite, so that it can be drawn."""


@keras.saving.register_keras_serializable("tf_discrete.models")
class QuantizedAutoencoder(autoencoder.DiscreteAutoencoder):
    """An autoencoder whose code is the numbers of quantised vectors, such as a VQ-VAE.

    The encoder returns vectors, one for each position of `latent_shape`; the quantiser replaces them by
    codewords, which the decoder reads. The code of an observation is the codes of all positions in turn,
    N = positions * variables of the quantiser, and there is no noise. The loss is -log p(x | codewords) plus
    the loss of the quantiser, summed over the positions, times its `loss_weight`. The metric
    "hard_elbo_nats" reports log p(x | code) - N log K, a lower bound of log p(x) under the uniform prior.

    Codewords start at vectors of the first batches. `adapt` starts them at the k-means of encoded data.

    Args:
        data_shape: Tuple of ints, shape of an observation, such as (28, 28, 1).
        quantizer: `Quantizer` object, of which only the configuration is used, or its config. Default:
            `VectorQuantizer()`.
        latent_shape: Tuple of ints, shape between encoder and decoder: axes of positions, such as height and
            width, and the size of a vector. Default: (16, 32), 16 vectors of 32 numbers.
        encoder: "mlp", "conv", "conv_grid", a registered name, or a Keras model from [B, *data_shape] to as
            many numbers as `latent_shape` has. "conv_grid" is convolutions alone, each of which halves height
            and width, for a `latent_shape` of rows, columns and the size of a vector. Default: "mlp".
        decoder: A name, or a Keras model from [B, *latent_shape] to the parameters of the likelihood. None:
            the decoder of the same name as the encoder. Default: None.
        hidden_units: Sequence of ints, hidden layers of the named networks, and filters of "conv_grid".
            Default: (512, 256).
        activation: Name of the Keras activation of the hidden layers. Default: "relu".
        likelihood: Name or object, see `tf_discrete.likelihoods`. Default: "bernoulli", whose negative
            log-likelihood of grey pixels is the binary cross-entropy.
        code_prior: Prior of the codes that is trained in the same step and from which `sample` draws, see
            `CategoricalVAE`. Default: None.
        seed: Int, base seed of all samples. Default: 0.
        monitor_every: How often, in training steps, the discrete path is evaluated. Default: 10.

    Raises:
        ValueError: Arguments are out of range or contradict one another.

    Example:
        >>> from tf_discrete.layers.quantizers import FiniteScalarQuantizer
        >>> quantizer = FiniteScalarQuantizer(levels=(8, 5, 5))
        >>> model = QuantizedAutoencoder((8, 8, 1), quantizer, latent_shape=(6, 4), hidden_units=(16,))
        >>> model.compile(optimizer="adam")
        >>> x = tf.ones([5, 8, 8, 1])
        >>> model.encode(x).shape, model.num_categories, model.reconstruct(x).shape
        (TensorShape([5, 6]), 200, TensorShape([5, 8, 8, 1]))

    Reference:
        van den Oord, Vinyals, Kavukcuoglu. Neural discrete representation learning. 2017. arXiv:1711.00937.
    """

    deterministic_codes = True
    """Whether an observation has one code, so that meters need no probabilities of size N x K."""

    collapse_advice = (
        "Start the codebook at data by adapt, raise the quantiser's dead_threshold, or lower the learning "
        "rate."
    )

    def __init__(
        self,
        data_shape: Sequence[int],
        quantizer: Quantizer | Config | None = None,
        latent_shape: Sequence[int] = (16, 32),
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
        (made,) = copies("quantizer", VectorQuantizer() if quantizer is None else quantizer, 1)
        shape = checks.sizes("latent_shape", latent_shape)
        if not shape:
            checks.refuse("latent_shape", "positions and the size of a vector", latent_shape)
        if made.num_categories > checks.INT32_MAX:
            raise ValueError(
                f"The codes of a model are int32. Give a quantiser of at most {checks.INT32_MAX} categories, "
                f"such as one with more codes of fewer bits. Received: num_categories={made.num_categories}"
            )
        positions = math.prod(shape[:-1])
        super().__init__(
            data_shape=data_shape,
            latent_spec=LatentSpec(positions * made.num_variables, made.num_categories),
            decoder_input_shape=shape,
            encoder=encoder,
            decoder=decoder,
            hidden_units=hidden_units,
            activation=activation,
            likelihood=likelihood,
            seed=seed,
            monitor_every=monitor_every,
            **kwargs,
        )
        self.latent_shape, self.quantizer = shape, made
        self.quantizer.build((None, *shape))
        self.prior: IndependentPrior = IndependentPrior(
            self.num_variables, self.num_categories, dtype=self._wide.name, name="prior"
        )
        self._differs_in_training = networks.differs_in_training(self.encoder)
        self._finish(
            code_prior,
            ("reconstruction_nats", "quantizer_loss"),
            ("hard_elbo_nats", "hard_reconstruction_nats"),
        )

    @property
    def num_codebooks(self) -> int:
        """Returns the codes of a position; all positions share their codebooks."""
        return self.quantizer.num_variables

    def adapt(self, x: Tensor) -> None:
        """Starts the codebooks at the k-means of the vectors that the encoder makes of data.

        Args:
            x: float [B, *data_shape], with at least as many positions as there are codewords.

        Raises:
            ValueError: There are too few vectors; see `check_observations`.
        """
        self.quantizer.adapt(self._vectors(self.check_observations(x), training=False))

    def prior_distribution(self) -> Discrete:
        """Returns the uniform prior p(z)."""
        return self.prior.distribution()

    def parameters(self, z: Tensor, training: bool = False) -> tf.Tensor:
        """Computes the likelihood's parameters, [*A, *parameters_shape], given codewords.

        Args:
            z: float [*A, *latent_shape].
            training: Bool, training mode of the decoder. Default: False.
        """
        batch_rank = z.shape.rank - len(self.latent_shape)
        outputs = estimators.apply_to_samples(
            lambda values: self.decoder(values, training=training), z, batch_rank=batch_rank
        )
        return self._as_parameters(outputs, batch_rank)

    def _vectors(self, x: Tensor, training: bool) -> tf.Tensor:
        """Returns the vectors before quantisation, [B, *latent_shape]."""
        outputs = tf.cast(self.encoder(x, training=training), self._wide)
        return tf.reshape(outputs, [-1, *self.latent_shape])

    def _codes(self, x: Tensor, encoded: Tensor | None = None) -> tf.Tensor:
        vectors = self._vectors(x, training=False) if encoded is None else encoded
        return tf.reshape(self.quantizer.encode(vectors), [-1, self.num_variables])

    def _latents_of(self, codes: Tensor) -> tf.Tensor:
        positions = [-1, *self.latent_shape[:-1], self.quantizer.num_variables]
        return tf.cast(self.quantizer.decode(tf.reshape(codes, positions)), self._wide)

    def _logits(self, x: Tensor, training: bool = False) -> tf.Tensor:
        return tf.one_hot(
            self._codes(x), self.num_categories, on_value=0.0, off_value=OTHERS, dtype=self._wide
        )

    def _posterior(self, x: Tensor, training: bool = False) -> Discrete:
        return self.latent_spec.distribution(self._logits(x))

    def _objective(self, x: Tensor, seed: Seed, training: bool) -> ObjectiveTerms:
        vectors = self._vectors(x, training)
        with replicas.summing(self.encoder):
            found = self.quantizer.quantize_vectors(vectors, training)
        codewords = tf.cast(found.vectors, self._wide)
        reconstruction = -self.conditional_log_likelihood(x, codewords, training)
        positions = tf.reshape(found.loss, [-1, math.prod(self.latent_shape[:-1])])
        extra = tf.cast(tf.reduce_sum(positions, axis=-1), reconstruction.dtype)
        loss = reconstruction + self.quantizer.loss_weight * extra
        shared = not (training and self._differs_in_training)
        return ObjectiveTerms(
            loss,
            tf.zeros_like(loss),
            {"reconstruction_nats": reconstruction, "quantizer_loss": extra},
            vectors if shared else None,
        )

    def hard_terms(self, x: Tensor, seed: Seed, encoded: Tensor | None = None) -> dict[str, Tensor]:
        x = self.check_observations(x)
        z = self._latents_of(self._codes(x, encoded))
        reconstruction = -self.conditional_log_likelihood(x, z)
        return {
            "hard_elbo_nats": -reconstruction - self.num_variables * math.log(self.num_categories),
            "hard_reconstruction_nats": reconstruction,
        }

    def log_weights(self, x: Tensor, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """Computes log p(x, z) in nats at the only code of each observation, S times the same, [S, B]."""
        x = self.check_observations(x)
        elbo = self.hard_terms(x, seed)["hard_elbo_nats"]
        return tf.broadcast_to(elbo, [num_samples, tf.shape(elbo)[0]])

    def signatures(self) -> dict[str, Signature]:
        found = super().signatures()
        del found["encode_probs"]  # Codes are deterministic.
        return found

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "quantizer": keras.saving.serialize_keras_object(self.quantizer),
            "latent_shape": self.latent_shape,
        }
