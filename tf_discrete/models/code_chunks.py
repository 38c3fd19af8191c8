"""`CodeChunks`: codes as sequences of chunks of variables, each chunk one symbol."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.types import Tensor

MAX_SYMBOLS = 2**16
"""Values that a chunk may take."""
DEFAULT_SYMBOLS = 256
"""Values that a chunk takes at most where its size is not given."""


class CodeChunks:
    """Reads `chunk_size` variables at once as a symbol of K ** chunk_size values; the first counts most.

    The last chunk may be shorter.

    Args:
        num_variables: N of the codes.
        num_categories: K.
        chunk_size: Variables in a chunk, 1 to N. Default: as many as make at most 256 values.

    Attributes:
        num_chunks: Int, chunks of a code.
        num_symbols: Int, values of a chunk that is not shorter.

    Raises:
        ValueError: A size out of range, or a chunk of more than 65536 values.

    Example:
        >>> chunks = CodeChunks(num_variables=3, num_categories=2, chunk_size=2)
        >>> chunks.symbols(tf.constant([[1, 0, 1]])).numpy()
        array([[2, 1]], dtype=int32)
    """

    def __init__(self, num_variables: int, num_categories: int, chunk_size: int | None = None):
        self.num_variables = checks.whole("num_variables", num_variables)
        self.num_categories = checks.whole("num_categories", num_categories, lowest=2)
        if chunk_size is None:
            longest = _longest(self.num_categories, DEFAULT_SYMBOLS)
            chunk_size = max(1, min(self.num_variables, longest))
        self.chunk_size = checks.whole("chunk_size", chunk_size)
        _check_size(self.num_variables, self.num_categories, self.chunk_size)
        self.num_chunks = -(-self.num_variables // self.chunk_size)
        self.num_symbols = self.num_categories**self.chunk_size
        # What each variable adds to the symbol of its chunk, [chunks, chunk size]; 0 past the end.
        self._powers = np.zeros([self.num_chunks, self.chunk_size], np.int32)
        for chunk in range(self.num_chunks):
            size = min(self.chunk_size, self.num_variables - chunk * self.chunk_size)
            self._powers[chunk, :size] = self.num_categories ** np.arange(size - 1, -1, -1)

    def symbols(self, codes: Tensor) -> tf.Tensor:
        """Returns the symbols of codes int32 [B, N] in [0, K), int32 [B, num_chunks]."""
        missing = self.num_chunks * self.chunk_size - self.num_variables
        filled = tf.pad(codes, [[0, 0], [0, missing]])
        chunks = tf.reshape(filled, [-1, self.num_chunks, self.chunk_size])
        return tf.reduce_sum(chunks * self._powers, axis=-1)

    def codes(self, symbols: Tensor) -> tf.Tensor:
        """Returns the codes of symbols int32 [B, num_chunks], int32 [B, N]."""
        digits = symbols[:, :, tf.newaxis] // np.maximum(self._powers, 1) % self.num_categories
        return tf.reshape(digits, [-1, self.num_chunks * self.chunk_size])[:, : self.num_variables]

    def possible(self) -> np.ndarray:
        """Returns which symbols a chunk can take, bool [num_chunks, num_symbols]; a short one takes fewer."""
        sizes = self._powers[:, :1] * self.num_categories
        return np.arange(self.num_symbols) < sizes


def _check_size(num_variables: int, num_categories: int, chunk_size: int) -> None:
    if not 1 <= chunk_size <= num_variables:
        raise ValueError(
            "A chunk must hold at least 1 variable and no more than the code. Give a chunk_size of 1 to "
            f"{num_variables}. Received: chunk_size={chunk_size}"
        )
    if num_categories > MAX_SYMBOLS:
        raise ValueError(
            f"A variable may have at most {MAX_SYMBOLS} categories, for the last layer has as many units. "
            f"Use more variables of fewer categories. Received: num_categories={num_categories}"
        )
    if num_categories**chunk_size > MAX_SYMBOLS:
        raise ValueError(
            f"A chunk may take at most {MAX_SYMBOLS} values, for the last layer has as many units. Give a "
            f"chunk_size of at most {_longest(num_categories, MAX_SYMBOLS)}. "
            f"Received: chunk_size={chunk_size}, num_categories={num_categories}"
        )


def _longest(num_categories: int, most: int) -> int:
    """Returns the largest chunk size with at most `most` values."""
    size = 0
    while num_categories ** (size + 1) <= most:
        size += 1
    return size
