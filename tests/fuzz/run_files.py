"""The files of trained models and of runs, for the fuzzer."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np

from tests.fuzz import mutations
from tests.fuzz.damaged import File, anything, in_zip


def models(folder: pathlib.Path) -> list[File]:
    """`.keras` files: of a run, and crafted ones with right checksums of a wrong configuration."""
    from tf_discrete.models import CategoricalVAE
    from trainers.common import finished_run
    from trainers.common.run_directory import RunDirectory

    directory = RunDirectory(folder)
    model = CategoricalVAE(
        data_shape=(2, 2, 1), num_variables=2, num_categories=2, hidden_units=(3,)
    )
    model.build((None, 2, 2, 1))
    model.save(directory.model_path)
    weights = [np.asarray(weight) for weight in model.weights]

    def is_right(found: Any) -> bool:
        return all(np.array_equal(a, b) for a, b in zip(found.weights, weights, strict=True))

    def read() -> Any:
        return finished_run.load_model(directory, "float32")

    config = in_zip("config.json", mutations.damage_json)
    stored = in_zip("model.weights.h5", mutations.damage_bytes)
    path = directory.model_path
    return [
        File(path, read, is_right),
        File(path, read, anything, config),
        File(path, read, anything, stored),
        File(path, read, anything, in_zip("metadata.json", mutations.damage_json)),
    ]


def configs(folder: pathlib.Path) -> list[File]:
    """config.json, data.json and metrics.json of a run."""
    from tests.trainers import small_runs
    from trainers.common import finished_run, identity, stored_config
    from trainers.common.run_directory import RunDirectory
    from trainers.flags import config
    from trainers.tasks import categorical_vae

    directory = RunDirectory(folder)
    settings = {"task": "categorical_vae", **config.to_json(small_runs.config(folder))}
    directory.config_path.write_text(json.dumps(settings))
    splits = {
        name: {"images": 9, "image_shape": [2, 2, 1], "num_classes": 3, "fingerprint": "ab" * 32}
        for name in ("train", "test")
    }
    (folder / identity.FILE).write_text(json.dumps({"splits": splits, "earlier": [splits]}))
    directory.result_path.write_text(json.dumps({"test/bound_nats": -9.5, "best_epoch": 3}))

    def read() -> Any:
        return stored_config.load(categorical_vae.Config, directory.config_path)

    def is_config(found: Any) -> bool:
        config.check(found)
        return True

    def read_data() -> Any:
        known = identity.read(folder)
        return identity.differences(known.get("splits"), splits)

    def is_result(found: Any) -> bool:
        return all(isinstance(value, (int, float, str, type(None))) for value in found.values())

    damage = mutations.damage_json
    path = directory.config_path
    return [
        File(path, read, is_config, damage),
        File(path, lambda: finished_run.read_settings(directory), anything, damage),
        File(path, lambda: finished_run.open_run(directory), anything, damage),
        File(folder / identity.FILE, read_data, anything, damage),
        File(directory.result_path, directory.result, is_result, damage),
    ]


def metrics(folder: pathlib.Path) -> list[File]:
    """metrics.jsonl of a run, and the measurements of sweeps and comparisons."""
    from trainers.common import sweep
    from trainers.common.run_directory import RunDirectory
    from trainers.comparison import compared_runs

    directory = RunDirectory(folder)
    rows = [
        {"epoch": number, "step": 10 * number, "seconds": 0.5, "validation/hard_elbo_nats": -9.5}
        for number in range(1, 9)
    ]
    directory.history_path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    point = {"learning_rate": 0.1, "temperature": 0.5}
    scored = {**point, "bound_nats": -9.5, "bound_standard_error_nats": 0.5, "best_epoch": 3}
    (folder / "sweep.json").write_text(
        json.dumps({"a": scored, "b": {**point, "diverged": "Not finite at step 3"}})
    )
    group = {"variance": 0.5, "signal_to_noise": 2.0, "cosine": None}
    gradients = {
        "evaluations": 2,
        "rows": [{"step": 3, "reference": "exact", "groups": {"encoder": group}}],
    }
    (folder / "gradients.json").write_text(json.dumps({"estimators": {"reinmax": gradients}}))

    def is_history(found: Any) -> bool:
        epochs = [row["epoch"] for row in found]
        numbers = [value for row in found for value in row.values()]
        return epochs == sorted(set(epochs)) and all(isinstance(x, (int, float)) for x in numbers)

    def damage_line(data: bytes, random: np.random.Generator) -> tuple[str, bytes]:
        lines = data.splitlines(keepends=True)
        number = int(random.integers(len(lines)))
        name, line = mutations.damage_json(lines[number], random)
        lines[number] = line + b"\n"
        return f"line {number + 1}: {name}", b"".join(lines)

    def read_gradients() -> Any:
        return compared_runs.measured(folder / "gradients.json", compared_runs.check_gradients)

    return [
        File(directory.history_path, directory.history, is_history),
        File(directory.history_path, directory.history, is_history, damage_line),
        File(
            folder / "sweep.json",
            lambda: sweep.table(sweep._read(folder / "sweep.json")),
            anything,
            mutations.damage_json,
        ),
        File(folder / "gradients.json", read_gradients, anything, mutations.damage_json),
    ]


def checkpoints(folder: pathlib.Path) -> list[File]:
    """The files of TensorFlow's checkpoints in a run."""
    import tensorflow as tf

    from trainers.common.checkpoints import CheckpointFolder

    values = np.random.default_rng(0).normal(size=[20, 3])
    matrix, step = tf.Variable(values), tf.Variable(7, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(matrix=matrix, step=step)
    kept = CheckpointFolder(checkpoint, folder / "last", keep=2)
    kept.save(3)

    def read() -> Any:
        matrix.assign(tf.zeros_like(matrix))
        step.assign(0)
        kept.read(3)
        return matrix.numpy(), int(step.numpy())

    def is_right(found: Any) -> bool:
        return np.array_equal(found[0], values) and found[1] == 7

    return [File(path, read, is_right) for path in sorted((folder / "last").glob("*"))]


def manifests(folder: pathlib.Path) -> list[File]:
    """The manifest of an export."""
    from tf_discrete.export import manifest

    described = manifest.Manifest(
        format_version=manifest.FORMAT_VERSION,
        model="tf_discrete>CategoricalVAE",
        model_digest="0" * 64,
        data_shape=(8, 8, 1),
        latent_shape=(3, 4),
        latents="categorical",
        num_variables=3,
        num_categories=4,
        num_classes=None,
        codes={"dtype": "int32", "axes": ["batch", "variable"]},
        preprocessing=None,
        temperature=[0.5, 0.4],
        signatures={"encode": {"inputs": {}, "outputs": {}, "deterministic": True}},
        versions={"keras": "3"},
        metadata={},
    )
    manifest.write(described, folder)

    def is_manifest(found: Any) -> bool:
        return found.num_variables >= 1 and all(size >= 1 for size in found.data_shape)

    path = folder / manifest.FILE_NAME
    return [File(path, lambda: manifest.load_manifest(folder), is_manifest, mutations.damage_json)]


def semantic_ids(folder: pathlib.Path) -> list[File]:
    """The folder of trainers.semantic_ids, its embeddings, and IDs that are asked for."""
    from trainers.flags.semantic_ids import Config
    from trainers.item_ids import program, tables

    vectors = np.random.default_rng(0).normal(size=[40, 4])
    np.save(folder / "items.npy", vectors)
    out = folder / "out"
    options = {"output_dir": str(out), "num_levels": 2, "num_categories": 4}
    program.run(Config(embeddings=str(folder / "items.npy"), **options))
    np.save(folder / "asked.npy", np.load(out / "ids.npy")[:5])

    def decode() -> Any:
        program.run(Config(decode=str(folder / "asked.npy"), **options))
        with np.load(out / "decoded.npz") as found:
            return found["rows"]

    expected = decode()

    def is_right(found: Any) -> bool:
        return np.array_equal(found, expected)

    def is_table(found: Any) -> bool:
        return found.embeddings.ndim == 2 and bool(np.isfinite(found.embeddings).all())

    return [
        File(out / "quantizer.keras", decode, is_right),
        File(out / "report.json", decode, is_right, mutations.damage_json),
        File(out / "ids.npy", decode, lambda found: found.shape == (5,)),
        File(folder / "asked.npy", decode, lambda found: found.ndim == 1),
        File(folder / "items.npy", lambda: tables.read(str(folder / "items.npy"), ""), is_table),
    ]
