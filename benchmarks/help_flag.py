"""Whether the command line asks for help, which benchmarks answer at once, without importing TensorFlow."""

from __future__ import annotations

import sys

_FLAGS = {"-h", "--help", "-help", "-?", "--?", "--helpshort", "--helpfull"}

GIVEN = not _FLAGS.isdisjoint(sys.argv[1:])
