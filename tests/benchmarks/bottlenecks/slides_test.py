"""The conclusions of the slides: each is confirmed, denied or left open as its rule says."""

from __future__ import annotations

import math
import statistics

import pytest

from benchmarks.bottlenecks import slides

GUMBEL, HASHING = "gumbel_softmax_2_kl_1", "semantic_hashing"


def cell(family, bits, nats, scores=(3.0, 6.0), seed=0, **changes):
    """Returns the record of a cell, as far as the rules read it."""
    return {
        **{"name": f"{family}-{bits}-seed={seed}", "family": family, "bits": bits, "seed": seed},
        **{"status": "finished", "nats": nats, "squared_error": nats, **changes},
        **dict(zip(slides.SCORES, scores, strict=True)),
    }


def usual(seed=0, shift=0.0):
    """A small study in which everything is as the slides say."""
    return [
        cell(GUMBEL, 16, 100.0 + shift, (4.0, 8.0), seed),
        cell(GUMBEL, 96, 80.0, (3.0, 6.0), seed),
        cell("gumbel_softmax_16_kl_1", 96, 95.0, (3.0, 7.0), seed),
        cell(HASHING, 16, 101.0 - shift, (2.0, 7.0), seed),
        cell(HASHING, 96, 75.0, (1.0, 5.0), seed),
        cell("fsq", 96, 10.0, (9.0, 9.0), seed),  # The slides do not know of it.
    ]


def tried():
    """Deviations of sqrt(21) and sqrt(2) nats."""
    errors = {GUMBEL: (90.0, 99.0, 93.0), HASHING: (91.0, 93.0)}
    return [
        {"name": f"{family}-64-trial={i}", "status": "finished", "nats": nats}
        for family, values in errors.items()
        for i, nats in enumerate((1000.0, *values))  # The first is the default.
    ]


def rows(cells):
    """Returns the cells of each row of the table."""
    others = [{"name": "study", "config": {}}, {"name": "itq-32", "status": "finished"}]
    lines = slides.table({one["name"]: one for one in (*others, *cells)}).splitlines()
    return [line.strip("|").strip().split(" | ") for line in lines if line.startswith("| ")][2:]


def words(cells):
    return [row[3] for row in rows(cells)]


def test_every_rule_on_cells_that_agree_with_the_slides():
    cells = {(one["family"], one["bits"]): one for one in usual()}
    trials = {GUMBEL: (90.0, 99.0, 93.0), HASHING: (91.0, 93.0)}
    expected = (
        ("comparable", 0.1 - (1 / 100 + 5 / 75) / 2),
        ("better at sampling", (2 + 2) / 2),
        ("better at sampling", (1 + 1) / 2),
        ("scales better", (101 - 75) - (100 - 80)),
        ("number of categories", 15 / 80 - 0.1),
        ("recurrent prior", 8.0 - 7.0),
        ("tune", math.sqrt(21) - math.sqrt(2)),
    )
    found = slides.claims(cells, trials, "1")
    for claim, (part, number) in zip(found, expected, strict=True):
        assert part in claim.sentence
        assert claim.value == pytest.approx(number)
    # Three and two values say little of a deviation: sqrt(21) / 2 and sqrt(2) / sqrt(2).
    assert found[-1].half == pytest.approx(12.706 * math.hypot(math.sqrt(21) / 2, 1.0))
    assert words([*usual(), *usual(1), *tried()]) == ["confirmed"] * 6 + ["not decided"]
    both = rows([*usual(), *usual(1)])
    assert both[3][2:4] == ["6.000 +- 0.000", "confirmed"]
    assert all(row[4:] == ["", "not decided", "2"] for row in both)  # No cell without a KL.
    assert words([*usual(), *tried()]) == ["not decided"] * 7  # One seed decides nothing.
    assert rows(usual())[3][2:4] == ["6.000", "not decided"]


def test_a_setting_that_diverged_leaves_sensitivity_open():
    settings = [*tried(), {"name": f"{GUMBEL}-64-trial=4", "status": "diverged"}]
    assert rows([*usual(), *usual(1), *settings])[6][2:4] == ["", "not decided"]


def test_the_contrary_is_not_confirmed():
    other = {GUMBEL: HASHING, HASHING: GUMBEL}
    cells = [cell(other[one["family"]], one["bits"], one["nats"],
                  (one[key] for key in slides.SCORES))
             for one in usual() if one["family"] in other]  # fmt: skip
    found = words([*cells, *({**one, "name": one["name"] + "1", "seed": 1} for one in cells)])
    assert found[:4] == ["confirmed", *["not confirmed"] * 3]
    assert found[4] == "not decided"  # No code has other categories.
    assert found[6] == "not decided"
    far = [
        {**one, "squared_error": 30.0 if one["family"] == HASHING else one["nats"]}
        for one in (*usual(), *usual(1))
    ]
    assert words(far)[0] == "not confirmed"


def test_the_spread_of_the_seeds_decides():
    """Scaling: 6, 6 - 2 * shift, ...: an interval that holds 0 is left open."""
    for shifts, word in (((0.0, 0.1, 0.2), "confirmed"), ((0.0, 2.0, 1.0), "not decided")):
        cells = [one for seed, shift in enumerate(shifts) for one in usual(seed, shift)]
        values = [6 - 2 * shift for shift in shifts]
        half = 4.303 * statistics.stdev(values) / math.sqrt(3)
        number = f"{statistics.fmean(values):.3f} +- {half:.3f}"
        assert rows(cells)[3][2:4] == [number, word]


def test_a_cell_that_one_seed_lacks_does_not_count():
    second = [one for one in usual(1) if (one["family"], one["bits"]) != (HASHING, 96)]
    second.append(cell(HASHING, 96, None, seed=1, status="diverged"))
    assert words([*usual(), *usual(1)])[3] == "confirmed"
    found = rows([*usual(), *second])
    assert found[0][2:4] == ["0.090 +- 0.000", "confirmed"]  # By 16 bits alone.
    assert found[3][2:] == ["6.000", "not decided", "", "not decided", "1"]


def test_as_many_seeds_decide_as_have_the_cells():
    third = [cell(GUMBEL, 16, 103.0, seed=2), cell(HASHING, 16, 101.0, seed=2)]
    found = rows([*usual(), *usual(1), *third])
    assert [row[-1] for row in found] == ["3", "3", "3", "2", "2", "3", "3"]
    assert found[3][2:4] == ["6.000 +- 0.000", "confirmed"]  # Of 16 and 96 bits.


def test_without_semantic_hashing_nothing_is_judged():
    assert slides.table({}) == ""
    assert rows([cell(GUMBEL, 16, 100.0)]) == []
