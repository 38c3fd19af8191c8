"""`AutoregressiveTree`: one variable of very many categories whose digits depend on the digits before."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import estimators, seeds, types
from tf_discrete._internal import arguments, checks
from tf_discrete.distributions import Categorical, mixed_radix
from tf_discrete.distributions.configurations import MAX_CONFIGURATIONS
from tf_discrete.distributions.tree_leaves import TreeLeaves
from tf_discrete.models import tree_paths
from tf_discrete.models.digit_network import DigitNetwork
from tf_discrete.models.named_parts import name_parts
from tf_discrete.models.tree_paths import LogitsFn, over_children
from tf_discrete.types import (
    ActivationLike,
    Config,
    Estimate,
    EstimatorLike,
    PerLayer,
    Reduction,
    Seed,
    Shape,
    Tensor,
)


@keras.saving.register_keras_serializable("tf_discrete.models")
class AutoregressiveTree(keras.layers.Layer):
    """q(z | x) = q(d_1 | x) q(d_2 | x, d_1) ...: one variable of K categories, its digits in turn.

    A small network for each depth maps the features of x and the one-hot digits before to the logits of the
    next digit. Each is normalised over the children that have categories below them, so K may be any number,
    the last digit may be ragged, and subtrees and single categories may be masked.

    Values are one-hot digits [..., D, r], as those of `TreeCategorical` with one variable, and may be read by
    `CodeEmbedding`.

    What is exact, and what is estimated:

    - `sample`, `log_prob`, `code`: exact, D passes of the small networks.
    - `mode`: with `beam=1` the greedy path, else the best of a beam search. Neither is the most probable
      category for certain, unless `beam` is K.
    - `entropy`, `kl_divergence`: exact, by expanding the tree level by level, up to 65536 leaves; beyond they
      are refused.
    - `entropy_along`, `kl_along`: at sampled paths, exact for the children of every node on the path, so
      without bias and with less variance than log q(z) - log p(z). Their gradient has two parts: that of the
      logits on the path, which is here, and that of the choice of the path. The second part arrives through
      the values with pathwise estimators and is what `estimate` adds with all others; without either it is
      missing, and the gradient of the mean is biased.

    Args:
        num_categories: Int K >= 2. Default: 1024.
        branching: Integers >= 2, the children of a node at each depth; the product is at least K. Default:
            (32, 32).
        hidden_units: Sequence of ints, hidden layers of the network of each depth. Default: (64,).
        activation: Name of the Keras activation of the hidden layers. Default: "tanh".
        masked: Prefixes of digits that are left out, see `TreeLeaves`. Default: none.
        estimator: Name or object, see `tf_discrete.estimators`, or a sequence of one for each digit.
            `estimate` uses them; each digit gets its own copy. Default: "reinmax".

    Input shape:
        [batch, ..., features]

    Output shape:
        [batch, ..., D, r], the greedy mode.

    Raises:
        ValueError: Branching that does not cover K, prefixes of no node, no category that is left, or an
            estimator that cannot take a path.

    Example:
        >>> tree = AutoregressiveTree(10**6 + 3, (101, 101, 101), hidden_units=(8,))
        >>> x = tf.ones([2, 5])
        >>> z = tree.sample(x, seeds.base(0), num_samples=3)
        >>> z.shape, tree.code(z).dtype, tree.log_prob(x, z).shape
        (TensorShape([3, 2, 3, 101]), tf.int64, TensorShape([3, 2]))
    """

    def __init__(
        self,
        num_categories: int = 1024,
        branching: Sequence[int] = (32, 32),
        hidden_units: Sequence[int] = (64,),
        activation: ActivationLike = "tanh",
        masked: Sequence[Sequence[int]] = (),
        estimator: PerLayer[EstimatorLike] = "reinmax",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.leaves = TreeLeaves(num_categories, branching, masked)
        self.hidden_units = arguments.hidden_units(hidden_units)
        self.activation = arguments.activation(activation)
        self.depth, self.digit_size = len(self.leaves.branching), max(self.leaves.branching)
        self.network = DigitNetwork(
            self.leaves.branching,
            self.hidden_units,
            self.activation,
            dtype=self.dtype_policy,
            name="network",
        )
        self.estimators = arguments.layer_estimators(
            estimator, Categorical.latents, None, self.depth
        )
        tree_paths.check_estimators(self.estimators, self.leaves.irregular, self.leaves.branching)
        for layer in self.estimators:
            if type(layer).distribution is not estimators.Estimator.distribution:
                raise ValueError(
                    "The digits of a tree are drawn from softmax(logits), with which it scores codes. Choose "
                    "an estimator such as reinmax, or CategoricalVAE with latents='path:...'. "
                    f"Received: estimator={type(layer).__name__}"
                )
        for layer in self.estimators:
            layer.build((None, 1, self.digit_size))
        name_parts(self, estimators=self.estimators)

    def build(self, inputs_shape: Shape) -> None:
        if len(inputs_shape) < 2 or inputs_shape[-1] is None:
            raise ValueError(
                "inputs must be [batch, ..., features]. Add the axis that is missing, and fix the last one. "
                f"Received: inputs.shape={tuple(inputs_shape)}"
            )
        self.network.build(inputs_shape)
        self.built = True

    def call(self, inputs: Tensor) -> tf.Tensor:
        return tf.cast(self.mode(inputs), self.compute_dtype)

    def compute_output_shape(self, inputs_shape: Shape) -> tuple[int | None, ...]:
        return (*inputs_shape[:-1], self.depth, self.digit_size)

    # The children of a node.

    def logits(self, depth: int, context: Tensor, before: Tensor) -> tf.Tensor:
        """Computes the logits of digit `depth`, [*A, r], -inf where there is no category.

        Args:
            depth: Int in [0, D).
            context: float [*A, F], features of x, or of axes that broadcast against A.
            before: float [*A, depth, r], the digits before.
        """
        if not self.built:
            self.build(context.shape)
        logits = types.at_least_float32(self.network.logits(depth, context, before))
        return self.leaves.mask(logits, before)

    # Values and codes.

    def code(self, value: Tensor) -> tf.Tensor:
        """Converts values [*A, D, r] to codes, int64 [*A]."""
        return self.leaves.node(value)

    def one_hot(self, code: Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
        """Converts codes int [*A] to values, float [*A, D, r].

        Raises:
            ValueError: Codes outside of the tree. In a graph their values are 0, with log q = -inf.
        """
        digits = mixed_radix.to_digits(code, self.leaves.branching)
        return tf.one_hot(digits, self.digit_size, dtype=dtype)

    def enumerate(self) -> tf.Tensor:
        """Lists the codes of all categories that are not masked, int64 [num_allowed].

        Raises:
            ValueError: There are more than 65536 leaves.
        """
        self._check_size("enumerate", "sample")
        return self.leaves.enumerate()

    # Probabilities.

    def sample(self, context: Tensor, seed: Seed, num_samples: int | Tensor = 1) -> tf.Tensor:
        """Samples values, float [num_samples, *B, D, r], given features [*B, F]."""
        context = tf.convert_to_tensor(context)
        context = tf.broadcast_to(context, tf.concat([[num_samples], tf.shape(context)], axis=0))
        return tree_paths.follow(
            lambda depth, before: self.logits(depth, context, before),
            self.depth,
            self._root(context),
            lambda depth, digit: digit.sample(seeds.fold(seed, "digit", depth), 1)[0],
        )

    def mode(self, context: Tensor, beam: int = 1) -> tf.Tensor:
        """Returns a probable value, float [*B, D, r]: of the greedy path, or the best of a beam search.

        Args:
            context: float [*B, F].
            beam: Int >= 1, prefixes that are kept at each depth; 1 for the greedy path. Default: 1.
        """
        beam, context = checks.whole("beam", beam), tf.convert_to_tensor(context)
        if beam == 1:
            return tree_paths.follow(
                lambda depth, before: self.logits(depth, context, before),
                self.depth,
                self._root(context),
                lambda depth, digit: digit.mode(),
            )
        return tree_paths.best_by_beam(
            lambda depth, before: self.logits(depth, context[..., tf.newaxis, :], before),
            self.depth,
            self._root(context),
            beam,
        )

    def log_prob(self, context: Tensor, value: Tensor) -> tf.Tensor:
        """log q(value | x) in nats, [*A], of values [*A, D, r]; -inf where a digit has no category."""
        parts = [
            over_children(logits).log_prob(value[..., depth, tf.newaxis, :])
            for depth, logits in enumerate(self.path_logits(context, value))
        ]
        total = tf.add_n(parts)
        chosen = tf.reduce_all(tf.reduce_max(value, axis=-1) > 0.5, axis=-1)
        return tf.where(chosen, total, tf.cast(-math.inf, total.dtype))

    def path_logits(self, context: Tensor, value: Tensor) -> list[tf.Tensor]:
        """Computes the logits of each digit given the digits of values before it, [*A, r] each."""
        value = tf.cast(value, self._wide)
        return [self.logits(depth, context, value[..., :depth, :]) for depth in range(self.depth)]

    def entropy(self, context: Tensor) -> tf.Tensor:
        """Entropy in nats, [*B], exact.

        Raises:
            ValueError: There are more than 65536 leaves.
        """
        self._check_size("entropy", "entropy_along of samples")
        return self._over_nodes(context, lambda depth, before, q: q.entropy())

    def kl_divergence(self, context: Tensor, prior_logits_fn: LogitsFn | None = None) -> tf.Tensor:
        """Computes KL(q(z | x) || p(z)) in nats, [*B], exactly.

        Args:
            context: float [*B, F].
            prior_logits_fn: Maps a depth and the digits before, [*A, depth, r], to the logits of p, [*A, r].
                Default: None, for the uniform distribution over all categories.

        Raises:
            ValueError: There are more than 65536 leaves.
        """
        self._check_size("kl_divergence", "kl_along of samples")
        prior = prior_logits_fn or self.leaves.uniform_logits
        return self._over_nodes(
            context, lambda depth, before, q: q.kl_divergence(over_children(prior(depth, before)))
        )

    def entropy_along(self, context: Tensor, value: Tensor) -> tf.Tensor:
        """Entropies of the digits at the nodes of paths, summed: unbiased at samples; float [*A]."""
        logits = self.path_logits(context, value)
        return tf.add_n([over_children(one).entropy() for one in logits])

    def kl_along(
        self, context: Tensor, value: Tensor, prior_logits_fn: LogitsFn | None = None
    ) -> tf.Tensor:
        """KLs of the digits at the nodes of paths, summed: unbiased at samples of q; float [*A]."""
        value = tf.cast(value, self._wide)
        return tree_paths.kl_along(
            self.path_logits(context, value), value, prior_logits_fn or self.leaves.uniform_logits
        )

    def estimate(
        self,
        objective_fn: Callable[[Tensor, Tensor], Tensor],
        context: Tensor,
        seed: Seed,
        num_samples: int = 1,
        *,
        prior_logits_fn: LogitsFn | None = None,
        reduce: Reduction = estimators.mean,
        training: bool = False,
    ) -> Estimate:
        """Estimates E_q[f(z, kl_along(z))] with the whole gradient, each digit by its estimator.

        The digits are stochastic layers in a row, see `estimators.nested_estimate`: the gradient through the
        prefix is that of the estimators, unbiased if all are. Add `auxiliary` of the result to the loss: it
        trains what they learn, such as the baseline of `nvil`.

        An estimator with variance normalisation divides the gradient for the logits of its digit by its
        `gradient_scale`. The gradient of the KL for these logits is divided by the same number.

        Args:
            objective_fn: Maps values [*A, D, r] and KLs along their paths [*A] to values of f, [*A].
            context: float [*B, F].
            seed: int32 [2].
            num_samples: S. Default: 1.
            prior_logits_fn: As in `kl_divergence`. Default: the uniform distribution.
            reduce: Over the samples. Default: `estimators.mean`.
            training: As in `Estimator.estimate`. Default: False.

        Raises:
            ValueError: Too few samples, or a reduction that an estimator does not take.
        """
        estimators.check_nested(self.estimators, num_samples, reduce)
        prior = prior_logits_fn or self.leaves.uniform_logits
        # Read before the estimate, which moves them in training.
        scales = [layer.gradient_scale for layer in self.estimators]

        def logits_fn(before: tuple[Tensor, ...]) -> tf.Tensor:
            prefix = (
                tree_paths.join(before) if before else self._root(tf.convert_to_tensor(context))
            )
            return self.logits(len(before), context, prefix)[..., tf.newaxis, :]

        def objective(z: tuple[Tensor, ...], logits: tuple[Tensor, ...]) -> tf.Tensor:
            value = tree_paths.join(z)
            found = [
                estimators.divide_gradient(one[..., 0, :], scale)
                for one, scale in zip(logits, scales, strict=True)
            ]
            return objective_fn(value, tree_paths.kl_along(found, value, prior))

        return estimators.nested_estimate(
            self.estimators,
            logits_fn,
            objective,
            seed,
            num_samples,
            reduce=reduce,
            training=training,
        )

    def get_config(self) -> Config:
        configs = [keras.saving.serialize_keras_object(layer) for layer in self.estimators]
        return {
            **super().get_config(),
            "num_categories": self.leaves.num_categories,
            "branching": list(self.leaves.branching),
            "hidden_units": self.hidden_units,
            "activation": self.activation,
            "masked": [list(prefix) for prefix in self.leaves.masked],
            "estimator": configs if len(configs) > 1 else configs[0],
        }

    @property
    def _wide(self) -> tf.DType:
        return tf.float64 if self.variable_dtype == "float64" else tf.float32

    def _root(self, context: tf.Tensor) -> tf.Tensor:
        """Returns the prefixes of no digit, [*A, 0, r], for features [*A, F]."""
        shape = tf.concat([tf.shape(context)[:-1], [0, self.digit_size]], axis=0)
        return tf.ensure_shape(
            tf.zeros(shape, self._wide), [*context.shape[:-1], 0, self.digit_size]
        )

    def _over_nodes(
        self, context: Tensor, quantity: Callable[[int, Tensor, Categorical], Tensor]
    ) -> tf.Tensor:
        context = tf.convert_to_tensor(context)
        return tree_paths.expectation_over_nodes(
            lambda depth, before: self.logits(depth, context[..., tf.newaxis, :], before),
            self.leaves.branching,
            self._root(context),
            quantity,
        )

    def _check_size(self, name: str, remedy: str) -> None:
        leaves = math.prod(self.leaves.branching)
        if leaves > MAX_CONFIGURATIONS:
            raise ValueError(
                f"{name} visits all leaves of the tree, at most {MAX_CONFIGURATIONS}. Take {remedy}. "
                f"Received: num_categories={self.leaves.num_categories}, "
                f"branching={self.leaves.branching} with {leaves} leaves"
            )
