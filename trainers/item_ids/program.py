"""Makes semantic IDs of a table of embeddings, and turns IDs back into items and vectors."""

from __future__ import annotations

import pathlib
from typing import Any

import keras
import numpy as np

from tf_discrete import codes
from tf_discrete._internal import keras_files, reading, writing
from tf_discrete.codes.item_ids import SemanticIds
from tf_discrete.layers.quantizers import ResidualQuantizer, VectorQuantizer

from ..common import results
from ..flags.config import check
from ..flags.semantic_ids import Config
from . import tables

_KIND = "folder of semantic IDs"
_REMEDY = "Make the IDs again, by --embeddings."
_QUANTIZER, _REPORT, _DECODED = "quantizer.keras", "report.json", "decoded.npz"


def run(config: Config) -> dict[str, Any]:
    """Writes the IDs of embeddings, or what IDs stand for; returns what it reports.

    Raises:
        FileExistsError: The folder holds other files.
        FileNotFoundError: No such file.
        ImportError: A Parquet file, and no pyarrow.
        ValueError: Flags that cannot work, a file that cannot be read, embeddings that are not finite, or
            fewer of them than codewords.
    """
    check(config)
    if bool(config.embeddings) == bool(config.decode):
        raise ValueError(
            "Give embeddings to make IDs of, or a file of IDs to decode. "
            f"Received: embeddings={config.embeddings!r}, decode={config.decode!r}"
        )
    folder = writing.expand(config.output_dir)
    return decode(folder, config.decode) if config.decode else encode(config, folder)


def encode(config: Config, folder: pathlib.Path) -> dict[str, Any]:
    """Writes quantizer.keras, the IDs, and report.json."""
    table = tables.read(config.embeddings, config.column)
    inputs = keras.Input([table.embeddings.shape[1]])
    writing.check_new_path(folder, _is_ours, _KIND)
    quantizer = fit(table.embeddings, config)
    found = codes.semantic_ids(quantizer, table.embeddings)
    result = report(quantizer, table.embeddings, found)
    # All files at once: a quantiser says what the IDs next to it mean.
    with writing.new_path(folder, True, ours=_is_ours, kind=_KIND) as new:
        new.mkdir()
        keras.Model(inputs, quantizer(inputs)).save(new / _QUANTIZER)
        name = tables.write_ids(new, found.ids, table.others).name
        writing.write_json(new / _REPORT, {**result, "ids": name})
    results.print_table(f"Semantic IDs of {config.embeddings}", result)
    print(f"\nThe IDs are in {folder / name}")
    return result


def _is_ours(folder: pathlib.Path) -> bool:
    """Whether a folder holds what `encode` and `decode` write, and nothing else."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    return {_QUANTIZER, _REPORT} <= names <= {_QUANTIZER, _REPORT, _DECODED, *tables.NAMES}


def fit(embeddings: np.ndarray, config: Config) -> ResidualQuantizer:
    """Returns a residual quantiser that starts at the k-means of embeddings, or of a sample of them."""
    quantizer = ResidualQuantizer(
        VectorQuantizer(config.num_categories, seed=config.seed),
        config.num_levels,
        beam_size=config.beam_size,
    )
    if len(embeddings) > config.sample_size:
        random = np.random.default_rng(config.seed)
        rows = random.choice(len(embeddings), config.sample_size, replace=False)
        embeddings = embeddings[np.sort(rows)]
    quantizer.adapt(embeddings.astype(np.float32))
    return quantizer


def report(
    quantizer: ResidualQuantizer, embeddings: np.ndarray, found: SemanticIds
) -> dict[str, Any]:
    """Returns collisions, use and error of IDs."""
    shared = found.collisions()
    errors = [
        np.square(part - quantizer.decode(own).numpy()).sum(axis=1)
        for part, own in (
            (embeddings[start : start + 8192], found.codes[start : start + 8192])
            for start in range(0, len(embeddings), 8192)
        )
    ]
    variance = float(np.square(embeddings - embeddings.mean(axis=0)).sum(axis=1).mean())
    error = float(np.concatenate(errors).mean())
    return {
        "items": shared.num_items,
        "distinct_codes": shared.num_distinct,
        "colliding_items": shared.num_colliding,
        "last_digit_values": found.num_digits,
        "largest_groups": [rows[:10].tolist() for rows in shared.largest],
        "codes_in_use": [len(np.unique(column)) for column in found.codes.T],
        "num_categories": found.num_categories,
        "squared_error": error,
        "variance": variance,
    }


def decode(folder: pathlib.Path, path: str) -> dict[str, Any]:
    """Writes decoded.npz: the vectors of IDs or of their first digits, and the rows of whole IDs."""
    if not (folder / _QUANTIZER).is_file() or not (folder / _REPORT).is_file():
        raise FileNotFoundError(
            "The folder must hold the IDs of embeddings. Make them first, by --embeddings. "
            f"Received: output_dir={str(folder)!r}"
        )
    ids = tables.read_ids(path)
    quantizer = _quantizer(folder / _QUANTIZER)
    levels = quantizer.num_variables
    try:
        vectors = quantizer.decode(ids[:, :levels]).numpy()
    except ValueError as error:
        raise ValueError(f"{error} in {path}") from error
    rows = np.full(len(ids), -1, np.int64)
    if ids.shape[1] > levels:
        name = reading.read_json(folder / _REPORT, "the report of semantic IDs", _REMEDY).get("ids")
        if name not in tables.NAMES:
            reason = f"ids={name!r}"
            raise reading.damaged(folder / _REPORT, "the report of semantic IDs", _REMEDY, reason)
        known = tables.read_ids(str(folder / name))
        owned = SemanticIds(known[:, :levels], known[:, levels], quantizer.num_categories)
        rows = owned.rows(ids)
    with writing.replaced_file(folder / _DECODED) as new, open(new, "wb") as file:
        np.savez(file, vectors=vectors, rows=rows)
    result = {"ids": len(ids), "known_items": int((rows >= 0).sum())}
    results.print_table(f"Decoded into {folder / _DECODED}", result)
    return result


def _quantizer(path: pathlib.Path) -> ResidualQuantizer:
    expected = "a model that ends with a residual quantiser"
    model = keras_files.load_keras(path, expected=expected, remedy=_REMEDY)
    found = model.layers[-1]
    if not isinstance(found, ResidualQuantizer):
        raise reading.damaged(path, expected, _REMEDY, type(found).__name__)
    return found
