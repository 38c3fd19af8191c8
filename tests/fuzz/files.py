"""Files of every kind that the package reads, damaged case by case, and what their readers do.

python -m tests.fuzz.files [--cases=1000] [NAME ...]

Each kind is read in a process of its own, so that a crash is counted, too.

Args:
    --cases: Number of cases in all.
    NAME: Only these kinds.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tests.fuzz import mutations

Damage = Callable[[bytes, np.random.Generator], tuple[str, bytes]]
_MEMORY = 16 * 2**30
"""Address space that a reader may take: a header that asks for more must not bring the machine down."""


class File(NamedTuple):
    """One file that is damaged.

    Attributes:
        path: where it is, whole.
        read: reads it, and whatever belongs to it.
        is_right: whether what was read is right, or may not be called wrong for lack of a checksum.
        damage: returns the name of a mutation and the damaged content.
    """

    path: pathlib.Path
    read: Callable[[], Any]
    is_right: Callable[[Any], bool]
    damage: Damage = mutations.damage_bytes


def attack(files: list[File], cases: range, tally: mutations.Tally, begin: Any = None) -> None:
    """Damages one file after another, and counts what its reader does.

    Args:
        files: Of one kind; each case takes the next one.
        cases: Numbers of the cases.
        tally: Counts.
        begin: Called with the number of each case. Default: None.
    """
    for case in cases:
        if begin is not None:
            begin(case)
        file = files[case % len(files)]
        whole = file.path.read_bytes()
        name, content = file.damage(whole, mutations.generator(case))
        try:
            file.path.write_bytes(content)
            verdict = mutations.judge(file.read, file.is_right, file.path.name)
        finally:
            file.path.write_bytes(whole)
        tally.add(f"case {case} of {file.path.name}: {name}", verdict)


def _anything(_: Any) -> bool:
    """Formats without a checksum: what was read has the right type, or the reader had failed."""
    return True


def _in_zip(member: str, damage: Damage) -> Damage:
    """Damages one member of a zip and packs it again, with the checksum of the damaged content."""

    def change(data: bytes, random: np.random.Generator) -> tuple[str, bytes]:
        packed = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(packed, "w") as changed:
            for name in archive.namelist():
                content = archive.read(name)
                if name == member:
                    mutation, content = damage(content, random)
                changed.writestr(name, content)
        return f"{mutation} in {member}", packed.getvalue()

    return change


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

    config = _in_zip("config.json", mutations.damage_json)
    stored = _in_zip("model.weights.h5", mutations.damage_bytes)
    path = directory.model_path
    return [
        File(path, read, is_right),
        File(path, read, _anything, config),
        File(path, read, _anything, stored),
        File(path, read, _anything, _in_zip("metadata.json", mutations.damage_json)),
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
        File(path, lambda: finished_run.read_settings(directory), _anything, damage),
        File(path, lambda: finished_run.open_run(directory), _anything, damage),
        File(folder / identity.FILE, read_data, _anything, damage),
        File(directory.result_path, directory.result, is_result, damage),
    ]


def metrics(folder: pathlib.Path) -> list[File]:
    """metrics.jsonl of a run, and the measurements of sweeps and comparisons."""
    from trainers.common import sweep
    from trainers.common.run_directory import RunDirectory
    from trainers.comparison import comparison_report

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
        return comparison_report.measured(
            folder / "gradients.json", comparison_report.check_gradients
        )

    return [
        File(directory.history_path, directory.history, is_history),
        File(directory.history_path, directory.history, is_history, damage_line),
        File(
            folder / "sweep.json",
            lambda: sweep.table(sweep._read(folder / "sweep.json")),
            _anything,
            mutations.damage_json,
        ),
        File(folder / "gradients.json", read_gradients, _anything, mutations.damage_json),
    ]


def _codes() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, [40, 5])


def indexes(folder: pathlib.Path) -> list[File]:
    """The files of a `CodeIndex`, and of FAISS where it is installed."""
    from tf_discrete import codes

    drawn = _codes()
    index = codes.CodeIndex(drawn, 3, metadata={"split": "train"})
    index.save(folder / "index")

    def is_right(found: Any) -> bool:
        same = np.array_equal(found.codes, drawn) and found.metadata == index.metadata
        return same and found.ids == index.ids and found.model == index.model

    files = [
        File(
            folder / "index" / name,
            lambda: codes.CodeIndex.load(folder / "index"),
            is_right,
            damage,
        )
        for name, damage in (
            ("codes.npy", mutations.damage_bytes),
            ("ids.json", mutations.damage_json),
            ("manifest.json", mutations.damage_json),
        )
    ]
    try:
        import faiss  # noqa: F401
    except ImportError:
        return files
    for kind in ("flat", "hnsw", "ivf"):
        path = folder / f"{kind}.faiss"
        made = codes.FaissIndex(drawn, 3, kind)
        made.save(path)
        expected = made.search(drawn[:3], 4)

        def is_same(found: Any, expected: Any = expected) -> bool:
            return all(map(np.array_equal, found.search(drawn[:3], 4), expected))

        files.append(File(path, lambda path=path: codes.FaissIndex.load(path, 5, 3), is_same))
    return files


def compressed(folder: pathlib.Path) -> list[File]:
    """A file of compressed codes; nothing where constriction is not installed."""
    from tf_discrete import codes, models

    prior = models.AutoregressivePrior(num_variables=5, num_categories=3, units=4)
    drawn, path = _codes(), folder / "codes.bin"
    try:
        codes.compress(drawn, prior, path)
    except ImportError:
        return []
    return [
        File(
            path, lambda: codes.decompress(path, prior), lambda found: np.array_equal(found, drawn)
        )
    ]


def npz(folder: pathlib.Path) -> list[File]:
    """A data set in an `.npz` file, and crafted ones with right checksums of wrong arrays."""
    from tf_discrete import datasets

    random, path = np.random.default_rng(0), folder / "data.npz"
    images = random.integers(0, 256, [40, 3, 3]).astype(np.uint8)
    np.savez_compressed(path, image=images, label=np.arange(40) % 4)

    def read() -> Any:
        return datasets.get(str(path), "train")

    whole = np.array(read().images)

    def is_right(found: Any) -> bool:
        return np.array_equal(found.images, whole)

    def is_data(found: Any) -> bool:
        shape = found.images.shape[1:]
        return found.images.dtype in (np.uint8, np.float32) and shape == found.image_shape

    return [
        File(path, read, is_right),
        File(path, read, is_data, _in_zip("image.npy", mutations.damage_bytes)),
        File(path, read, is_data, _in_zip("label.npy", mutations.damage_bytes)),
    ]


def images(folder: pathlib.Path) -> list[File]:
    """Pictures of every kind."""
    from PIL import Image

    from tf_discrete.datasets import image_folder

    random = np.random.default_rng(0)
    colours = random.integers(0, 256, [9, 8, 4]).astype(np.uint8)
    files = []
    for name, array in (
        ("a.png", colours),
        ("b.png", colours[..., 0].astype(np.uint16) * 200),
        ("c.jpg", colours[..., :3]),
        ("d.bmp", colours[..., :3]),
        ("e.gif", colours[..., 0]),
        ("f.webp", colours[..., :3]),
        ("g.tif", colours[..., :3]),
        ("h.ppm", colours[..., :3]),
        ("i.pgm", colours[..., 0]),
    ):
        path = folder / name
        Image.fromarray(array).save(path)

        def read(path: pathlib.Path = path) -> Any:
            return image_folder.read(path, (4, 4, 3))

        def is_picture(found: Any) -> bool:
            return found.shape == (4, 4, 3) and found.dtype == np.uint8

        files.append(File(path, read, is_picture))
    return files


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


def caches(folder: pathlib.Path) -> list[File]:
    """Decoded images of a folder that does not fit into memory."""
    from tf_discrete.datasets import image_cache

    before, image_cache.MEMORY_BYTES = image_cache.MEMORY_BYTES, 1
    pictures = np.random.default_rng(0).integers(0, 256, [7, 3, 4, 2]).astype(np.uint8)

    def read() -> Any:
        limit, image_cache.MEMORY_BYTES = image_cache.MEMORY_BYTES, 1
        try:
            chunks = [(pictures, np.arange(7))]
            return image_cache.fill(7, (3, 4, 2), lambda: chunks, cache_dir=str(folder), key="a")
        finally:
            image_cache.MEMORY_BYTES = limit

    def is_data(found: Any) -> bool:
        return found[0].shape == pictures.shape and found[1].dtype == np.int32

    read()
    image_cache.MEMORY_BYTES = before
    return [File(path, read, is_data) for path in sorted(folder.glob("*/*.npy"))]


def manifests(folder: pathlib.Path) -> list[File]:
    """The manifest of an export."""
    from tf_discrete.export import manifest

    described = manifest.Manifest(
        format_version=manifest.FORMAT_VERSION,
        model="tf_discrete>CategoricalVAE",
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


KINDS: dict[str, tuple[Callable[[pathlib.Path], list[File]], int]] = {
    "models": (models, 1),
    "configs": (configs, 6),
    "metrics": (metrics, 6),
    "indexes": (indexes, 6),
    "codes": (compressed, 3),
    "npz": (npz, 5),
    "images": (images, 9),
    "checkpoints": (checkpoints, 5),
    "caches": (caches, 3),
    "manifests": (manifests, 3),
}
"""Kinds of files: what makes them in a folder, and their share of the cases."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", choices=[[], *KINDS], default=[])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    parser.add_argument("--begin", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = options.names or list(KINDS)
    if options.worker:
        _work(names[0], range(options.begin, options.cases), pathlib.Path(options.worker))
        return
    total = sum(KINDS[name][1] for name in names)
    sums: dict[str, int] = {}
    for name in names:
        tally = _in_processes(name, -(-options.cases * KINDS[name][1] // total))
        print(tally, *tally.bad, sep="\n  ", flush=True)
        for kind, count in tally.counts.items():
            sums[kind] = sums.get(kind, 0) + count
    print(f"{sum(sums.values())} cases: {sums}")


def _in_processes(name: str, cases: int) -> mutations.Tally:
    """Runs the cases of a kind in other processes; one that dies is a case, and the next goes on."""
    tally, begin = mutations.Tally(name), 0
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "log")
        while begin < cases:
            log.write_text("")
            words = [name, f"--cases={cases}", f"--begin={begin}", f"--worker={log}"]
            ended = subprocess.run([sys.executable, "-m", "tests.fuzz.files", *words])
            lines = [json.loads(line) for line in log.read_text().splitlines()]
            for case, verdict in (line for line in lines if isinstance(line, list)):
                tally.add(case, mutations.Verdict(*verdict))
            started = [line for line in lines if isinstance(line, int)]
            if ended.returncode == 0:
                break
            if not started:
                raise RuntimeError(f"the process ended with status {ended.returncode} at once")
            verdict = mutations.Verdict("crash", f"status {ended.returncode}")
            tally.add(f"case {started[-1]}", verdict)
            begin = started[-1] + 1
    return tally


def _work(name: str, cases: range, log: pathlib.Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder, open(log, "a", buffering=1) as file:

        class Written(mutations.Tally):
            def add(self, case: str, verdict: mutations.Verdict) -> None:
                file.write(json.dumps([case, list(verdict)]) + "\n")

        files = KINDS[name][0](pathlib.Path(os.path.realpath(folder)))
        if files:
            attack(files, cases, Written(name), lambda case: file.write(f"{case}\n"))


if __name__ == "__main__":
    main()
