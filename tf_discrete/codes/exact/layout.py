"""How codes lie in 64-bit words: which variables form which substring, keys of substrings, distances."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from tf_discrete.codes.packing import bits_per_variable, bytes_per_code

WORD = 64
MAX_KEY_BITS = 26
"""Bits of the longest substring: its table of offsets has 2**26 entries of 4 bytes."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """The order of the variables in the words of an index, and where its substrings begin and end.

    A variable takes `bits_per_variable(K)` bits and never straddles two words. The first variable is in the
    highest bits of the first word, so words in ascending order are sorted by the first substring.

    Attributes:
        num_variables: N.
        num_categories: K.
        order: The variable at each place, a permutation of 0..N-1.
        lengths: Variables of each substring; their sum is N.
    """

    num_variables: int
    num_categories: int
    order: tuple[int, ...]
    lengths: tuple[int, ...]

    def __post_init__(self) -> None:
        right = sorted(self.order) == list(range(self.num_variables))
        if not right or sum(self.lengths) != self.num_variables or min(self.lengths) < 1:
            raise ValueError(
                "The order must be a permutation of the variables, and the lengths must add up to their "
                f"number. Received: num_variables={self.num_variables}, order={self.order}, "
                f"lengths={self.lengths}"
            )
        if max(self.key_bits) > MAX_KEY_BITS:
            raise ValueError(
                f"A substring must have at most {MAX_KEY_BITS} bits. Use variables of fewer categories. "
                f"Received: substrings of {self.key_bits} bits"
            )

    @property
    def width(self) -> int:
        """Bits of a variable."""
        return bits_per_variable(self.num_categories)

    @property
    def key_bits(self) -> tuple[int, ...]:
        """Bits of each substring."""
        return tuple(length * self.width for length in self.lengths)

    @property
    def num_words(self) -> int:
        """Words of a code."""
        return -(-self.num_variables // (WORD // self.width))

    def words(self, packed: np.ndarray) -> np.ndarray:
        """Returns the bytes of `pack`, uint8 [B, bytes], as words uint64 [B, W]."""
        return _permuted(packed, self._to_words, self.num_words)

    def packed(self, words: np.ndarray) -> np.ndarray:
        """Returns words uint64 [B, W] as the bytes of `pack`, uint8 [B, bytes]."""
        size = bytes_per_code(self.num_variables, self.num_categories)
        octets = np.ascontiguousarray(words).astype(">u8").view(np.uint8)
        back = _permuted(octets, self._to_bytes, -(-size // 8))
        return np.ascontiguousarray(back.astype(">u8").view(np.uint8)[:, :size])

    def keys(self, words: np.ndarray, table: int) -> np.ndarray:
        """Returns the substring of a table, int64 [B] in [0, 2**key_bits), of words uint64 [B, W]."""
        fields = WORD // self.width
        first = sum(self.lengths[:table])
        last = first + self.lengths[table]
        key = np.zeros(len(words), np.uint64)
        while first < last:
            word = first // fields
            end = min(last, (word + 1) * fields)
            count = (end - first) * self.width
            shift = WORD - (end - word * fields) * self.width
            part = (words[:, word] >> np.uint64(shift)) & np.uint64((1 << count) - 1)
            key = (key << np.uint64(count)) | part
            first = end
        return key.astype(np.int64)

    def distances(self, differing: np.ndarray) -> np.ndarray:
        """Returns the variables that differ, [B], of words XORed with others, uint64 [B, W]."""
        if self.width > 1:
            folded = differing.copy()
            for shift in range(1, self.width):
                folded |= differing >> np.uint64(shift)
            differing = folded & self._lowest
        counts = np.bitwise_count(differing)
        return counts[:, 0] if counts.shape[1] == 1 else counts.sum(axis=1, dtype=np.int32)

    @functools.cached_property
    def _lowest(self) -> np.ndarray:
        """The lowest bit of each variable, uint64 [1]; the same in every word."""
        fields = WORD // self.width
        return np.array([sum(1 << (WORD - (i + 1) * self.width) for i in range(fields))], np.uint64)

    @functools.cached_property
    def _places(self) -> np.ndarray:
        """The bit of the words, counted from the highest of the first, of each bit of a packed code."""
        width, fields = self.width, WORD // self.width
        rank = np.empty(self.num_variables, np.int64)
        rank[list(self.order)] = np.arange(self.num_variables)
        start = rank // fields * WORD + rank % fields * width
        return (start[:, np.newaxis] + np.arange(width)).ravel()

    @functools.cached_property
    def _to_words(self) -> np.ndarray:
        size = bytes_per_code(self.num_variables, self.num_categories)
        return _tables(np.arange(len(self._places)), self._places, size, self.num_words)

    @functools.cached_property
    def _to_bytes(self) -> np.ndarray:
        size = bytes_per_code(self.num_variables, self.num_categories)
        return _tables(
            self._places, np.arange(len(self._places)), 8 * self.num_words, -(-size // 8)
        )


def num_substrings(num_variables: int, num_categories: int, count: int) -> int:
    """Returns how many substrings suit a number of codes: keys of about log2(count) bits.

    Example:
        >>> [num_substrings(64, 2, count) for count in (10**3, 10**5, 10**8)]
        [6, 4, 3]
    """
    width = bits_per_variable(num_categories)
    if width > MAX_KEY_BITS:
        raise ValueError(
            f"Variables must have at most 2**{MAX_KEY_BITS} categories. Use more variables of fewer "
            f"categories. Received: num_categories={num_categories}"
        )
    bits = num_variables * width
    wanted = round(bits / math.log2(max(count, 2**10)))
    least = -(-num_variables // (MAX_KEY_BITS // width))
    return min(num_variables, max(1, wanted, least))


def even_lengths(num_variables: int, substrings: int) -> tuple[int, ...]:
    """Returns lengths that differ by one at most, the longer ones first."""
    short, longer = divmod(num_variables, substrings)
    return (short + 1,) * longer + (short,) * (substrings - longer)


def _tables(source: np.ndarray, target: np.ndarray, octets: int, words: int) -> np.ndarray:
    """Returns the bits that each value of each byte sets in the words, uint64 [octets, 256, words].

    Bit `source[i]` of the input becomes bit `target[i]` of the output, both counted from the highest.
    """
    tables = np.zeros([octets, 256, words], np.uint64)
    values = np.arange(256)
    for one, other in zip(source.tolist(), target.tolist(), strict=True):
        has_it = (values >> (7 - one % 8)) & 1 == 1
        tables[one // 8, has_it, other // WORD] |= np.uint64(1 << (WORD - 1 - other % WORD))
    return tables


def _permuted(octets: np.ndarray, tables: np.ndarray, words: int) -> np.ndarray:
    result = np.zeros([len(octets), words], np.uint64)
    for number, table in enumerate(tables):
        result |= table[octets[:, number]]
    return result
