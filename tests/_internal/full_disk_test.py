"""Every writer names its file where the disk is full, and leaves nothing half written behind."""

from __future__ import annotations

import json

from tests.trainers import small_runs

_WRITE = """
import json, os, pathlib, resource
import keras
import numpy as np
import tensorflow as tf
from tf_discrete import codes, evaluation, plots
from tf_discrete._internal import writing
from tf_discrete.datasets import image_cache
from trainers.common.checkpoints import CheckpointFolder
from trainers.common.run_directory import RunDirectory

image_cache.MEMORY_BYTES = 1
drawn = np.random.default_rng(0).integers(0, 2, [500, 64])
index = codes.CodeIndex(drawn)
figure = plots.image_grid(np.random.default_rng(0).random([9, 8, 8, 1]))
checkpoint = tf.train.Checkpoint(value=tf.Variable(tf.random.normal([5000])))
images = [(np.zeros([9, 9, 9, 1], np.uint8), np.zeros(9))] * 9
x, y = np.stack([np.zeros([8, 8]), np.ones([8, 8])]), [0, 1]
row = {"epoch": 1, "step": 1, "seconds": 1.0, **{f"value/{i}": 0.5 for i in range(500)}}
writers = {
    "index": lambda: index.save("index"),
    "config.json": lambda: writing.write_json("config.json", list(range(9999))),
    "figure.png": lambda: plots.save(figure, "figure.png"),
    "ckpt-3": lambda: CheckpointFolder(checkpoint, pathlib.Path("last")).save(3),
    "metrics.jsonl": lambda: RunDirectory(".").append_history(row),
    "cache": lambda: image_cache.fill(81, (9, 9, 1), lambda: images, cache_dir="cache", key="a"),
    "judge.keras": lambda: evaluation.cached_classifier("judge.keras", x, y, 2, num_steps=1),
}
try:
    import faiss
    made = codes.FaissIndex(drawn)
    writers["codes.faiss"] = lambda: made.save("codes.faiss")
except ImportError:
    pass
resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
for name, write in writers.items():
    try:
        write()
        print(json.dumps([name, "none", ""]))
    except Exception as error:
        print(json.dumps([name, type(error).__name__, str(error)]))
left = [str(path) for path in pathlib.Path(".").rglob("*") if path.is_file()]
print(json.dumps(left))
"""


def test_writers_name_their_file_where_the_disk_is_full(tmp_path):
    ended = small_runs.call("-c", _WRITE, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    *outcomes, left = (json.loads(line) for line in ended.stdout.splitlines())
    assert len(outcomes) >= 7
    for name, kind, message in outcomes:
        assert kind == "OSError", (name, kind, message)
        assert name in message.split("Received: ")[1], (name, message)
        assert "free space" in message, (name, message)
    assert set(left) <= {
        "metrics.jsonl"
    }  # A torn last line of a history is left out by its reader.
