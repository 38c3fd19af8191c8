"""`AutoregressivePrior`: an LSTM that reads a code chunk by chunk and predicts the next."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import checks, input_checks, integer_checks
from tf_discrete._internal.built_by_constructor import BuiltByConstructor
from tf_discrete.distributions import noise
from tf_discrete.distributions.top_p import keep_top_p
from tf_discrete.models import term_means
from tf_discrete.models.code_chunks import CodeChunks
from tf_discrete.models.code_prior import sizes_of_codes
from tf_discrete.models.worker_steps import WorkerSteps
from tf_discrete.types import (
    Batch,
    Config,
    HasCodes,
    Logs,
    Seed,
    SeedLike,
    Shape,
    Tensor,
    at_least_float32,
)

_ROWS = 1000


@keras.saving.register_keras_serializable("tf_discrete.models")
class AutoregressivePrior(BuiltByConstructor, WorkerSteps):
    """p(z) = prod_t p(chunk_t | chunk_1, ..., chunk_{t-1}), for the codes of any model.

    A chunk is `chunk_size` variables at once, one symbol of K ** chunk_size values with an exact
    distribution within the chunk; the last chunk may be shorter. Small chunks need more steps,
    large ones more weights.

    It trains on codes: by `compile(optimizer)` and `fit(codes)` on those of a frozen model, or as the
    `code_prior=` of a model on those of each batch (codes are integers, so the model gets no gradient from
    it). The loss is -log p(z) in nats for each code, averaged over the batch.

    Args:
        num_variables: N of the codes.
        num_categories: K; 2 for Bernoulli codes. Default: 2.
        chunk_size: variables in a chunk, 1 to N; need not divide N. Default: as many as make at most 256
            values.
        units: Units of the LSTM. Default: 128.
        embedding_units: Size of the embedding of a chunk's value. Default: 64.

    Raises:
        ValueError: sizes out of range, or a chunk of more than 65536 values.

    Example:
        >>> prior = AutoregressivePrior(num_variables=6, num_categories=3, chunk_size=4, units=8)
        >>> codes = prior.sample(5, seed=0)
        >>> codes.shape, prior.log_prob(codes).shape
        (TensorShape([5, 6]), TensorShape([5]))

    Reference:
        Hochreiter, Schmidhuber. Long short-term memory. 1997. Kaiser, Bengio. Discrete autoencoders for
        sequence models. 2018. arXiv:1801.09797.
    """

    def __init__(
        self,
        num_variables: int,
        num_categories: int = 2,
        chunk_size: int | None = None,
        units: int = 128,
        embedding_units: int = 64,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self._chunks = chunks = CodeChunks(num_variables, num_categories, chunk_size)
        self.num_variables, self.num_categories = chunks.num_variables, chunks.num_categories
        self.chunk_size, self.num_chunks = chunks.chunk_size, chunks.num_chunks
        self.num_symbols = chunks.num_symbols
        self.units = checks.whole("units", units)
        self.embedding_units = checks.whole("embedding_units", embedding_units)
        policy = self.dtype_policy
        self.embedding = keras.layers.Embedding(
            self.num_symbols + 1, self.embedding_units, dtype=policy
        )
        self.lstm = keras.layers.LSTM(self.units, return_sequences=True, dtype=policy)
        self.head = keras.layers.Dense(self.num_symbols, dtype=policy)
        self.position = self.add_weight(
            shape=(self.num_chunks, self.embedding_units),
            initializer=keras.initializers.RandomNormal(stddev=0.05),
            name="position",
        )
        self.embedding.build((None, self.num_chunks))
        self.lstm.build((None, self.num_chunks, self.embedding_units))
        self.head.build((None, self.units))
        self.build((None, self.num_variables))

    @classmethod
    def for_model(cls, model: HasCodes, **options: Any) -> AutoregressivePrior:
        """Returns a prior of the codes of a model with `num_variables` and `num_categories`.

        Raises:
            ValueError: a model without discrete codes, or with layers of different num_categories.
        """
        return cls(*sizes_of_codes(model), **options)

    def call(self, codes: Tensor, training: bool = False) -> tf.Tensor:
        return self.log_prob(codes, training=training)

    @property
    def _default_save_signature(self) -> None:
        """None: Keras would trace `call` with floats, which are no codes, into every SavedModel."""

    def compute_output_shape(self, input_shape: Shape) -> tuple[int | None, ...]:
        return (input_shape[0],)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return keras.Operation.compute_output_spec(self, *args, **kwargs)  # By a trace.

    def log_prob(self, codes: Tensor, training: bool = False) -> tf.Tensor:
        """Returns log p(z) in nats.

        Args:
            codes: integers [B, N] in [0, K).

        Returns:
            log_prob: float [B], at least float32.

        Raises:
            ValueError: codes of another shape or out of range; tf.errors.InvalidArgumentError in a graph.
                Where XLA leaves out the check, their log_prob is NaN.
        """
        codes = self._checked(codes)
        symbols = self._chunks.symbols(codes)
        logits = self.logits_of(symbols, training)
        chosen = tf.gather(tf.nn.log_softmax(logits), symbols, batch_dims=2)
        log_prob = tf.reduce_sum(chosen, axis=-1)
        accepted = integer_checks.rows_in(codes, 0, self.num_categories - 1)
        return input_checks.blank(log_prob, accepted)

    def bits_per_item(self, codes: Tensor) -> float:
        """Returns the mean of -log2 p(z): what a perfect entropy coder would spend on each of these codes.

        Raises:
            ValueError: no codes, or values that are none, see `log_prob`.
        """
        if not len(codes):
            raise ValueError("There must be at least one code. Received: codes of length 0")
        parts = [
            self.log_prob(codes[start : start + _ROWS]).numpy()
            for start in range(0, len(codes), _ROWS)
        ]
        return -float(np.concatenate(parts).mean(dtype=np.float64)) / math.log(2)

    def sample(
        self,
        num_samples: int | Tensor,
        seed: SeedLike = 0,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> tf.Tensor:
        """Codes drawn chunk by chunk, in one compiled loop.

        Args:
            num_samples: Int, number of samples.
            seed: Int or int32 [2]; the same seed gives the same codes.
            temperature: > 0; divides the logits of every chunk. Default: 1.
            top_p: in (0, 1]; of each chunk only the most probable values are drawn, the fewest whose
                probabilities (after the temperature) reach `top_p`, and those as probable as the last
                of them. Default: 1.

        Returns:
            codes: int32 [num_samples, N].

        Raises:
            ValueError: a negative number of samples, a temperature or top_p out of range.

        Reference:
            Holtzman, Buys, Du, Forbes, Choi. The curious case of neural text degeneration. 2019.
            arXiv:1904.09751 (top-p).
        """
        if not _is_symbolic("temperature", temperature):
            temperature = checks.positive("temperature", temperature)
        if not _is_symbolic("top_p", top_p):
            top_p = checks.number("top_p", top_p, above=0, highest=1)
        num_samples = tf.cast(integer_checks.count(num_samples, "num_samples"), tf.int32)
        return self._compiled_draw(
            num_samples,
            seeds.convert(seed),
            tf.convert_to_tensor(temperature, tf.float32),
            tf.convert_to_tensor(top_p, tf.float32),
        )

    # Chunks and their symbols.

    def symbols(self, codes: Tensor) -> tf.Tensor:
        """Returns the chunks of codes as numbers, int32 [B, num_chunks]; the first variable counts most."""
        return self._chunks.symbols(self._checked(codes))

    def _checked(self, codes: Tensor) -> tf.Tensor:
        return integer_checks.codes(codes, self.num_categories, self.num_variables)

    def codes_of(self, symbols: Tensor) -> tf.Tensor:
        """Codes int32 [B, N] of symbols int32 [B, num_chunks]."""
        return self._chunks.codes(symbols)

    def possible(self) -> np.ndarray:
        """Returns which symbols a chunk can take, bool [num_chunks, num_symbols]; a short one takes fewer."""
        return self._chunks.possible()

    # The network.

    def logits_of(self, symbols: Tensor, training: bool = False) -> tf.Tensor:
        """Returns the logits of every chunk given those before it, float [B, num_chunks, num_symbols]."""
        start = tf.fill([tf.shape(symbols)[0], 1], self.num_symbols)
        before = tf.concat([start, symbols[:, :-1]], axis=1)
        inputs = self.embedding(before)
        inputs += tf.cast(tf.convert_to_tensor(self.position), inputs.dtype)
        hidden = self.lstm(inputs, training=training)
        return self._masked(self.head(hidden), self.possible())

    def compute_loss(
        self,
        x: Tensor | None = None,
        y: Tensor | None = None,
        y_pred: Tensor = None,
        sample_weight: Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Returns the mean of -log p(z) over the batch, as `fit` minimises it; `y_pred` holds log p(z)."""
        weights = 1.0 if sample_weight is None else tf.cast(sample_weight, y_pred.dtype)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return -tf.reduce_mean(weights * y_pred) / replicas

    def train_step(self, data: Batch) -> Logs:
        """Trains on a batch of codes, integers [B, N], as Keras does; returns the logs of all workers."""
        return self._of_all_workers(super().train_step(data))

    def test_step(self, data: Batch) -> Logs:
        """Scores a batch of codes, integers [B, N], as Keras does; returns the logs of all workers."""
        return self._of_all_workers(super().test_step(data))

    def _of_all_workers(self, logs: Logs) -> Logs:
        """Returns the means of a step over the codes of all workers; on one worker, the logs of Keras."""
        if not self._on_workers:
            return logs
        return term_means.results(
            {mean.name: mean for mean in self.metrics if isinstance(mean, keras.metrics.Mean)}
        )

    def get_config(self) -> Config:
        return {
            "name": self.name,
            "dtype": self.dtype_policy.name,
            "num_variables": self.num_variables,
            "num_categories": self.num_categories,
            "chunk_size": self.chunk_size,
            "units": self.units,
            "embedding_units": self.embedding_units,
        }

    def _masked(self, logits: Tensor, possible: Tensor) -> tf.Tensor:
        wide = at_least_float32(logits)
        return tf.where(possible, wide, tf.constant(-np.inf, wide.dtype))

    @property
    def _compiled_draw(self) -> Callable[..., tf.Tensor]:
        if not hasattr(self, "_draw_function"):
            self._draw_function = tf.function(self._draw, autograph=False)
        return self._draw_function

    def _draw(
        self, num_samples: Tensor, seed: Seed, temperature: Tensor, top_p: Tensor
    ) -> tf.Tensor:
        possible = tf.constant(self.possible())
        position = tf.convert_to_tensor(self.position)
        zeros = tf.zeros([num_samples, self.units], self.lstm.compute_dtype)

        def step(
            chunk: Tensor, before: Tensor, state: list[Tensor], drawn: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.Tensor, list[Tensor], tf.TensorArray]:
            inputs = self.embedding(before)
            inputs += tf.cast(position[chunk], inputs.dtype)
            hidden, state = self.lstm.cell(inputs, state)
            logits = self._masked(self.head(hidden), possible[chunk])
            logits = keep_top_p(logits / tf.cast(temperature, logits.dtype), top_p)
            gumbel = noise.gumbel(seeds.fold(seed, chunk), tf.shape(logits), logits.dtype)
            symbol = tf.argmax(logits + gumbel, axis=-1, output_type=tf.int32)
            return chunk + 1, symbol, state, drawn.write(chunk, symbol)

        start = tf.fill([num_samples], self.num_symbols)
        drawn = tf.TensorArray(tf.int32, self.num_chunks)
        *_, drawn = tf.while_loop(
            lambda chunk, *_: chunk < self.num_chunks,
            step,
            (tf.constant(0), start, [zeros, zeros], drawn),
            maximum_iterations=self.num_chunks,
        )
        return self.codes_of(tf.transpose(drawn.stack()))


def _is_symbolic(name: str, value: Tensor) -> bool:
    """Returns whether the value of a number is known in the graph only; then it must be a floating scalar."""
    if not tf.is_tensor(value) or tf.get_static_value(value) is not None:
        return False
    if not value.dtype.is_floating or not value.shape.is_compatible_with([]):
        checks.refuse(name, "a number, or a floating scalar tensor", value)
    return True
