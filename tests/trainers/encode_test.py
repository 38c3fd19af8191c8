"""Bulk encoding: each image is there once, whatever is killed, and bad input is named or refused."""

import dataclasses
import json
import os
import pathlib
import signal
import time

import numpy as np
import pytest
import tensorflow as tf

from tests import forked
from tests.models import small_models
from tests.trainers import small_runs
from tf_discrete import codes, export, models
from tf_discrete._internal import locking
from tf_discrete.codes import code_files
from tf_discrete.datasets import resizing
from tf_discrete.export.manifest import load_manifest

pytest.importorskip("apache_beam", reason="pip install 'tf-discrete[beam]'")

GENERATOR = np.random.default_rng(3)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """An exported model, and the model."""
    model = small_models.make(data_shape=(6, 5, 1))
    folder = tmp_path_factory.mktemp("export") / "model"
    export.save(model, folder, preprocessing={"scale": 1 / 255, "binarization": "none"})
    return folder, model


def example(image, label=None, png=False):
    data = tf.io.encode_png(image).numpy() if png else image.tobytes()
    features = {"image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))}
    if label is not None:
        value = tf.train.Int64List(value=[label])
        features["label"] = tf.train.Feature(int64_list=value)
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write_shards(folder, model, sizes=(5, 0, 7, 4)):
    """TFRecord files of random images; their images by id."""
    folder.mkdir()
    images = {}
    for number, size in enumerate(sizes):
        with tf.io.TFRecordWriter(str(folder / f"{number}.tfrecord")) as file:
            for place in range(size):
                image = GENERATOR.integers(0, 256, model.data_shape, np.uint8)
                images[(number << 32) + place] = image
                file.write(example(image, place % 3, png=place % 2 == 0))
    return images


def wanted(model, images):
    stacked = np.stack(list(images.values())).astype(np.float32) / 255
    made = codes.encode_batches(model, [tf.constant(stacked)])
    packed = codes.pack(made, model.num_categories)
    return dict(zip(images, map(bytes, packed), strict=True))


def read(folder):
    """Every id and its code; each id is there once."""
    files = code_files.CodeFiles(folder)
    found = {}
    for batch in files.batches():
        for name, code in zip(batch.ids.tolist(), map(bytes, batch.packed), strict=True):
            assert name not in found
            found[name] = code
    return found


def encode(saved, source, output, **flags):
    from trainers.bulk import encode as program
    from trainers.flags.encode import Config

    program.run(Config(model=str(saved[0]), input=str(source), output=str(output), **flags))


def test_records_become_codes_once(saved, tmp_path):
    images = write_shards(tmp_path / "in", saved[1])
    encode(saved, tmp_path / "in" / "*.tfrecord", tmp_path / "out", batch_size=3)
    assert read(tmp_path / "out") == wanted(saved[1], images)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["count"], manifest["num_rejects"]) == (16, 0)
    assert "score" not in json.loads((tmp_path / "out" / "plan.json").read_text())
    assert [shard["count"] for shard in manifest["shards"]] == [5, 0, 7, 4]
    labels = next(code_files.CodeFiles(tmp_path / "out").batches()).labels
    assert labels.tolist() == [0, 1, 2, 0, 1]
    files = code_files.CodeFiles(tmp_path / "out")
    files.check_model(saved[1])
    index = codes.ExactIndex.build(
        tmp_path / "index", files.chunks(), *files.layout[:2], model=files.layout.model
    )
    index.check_model(saved[1])
    assert len(index) == 16


def test_a_folder_of_images_and_a_data_set_become_codes(saved, tmp_path):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    images = {}
    for place, name in enumerate(["a.png", "b.png", "sub/c.png"]):
        image = GENERATOR.integers(0, 256, saved[1].data_shape, np.uint8)
        (tmp_path / "in" / name).write_bytes(tf.io.encode_png(image).numpy())
        images[place + (place == 2)] = image
    (tmp_path / "in" / "broken.png").write_bytes(b"no image")
    encode(saved, tmp_path / "in", tmp_path / "out", shard_size=2)
    assert read(tmp_path / "out") == wanted(saved[1], images)
    batches = list(code_files.CodeFiles(tmp_path / "out").batches())
    paths = [path for batch in batches for path in batch.paths]
    assert paths == ["a.png", "b.png", "sub/c.png"]
    (line,) = (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()
    reject = json.loads(line)
    assert reject["id"] == 2 and reject["name"].endswith("broken.png") and reject["reason"]


SIZES = {"categorical": (2, 3), "bernoulli": (5, 2), "tree:3,4": (2, 12), "path:2,3": (1, 6)}


@pytest.mark.parametrize(("latents", "sizes"), SIZES.items())
def test_codes_of_all_kinds_have_a_score(tmp_path, latents, sizes):
    model = models.CategoricalVAE(
        (6, 5, 1), *sizes, hidden_units=(8,), latents=latents, estimator="reinmax"
    )
    for variable in model.trainable_variables:
        variable.assign(GENERATOR.normal(size=variable.shape))
    export.save(model, tmp_path / "model")
    images = write_shards(tmp_path / "in", model, sizes=(9, 4))
    source = tmp_path / "in" / "*.tfrecord"
    encode((tmp_path / "model", model), source, tmp_path / "out", batch_size=4, score=True)
    files = code_files.CodeFiles(tmp_path / "out")
    found = list(files.batches())
    pixels = np.stack(list(images.values())).astype(np.float32) / 255
    made = model.encode(pixels)
    packed = np.concatenate([batch.packed for batch in found])
    np.testing.assert_array_equal(codes.unpack(packed, *files.layout[:2]), made)
    scores = np.concatenate([batch.scores for batch in found])
    np.testing.assert_allclose(scores, log_prob(model, pixels, made), rtol=1e-4, atol=1e-5)
    assert len(np.unique(scores)) > 1 and (scores <= 0).all()
    with pytest.raises(ValueError, match="differs in score"):
        encode((tmp_path / "model", model), source, tmp_path / "out")


def log_prob(model, pixels, made):
    """log q(code | image), summed over the variables, by the posterior of the model itself."""
    found = model._posterior(tf.constant(pixels)).code_log_prob(made)
    return tf.reduce_sum(tf.reshape(found, [len(pixels), -1]), axis=-1)


def test_a_model_without_codes_is_refused(tmp_path):
    model = models.SemiSupervisedVAE((6, 5, 1), num_classes=3, hidden_units=(8,))
    export.save(model, tmp_path / "model")
    write_shards(tmp_path / "in", model, sizes=(1,))
    with pytest.raises(ValueError, match="signature encode, with the output codes.*SemiSuper"):
        encode((tmp_path / "model", model), tmp_path / "in" / "*", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("missing", ["encode", "encode_probs"])
def test_leaving_the_score_out_is_advised_where_it_helps(saved, missing):
    from trainers.bulk import encode as program

    manifest = load_manifest(saved[0])
    signatures = {name: one for name, one in manifest.signatures.items() if name != missing}
    manifest = dataclasses.replace(manifest, signatures=signatures)
    with pytest.raises(ValueError, match=f"signature {missing}, with") as refusal:
        program.code_layout(manifest, score=True)
    assert ("or leave --score out" in str(refusal.value)) == (missing == "encode_probs")


def test_an_input_without_an_image_that_can_be_read_is_an_error(saved, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.png").write_bytes(b"no image")
    for _ in range(2):
        with pytest.raises(
            ValueError, match=r"rejects\.jsonl.*with 1 rejects and no image.*broken\.png"
        ):
            encode(saved, tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert len((tmp_path / "out" / "rejects.jsonl").read_text().splitlines()) == 1


def test_records_that_cannot_be_read_are_named(saved, tmp_path):
    images = write_shards(tmp_path / "in", saved[1], sizes=(6, 6))
    shape = saved[1].data_shape
    with tf.io.TFRecordWriter(str(tmp_path / "in" / "2.tfrecord")) as file:
        image = np.zeros(shape, np.uint8)
        images[2 << 32] = image
        file.write(example(image))
        file.write(b"no example")
        other = GENERATOR.integers(0, 256, [3, 3, shape[-1]], np.uint8)
        images[(2 << 32) + 2] = resizing.resize(other[np.newaxis], shape[:2])[0]
        file.write(example(other, png=True))
    damaged = tmp_path / "in" / "1.tfrecord"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    del images[(1 << 32) + 5]
    encode(saved, tmp_path / "in" / "*.tfrecord", tmp_path / "out", batch_size=4)
    assert read(tmp_path / "out") == wanted(saved[1], images)
    rejects = [json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").open()]
    assert [reject["id"] for reject in rejects] == [(1 << 32) + 5, (2 << 32) + 1]
    assert "cut off or damaged" in rejects[0]["reason"]
    assert "1.tfrecord#5" in rejects[0]["name"]
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["num_rejects"] == 2


def test_a_shard_that_was_lost_or_damaged_is_made_again(saved, tmp_path, capsys):
    images = write_shards(tmp_path / "in", saved[1])
    source = tmp_path / "in" / "*.tfrecord"
    encode(saved, source, tmp_path / "out")
    shards = sorted((tmp_path / "out").glob("*.parquet"))
    shards[0].unlink()
    shards[2].write_bytes(shards[2].read_bytes()[:-7])
    whole = shards[3].stat().st_mtime_ns
    encode(saved, source, tmp_path / "out")
    assert "2 of 4 shards are done already" in capsys.readouterr().out
    assert read(tmp_path / "out") == wanted(saved[1], images)
    assert shards[3].stat().st_mtime_ns == whole


def test_an_encoding_is_of_one_model_and_one_input(saved, tmp_path):
    write_shards(tmp_path / "in", saved[1])
    source = tmp_path / "in" / "*.tfrecord"
    encode(saved, source, tmp_path / "out")
    other = small_models.make(spread=0.5, data_shape=(6, 5, 1))
    export.save(other, tmp_path / "other")
    with pytest.raises(ValueError, match="differs in model"):
        encode((tmp_path / "other", other), source, tmp_path / "out")
    (tmp_path / "in" / "1.tfrecord").unlink()
    with pytest.raises(ValueError, match="differs in input"):
        encode(saved, source, tmp_path / "out")
    with locking.lock(tmp_path / "out"):
        with pytest.raises(locking.InUseError, match="written by one process at a time"):
            encode(saved, source, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("hello")
    with pytest.raises(FileExistsError, match="new or empty folder"):
        encode(saved, source, tmp_path / "mine")


_FULL = """
import resource, sys
from trainers.bulk import encode
from trainers.flags.encode import Config

resource.setrlimit(resource.RLIMIT_FSIZE, (800, resource.RLIM_INFINITY))
try:
    encode.run(Config(model=sys.argv[1], input=sys.argv[2], output=sys.argv[3]))
except Exception as error:
    told = f"{type(error).__name__} {error}"
resource.setrlimit(resource.RLIMIT_FSIZE, [resource.RLIM_INFINITY] * 2)
print(told)
"""


def test_a_full_disk_loses_nothing(saved, tmp_path):
    images = write_shards(tmp_path / "in", saved[1], sizes=(20, 3))
    words = saved[0], tmp_path / "in" / "*.tfrecord", tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": str(small_runs.ROOT)}
    ended = forked.run("-c", _FULL, *map(str, words), cwd=tmp_path, env=environment)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("OSError") and "File too large" in ended.stdout, ended.stdout
    assert "codes-00000" in ended.stdout
    left = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert left == {"plan.json"}
    encode(saved, *words[1:])
    assert read(tmp_path / "out") == wanted(saved[1], images)


@pytest.mark.parametrize(
    ("flags", "error", "message"),
    [
        ({"source": "nothing/*.tfrecord"}, FileNotFoundError, "something to encode"),
        ({"source": "tfds:digits_that_nobody_has"}, Exception, "digits_that_nobody_has"),
        ({"source": ""}, ValueError, "input must be given"),
        ({"beam": ("runner=Flink",)}, ValueError, "two dashes"),
    ],
    ids=range(4),
)
def test_bad_flags(saved, tmp_path, flags, error, message):
    write_shards(tmp_path / "in", saved[1], sizes=(1,))
    flags = {"source": tmp_path / "in" / "*.tfrecord", **flags}
    with pytest.raises(error, match=message):
        encode(saved, output=tmp_path / "out", **flags)


def children(pid):
    """Processes that a process has started."""
    found = []
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("shards_done", [0, 1, 3])
@pytest.mark.parametrize("victim", [0, 1])
def test_a_worker_that_was_killed_ends_the_job_and_the_next_goes_on(
    saved, tmp_path, victim, shards_done
):
    """Beam's own runner waits for ever for a worker process that is gone."""
    images = write_shards(tmp_path / "in", saved[1], sizes=(300,) * 8)
    words = [
        *("-m", "trainers.encode", f"--model={saved[0]}", "--batch_size=2"),
        *(f"--input={tmp_path / 'in'}/*.tfrecord", f"--output={tmp_path / 'out'}"),
        "--beam=--direct_num_workers=2,--direct_running_mode=multi_processing",
    ]
    environment = {**os.environ, "PYTHONPATH": str(small_runs.ROOT)}
    process = forked.start(*words, cwd=tmp_path, env=environment, stderr=tmp_path / "err")
    records = tmp_path / "out" / "records"
    while True:
        assert process.poll() is None, (tmp_path / "err").read_text()
        # Beam starts each worker by a shell.
        workers = [worker for shell in children(process.pid) for worker in children(shell)]
        if len(workers) == 2 and len(list(records.glob("*.json"))) >= shards_done:
            break
        time.sleep(0.01)
    os.kill(sorted(workers)[victim], signal.SIGKILL)
    assert process.wait(timeout=120) == 1
    told = (tmp_path / "err").read_text().splitlines()[-1]
    assert told.startswith("WorkerGoneError: A worker of the job is gone")
    left = len(list(records.glob("*.json")))
    assert shards_done <= left < 8 and not (tmp_path / "out" / "manifest.json").exists()
    ended = forked.run(*words, cwd=tmp_path, env=environment)
    assert ended.returncode == 0, ended.stderr
    assert left == 0 or f"{left} of 8 shards are done already" in ended.stdout
    assert read(tmp_path / "out") == wanted(saved[1], images)


@pytest.mark.slow
@pytest.mark.parametrize("shards_done", [1, 3, 6])
def test_a_job_that_was_killed_goes_on(saved, tmp_path, shards_done):
    images = write_shards(tmp_path / "in", saved[1], sizes=(40,) * 8)
    words = [
        *("-m", "trainers.encode", f"--model={saved[0]}", "--batch_size=2"),
        *(f"--input={tmp_path / 'in'}/*.tfrecord", f"--output={tmp_path / 'out'}"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(small_runs.ROOT)}
    process = forked.start(*words, cwd=tmp_path, env=environment, stderr=tmp_path / "err")
    records = pathlib.Path(tmp_path / "out" / "records")
    while not records.exists() or len(list(records.glob("*.json"))) < shards_done:
        assert process.poll() is None, (tmp_path / "err").read_text()
    process.kill()
    assert process.wait() == -signal.SIGKILL
    left = len(list(records.glob("*.json")))
    ended = forked.run(*words, cwd=tmp_path, env=environment)
    assert ended.returncode == 0, ended.stderr
    assert f"{left} of 8 shards are done already" in ended.stdout
    assert read(tmp_path / "out") == wanted(saved[1], images)
