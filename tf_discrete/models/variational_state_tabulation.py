"""Variational state tabulation: bits as the states of a table, with a model of transitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import estimators
from tf_discrete._internal import arguments, checks, input_checks, integer_checks
from tf_discrete.distributions import Bernoulli, Discrete, LatentSpec
from tf_discrete.export.signature import Outputs, Signature, batch_of, with_limits
from tf_discrete.layers.independent_prior import IndependentPrior
from tf_discrete.models import batches, mlp_networks, networks
from tf_discrete.models.binary_codes import BinaryCodes
from tf_discrete.models.state_windows import StateWindows, Windows
from tf_discrete.models.tabulation_objective import HARD_TERMS, TERMS, TabulationObjective
from tf_discrete.types import (
    ActivationLike,
    Batch,
    Config,
    EstimatorLike,
    Inputs,
    LikelihoodLike,
    NetworkLike,
    ObjectiveTerms,
    ScheduleLike,
    Seed,
    Shape,
    Tensor,
)

OBJECTIVES = ("relaxed_elbo", "elbo")


@keras.saving.register_keras_serializable("tf_discrete.models")
class VariationalStateTabulation(BinaryCodes):
    """An autoencoder to bits that also predicts the bits after an action (VaST).

    The model is p(z_1) prod_t p(z_t | z_{t-1}, a_{t-1}) prod_t p(x_t | z_t) with N bits z_t and a network of
    transitions that has one output for each action; the encoder is q(z_t | x_t), which reads one observation.
    Bits that tell observations apart but cannot be predicted cost nats, so what the actions do not control is
    left out of the state. Codes serve as the states of `tf_discrete.codes.StateTable`.

    `fit` takes dicts of windows of T observations: `image`, [B, T, *data_shape], and `action`, int [B, T -
    1]. `log_likelihood` takes the same as a tuple. `encode`, `decode`, `reconstruct` and `predict` take
    single observations. All bounds are those of a whole window, in nats, with a prior of its first state.

    Args:
        data_shape: Tuple of ints, shape of an observation, such as (28, 28, 1).
        num_actions: Int A >= 1, actions 0 to A - 1.
        num_bits: Int N >= 1, bits of a state. Default: 32.
        window: Int T >= 2, observations of a window. Default: 2.
        estimator: Name, object or config, see `tf_discrete.estimators`. Default: "gumbel_softmax", which is
            the binary Concrete of the paper.
        temperature: Positive float or schedule, for an estimator given by name. Default: 2/3 of
            gumbel_softmax, else that of the estimator.
        num_samples: Int, samples of the states of a window in training. Default: 1, or the fewest that the
            estimator takes.
        objective: "relaxed_elbo" (densities of the relaxation, as in the paper) or "elbo" (the exact KL of
            bits given the state before them, with any estimator). Default: "relaxed_elbo" with estimators
            that have a density, else "elbo".
        prior_temperature: Positive float, temperature of the relaxed transitions. Relaxed objective only.
            Default: 0.5.
        kl_weight: Float >= 0 or schedule, weight of the KL in the loss; the reported bounds are not weighted.
            Default: 1.0.
        prior: Prior of the first state of a window, "uniform" or "learned". Default: "learned".
        initial_logit: Float, logit of every bit with which a learned prior and the transitions start. The
            posterior of a bit that says nothing is its prior: at logit 0 its code would be that of a coin,
            and one picture would have many states. Default: -2.0.
        transition_units: Sequence of ints, hidden layers of the network of transitions. Default: (256,).
        encoder: "mlp", "conv", a registered name, or a Keras model from [B, *data_shape] to N logits.
            Default: "mlp".
        decoder: A name, or a Keras model from [B, N] to the parameters of the likelihood. None: the decoder
            of the same name as the encoder. Default: None.
        hidden_units: Sequence of ints, hidden layers of the named networks. Default: (512, 256).
        activation: Name of the Keras activation of the hidden layers. Default: "relu".
        likelihood: Name or object, see `tf_discrete.likelihoods`. Default: "gaussian".
        seed: Int, base seed of all samples. Default: 0.
        monitor_every: How often, in training steps, the discrete path is evaluated. Default: 10.

    Raises:
        ValueError: Arguments are out of range or contradict one another.

    Example:
        >>> model = VariationalStateTabulation((8, 8, 1), num_actions=4, num_bits=12, hidden_units=(16,))
        >>> model.compile(optimizer="adam")
        >>> x = tf.ones([5, 8, 8, 1])
        >>> states = model.encode(x)
        >>> states.shape, model.predict_codes(states, [0, 1, 2, 3, 0]).shape, model.encode_packed(x).shape
        (TensorShape([5, 12]), TensorShape([5, 12]), TensorShape([5, 2]))

    Reference:
        Corneil, Gerstner, Brea. Efficient model-based deep reinforcement learning with variational state
        tabulation. 2018. arXiv:1802.04325.
    """

    collapse_advice = (
        "Bits that nothing predicts cost nats. Train longer, use fewer bits, or a likelihood with a smaller "
        "scale."
    )

    def __init__(
        self,
        data_shape: Sequence[int],
        num_actions: int,
        num_bits: int = 32,
        window: int = 2,
        estimator: EstimatorLike = "gumbel_softmax",
        temperature: ScheduleLike | None = None,
        num_samples: int | None = None,
        objective: str | None = None,
        prior_temperature: float = 0.5,
        kl_weight: ScheduleLike = 1.0,
        prior: str = "learned",
        initial_logit: float = -2.0,
        transition_units: Sequence[int] = (256,),
        encoder: NetworkLike = "mlp",
        decoder: NetworkLike | None = None,
        hidden_units: Sequence[int] = (512, 256),
        activation: ActivationLike = "relu",
        likelihood: LikelihoodLike = "gaussian",
        seed: int = 0,
        monitor_every: int = 10,
        **kwargs: Any,
    ):
        checks.choice("prior", prior, arguments.PRIORS)
        num_bits = checks.whole("num_bits", num_bits, 1, checks.INT32_MAX // 2)
        super().__init__(
            data_shape=data_shape,
            latent_spec=LatentSpec(num_bits, 2, Bernoulli.latents),
            encoder=encoder,
            decoder=decoder,
            hidden_units=hidden_units,
            activation=activation,
            likelihood=likelihood,
            seed=seed,
            monitor_every=monitor_every,
            **kwargs,
        )
        self.num_actions = checks.whole("num_actions", num_actions)
        self.window = checks.whole("window", window, lowest=2)
        given_by_name = isinstance(estimator, str) and estimator == "gumbel_softmax"
        if given_by_name and temperature is None:
            temperature = 2 / 3
        self.estimator = arguments.estimator(estimator, Bernoulli.latents, temperature)
        self.num_samples = arguments.num_samples(num_samples, [self.estimator])
        self.estimator.check(self.num_samples, None)
        self.estimator.build((None, self.window * num_bits), (None, self._numbers))
        has_density = self.estimator.spec.density
        default = "relaxed_elbo" if has_density else "elbo"
        self.objective_name = checks.choice(
            "objective", default if objective is None else objective, OBJECTIVES
        )
        if self.objective_name == "relaxed_elbo" and not has_density:
            raise ValueError(
                "objective='relaxed_elbo' takes the density of relaxed samples. Choose objective='elbo', or "
                "a relaxed estimator such as gumbel_softmax. "
                f"Received: estimator={type(self.estimator).__name__}"
            )
        self.prior_temperature = checks.positive("prior_temperature", prior_temperature)
        self.kl_weight = arguments.scheduled_weight("kl_weight", kl_weight)
        self.prior: IndependentPrior = IndependentPrior(
            num_bits,
            latents=Bernoulli.latents,
            learned=prior == "learned",
            dtype=self._wide.name,
            name="prior",
        )
        self._transition_units = arguments.hidden_units(transition_units, "transition_units")
        self.transitions = mlp_networks.mlp_encoder(
            (num_bits,),
            self.num_actions * num_bits,
            self._transition_units,
            arguments.activation(activation),
        )
        self.initial_logit = checks.number("initial_logit", initial_logit)
        start = np.full([self.num_actions * num_bits], self.initial_logit, np.float32)
        networks.set_output_bias(self.transitions, start)
        if self.prior.learned:
            self.prior.logits.assign(start[:num_bits])
        parts = StateWindows(
            (self.window, num_bits, *self.data_shape),
            self._logits,
            self.transition,
            self.prior_distribution,
            self.conditional_log_likelihood,
        )
        self._bounds = TabulationObjective(
            parts,
            self.num_actions,
            self.estimator,
            self.num_samples,
            self.kl_weight,
            self.prior_temperature if self.objective_name == "relaxed_elbo" else None,
            networks.differs_in_training(self.encoder),
        )
        self._finish(None, TERMS, HARD_TERMS)

    @property
    def _numbers(self) -> int:
        """Numbers of a window."""
        return self.window * math.prod(self.data_shape)

    # The parts of the model.

    def prior_distribution(self) -> Discrete:
        """Returns p(z_1), the prior of the first state of a window."""
        return self.prior.distribution()

    def _posterior(self, x: Tensor, training: bool = False) -> Discrete:
        return self.estimator.distribution(self._logits(x, training))

    def transition(self, z: Tensor, action: Tensor, training: bool = False) -> Discrete:
        """Returns p(z' | z, a) of states, bits or relaxed.

        Args:
            z: float [*A, N].
            action: int [*A], or of the last axes of it; the logits of others than 0 to A - 1 are NaN.
            training: Bool, training mode of the network. Default: False.
        """
        outputs = estimators.apply_to_samples(
            lambda rows: self.transitions(rows, training=training),
            z,
            batch_rank=z.shape.rank - 1,
        )
        shape = tf.concat([tf.shape(z)[:-1], [self.num_actions, self.num_bits]], axis=0)
        of_actions = tf.reshape(tf.cast(outputs, self._wide), shape)
        action = tf.convert_to_tensor(action)
        chosen = tf.one_hot(action, self.num_actions, dtype=self._wide)[..., tf.newaxis]
        known = ((action >= 0) & (action < self.num_actions))[..., tf.newaxis]
        logits = tf.reduce_sum(of_actions * chosen, axis=-2)
        return Bernoulli(tf.where(known, logits, tf.cast(math.nan, logits.dtype)))

    # What training minimises and reports.

    def unpack_batch(self, data: Batch) -> Windows:
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        if not isinstance(x, dict) or not {"image", "action"} <= set(x):
            shown = sorted(x, key=str) if isinstance(x, dict) else type(x).__name__
            raise ValueError(
                "A batch must be a dict with 'image', [B, T, *data_shape], and 'action', int [B, T - 1]. "
                f"Received: {shown}"
            )
        return Windows(x["image"], x["action"])

    def check_observations(self, x: Any) -> Any:
        """Returns observations [B, *data_shape] as a tensor, or windows (image, action) as `Windows`."""
        if not isinstance(x, tuple):
            return super().check_observations(x)
        image, action = x
        support = self.likelihood.support
        shape = (self.window, *self.data_shape)
        image = input_checks.observations(image, shape, support, "image")
        action = self._check_actions(action, (self.window - 1,))
        return Windows(image, input_checks.same_batch(image, action, ("image", "action")))

    def _windows(self, x: Inputs) -> Windows:
        """Returns checked windows, given as a tuple (image, action)."""
        if not isinstance(x, tuple) or len(x) != 2:
            raise ValueError(
                "Bounds are those of windows. Give a tuple (image, action). "
                f"Received: {type(x).__name__}"
            )
        windows: Windows = self.check_observations(x)
        return windows

    def check_batch(self, data: Batch) -> None:
        self.check_observations(self.unpack_batch(data))

    def objective(self, x: Inputs, seed: Seed, training: bool) -> ObjectiveTerms:
        return self._bounds(self._windows(x), seed, training)

    def hard_terms(self, x: Inputs, seed: Seed, encoded: Tensor | None = None) -> dict[str, Tensor]:
        return self._bounds.hard_terms(self._windows(x), seed, encoded)

    def log_weights(self, x: Inputs, num_samples: int | Tensor, seed: Seed) -> tf.Tensor:
        """Computes log p(x, z) - log q(z | x) of windows in nats for S samples of their states, [S, B]."""
        return self._bounds.log_weights(self._windows(x), num_samples, seed)

    def values_per_row(self) -> int:
        return self.window * super().values_per_row()

    # What a trained model is for.

    def call(self, x: Any, training: bool = False) -> tf.Tensor:
        if not isinstance(x, dict):
            return self.reconstruct(x)
        support = self.likelihood.support
        shape = (self.window, *self.data_shape)
        image = input_checks.observations(batches.inputs_of(x), shape, support, "image")
        rows = self.reconstruct(tf.reshape(image, [-1, *self.data_shape]))
        return tf.reshape(rows, tf.shape(image))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        shape: Shape = input_shape["image"] if isinstance(input_shape, dict) else input_shape
        return tuple(shape)

    def predict_codes(self, codes: Tensor, action: Tensor) -> tf.Tensor:
        """Returns the most probable states after actions, int32 [B, N].

        Args:
            codes: Int [B, N], states.
            action: Int [B].

        Raises:
            ValueError: Codes or actions of another shape or out of range; tf.errors.InvalidArgumentError in a
                graph. Where no check is possible, in XLA and TFLite, the codes after them are -1.
        """
        after, valid = self._after(codes, action)
        return input_checks.blank(after.code(after.mode()), valid)

    def predict_probs(self, codes: Tensor, action: Tensor) -> tf.Tensor:
        """Returns the probability of a 1 of each bit after actions, float [B, N]; see `predict_codes`."""
        after, valid = self._after(codes, action)
        return input_checks.blank(after.probs, valid)

    def _after(self, codes: Tensor, action: Tensor) -> tuple[Discrete, tf.Tensor]:
        codes = self._check_codes(codes)
        action = self._check_actions(action, ())
        action = input_checks.same_batch(codes, action, ("codes", "action"))
        valid = integer_checks.rows_in(codes, 0, 1)
        valid &= integer_checks.rows_in(action, 0, self.num_actions - 1)
        return self.transition(tf.cast(codes, self._wide), action), valid

    def _check_actions(self, action: Tensor, shape: tuple[int, ...]) -> tf.Tensor:
        """Returns actions as int32 [B, *shape].

        Raises:
            ValueError: Of another shape or out of range; tf.errors.InvalidArgumentError in a graph. Where XLA
                leaves out the check, they are -1, which is no action: the row is NaN.
        """
        action = tf.convert_to_tensor(action)
        fits = action.shape.is_compatible_with([None, *shape])
        if not (fits and action.dtype.is_integer):
            wanted = ", ".join(("B", *map(str, shape)))
            raise ValueError(
                f"action must be int [{wanted}], of what was done in each state. Received: "
                f"action.shape={tuple(action.shape)}, action.dtype={action.dtype.name}"
            )
        return integer_checks.integers_in(action, 0, self.num_actions - 1, "action")

    def signatures(self) -> dict[str, Signature]:
        found = super().signatures()
        del found["log_likelihood"]  # Of windows.
        codes = batch_of("codes", [self.num_bits], tf.int32)
        inputs = (codes, batch_of("action", [], tf.int32))

        def predict(codes: Tensor, action: Tensor) -> Outputs:
            return {
                "codes": self.predict_codes(codes, action),
                "probs": self.predict_probs(codes, action),
            }

        limits = {"codes": (0, 1), "action": (0, self.num_actions - 1)}
        return {**found, **with_limits({"predict": Signature(predict, inputs)}, limits)}

    def get_config(self) -> Config:
        config = super().get_config()
        del config["code_prior"]
        return {
            **config,
            "num_actions": self.num_actions,
            "num_bits": self.num_bits,
            "window": self.window,
            "estimator": keras.saving.serialize_keras_object(self.estimator),
            "num_samples": self.num_samples,
            "objective": self.objective_name,
            "prior_temperature": self.prior_temperature,
            "kl_weight": self.kl_weight.get_config()["schedule"],
            "prior": "learned" if self.prior.learned else "uniform",
            "initial_logit": self.initial_logit,
            "transition_units": self._transition_units,
        }
