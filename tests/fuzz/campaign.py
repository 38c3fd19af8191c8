"""The fuzz of arguments at any length, with its counts.

python -m tests.fuzz.campaign [--long] [--pairs=2000] [NAME ...]

Args:
    --long: Use the values of `hostile.MORE`, too.
    --pairs: This many random pairs of hostile arguments as well. Default: 0.
    NAME: Only subjects whose name contains one of these.
"""

from __future__ import annotations

import argparse
import collections
import random

from tests.fuzz import functions, hostile, subjects


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--pairs", type=int, default=0)
    options = parser.parse_args()
    values = {**hostile.VALUES, **(hostile.MORE if options.long else {})}
    attacked = [
        subject
        for subject in (*subjects.subjects(), *functions.subjects())
        if not options.names or any(name in subject.name for name in options.names)
    ]
    counts: collections.Counter[str] = collections.Counter()
    for subject in attacked:
        for outcome in hostile.attacks(subject, values):
            _count(counts, outcome)
        print(subject.name, flush=True)
    draw = random.Random(0)
    several = [subject for subject in attacked if len(subject.arguments) > 1]
    for _ in range(options.pairs):
        subject = draw.choice(several)
        names = draw.sample(subject.arguments, 2)
        labels = [draw.choice(list(values)) for _ in names]
        given = {name: values[label]() for name, label in zip(names, labels, strict=True)}
        _count(counts, hostile.attack_all(subject, given, ", ".join(names), ", ".join(labels)))
    print(f"{sum(counts.values())} cases: {dict(counts)}")


def _count(counts: collections.Counter[str], outcome: hostile.Outcome) -> None:
    counts[outcome.verdict] += 1
    if outcome.verdict not in hostile.GOOD:
        print("  ", *outcome, sep=" | ", flush=True)


if __name__ == "__main__":
    main()
