"""The memory of a process is its own, whoever has started it."""

import os
import subprocess
import sys

from benchmarks import memory

SIZE = 300 * 2**20


def test_a_process_does_not_inherit_the_peak_of_its_parent():
    held = bytearray(b"1") * SIZE
    assert memory.resident() > SIZE / 2**20 and memory.peak() >= memory.resident()
    code = "from benchmarks import memory; print(memory.peak())"
    found = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert 1 < float(found.stdout) < len(held) / 2**20 / 2


def test_of_a_process_that_has_ended_nothing_is_left():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert memory.peak(process.pid) == 0
