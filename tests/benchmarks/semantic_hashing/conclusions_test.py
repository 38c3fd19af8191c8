"""The conclusions of the slides: each is confirmed, denied or left open as its rule says."""

from __future__ import annotations

import math

import pytest

from benchmarks.semantic_hashing import conclusions

GUMBEL, HASHING = "gumbel_softmax", "semantic_hashing"
PRIORS = ("independent", "lstm")


def cell(method, size, categories, seed, nats, scores=(3.0, 6.0), setting=1.0, status="finished"):
    """What the file of a cell holds, as far as the rules read it."""
    generation = {
        prior: {"inception_score": score} for prior, score in zip(PRIORS, scores, strict=True)
    }
    return {
        **{"method": method, "num_variables": size, "num_categories": categories, "seed": seed},
        **{"settings": {"setting": setting}},
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


def judge(usual, tried, priors):
    """The verdicts on cells of a study whose own setting is 1 and that tries others at 32 bits."""
    cells = [
        {**cell, "generation": {prior: cell["generation"][prior] for prior in priors}}
        for cell in (*usual, *tried)
    ]
    return conclusions.judge(cells, {"setting": 1.0, "sensitivity_bits": 32})


def words(verdicts):
    return [verdict.word for verdict in verdicts]


def test_every_rule_on_cells_that_agree_with_the_slides():
    verdicts = judge(usual(), tried(), PRIORS)
    expected = {
        "comparable": 0.1 - (1 / 100 + 5 / 75) / 2,
        "sampling (independent)": (2 + 2) / 2,
        "sampling (lstm)": (1 + 1) / 2,
        "scales better": (101 - 75) - (100 - 80),
        "number of categories": 15 / 80,
        "recurrent prior": 8.0 - 7.0,
        "tune (error)": math.sqrt(21) - math.sqrt(2),
    }
    for verdict, (part, value) in zip(verdicts, expected.items(), strict=False):
        assert part in verdict.claim
        assert verdict.values == [pytest.approx(value)]
    assert words(verdicts)[:7] == ["confirmed"] * 7
    assert words(verdicts)[7:] == ["not decided"] * 2  # The scores do not move.
    assert verdicts[3].numbers["semantic hashing 96 x 2"] == 75.0
    text = conclusions.write(verdicts)
    assert "There is one seed" in text and "**confirmed, by one seed**" in text
    assert "Number: 6.000, bound 0. Of: semantic hashing 16 x 2 101.00;" in text


def test_the_contrary_is_not_confirmed():
    cells = [{**one, "method": HASHING if one["method"] == GUMBEL else GUMBEL} for one in usual()]
    found = words(judge(cells, [], PRIORS))
    assert found[:4] == ["confirmed", *["not confirmed"] * 3]
    assert found[4] == "not decided"  # No Gumbel-Softmax code has other categories now.
    assert found[6:] == ["not decided"] * 3
    far = [{**one, "reconstruction_nats": one["num_variables"]} for one in usual()]
    far[3]["reconstruction_nats"] = 30.0
    assert words(judge(far, [], PRIORS))[0] == "not confirmed"


def test_the_spread_of_the_seeds_decides():
    """Scaling: 6, 6 - 2 * shift, ...: a mean within two standard errors of 0 is left open."""
    for shifts, word in (((0.0, 0.1, 0.2), "confirmed"), ((0.0, 5.0, 2.0), "not decided")):
        cells = [one for seed, shift in enumerate(shifts) for one in usual(seed, shift)]
        scaling = judge(cells, [], PRIORS)[3]
        assert scaling.values == pytest.approx([6 - 2 * shift for shift in shifts])
        assert scaling.word == word
    text = conclusions.write([scaling])
    assert "(3 seeds), bound 0" in text and "one seed" not in text


def test_a_seed_that_lacks_a_cell_does_not_count():
    second = usual(1)
    second[4] = cell(HASHING, 96, 2, 1, None, status="diverged")
    verdicts = judge([*usual(), *second], [], PRIORS)
    assert [len(verdict.values) for verdict in verdicts[:6]] == [1, 1, 1, 1, 2, 1]
    alone = judge(second, [], PRIORS)
    assert words(alone)[0] == "not decided"
    assert "No seed has the cells that it takes." in conclusions.write(alone)


def test_one_law_of_samples_leaves_the_recurrent_prior_open():
    verdicts = judge(usual(), tried(), ("independent",))
    assert len(verdicts) == 7
    assert words(verdicts)[4] == "not decided"
