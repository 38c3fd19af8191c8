"""The race of training: its arithmetic, its rows, and what is not recorded."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.speed import idle, training
from benchmarks.speed.contenders import ours
from benchmarks.speed.setting import MODELS, Setting

RECORD = {
    "name": "linear_bernoulli, batch 100, float32, 2 threads, A processor",
    **Setting("linear_bernoulli", 100, "float32", 2, 200)._asdict(),
    "milliseconds_per_step": {
        "ours": [2.0, 2.0, 2.0],
        "ours_loop_xla": [1.0, 2.0, 1.0],
        "torch_eager": [3.0, 3.0, 3.0],
        "torch_compile_all": [2.0, 2.0, 1.5],
    },
    "facts": {"ours": {"peak": 100.0}, "torch_eager": {"peak": 156.8}},
    "provenance": {"processor": "A processor", "cores": 2, "date": "2026-01-01", "versions": {}},
}


def test_operations_of_a_step():
    # Forward and the weights' gradients of both layers, the inputs' gradient of the decoder's.
    assert Setting("linear_bernoulli", 100, "float32", 2, 200).operations == 2 * 100 * 784 * 200 * 5
    assert MODELS["mlp"].layers[:3] == ((784, 512), (512, 256), (256, 200))
    assert MODELS["mlp"].layers[3:] == ((200, 256), (256, 512), (512, 784))


def test_operations_of_m2():
    layers = MODELS["m2"].layers
    assert layers[:3] == ((784, 512), (512, 256), (256, 10))
    assert layers[3:7] == ((784, 512), (10, 512), (512, 256), (256, 64))
    assert layers[7:] == ((42, 256), (256, 512), (512, 784))
    forward = sum(inputs * outputs for inputs, outputs in layers)
    # Of 100 unlabelled and 100 labelled images; those have no gradient.
    expected = 2 * 200 * (3 * forward - 2 * 784 * 512)
    assert Setting("m2", 100, "float32", 2, 200).operations == expected


def test_a_row_compares_the_fastest_of_each():
    assert training.limit(RECORD) == pytest.approx(1.0)
    row = training.row(RECORD)
    assert row[4:7] == ("2.00", "", "1.00")
    assert row[7:] == ("2.00 (torch.compile, compiled Adam)", "", "**1.50**", "100%", "A processor")


def test_processors_stand_side_by_side():
    other = {**RECORD, "provenance": {**RECORD["provenance"], "processor": "Another"}}
    lines = training.table({"one": RECORD, "other": other}).splitlines()
    assert len(lines) == 2 + 2 + 1 + 2
    assert [line.endswith("| Another |") for line in lines[2:4]] in ([True, False], [False, True])


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--steps=30"], "--steps must be a multiple of 20"),
        (["--contenders", "ours"], "Add --no_record"),
    ],
)
def test_bad_flags(flags, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["training", *flags])
    with pytest.raises(SystemExit):
        training.main()
    assert message in capsys.readouterr().err


def test_a_busy_machine_records_nothing(monkeypatch):
    monkeypatch.setattr(idle, "used_cores", lambda seconds=0.5: 1.5)
    monkeypatch.setattr(sys, "argv", ["training", "--patience=0"])
    with pytest.raises(SystemExit, match="The machine is busy"):
        training.main()


def test_a_row_of_rivals_alone_has_no_ratio():
    times = {"torch_eager": [3.0, 3.0]}
    row = training.row({**RECORD, "milliseconds_per_step": times})
    assert row[4:11] == ("", "", "", "3.00 (eager)", "", "", "")


def test_the_use_of_cores_is_that_of_the_ticks(tmp_path, monkeypatch):
    state = tmp_path / "stat"
    state.write_text("cpu  10 1 5 1000 70 2 3 4 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
    monkeypatch.setattr(idle, "_STATE", state)
    assert idle._busy_ticks() == 25  # Without idle ones and waiting for disks.
    assert idle.used_cores(0.01) == 0.0
    ticks = iter([0, 50])
    monkeypatch.setattr(idle, "_busy_ticks", lambda: next(ticks))
    assert 0.5 < idle.used_cores(0.5) * os.sysconf("SC_CLK_TCK") / 100 <= 1.0


@pytest.mark.parametrize(
    "model, name",
    [
        ("linear_bernoulli", "ours"),
        pytest.param("linear_bernoulli", "ours_loop_xla", marks=pytest.mark.slow),
        ("m2", "ours"),
        pytest.param("m2", "ours_loop", marks=pytest.mark.slow),
    ],
)
def test_our_contenders_train(model, name, monkeypatch):
    # A process that has run TensorFlow refuses other numbers of threads.
    for setter in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):
        monkeypatch.setattr(tf.config.threading, setter, lambda count: None)
    images = np.random.default_rng(0).integers(0, 2, [100, 784]).astype(np.uint8)
    setting = Setting(model, 10, "float32", 1, 20)
    turn, facts = ours.make(images, setting, name)
    first = next(turn)
    assert next(turn) < first < 800 and facts["peak"] > 0
