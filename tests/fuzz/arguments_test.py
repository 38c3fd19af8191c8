"""Every argument of every public class and of many functions against hostile values.

A value is refused with the name of its argument, or it is stored as it was given and works.
`python -m tests.fuzz.campaign` counts the cases; `TF_DISCRETE_FUZZ=long` makes this test longer.
"""

import os

import pytest

from tests.fuzz import functions, hostile, public_classes, subjects

LONG = os.environ.get("TF_DISCRETE_FUZZ") == "long"
VALUES = {**hostile.VALUES, **(hostile.MORE if LONG else {})}
CLASSES = {subject.name: subject for subject in subjects.subjects()}
FUNCTIONS = {subject.name: subject for subject in functions.subjects()}


def test_no_two_subjects_have_the_same_name():
    """One would hide the other here, which the campaign attacks."""
    assert len(CLASSES) == len(subjects.subjects())
    assert len(FUNCTIONS) == len(functions.subjects())


def _cases():
    """Models take long: `make test` gives each argument every other value, and `make test-slow` all."""
    for name in (*CLASSES, *FUNCTIONS):
        if name.startswith("models."):
            yield pytest.param(name, dict([*VALUES.items()][::2]), id=name)
            yield pytest.param(name, VALUES, id=f"{name}-all", marks=pytest.mark.slow)
        else:
            yield pytest.param(name, VALUES, id=name)


@pytest.mark.one_in(4)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name,values", list(_cases()))
def test_hostile_arguments_are_refused_by_name_or_work(name, values):
    subject = {**CLASSES, **FUNCTIONS}[name]
    bad = [o for o in hostile.attacks(subject, values) if o.verdict not in hostile.GOOD]
    assert not bad, "\n".join(" | ".join(outcome) for outcome in bad)


def test_every_public_class_is_attacked():
    attacked = {subject.make for subject in CLASSES.values()}
    missing = [name for name, cls in public_classes.public_classes().items() if cls not in attacked]
    assert not missing


@pytest.mark.parametrize(
    "make,verdict",
    [
        (lambda count: int(count) and Stored(int(count)), "changed"),
        (lambda count: Stored(count) if count != 2.7 else 1 / 0, "unclear"),
        (lambda count: Stored(count) if count != 2.7 else refuse(count), "refused"),
        (lambda count: Stored(count), "fails later"),
    ],
)
def test_the_judge_sees_each_kind_of_fault(make, verdict):
    subject = hostile.Subject("x", make, lambda: {"count": 3}, ("count",), use)
    outcomes = hostile.attacks(subject, {"2.7": hostile.VALUES["2.7"]})
    assert [outcome.verdict for outcome in outcomes] == [verdict]


class Stored:
    def __init__(self, count):
        self.count = count


def refuse(count):
    raise ValueError(f"count must be an integer. Received: count={count}")


def use(made):
    range(made.count)
