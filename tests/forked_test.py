"""Forked processes are as those that Python starts, except that they need not import the package."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests import forked

_FACTS = """
import os, sys
from tensorflow.python.eager import context
print(sys.argv[1:], os.getcwd(), os.environ["FACT"], "trainers" in sys.modules)
print(context.context()._context_handle, file=sys.stderr)
sys.exit(7)
"""


def test_arguments_folder_environment_output_and_status(tmp_path):
    ended = forked.run("-c", _FACTS, "a", "--b", cwd=tmp_path, env={**os.environ, "FACT": "x"})
    assert ended.stdout == f"['a', '--b'] {tmp_path} x False\n"
    assert ended.stderr == "None\n", "the runtime of TensorFlow must not exist before a fork"
    assert ended.returncode == 7


def test_a_process_computes(tmp_path):
    program = "import tensorflow as tf; print(int(tf.function(tf.reduce_sum)(tf.ones([2, 3]))))"
    for _ in range(2):
        ended = forked.run("-c", program)
        assert ended.stdout == "6\n", ended.stderr


def test_the_first_line_of_a_process_that_ends_at_once(tmp_path):
    process = forked.start("-c", "print('a\\nb')", stdout=tmp_path / "out")
    process.wait(60)
    assert process.first_line() == "a"
    process = forked.start("-c", "print('a', end='')", stdout=tmp_path / "unfinished")
    with pytest.raises(RuntimeError, match="has ended with 0 and has printed no line: 'a'"):
        process.first_line()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_as_they_end_python(number, tmp_path):
    program = f"""
import os, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell's background job ignores it.
os.mkdir({str(tmp_path / "begun")!r})  # The end of a file object would swallow an interrupt.
time.sleep(60)
"""
    for make in (lambda *words: subprocess.Popen([sys.executable, *words]), forked.start):
        process = make("-c", program)
        deadline = time.monotonic() + 60
        while not (tmp_path / "begun").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(60) == -number
        (tmp_path / "begun").rmdir()


@pytest.mark.parametrize(
    "program,status",
    [("", 0), ("raise ValueError", 1), ("raise SystemExit", 0), ("raise SystemExit('why')", 1)],
)
def test_what_a_program_ends_with(program, status):
    ended = forked.run("-c", program)
    real = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (real.returncode, real.stdout) == (status, "")
    assert ended.stderr.splitlines()[-1:] == real.stderr.splitlines()[-1:]


def test_a_module_runs_as_main():
    ended = forked.run("-m", "this")
    assert "Beautiful is better than ugly." in ended.stdout, ended.stderr
    ended = forked.run("-m", "no_such_module")
    assert ended.returncode == 1 and "No module named no_such_module" in ended.stderr
