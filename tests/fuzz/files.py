"""Files of every kind that the package reads, damaged case by case, and what their readers do.

python -m tests.fuzz.files [--cases=1000] [NAME ...]

Each kind is read in a process of its own, so that a crash is counted, too.

Args:
    --cases: Number of cases in all.
    NAME: Only these kinds.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable

from tests.fuzz import data_files, mutations, run_files
from tests.fuzz.damaged import File, attack

_MEMORY = 16 * 2**30
"""Address space that a reader may take: a header that asks for more must not bring the machine down."""


KINDS: dict[str, tuple[Callable[[pathlib.Path], list[File]], int]] = {
    "models": (run_files.models, 1),
    "configs": (run_files.configs, 6),
    "metrics": (run_files.metrics, 6),
    "indexes": (data_files.indexes, 6),
    "codes": (data_files.compressed, 3),
    "npz": (data_files.npz, 5),
    "images": (data_files.images, 9),
    "checkpoints": (run_files.checkpoints, 5),
    "caches": (data_files.caches, 3),
    "manifests": (run_files.manifests, 3),
    "records": (data_files.records, 3),
    "exact_indexes": (data_files.exact_indexes, 3),
    "code_files": (data_files.code_files, 2),
    "semantic_ids": (run_files.semantic_ids, 2),
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
