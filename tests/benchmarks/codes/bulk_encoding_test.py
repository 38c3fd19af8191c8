"""The benchmark of bulk encoding continues where it was stopped."""

import json

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.codes import bulk_encoding
from trainers.bulk import records
from trainers.bulk.shard import Reading


def test_shards_that_are_there_stay(tmp_path):
    folder = tmp_path / "shards"
    bulk_encoding.write_shards(folder, 25, 2, seed=0)
    first, second = sorted(folder.iterdir())
    before, times = second.read_bytes(), first.stat().st_mtime_ns
    second.unlink()
    bulk_encoding.write_shards(folder, 25, 2, seed=0)
    assert (second.read_bytes(), first.stat().st_mtime_ns) == (before, times)
    assert first.read_bytes() != second.read_bytes()
    how = Reading((28, 28, 1), 10, "image", "label", "")
    parts = [part for shard in records.shards([str(first)]) for part in records.batches(shard, how)]
    images = np.concatenate([part.images for part in parts])
    assert images.shape == (13, 28, 28, 1) and len(np.unique(images)) == 256
    assert sum(1 for _ in tf.data.TFRecordDataset(str(second))) == 12


def test_a_benchmark_goes_on_with_its_own_flags(tmp_path):
    scratch, setting = str(tmp_path / "scratch"), {"images": 5, "kills": 1}
    for _ in range(2):
        with bulk_encoding.workplace(scratch, setting) as folder:
            assert json.loads((folder / "setting.json").read_text()) == setting
    other = {**setting, "images": 6}
    with pytest.raises(ValueError, match="that it was begun with. Choose another --scratch"):
        with bulk_encoding.workplace(scratch, other):
            pass
    with bulk_encoding.workplace("", setting) as folder:
        assert folder.is_dir()
    assert not folder.exists()
