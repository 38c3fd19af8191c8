"""The conclusions of the slides: each is confirmed, denied or left open as its rule says."""

from __future__ import annotations

import math
import statistics

import pytest

from benchmarks.semantic_hashing import conclusions

GUMBEL, HASHING = "gumbel_softmax", "semantic_hashing"
CONFIG = {"setting": 1.0, "sensitivity_bits": 32}


def cell(method, size, categories, seed, nats, scores=(3.0, 6.0), setting=1.0, status="finished"):
    """Returns the record of a cell, as far as the rules read it."""
    generation = {
        prior: {"inception_score": score}
        for prior, score in zip(("independent", "lstm"), scores, strict=True)
    }
    return {
        **{"method": method, "num_variables": size, "num_categories": categories, "seed": seed},
        **{"settings": {"setting": setting}, "bits": size * math.log2(categories)},
        **{"status": status, "reconstruction_nats": nats, "generation": generation},
    }


def usual(seed=0, shift=0.0):
    """A small study in which everything is as the slides say."""
    return [
        cell(GUMBEL, 16, 2, seed, 100.0 + shift, (4.0, 8.0)),
        cell(GUMBEL, 96, 2, seed, 80.0, (3.0, 6.0)),
        cell(GUMBEL, 30, 10, seed, 95.0, (3.0, 7.0)),
        cell(HASHING, 16, 2, seed, 101.0 - shift, (2.0, 7.0)),
        cell(HASHING, 96, 2, seed, 75.0, (1.0, 5.0)),
    ]


def tried(seed=0):
    """Deviations of sqrt(21) and sqrt(2) nats; scores that are all alike."""
    return [
        *(cell(GUMBEL, 32, 2, seed, nats, setting=nats) for nats in (90.0, 99.0, 93.0)),
        *(cell(HASHING, 32, 2, seed, nats, setting=nats) for nats in (91.0, 93.0)),
    ]


def rows(cells):
    """Returns the cells of each row of the table, by `CONFIG`."""
    lines = conclusions.table(cells, CONFIG).splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")][2:]


def words(cells):
    return [row[-1] for row in rows(cells)]


def test_every_rule_on_cells_that_agree_with_the_slides():
    cells = [*usual(), *tried()]
    expected = (
        ("comparable", 0.1 - (1 / 100 + 5 / 75) / 2),
        ("better at sampling", (2 + 2) / 2),
        ("better at sampling", (1 + 1) / 2),
        ("scales better", (101 - 75) - (100 - 80)),
        ("number of categories", 15 / 80),
        ("recurrent prior", 8.0 - 7.0),
        ("tune", math.sqrt(21) - math.sqrt(2)),
        ("tune", 0.0),  # The scores do not move.
        ("tune", 0.0),
    )
    found = list(conclusions.claims(cells, CONFIG))
    for (claim, *_, value), (part, number) in zip(found, expected, strict=True):
        assert part in claim
        assert value == pytest.approx(number)
    assert words(cells) == ["confirmed"] * 7 + ["not decided"] * 2
    assert rows(cells)[3][2:] == ["0", "6.000 +- 0.000", "confirmed"]


def test_the_contrary_is_not_confirmed():
    cells = [{**one, "method": HASHING if one["method"] == GUMBEL else GUMBEL} for one in usual()]
    found = words([one for one in cells if one["num_categories"] == 2])
    assert found[:4] == ["confirmed", *["not confirmed"] * 3]
    assert found[4] == "not decided"  # No code has other categories.
    assert found[6:] == ["not decided"] * 3
    far = [{**one, "reconstruction_nats": one["num_variables"]} for one in usual()]
    far[3]["reconstruction_nats"] = 30.0
    assert words(far)[0] == "not confirmed"


def test_the_spread_of_the_seeds_decides():
    """Scaling: 6, 6 - 2 * shift, ...: a mean within two standard errors of 0 is left open."""
    for shifts, word in (((0.0, 0.1, 0.2), "confirmed"), ((0.0, 5.0, 2.0), "not decided")):
        cells = [one for seed, shift in enumerate(shifts) for one in usual(seed, shift)]
        values = [6 - 2 * shift for shift in shifts]
        scaling = rows(cells)[3]
        number = f"{statistics.fmean(values):.3f} +- {statistics.stdev(values) / math.sqrt(3):.3f}"
        assert scaling[2:] == ["0", number, word]


def test_a_cell_that_one_seed_lacks_does_not_count():
    second = usual(1)
    second[4] = cell(HASHING, 96, 2, 1, None, status="diverged")
    assert words([*usual(), *usual(1)])[3] == "confirmed"
    found = rows([*usual(), *second])
    assert found[0][-2:] == ["0.090 +- 0.000", "confirmed"]  # By 16 bits alone.
    assert found[3][-1] == "not decided"
    assert words(second)[3] == "not decided"
