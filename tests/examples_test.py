"""The examples run at toy size, and print a number next to that of a baseline."""

from __future__ import annotations

import re
import textwrap

import pytest

from tests import forked

RUNS = {
    "discrete_gates": (
        [
            *("--task=adding", "--length=4", "--long=6"),  # A graph of one step.
            *("--units=4", "--epochs=1", "--seeds=1", "--max_examples=100"),
        ],
        [
            *(r"error, Keras' LSTM +[\d.]+$", r"error, gates of 0 and 1 +[\d.]+$"),
            *(r"6 steps, Keras' LSTM +[\d.]+$", r"6 steps, gates of 0 and 1 +[\d.]+$"),
            r"gates that are closed +[\d.]+%",
        ],
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
        ["--glimpses=2", "--epochs=1", "--max_examples=100", "--estimator=score_function"],
        [r"^ +2  soft +16 of 16 +[\d.]+%", r"^ +2  discrete +2 of 16 +[\d.]+%"],
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_it_runs_and_compares(name):
    flags, lines = RUNS[name]
    done = forked.run("-m", f"examples.{name}", *flags, cwd=forked.ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    for line in lines:
        assert re.search(line, done.stdout, re.MULTILINE), done.stdout


@pytest.mark.parametrize(
    "flag, message",
    [("--length=50", "must be a multiple of 8. Received: length=50"), ("--codes=words", "'words'")],
)
def test_symbols_that_cannot_be_made_are_refused(flag, message):
    done = forked.run("-m", "examples.sequence_autoencoder", flag, cwd=forked.ROOT, timeout=300)
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr


def test_longer_sequences_that_are_shorter_are_refused():
    flags = ["--task=adding", "--length=6", "--long=5"]
    done = forked.run("-m", "examples.discrete_gates", *flags, cwd=forked.ROOT, timeout=300)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "must be at least --length." in done.stderr and "long=5, length=6" in done.stderr


def test_lines_longer_than_the_model_are_refused():
    code = """
        from absl import flags
        from examples import sequence_autoencoder as example
        flags.FLAGS(["program", "--length=16"])
        model = example.CharacterModel(5, None)
        assert model(example.np.ones([2, 16], "int32")).shape == (2, 16, 5)
        model(example.np.ones([2, 24], "int32"))
    """
    done = forked.run("-c", textwrap.dedent(code), cwd=forked.ROOT, timeout=300)
    assert "raise --length. Received: lines.shape=(2, 24), length=16" in done.stderr
