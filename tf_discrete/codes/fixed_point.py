"""An autoregressive prior in integers: the same frequencies on every machine, in every batch.

An entropy decoder must repeat the encoder's probabilities to the last bit, and floating-point networks do
not: batch size, threads and compiler change the order of their sums. Here every number is an integer.
Matrix products run in float64, but only on integers whose sums stay below 2^53, so that they are exact in
any order; sigmoid, tanh and exp are tables, made in decimal arithmetic.
"""

from __future__ import annotations

import decimal
import functools
import hashlib
from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np

from tf_discrete._internal import checks
from tf_discrete.codes.digest import update_with_array

if TYPE_CHECKING:
    from tf_discrete.models import AutoregressivePrior

FREQUENCY_BITS = 24
"""Frequencies of a chunk's values sum to 2^24."""

_BITS = 14
"""Weights and activations are multiples of 2^-14."""
_TABLE_BITS = 10
"""Tables are read at multiples of 2^-10."""
_LARGEST = 16
"""Beyond it sigmoid and tanh are taken for 0 and 1; beyond twice as much exp(-x) for 0."""
_EXP_BITS = 32
_ONE = 1 << _BITS


_PARTS = ("num_chunks", "units", "possible", "lstm", "embedding", "position", "head")


class State(NamedTuple):
    """The LSTM's state, integers [B, units]: its output as float64, its memory as int64."""

    output: np.ndarray
    memory: np.ndarray


class FixedPointPrior:
    """The step function that both sides of a compression run.

    Args:
        prior: an `AutoregressivePrior`; later changes to its weights do not reach this copy.

    Attributes:
        digest: SHA-256 of all that the frequencies depend on.

    Raises:
        ValueError: weights that are not finite, or too large for exact sums.

    Example:
        >>> from tf_discrete.models import AutoregressivePrior
        >>> prior = AutoregressivePrior(num_variables=4, chunk_size=2, units=8)
        >>> fixed = FixedPointPrior(prior)
        >>> frequencies, state = fixed.step(0, np.array([4]), fixed.start(1))
        >>> frequencies.shape, int(frequencies.sum()) == 2**FREQUENCY_BITS
        ((1, 4), True)
    """

    def __init__(self, prior: AutoregressivePrior):
        checks.having("prior", prior, _PARTS, "an AutoregressivePrior")
        self.num_chunks, self.units = prior.num_chunks, prior.units
        self.possible = prior.possible().sum(axis=1)
        cell = prior.lstm.cell
        self._embedding = _fixed(prior.embedding.embeddings)
        self._position = _fixed(prior.position)
        self._input, self._recurrent = _fixed(cell.kernel), _fixed(cell.recurrent_kernel)
        self._bias = _fixed(cell.bias) * _ONE
        self._head, self._head_bias = _fixed(prior.head.kernel), _fixed(prior.head.bias) * _ONE
        self._check_sums()
        digest = hashlib.sha256(f"{FREQUENCY_BITS} {_BITS} {_TABLE_BITS} {_LARGEST}".encode())
        for array in (self._embedding, self._position, self._input, self._recurrent, self._bias):
            update_with_array(digest, array)
        for array in (self._head, self._head_bias, self.possible):
            update_with_array(digest, array)
        self.digest = digest.hexdigest()

    def start(self, count: int) -> State:
        """Returns the state before the first chunk of `count` codes."""
        return State(np.zeros([count, self.units]), np.zeros([count, self.units], np.int64))

    def step(self, chunk: int, before: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Computes the probability of each value of a chunk, given the chunks before it.

        Args:
            chunk: its number.
            before: int [B], the value of the chunk before it; `num_symbols` for the first.
            state: after the chunk before it.

        Returns:
            frequencies: int64 [B, values that this chunk can take], each at least 1, rows sum to
                2^FREQUENCY_BITS.
            state: after this chunk's input.
        """
        inputs = self._embedding[before] + self._position[chunk]
        sums = inputs @ self._input + state.output @ self._recurrent + self._bias
        gates = _shift(sums.astype(np.int64), 2 * _BITS - _TABLE_BITS)
        enter, forget, candidate, leave = np.split(gates, 4, axis=1)
        memory = _sigmoid(forget) * state.memory + _sigmoid(enter) * _tanh(candidate)
        memory = _shift(memory, _BITS)
        squashed = _tanh(_shift(memory, _BITS - _TABLE_BITS))
        output = _shift(_sigmoid(leave) * squashed, _BITS).astype(np.float64)
        count = self.possible[chunk]
        logits = output @ self._head[:, :count] + self._head_bias[:count]
        logits = _shift(logits.astype(np.int64), 2 * _BITS - _TABLE_BITS)
        return _frequencies(logits), State(output, memory)

    def _check_sums(self) -> None:
        inputs = abs(self._embedding).max() + abs(self._position).max()
        gates = inputs * abs(self._input).sum(0) + _ONE * abs(self._recurrent).sum(0)
        head = _ONE * abs(self._head).sum(0) + abs(self._head_bias)
        largest = np.concatenate([gates + abs(self._bias), head]).max()
        if not largest < 2.0**53:
            raise ValueError(
                "The weights of the prior must be finite, and so small that sums of their products are exact "
                f"integers, below 2**53. Train it anew. Received: sums of up to {largest}"
            )


def _fixed(weights: keras.Variable) -> np.ndarray:
    """Weights as multiples of 2^-14: integers, held in float64."""
    return np.rint(np.asarray(weights, np.float64) * _ONE)


def _shift(values: np.ndarray, bits: int) -> np.ndarray:
    """Integers divided by 2^bits and rounded."""
    return (values + (1 << (bits - 1))) >> bits


def _sigmoid(values: np.ndarray) -> np.ndarray:
    """At multiples of 2^-10, as multiples of 2^-14."""
    found = _tables().sigmoid[np.minimum(abs(values), _LARGEST << _TABLE_BITS)]
    return np.where(values < 0, _ONE - found, found)


def _tanh(values: np.ndarray) -> np.ndarray:
    """At multiples of 2^-10, as multiples of 2^-14."""
    return np.sign(values) * _tables().tanh[np.minimum(abs(values), _LARGEST << _TABLE_BITS)]


def _frequencies(logits: np.ndarray) -> np.ndarray:
    """softmax(logits) in units of 2^-24, each at least 1; what rounding leaves goes to the first mode."""
    below = logits.max(axis=1, keepdims=True) - logits
    exps = _tables().exp[np.minimum(below, 2 * _LARGEST << _TABLE_BITS)]
    room = (1 << FREQUENCY_BITS) - logits.shape[1]
    frequencies = 1 + exps * room // exps.sum(axis=1, keepdims=True)
    rows, modes = np.arange(len(logits)), logits.argmax(axis=1)
    frequencies[rows, modes] += (1 << FREQUENCY_BITS) - frequencies.sum(axis=1)
    return frequencies


class _Tables(NamedTuple):
    sigmoid: np.ndarray
    tanh: np.ndarray
    exp: np.ndarray


@functools.lru_cache(maxsize=1)
def _tables() -> _Tables:
    """sigmoid and tanh at n 2^-10 for n = 0..2^14, exp(-n 2^-10) for n = 0..2^15, correctly rounded."""
    size = _LARGEST << _TABLE_BITS
    with decimal.localcontext() as context:
        context.prec = 50
        ratio = (decimal.Decimal(-1) / (1 << _TABLE_BITS)).exp()
        exps = [decimal.Decimal(1)]
        for _ in range(2 * size):
            exps.append(exps[-1] * ratio)
        sigmoid = [round(_ONE / (1 + e)) for e in exps[: size + 1]]
        tanh = [round(_ONE * (1 - e) / (1 + e)) for e in exps[::2]]
        scaled = [round(e * (1 << _EXP_BITS)) for e in exps]
    scaled[-1] = 0
    return _Tables(*(np.array(values, np.int64) for values in (sigmoid, tanh, scaled)))
