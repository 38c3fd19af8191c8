"""ReinMax-Rao: ReinMax with the averaged Jacobian of a relaxation in the place of its first term."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete.estimators.gumbel_rao import GumbelRao
from tf_discrete.estimators.registry import register
from tf_discrete.types import Sample, Tensor, WithGradient


@register("reinmax_rao")
class ReinMaxRao(GumbelRao):
    """One-hot sample forward; backward, ReinMax whose first Jacobian is that of Gumbel-Rao.

        D ~ Categorical(softmax(logits)),  p = softmax(logits)
        l = log((p + D) / 2),  the logits of the point at which ReinMax takes its first Jacobian
        G_m ~ Gumbel noise given argmax(l + G_m) = D,  m = 1 .. M
        gradient = 2/M sum_m J(softmax((l + G_m) / temperature)) g / temperature - J(p) g / 2

    J(p) g = p * (g - p . g), and g is the gradient of the objective at D. The gradient of ReinMax depends
    on nothing but D, so there is no noise in it to average away: this is a smoother function of D, of
    less variance and another mean. The gradient is therefore biased for every objective, also for linear
    ones, which ReinMax has exactly. One evaluation a sample; noise and backward pass take memory and time
    in proportion to M * N * K for each sample.

    The formula is that of the authors' published code. The article is said to take the second Jacobian at
    l, too; that form is further from the exact gradient (docs/estimators.md, Errata).

    Args:
        temperature: Positive float or schedule, temperature of the backward relaxation. Default: 1.0.
        num_conditional: M >= 1, number of noise samples given the one-hot sample. Default: 10.
        latents: "categorical" or "bernoulli".

    Raises:
        ValueError: num_conditional < 1.

    Example:
        >>> from tf_discrete import seeds
        >>> estimator = ReinMaxRao(num_conditional=20)
        >>> logits = tf.zeros([2, 5])
        >>> estimator.sample(logits, estimator.draw_noise(seeds.base(0), logits)).value.shape
        TensorShape([1, 2, 5])

    Reference:
        Wang, Bui. Beyond ReinMax: low-variance gradient estimators for discrete latent variables. 2026.
        arXiv:2603.08257.
    """

    spec = GumbelRao.spec._replace(reference="Wang, Bui 2026, arXiv:2603.08257", annealed=False)

    def _relaxed_logits(self, logits: tf.Tensor, hard: tf.Tensor) -> tf.Tensor:
        return self.relaxable_kind(logits).halfway_logits(hard)

    def _sample(self, logits: tf.Tensor, noise: Tensor) -> Sample:
        hard, noise = tf.split(noise, [1, self.num_conditional], axis=self._stack_axis)
        hard = tf.squeeze(hard, axis=self._stack_axis)
        logits = self._tile(logits, hard)
        probs, relaxed = self.distribution(logits).probs, self._relaxed(logits, hard, noise)
        jacobian = self.relaxable_kind.jacobian_product

        @tf.custom_gradient
        def second_order(logits: tf.Tensor) -> WithGradient:
            def backward(upstream: tf.Tensor) -> tf.Tensor:
                first = self._relaxed_product(relaxed, upstream)
                return 2.0 * first - 0.5 * jacobian(probs, upstream)

            return tf.identity(hard), backward

        return Sample(second_order(logits), self.distribution(logits).code(hard))

    def _relaxed(self, logits: tf.Tensor, hard: tf.Tensor, noise: Tensor) -> tf.Tensor:
        """Returns the relaxed values that noises [S, *B, M, N(, K)] make of the halfway logits."""
        halfway = self._relaxed_logits(logits, hard)
        kind = self.relaxable_kind(tf.expand_dims(halfway, self._stack_axis))
        return kind.relaxed_value(noise, self.temperature.value)

    def _relaxed_product(self, relaxed: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
        """Returns the Jacobian of the relaxation times a vector, averaged over the noises."""
        upstream = tf.expand_dims(upstream, self._stack_axis)
        product = self.relaxable_kind.jacobian_product(relaxed, upstream)
        return tf.reduce_mean(product, axis=self._stack_axis) / tf.cast(
            self.temperature.value, product.dtype
        )
