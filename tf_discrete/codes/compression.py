"""Codes in a file of about as many bits as their prior gives them, and back without loss.

A range coder spends -log2 p(z) bits on a code. It is that of `constriction`, an extra:
pip install 'tf-discrete[compress]'. Both sides run `FixedPointPrior.step`, whose integers do not depend on
batch size, threads or compiler.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete import checks
from tf_discrete._internal import writing
from tf_discrete.codes.fixed_point import FREQUENCY_BITS, FixedPointPrior
from tf_discrete.codes.packing import bytes_per_code, check_codes

MAGIC = b"TFDCODE1"
_BLOCK = 4096
"""Codes that advance together, chunk by chunk: part of the format."""
_FIELDS = {
    "count": int,
    "num_variables": int,
    "num_categories": int,
    "prior": str,
    "payload_bytes": int,
    "codes_sha256": str,
    "sha256": str,
}
"""Of the header; the last is of the fields before it and of the payload."""


class Compressed(NamedTuple):
    """What a compression has reached.

    Attributes:
        num_codes: in the file.
        bytes_on_disk: size of the file, its header included.
        bits_per_code: of the file, header included.
        model_bits_per_code: -log2 of the integer frequencies: what no coder can beat with this prior.
        packed_bytes: size of the same codes packed by width.
        payload_bytes: of the file, its header left out.
    """

    num_codes: int
    bytes_on_disk: int
    bits_per_code: float
    model_bits_per_code: float
    packed_bytes: int
    payload_bytes: int


def compress(
    codes: ArrayLike,
    prior: Any,
    path: str | os.PathLike[str],
    *,
    batch_size: int = 1024,
    overwrite: bool = False,
) -> Compressed:
    """Writes codes to a file, in their order.

    Args:
        codes: integers [B, N], B >= 1, of the prior's sizes.
        prior: an `AutoregressivePrior`.
        path: of the file, written whole or not at all.
        batch_size: codes whose probabilities are computed at once; changes no byte. Default: 1024.
        overwrite: whether the file may stand already. Default: False.

    Returns:
        Compressed.

    Raises:
        FileExistsError: the file stands already.
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
        chosen = np.take_along_axis(frequencies, wanted[:, np.newaxis], axis=1)
        bits += FREQUENCY_BITS * len(wanted) - float(np.log2(chosen).sum())
        return wanted

    _walk(fixed, len(array), batch_size, prior.num_symbols, encode)
    payload = encoder.get_compressed().astype("<u4").tobytes()
    header = {
        "count": len(array),
        "num_variables": prior.num_variables,
        "num_categories": prior.num_categories,
        "prior": fixed.digest,
        "payload_bytes": len(payload),
        "codes_sha256": _codes_digest(array),
    }
    header["sha256"] = _digest(header, payload)
    text = json.dumps(header, separators=(",", ":")).encode()
    with writing.new_path(path, overwrite, ours=_is_compressed, kind="file of codes") as file:
        file.write_bytes(MAGIC + len(text).to_bytes(4, "little") + text + payload)
    size = os.path.getsize(path)
    packed = len(array) * bytes_per_code(prior.num_variables, prior.num_categories)
    rates = 8 * size / len(array), bits / len(array)
    return Compressed(len(array), size, *rates, packed, len(payload))


def decompress(path: str | os.PathLike[str], prior: Any, *, batch_size: int = 1024) -> np.ndarray:
    """Reads the codes that `compress` has written.

    Args:
        path: of the file.
        prior: the `AutoregressivePrior` that compressed it, loaded from its file or not.
        batch_size: codes whose probabilities are computed at once; changes no code. Default: 1024.

    Returns:
        codes: int32 [B, N].

    Raises:
        FileNotFoundError: no file there.
        ImportError: constriction is not installed.
        ValueError: a truncated, changed or foreign file, or another prior.
    """
    batch_size = checks.whole("batch_size", batch_size)
    header, payload = _read(pathlib.Path(path))
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
    decoder = constriction.stream.queue.RangeDecoder(
        np.frombuffer(payload, "<u4").astype(np.uint32)
    )
    family = constriction.stream.model.Categorical(perfect=False)

    def decode(rows: slice, chunk: int, frequencies: np.ndarray) -> np.ndarray:
        return decoder.decode(family, frequencies.astype(np.float32))

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
    symbols = np.full([count, fixed.num_chunks], first, np.int32)
    for begin in range(0, count, _BLOCK):
        end = min(begin + _BLOCK, count)
        parts = [slice(i, min(i + batch_size, end)) for i in range(begin, end, batch_size)]
        states = [fixed.start(part.stop - part.start) for part in parts]
        for chunk in range(fixed.num_chunks):
            for number, part in enumerate(parts):
                # The column before the first one holds the value that stands for the start.
                before = symbols[part, chunk - 1]
                frequencies, states[number] = fixed.step(chunk, before, states[number])
                symbols[part, chunk] = visit(part, chunk, frequencies)
    return symbols


def _read(path: pathlib.Path) -> tuple[dict[str, Any], bytes]:
    """The header and the payload of a file, checked."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"The path must be a file that compress has written. Received: path={str(path)!r}"
        ) from None
    if not data.startswith(MAGIC):
        raise _corrupt(path, f"it does not begin with {MAGIC.decode()}")
    start = len(MAGIC) + 4
    end = start + int.from_bytes(data[len(MAGIC) : start], "little")
    try:
        header = json.loads(data[start:end])
    except ValueError as error:
        raise _corrupt(path, error) from None
    fields = header if isinstance(header, dict) else {}
    wrong = [name for name, kind in _FIELDS.items() if type(fields.get(name)) is not kind]
    if wrong:
        raise _corrupt(path, f"fields that are missing or wrong: {', '.join(wrong)}")
    if header["count"] < 1:
        raise _corrupt(path, f"count={header['count']}")
    payload = data[end:]
    if len(payload) != header["payload_bytes"]:
        raise _corrupt(path, f"{len(payload)} bytes of codes instead of {header['payload_bytes']}")
    if _digest(header, payload) != header["sha256"]:
        raise _corrupt(path, "its checksum is another")
    return header, payload


def _corrupt(path: pathlib.Path, reason: object) -> ValueError:
    return ValueError(
        "The file must be whole, as compress has written it. Compress the codes again. "
        f"Received: {str(path)!r} ({reason})"
    )


def _digest(header: dict[str, Any], payload: bytes) -> str:
    rest = {name: value for name, value in header.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode() + payload).hexdigest()


def _codes_digest(codes: np.ndarray) -> str:
    return hashlib.sha256(codes.astype("<i4").tobytes()).hexdigest()


def _constriction() -> Any:
    try:
        import constriction
    except ImportError as error:
        raise ImportError(
            "Compression needs constriction, which is an extra: pip install 'tf-discrete[compress]'. "
            f"Received: {error}"
        ) from error
    return constriction


def _is_compressed(path: pathlib.Path) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC
