"""The objectives of the categorical VAE give the committed losses, terms and gradients."""

from __future__ import annotations

import copy

import pytest

from tests.golden import vae_objectives as golden

ENTRIES = golden.golden()


def name(entry):
    arguments = entry["arguments"]
    names = ("objective", "estimator", "latents", "num_variables", "hidden_units", "free_bits")
    return "-".join(str(arguments[one]) for one in names if one in arguments)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("entry", ENTRIES, ids=name)
def test_the_numbers_are_the_golden_ones(entry):
    assert golden.differences(golden.numbers(entry["arguments"]), entry["numbers"]) == []


def test_the_file_holds_all_cases():
    assert [entry["arguments"] for entry in ENTRIES] == golden.plain_cases()


def test_a_small_change_is_noticed():
    expected = ENTRIES[0]["numbers"]
    changed = copy.deepcopy(expected)
    changed["gradients"][0][0] += 1e-5
    changed["terms"]["kl_nats"][1] *= 1 + 1e-5
    lines = golden.differences(changed, expected)
    assert [line.split(":")[0] for line in lines] == ["kl_nats", "gradient 0"]
