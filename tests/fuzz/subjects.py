"""The smallest use of every public class, for the fuzz of their arguments.

A new class is an entry in `part_subjects` or `model_subjects`.
"""

from __future__ import annotations

from tests.fuzz import model_subjects, part_subjects
from tests.fuzz.hostile import Subject


def subjects() -> list[Subject]:
    """All of them, smallest first."""
    return [
        *part_subjects.schedules(),
        *part_subjects.likelihoods(),
        *part_subjects.distributions(),
        *part_subjects.estimators(),
        *part_subjects.layers(),
        *model_subjects.codes(),
        *model_subjects.data(),
        *model_subjects.models(),
    ]
