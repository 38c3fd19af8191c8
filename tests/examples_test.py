"""The examples run at toy size, and print a number next to that of a baseline."""

from __future__ import annotations

import re

import pytest

from tests import forked

RUNS = {
    "discrete_gates": (
        ["--units=4", "--epochs=1", "--seeds=1", "--max_examples=100"],
        [r"Keras' LSTM +[\d.]+%", r"gates of 0 and 1 +[\d.]+%", r"gates that are closed +[\d.]+%"],
    ),
    "prune_network": (
        ["--units=8,4", "--epochs=2", "--seeds=1", "--max_examples=100", "--penalty=1"],
        [r"^ +1 +mean +[\d.]+% +[\d.]+% +[\d.]+% +[\d.]+%$"],
    ),
    "sequence_autoencoder": (
        [
            "--eager",
            "--steps=2",
            "--max_lines=40",
            "--units=8",
            "--length=48",
            "--batch_size=8",
            "--codes=semantic_hashing",
        ],
        [r"^none +0 +\d\.\d+$", r"^semantic_hashing +0 +\d\.\d+ +-?[\d.]+ +-?[\d.]+%$"],
    ),
    "world_model": (
        [
            *("--steps=2", "--walks=8", "--length=4", "--seen=2", "--mazes=t_maze"),
            *("--units=8", "--variables=2", "--categories=3"),
        ],
        [r"^t_maze +[\d.]+% +[\d.]+% +[\d.]+%$"],
    ),
    "plain_bits": (
        ["--frames=500", "--epochs=1", "--units=8", "--bits=8"],
        [r"^ +8 +0\.25( +-?\d+\.\d\d){4}$"],
    ),
    "memory_address": (
        ["--steps=5", "--slots=4"],
        [r"^soft +4 +all +[\d.]+%", r"^discrete +32 +1 +[\d.]+%"],
    ),
    "hard_attention": (
        ["--glimpses=2", "--epochs=1", "--max_examples=100"],
        [r"^ +2  soft +16 of 16 +[\d.]+%", r"^ +2  discrete +2 of 16 +[\d.]+%"],
    ),
}


SLOW = ("discrete_gates", "sequence_autoencoder", "prune_network", "hard_attention")
"""Left to `make test-slow`."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else []) for n in RUNS]
)
def test_it_runs_and_compares(name, tmp_path):
    flags, lines = RUNS[name]
    done = forked.run("-m", f"examples.{name}", *flags, cwd=forked.ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    for line in lines:
        assert re.search(line, done.stdout, re.MULTILINE), done.stdout
