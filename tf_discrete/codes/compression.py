"""Codes in a file of about as many bits as their prior gives them, and back without loss.

A range coder spends -log2 p(z) bits on a code. It is that of `constriction`, an extra:
pip install 'tf-discrete[compress]'. Both sides run `FixedPointPrior.step`, whose integers do not depend on
batch size, threads or compiler.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete._internal import checks, extras, reading, writing
from tf_discrete.codes import container
from tf_discrete.codes.fixed_point import FREQUENCY_BITS, FixedPointPrior
from tf_discrete.codes.packing import bytes_per_code, check_codes

if TYPE_CHECKING:
    from tf_discrete.models import AutoregressivePrior

MAGIC = b"TFDCODE1"
_BLOCK = 4096
"""Codes that advance together, chunk by chunk: part of the format."""
_SLACK_BITS = 128
"""A coder ends in the middle of a word, and its state holds two more."""
_FORMAT = container.Format(
    MAGIC,
    {
        "count": int,
        "num_variables": int,
        "num_categories": int,
        "prior": str,
        "codes_sha256": str,
    },
    "file of compressed codes",
    "compress",
    "Compress the codes again.",
)


class Compressed(NamedTuple):
    """The result of a compression.

    Attributes:
        num_codes: in the file.
        bytes_on_disk: size of the file, its header included.
        bits_per_code: Bits of the file, header included.
        model_bits_per_code: -log2 of the integer frequencies: what no coder can beat with this prior.
        packed_bytes: size of the same codes packed by width.
        payload_bytes: Bytes of the file, its header left out.
    """

    num_codes: int
    bytes_on_disk: int
    bits_per_code: float
    model_bits_per_code: float
    packed_bytes: int
    payload_bytes: int


def compress(
    codes: ArrayLike,
    prior: AutoregressivePrior,
    path: str | os.PathLike[str],
    *,
    batch_size: int = 1024,
    overwrite: bool = False,
) -> Compressed:
    """Writes codes to a file, in their order.

    Args:
        codes: integers [B, N], B >= 1, of the prior's sizes.
        prior: an `AutoregressivePrior`.
        path: Path of the file, written atomically.
        batch_size: codes whose probabilities are computed at once; changes no byte. Default: 1024.
        overwrite: Bool, whether to replace what exists at the path. Default: False.

    Returns:
        Compressed.

    Raises:
        FileExistsError: the file exists already.
        ImportError: constriction is not installed.
        ValueError: no codes, or codes of other sizes.

    Example:
        >>> import tempfile
        >>> from tf_discrete.models import AutoregressivePrior
        >>> prior = AutoregressivePrior(num_variables=16, units=8)
        >>> codes = np.eye(16, dtype=np.int32)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = compress(codes, prior, f"{folder}/codes.bin")
        ...     again = decompress(f"{folder}/codes.bin", prior)
        >>> report.num_codes, bool((again == codes).all())
        (16, True)
    """
    checks.having("prior", prior, ("num_variables", "num_categories"), "an AutoregressivePrior")
    batch_size = checks.whole("batch_size", batch_size)
    array = check_codes(codes, prior.num_categories, prior.num_variables)
    if not len(array):
        raise ValueError(
            f"There must be at least one code to compress. Received: codes.shape={array.shape}"
        )
    constriction = _constriction()
    fixed, symbols = FixedPointPrior(prior), prior.symbols(array).numpy()
    encoder = constriction.stream.queue.RangeEncoder()
    family = constriction.stream.model.Categorical(perfect=False)
    bits = 0.0

    def encode(rows: slice, chunk: int, frequencies: np.ndarray) -> np.ndarray:
        nonlocal bits
        wanted = symbols[rows, chunk]
        encoder.encode(wanted, family, frequencies.astype(np.float32))
        bits += _bits(frequencies, wanted)
        return wanted

    _walk(fixed, len(array), batch_size, prior.num_symbols, encode)
    payload = encoder.get_compressed().astype("<u4").tobytes()
    header = {
        "count": len(array),
        "num_variables": prior.num_variables,
        "num_categories": prior.num_categories,
        "prior": fixed.digest,
        "codes_sha256": _codes_digest(array),
    }
    container.write(path, _FORMAT, header, payload, overwrite)
    size = os.path.getsize(writing.expand(path))
    packed = len(array) * bytes_per_code(prior.num_variables, prior.num_categories)
    rates = 8 * size / len(array), bits / len(array)
    return Compressed(len(array), size, *rates, packed, len(payload))


def decompress(
    path: str | os.PathLike[str], prior: AutoregressivePrior, *, batch_size: int = 1024
) -> np.ndarray:
    """Reads the codes that `compress` has written.

    Args:
        path: Path of the file.
        prior: the `AutoregressivePrior` that compressed it, loaded from its file or not.
        batch_size: codes whose probabilities are computed at once; changes no code. Default: 1024.

    Returns:
        codes: int32 [B, N].

    Raises:
        FileNotFoundError: no file there.
        ImportError: constriction is not installed.
        ValueError: a truncated, changed or foreign file, or another prior.
    """
    checks.having("prior", prior, ("num_variables", "num_categories"), "an AutoregressivePrior")
    batch_size = checks.whole("batch_size", batch_size)
    header, payload = container.read(path, _FORMAT)
    if header["count"] < 1:
        raise _FORMAT.damaged(path, f"count={header['count']}")
    fixed = FixedPointPrior(prior)
    sizes = prior.num_variables, prior.num_categories
    if (header["num_variables"], header["num_categories"]) != sizes or header[
        "prior"
    ] != fixed.digest:
        raise ValueError(
            "The file can be read with the prior that wrote it only: the same sizes and weights. "
            f"Received: prior with num_variables={sizes[0]}, num_categories={sizes[1]}, "
            f"digest={fixed.digest[:12]}; {os.fspath(path)!r} with num_variables={header['num_variables']}, "
            f"num_categories={header['num_categories']}, digest={header['prior'][:12]}"
        )
    constriction = _constriction()
    with reading.reading(path, _FORMAT.expected, _FORMAT.remedy):
        words = np.frombuffer(payload, "<u4").astype(np.uint32)
        decoder = constriction.stream.queue.RangeDecoder(words)
        family = constriction.stream.model.Categorical(perfect=False)
        bits_left = 8.0 * len(payload) + _SLACK_BITS

        def decode(rows: slice, chunk: int, frequencies: np.ndarray) -> np.ndarray:
            nonlocal bits_left
            found = decoder.decode(family, frequencies.astype(np.float32))
            # The coder rounds a frequency up by at most 2.
            bits_left -= _bits(np.minimum(frequencies + 2, 1 << FREQUENCY_BITS), found)
            if bits_left < 0:
                raise _FORMAT.damaged(path, f"fewer than the {header['count']} codes of its header")
            return found

        symbols = _walk(fixed, header["count"], batch_size, prior.num_symbols, decode)
        codes = prior.codes_of(symbols).numpy()
    if _codes_digest(codes) != header["codes_sha256"]:
        raise ValueError(
            "The decoded codes must have the checksum of those that were written. Install the version of "
            f"constriction that wrote the file. Received: another checksum from {os.fspath(path)!r}"
        )
    return codes


def _walk(
    fixed: FixedPointPrior,
    count: int,
    batch_size: int,
    first: int,
    visit: Callable[[slice, int, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Visits every chunk of every code in the order of the file; `visit` gives or finds its symbols.

    Within a block of codes the chunks come in turn, and the codes in turn within a chunk.
    """
    blocks = []  # Not one array at once: the count of a file may be wrong.
    for begin in range(0, count, _BLOCK):
        size = min(_BLOCK, count - begin)
        symbols = np.full([size, fixed.num_chunks], first, np.int32)
        parts = [slice(i, min(i + batch_size, size)) for i in range(0, size, batch_size)]
        states = [fixed.start(part.stop - part.start) for part in parts]
        for chunk in range(fixed.num_chunks):
            for number, part in enumerate(parts):
                # The column before the first one holds the value that stands for the start.
                before = symbols[part, chunk - 1]
                frequencies, states[number] = fixed.step(chunk, before, states[number])
                rows = slice(begin + part.start, begin + part.stop)
                symbols[part, chunk] = visit(rows, chunk, frequencies)
        blocks.append(symbols)
    return np.concatenate(blocks)


def _bits(frequencies: np.ndarray, symbols: np.ndarray) -> float:
    """Returns the bits that the coder spends on a symbol of each row."""
    chosen = np.take_along_axis(frequencies, symbols[:, np.newaxis], axis=1)
    return FREQUENCY_BITS * len(symbols) - float(np.log2(chosen).sum())


def _codes_digest(codes: np.ndarray) -> str:
    return hashlib.sha256(codes.astype("<i4").tobytes()).hexdigest()


def _constriction() -> ModuleType:
    with extras.required("Compression needs constriction", "compress"):
        import constriction
    return constriction
