"""A race of processes that take turns: for ratios that mean something on a machine that others use too.

Every contender is a process of its own with the same number of threads; in each round they train one after
the other, in a new order, and the ratio is taken round by round. It needs NumPy at most, so that contenders
may live in environments of their own.
"""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks import provenance, store
from benchmarks.speed import idle
from trainers.common import tables

Turn = Iterator[float]
"""Trains some steps for each `next`, after a warm-up before the first; gives the mean loss in nats."""

Times = Mapping[str, Sequence[float]]
"""Milliseconds of a step in each round, by contender."""


def serve(make: Callable[[], tuple[Turn, dict[str, Any]]], packages: Iterable[str]) -> None:
    """A contender's process: warms up, then trains a turn for each line of the standard input.

    Args:
        make: gives the turns and what else is to be known of the contender.
        packages: whose versions are.
    """
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What libraries print goes to the standard error.

    def say(**values: Any) -> None:
        print(json.dumps(values), file=answer, flush=True)

    turn, facts = make()
    for _ in range(2):
        next(turn)
    say(versions=provenance.versions(packages), facts=facts)
    for _ in sys.stdin:
        began, used = time.perf_counter(), time.process_time()
        loss = next(turn)
        spent = {"seconds": time.perf_counter() - began, "processor": time.process_time() - used}
        say(**spent, loss=loss)


class Contender:
    """A process that trains when asked and sleeps between.

    Args:
        name: of the contender.
        command: of a process that calls `serve`.
        threads: that it may use.
    """

    def __init__(self, name: str, command: Sequence[str], threads: int):
        self.name = name
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=store.ROOT,
        )
        first = self._answer()
        self.versions: dict[str, str] = first["versions"]
        self.facts: dict[str, Any] = first["facts"]

    def train(self) -> dict[str, float]:
        """One turn: its seconds and the mean loss."""
        assert self.process.stdin is not None
        print(file=self.process.stdin, flush=True)
        return self._answer()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with status {self.process.wait()}")
        return json.loads(line)


def race(
    commands: Mapping[str, Sequence[str]], rounds: int, steps: int, threads: int
) -> dict[str, Any]:
    """Runs all rounds.

    Args:
        commands: of the contenders, by name.
        rounds: turns of each.
        steps: of a turn.
        threads: of each.

    Returns:
        A record: `milliseconds_per_step` by the clock, `processor_milliseconds_per_step` and
        `last_loss_nats` by contender, `facts` of those that have any, `others`, the most cores that other
        programs used before a turn, and the provenance, with the contenders' versions.
    """
    made = provenance.record()
    contenders = start(commands, threads)
    try:
        turns = take_turns(contenders, rounds, steps)
    finally:
        stop(contenders)
    versions = {"python": platform.python_version()}
    for contender in contenders:
        versions.update(contender.versions)
    facts = {contender.name: contender.facts for contender in contenders if contender.facts}
    return {
        "provenance": {**made, "versions": versions},
        "threads": threads,
        "steps": steps,
        "others": round(max(turn["others"] for own in turns.values() for turn in own), 2),
        "milliseconds_per_step": milliseconds(turns, "seconds", steps),
        "processor_milliseconds_per_step": milliseconds(turns, "processor", steps),
        "last_loss_nats": {name: round(own[-1]["loss"], 2) for name, own in turns.items()},
        **({"facts": facts} if facts else {}),
    }


def summary(times: Times, ours: str, rivals: str) -> dict[str, Any]:
    """The fastest rival by its median, and how much longer it takes than ours, round by round.

    Args:
        times: of all contenders.
        ours: name of our contender.
        rivals: what the names of the others begin with.
    """
    medians = {name: statistics.median(values) for name, values in times.items()}
    best = min((name for name in times if name.startswith(rivals)), key=medians.__getitem__)
    ratios = [theirs / mine for theirs, mine in zip(times[best], times[ours], strict=True)]
    low, median, high = statistics.quantiles(ratios, n=4)
    return {"best": best, "median": median, "quartiles": (low, high), "ratios": ratios}


def table(times: Times, titles: Mapping[str, str]) -> str:
    """A table: the median of each contender and its quartiles."""
    rows = []
    for name, values in times.items():
        low, median, high = statistics.quantiles(values, n=4)
        rows.append((titles[name], f"{median:.2f}", f"{low:.2f} to {high:.2f}"))
    return tables.markdown(("", "ms per step, median", "quartiles"), rows)


def spread(compared: Mapping[str, Any], steps: int) -> str:
    """How the ratios of `summary` differ, in words."""
    low, high = compared["quartiles"]
    ratios = compared["ratios"]
    return (
        f"median of {len(ratios)} rounds of {steps} steps, quartiles {low:.2f} to {high:.2f}, all rounds "
        f"{min(ratios):.2f} to {max(ratios):.2f}"
    )


def made_on(result: Mapping[str, Any]) -> str:
    """The line of Markdown that says on what a race was run, and by which command."""
    made = result["provenance"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    return f"{result['threads']} threads, {versions}; {provenance.line(made, result['command'])}"


def start(commands: Mapping[str, Sequence[str]], threads: int) -> list[Contender]:
    """Starts the contenders, by name, and waits until all are warm."""
    contenders: list[Contender] = []
    try:
        for name, command in commands.items():
            print(f"Warming up {name} ...", flush=True)
            contenders.append(Contender(name, command, threads))
    except BaseException:
        stop(contenders)
        raise
    return contenders


def stop(contenders: Iterable[Contender]) -> None:
    """Ends their processes."""
    for contender in contenders:
        contender.stop()


def take_turns(
    contenders: Sequence[Contender], rounds: int, steps: int
) -> dict[str, list[dict[str, float]]]:
    """Has each contender train once in every round, in a new order; returns their turns by name."""
    turns: dict[str, list[dict[str, float]]] = {contender.name: [] for contender in contenders}
    order = random.Random(0)
    for number in range(rounds):
        for contender in order.sample(contenders, len(contenders)):
            time.sleep(0.5)  # Threads of the last one stop spinning.
            others = idle.used_cores(0.2)
            turns[contender.name].append({**contender.train(), "others": others})
        line = (f"{n} {1000 * t[-1]['seconds'] / steps:.2f}" for n, t in turns.items())
        print(f"round {number + 1}, ms per step: {', '.join(line)}", flush=True)
    return turns


def milliseconds(
    turns: Mapping[str, list[dict[str, float]]], field: str, steps: int
) -> dict[str, list[float]]:
    """Milliseconds of a step in each turn, by "seconds" of the clock or by those of the "processor"."""
    return {name: [round(1000 * t[field] / steps, 3) for t in own] for name, own in turns.items()}
