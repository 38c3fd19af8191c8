"""Codebooks: the codewords of a quantiser, how they are learned, and how those that nobody uses come back."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import replicas
from tf_discrete.layers.quantizers import k_means
from tf_discrete.types import Tensor

_NEVER_USED = 2.0**-30
"""Average use of a codeword at the start. A power of two, so that dividing by it is exact."""
_LEAST_USE = 2.0**-60
"""Where the averages of an unused codeword stop decaying: their quotient must stay a number."""


class Replacement(NamedTuple):
    """Which codewords a step replaces, and by what.

    Attributes:
        dead: bool [K], the codewords to be replaced.
        own: bool [K], those for which this replica decides.
        filled: bool [K], those that it has a vector for.
        vectors: float [K, D], the vectors.
        use: float [K], the average use with which they begin.
    """

    dead: Tensor
    own: Tensor
    filled: Tensor
    vectors: Tensor
    use: Tensor

    def apply(self, value: Tensor, fresh: Tensor) -> tf.Tensor:
        """Replaces dead rows [K, ...]; the average over replicas is what the owner of a row decided."""
        shape = [-1, *[1] * (value.shape.rank - 1)]
        masks = (self.dead, self.own, self.filled)
        dead, own, filled = (tf.reshape(mask, shape) for mask in masks)
        decided = _num_replicas() * tf.where(filled, fresh, value)
        return tf.where(dead, tf.where(own, decided, tf.zeros_like(value)), value)


class Codebook(keras.layers.Layer):
    """K codewords of size D. A subclass implements `lookup` and `codewords`.

    Args:
        size: Int K.
        dim: Int D.
        cosine: Bool, whether codewords are normalised to length 1. Default: False.
    """

    trains_by_gradient = True

    def __init__(self, size: int, dim: int, cosine: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.size, self.dim, self.cosine = size, dim, cosine
        self.built = True

    def codewords(self) -> tf.Tensor:
        """Returns all codewords, float [K, D]."""
        raise NotImplementedError

    def lookup(self, indices: Tensor) -> tf.Tensor:
        """Returns the codewords of indices, [*indices.shape, D], with their gradient."""
        raise NotImplementedError

    def update(self, vectors: Tensor, indices: Tensor, valid: Tensor) -> None:
        """Takes the vectors [R, D] of a batch and the indices [R] of their codewords into the statistics."""

    def assign(self, codewords: Tensor) -> None:
        """Starts at codewords, float [K, D]."""
        raise NotImplementedError

    def _normalized(self, codewords: Tensor) -> tf.Tensor:
        return tf.math.l2_normalize(codewords, axis=-1) if self.cosine else codewords

    def _weight(self, name: str, shape: list[int], initializer: Any, trainable: bool) -> Any:
        return self.add_weight(
            shape=shape,
            dtype=self.dtype,
            initializer=initializer,
            trainable=trainable,
            autocast=False,
            name=name,
        )


class MeasuredCodebook(replicas.ReplicaAverages, Codebook):
    """A codebook that measures the use of its codewords and replaces dead ones.

    The use of a codeword is the moving average of how many vectors of a batch it stands for. A codeword with
    less than `dead_threshold` of the mean use is dead. It is replaced by a vector of the batch, chosen with a
    probability proportional to the squared error, and all its averages are set anew. Before the first batch
    all codewords are dead, so they start at data.

    Every statistic is linear in the batch. Each replica keeps its own, and after the step
    `replicas.synchronize` averages them, which gives what one device would have had. The replica
    j mod `num_replicas` offers the vector for the dead codeword j.

    Args:
        size: Int K.
        dim: Int D.
        cosine: Bool, whether codewords are normalised to length 1. Default: False.
        decay: Float in [0, 1), decay of the averages for each batch. Default: 0.95.
        dead_threshold: Float in [0, 1); 0 for no replacement. Default: 0.05.
        seed: Int, seed of the replacements. Default: 0.
    """

    def __init__(
        self,
        size: int,
        dim: int,
        cosine: bool = False,
        decay: float = 0.95,
        dead_threshold: float = 0.05,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(size, dim, cosine, **kwargs)
        self.decay, self.dead_threshold, self.seed = decay, dead_threshold, seed
        use = keras.initializers.Constant(_NEVER_USED)
        self.use = self._weight("use", [size], use, trainable=False)
        self.step = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, name="step"
        )

    def replica_averages(self) -> list[keras.Variable]:
        return [self.use]

    def update(self, vectors: Tensor, indices: Tensor, valid: Tensor) -> None:
        replicas.check_synchronized(
            "A codebook with statistics",
            "Train it in a model of tf_discrete.models, or give the quantiser codebook='gradient' and "
            "dead_threshold=0",
        )
        # The average over the replicas is then the sum over the whole batch.
        weights = _num_replicas() * tf.cast(valid, vectors.dtype)
        use, step = tf.convert_to_tensor(self.use), tf.convert_to_tensor(self.step)
        started = tf.reduce_max(use) > _NEVER_USED  # A first batch of padding does not start it.
        dead = (use < self.dead_threshold * tf.reduce_mean(use)) | ~started
        dead &= self.dead_threshold > 0
        counts = tf.math.unsorted_segment_sum(weights, indices, self.size)
        count = tf.reduce_sum(weights)
        decay = tf.cast(self.decay, use.dtype)
        decay = tf.where((counts > 0) | (decay * use > _LEAST_USE), decay, 1.0)
        if _num_replicas() == 1:  # A batch of padding changes nothing.
            decay = tf.where(count > 0, decay, 1.0)
        average = decay * use + (1.0 - decay) * counts
        own = tf.equal(tf.range(self.size) % _num_replicas(), seeds.replica_id())
        offers, filled = self._offers(vectors, indices, weights, dead & own, step)
        fresh = tf.fill([self.size], count / self.size)
        replacement = Replacement(dead, own, filled, offers, fresh)
        self.use.assign(replacement.apply(average, fresh))
        self._update(vectors * weights[:, tf.newaxis], indices, decay, replacement)
        self.step.assign_add(1)

    def _offers(
        self, vectors: Tensor, indices: Tensor, weights: Tensor, wanted: Tensor, step: Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns a vector for each wanted codeword, [K, D], none twice, and whether there is one, [K]."""

        def choose() -> tuple[tf.Tensor, tf.Tensor]:
            errors = tf.reduce_sum(tf.square(vectors - self.lookup(indices)), axis=-1)
            seed = seeds.fold(seeds.base(self.seed), "revive", step, seeds.replica_id())
            order = k_means.far_rows(errors, weights > 0, seed)
            rank = tf.cumsum(tf.cast(wanted, tf.int32), exclusive=True)
            filled = wanted & (rank < tf.math.count_nonzero(weights, dtype=tf.int32))
            row = tf.gather(order, tf.where(filled, rank, 0))
            return tf.gather(vectors, row), filled

        def nothing() -> tuple[tf.Tensor, tf.Tensor]:
            return tf.zeros([self.size, self.dim], vectors.dtype), tf.zeros([self.size], tf.bool)

        some = tf.reduce_any(wanted) & (tf.reduce_sum(weights) > 0)
        return tf.cond(some, choose, nothing)

    def _update(
        self, vectors: Tensor, indices: Tensor, decay: Tensor, replacement: Replacement
    ) -> None:
        """Updates what a subclass owns.

        Args:
            vectors: float [R, D], 0 where they are not valid.
            indices: int [R], their codewords.
            decay: float [K], of the average of each codeword.
            replacement: Of dead codewords.
        """
        raise NotImplementedError

    def assign(self, codewords: Tensor) -> None:
        self.use.assign(tf.ones([self.size], self.use.dtype))


class MovingAverageCodebook(MeasuredCodebook):
    """Codewords that are the moving averages of their vectors, by sums and counts; see `MeasuredCodebook`.

    Reference:
        van den Oord, Vinyals, Kavukcuoglu. Neural discrete representation learning. 2017. arXiv:1711.00937.
    """

    trains_by_gradient = False

    def __init__(self, size: int, dim: int, *arguments: Any, **kwargs: Any):
        super().__init__(size, dim, *arguments, **kwargs)
        initial = _initial(dim, self.seed, _NEVER_USED)
        self.sums = self._weight("sums", [size, dim], initial, trainable=False)

    def replica_averages(self) -> list[keras.Variable]:
        return [self.use, self.sums]

    def codewords(self) -> tf.Tensor:
        use = tf.convert_to_tensor(self.use)
        return self._normalized(tf.convert_to_tensor(self.sums) / use[:, tf.newaxis])

    def lookup(self, indices: Tensor) -> tf.Tensor:
        use = tf.gather(tf.convert_to_tensor(self.use), indices)
        sums = tf.gather(tf.convert_to_tensor(self.sums), indices)
        return self._normalized(sums / use[..., tf.newaxis])

    def _update(
        self, vectors: Tensor, indices: Tensor, decay: Tensor, replacement: Replacement
    ) -> None:
        sums = tf.math.unsorted_segment_sum(vectors, indices, self.size)
        decay = decay[:, tf.newaxis]
        average = decay * tf.convert_to_tensor(self.sums) + (1.0 - decay) * sums
        start = replacement.use[:, tf.newaxis] * replacement.vectors
        self.sums.assign(replacement.apply(average, start))

    def assign(self, codewords: Tensor) -> None:
        super().assign(codewords)
        self.sums.assign(codewords)


class GradientCodebook(MeasuredCodebook):
    """Codewords that the optimizer trains; see `MeasuredCodebook` for their replacement.

    A codeword is the sum of a trained and a constant vector. A replacement sets the constant, because
    a trained variable of several replicas cannot be assigned inside a forward pass.
    """

    def __init__(self, size: int, dim: int, *arguments: Any, **kwargs: Any):
        super().__init__(size, dim, *arguments, **kwargs)
        self.kernel = self._weight("kernel", [size, dim], _initial(dim, self.seed), trainable=True)
        self.offset = self._weight("offset", [size, dim], "zeros", trainable=False)

    def replica_averages(self) -> list[keras.Variable]:
        return [self.use, self.offset]

    def codewords(self) -> tf.Tensor:
        return self._normalized(
            tf.convert_to_tensor(self.kernel) + tf.convert_to_tensor(self.offset)
        )

    def lookup(self, indices: Tensor) -> tf.Tensor:
        parts = (tf.gather(tf.convert_to_tensor(v), indices) for v in (self.kernel, self.offset))
        return self._normalized(sum(parts))

    def update(self, vectors: Tensor, indices: Tensor, valid: Tensor) -> None:
        if self.dead_threshold:
            super().update(vectors, indices, valid)

    def _update(
        self, vectors: Tensor, indices: Tensor, decay: Tensor, replacement: Replacement
    ) -> None:
        offset = tf.convert_to_tensor(self.offset)
        moved = replacement.vectors - tf.convert_to_tensor(self.kernel)
        self.offset.assign(replacement.apply(offset, moved))

    def assign(self, codewords: Tensor) -> None:
        super().assign(codewords)
        self.offset.assign(tf.cast(codewords, self.dtype) - tf.convert_to_tensor(self.kernel))


class LinearCodebook(Codebook):
    """Frozen random codewords times one trained matrix, so that every step moves all of them.

    Reference:
        Zhu et al. Addressing representation collapse in vector quantized models with one linear layer. 2024.
        arXiv:2411.02038.
    """

    def __init__(self, size: int, dim: int, cosine: bool = False, seed: int = 0, **kwargs: Any):
        super().__init__(size, dim, cosine, **kwargs)
        self.frozen = self._weight("frozen", [size, dim], _initial(dim, seed), trainable=False)
        identity = keras.initializers.Identity()
        self.kernel = self._weight("kernel", [dim, dim], identity, trainable=True)

    def codewords(self) -> tf.Tensor:
        return self._normalized(
            tf.linalg.matmul(*map(tf.convert_to_tensor, (self.frozen, self.kernel)))
        )

    def lookup(self, indices: Tensor) -> tf.Tensor:
        chosen = tf.gather(tf.convert_to_tensor(self.frozen), indices)
        return self._normalized(tf.linalg.matmul(chosen, tf.convert_to_tensor(self.kernel)))

    def assign(self, codewords: Tensor) -> None:
        self.frozen.assign(codewords)
        self.kernel.assign(tf.eye(self.dim, dtype=self.kernel.dtype))


def _initial(dim: int, seed: int, scale: float = 1.0) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=scale * dim**-0.5, seed=seed % 2**31)


def _num_replicas() -> int:
    return int(tf.distribute.get_strategy().num_replicas_in_sync)
