"""The study of bottlenecks: equal terms, the toy from end to end, and going on with it."""

from __future__ import annotations

import dataclasses
import math
import pathlib

import numpy as np
import pytest

from benchmarks import intervals, store
from benchmarks.bottlenecks import (
    aims,
    families,
    report,
    scores,
    setting,
    step_time,
    study,
)
from benchmarks.bottlenecks.setting import Config
from benchmarks.speed import idle
from benchmarks.studies import Study

PLACE = families.Place((28, 28, 1), 32, (), 100, 0)


@pytest.fixture
def results(monkeypatch, tmp_path):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("vq_residual", "reinmax") else pytest.mark.slow)
        for name in families.FAMILIES
    ],
)
def test_every_family_has_as_many_parameters_and_bits(name):
    settings = {key: values[-1] for key, values in families.FAMILIES[name].space.items()}
    model = families.build(name, PLACE, 1_200_000, settings)
    assert abs(families.count_parameters(model) / 1_200_000 - 1) < 0.02
    assert math.isclose(model.num_variables * math.log2(model.num_categories), PLACE.bits)


def test_trials_are_of_the_space_and_the_first_is_the_default():
    for name, family in families.FAMILIES.items():
        assert families.settings_of(name, 0) == {k: v[0] for k, v in family.space.items()}
        trials = range(1, Config().trials)
        tried = [families.settings_of(name, trial) for trial in trials]
        assert tried == [families.settings_of(name, trial) for trial in trials]
        assert len({tuple(one.values()) for one in tried}) == len(tried)
        assert all(value in family.space[key][1:] for one in tried for key, value in one.items())


def test_sizes_and_families_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="must be of .*Received: families='other'"):
        setting.resolve(Config(families=("other", "fsq")))
    with pytest.raises(ValueError, match="bits of bsq must be a multiple of 16. Received: bits=24"):
        setting.resolve(Config(families=("bsq",), bits=(24,)))
    with pytest.raises(ValueError, match="have that number of parameters.*family='vq_grouped'"):
        families.build("vq_grouped", PLACE, 9000, families.settings_of("vq_grouped", 0))


def test_only_the_documented_table_draws_the_documented_picture():
    own = pathlib.Path(setting.resolve(Config()).picture)
    assert own == store.IMAGES / "bottlenecks.png" and own.exists()
    other = setting.resolve(Config(results="bottlenecks_photos"))
    assert other.picture == "runs/bottlenecks_photos/bottlenecks.png"
    assert setting.resolve(Config(picture="a.png")).picture == "a.png"


def test_one_bit_of_each_code_is_flipped(monkeypatch):
    digits = np.random.default_rng(0).integers(0, 16, [50, 3]).astype(np.int32)
    seen = []
    monkeypatch.setattr(scores, "_nats", lambda model, d, split: seen.append(d) or d.sum(axis=1))
    scores.flipped_bit_harm(None, digits, 16, None)
    assert (np.bitwise_count(seen[0] ^ seen[1]).sum(axis=1) == 1).all()


def test_intervals_and_failures():
    assert intervals.interval([1.0]) == math.inf
    np.testing.assert_allclose(intervals.interval([1.0, 3.0]), 12.706)
    assert report.shown([1.0, None], 1) == "1.0" and report.shown([None], 1) == ""
    found = {"a": {"status": "diverged"}, "b": {"active": 0.5}, "c": {"active": 1.0}}
    assert report.failures(found) == "Diverged: a.\n\nCollapsed: b.\n"


def cell(family, bits, seed, **scores):
    known = {"psnr": 17.0 + seed, "nominal_bits": bits, "bytes_on_disk": bits / 10, **scores}
    title = families.FAMILIES[family].title
    return {"status": "finished", "title": title, "family": family, "bits": bits, **known}


def test_the_table_has_the_share_of_collapsed_seeds_and_the_time_of_a_step():
    cells = {"fsq": [cell("fsq", 32, 0, use=0.05), cell("fsq", 32, 1, use=0.5)]}
    times = {"fsq-32": {"family": "fsq", "bits": 32, "milliseconds": [3.0, 9.0, 4.0]}}
    grouped = report.groups({str(n): record for n, record in enumerate(cells["fsq"])})
    header, _, row = report.table(grouped, times).splitlines()[:3]
    assert header.endswith("| ms a step | collapsed | seeds |")
    assert row.endswith("| 4.00 | 50% | 2 |")
    assert "ms a step" not in report.table(grouped)


def test_aims_are_stated_next_to_what_is_nearest():
    records = {
        "study": {"config": {"dataset": "mnist"}},
        "itq-64": {"mean_average_precision": 0.46},
        "a": cell("fsq", 64, 2, mean_average_precision=0.3),
        "b": cell("bsq", 64, 1, mean_average_precision=0.5, bytes_on_disk=3.9),
    }
    found = aims.table(report.groups(records), records)
    rows = [line.split(" | ")[1:] for line in found.splitlines()[2:]]
    assert rows == [
        ["FSQ, K = 4: 19", "yes |"],
        ["BSQ, 16 bits: 3.9", "yes |"],
        ["BSQ, 16 bits: 18", "no |"],
        ["BSQ, 16 bits: 0.5", "yes |"],
    ]
    records["itq-64"]["mean_average_precision"] = 0.5
    last = aims.table(report.groups(records), records).splitlines()[-1]
    assert last.startswith("| mAP above that of ITQ, 0.500 |") and last.endswith("| no |")
    records["study"]["config"]["dataset"] = "photos"
    assert aims.table(report.groups(records), records) == ""


def test_bands_of_the_picture_are_intervals_over_seeds_and_every_family_has_a_panel():
    records = {
        f"{name}-{seed}": cell(name, 32, seed) for name in families.FAMILIES for seed in (0, 1)
    }
    found = report.draw(records)
    titles = [axes.get_title(loc="left") for axes in found.axes]
    assert titles == [heading for heading in report.PANELS for _ in range(2)]
    assert sum(len(axes.collections) for axes in found.axes) == 2 * len(families.FAMILIES)
    line = report._lines(report.groups(records), "nominal_bits")[families.FAMILIES["fsq"].title]
    np.testing.assert_allclose(line.high[0] - 17.5, 12.706 * np.sqrt(0.5) / np.sqrt(2))


def test_times_of_a_busy_machine_are_refused(monkeypatch, results):
    monkeypatch.setattr(idle, "wait", lambda patience: False)
    with pytest.raises(SystemExit, match="busy, and nothing is recorded"):
        step_time.run(step_time.Config(patience=0))
    with pytest.raises(ValueError, match="families must be of .*Received: families='other'"):
        step_time.run(step_time.Config(families=("other",)))
    assert not store.path_of(step_time.RESULTS).exists()


def test_times_of_an_idle_machine_are_recorded(monkeypatch, results):
    monkeypatch.setattr(idle, "wait", lambda patience: True)
    monkeypatch.setattr(step_time, "prepare", lambda name, bits, config: lambda: float(bits))
    config = step_time.Config(families=("fsq", "bsq"), bits=(16, 32), rounds=3)
    step_time.run(config)
    records = store.read(step_time.RESULTS)
    end = "28x28x1-1200000"
    assert set(records) == {f"{name}-{bits}-{end}" for name in ("fsq", "bsq") for bits in (16, 32)}
    assert records[f"bsq-32-{end}"]["milliseconds"] == [32.0] * 3
    step_time.run(dataclasses.replace(config, parameters=5000))
    more = store.read(step_time.RESULTS)
    assert len(more) == 8 and records.items() <= more.items()


def test_a_report_has_the_times_of_its_own_models_alone(monkeypatch, results):
    monkeypatch.setattr(idle, "wait", lambda patience: True)
    monkeypatch.setattr(step_time, "prepare", lambda name, bits, config: lambda: float(bits))
    step_time.run(step_time.Config(families=("fsq",), bits=(16,)))
    times = store.read(step_time.RESULTS)
    study = {
        "config": {"parameters": 1_200_000, "batch_size": 100},
        "data_shape": [28, 28, 1],
    }
    assert report.of_same_models(times, study) == times
    for key, value in (("parameters", 5000), ("batch_size", 200)):
        other = {**study, "config": {**study["config"], key: value}}
        assert report.of_same_models(times, other) == {}
    assert report.of_same_models(times, {**study, "data_shape": [32, 32, 3]}) == {}
    assert report.of_same_models(times, {"config": study["config"]}) == {}  # An older record.


def test_the_commits_are_those_of_the_trainings():
    made = {"processor": "P", "cores": 2}
    cells = {
        name: {"status": "finished", "provenance": {**made, "commit": commit}}
        for name, commit in (("a", "0" * 40), ("b", "1" * 40 + "+"), ("c", "0" * 40))
    }
    study_record = {"study": {"provenance": {**made, "commit": "2" * 40}}}
    found = report.trained_on({**study_record, **cells})
    assert found == "P, 2 cores, trained at commit 00000000, 11111111+"


@pytest.mark.slow
def test_the_toy_runs_and_goes_on(results, tmp_path):
    config = Config(toy=True, picture=str(tmp_path / "picture.png"))
    text = study.run(config)
    records = store.read(config.results)
    names = [f"{name}-16-seed=0" for name in setting.TOY["families"]]
    assert set(records) == {"study", "itq-16", *names}
    for name in names:
        record = records[name]
        assert record["title"] in text and record["status"] == "finished"
        assert record["nominal_bits"] == 16 and 0 < record["prior_bits"] < 40
        assert record["bytes_on_disk"] is None or record["bytes_on_disk"] > record["prior_bits"] / 8
        assert record["nats"] > 0 and record["psnr"] > 3 and 0 < record["use"] <= 1
        assert abs(record["parameters"] / 60_000 - 1) < 0.02
    assert (tmp_path / "picture.png").stat().st_size > 1000
    lines = store.path_of(config.results).read_text()
    assert study.run(config) == text
    assert store.path_of(config.results).read_text() == lines
    with pytest.raises(ValueError, match="cells of one study.*Received: seed=0 there, 1 here"):
        study.run(dataclasses.replace(config, seed=1))


def test_the_best_trial_is_taken_and_one_that_diverges_is_recorded(monkeypatch, results):
    def measure(config, cell, splits):
        if cell.trial == 1:
            raise FloatingPointError("The loss is not finite.")
        return {"settings": cell.settings, "nats": 10.0 - cell.trial}

    monkeypatch.setattr(study, "measure_trial", measure)
    best = study.tune(Config(trials=4), "fsq", {}, Study("bottlenecks", {}))
    assert best == families.settings_of("fsq", 3)
    assert store.read("bottlenecks")["fsq-64-trial=1"]["status"] == "diverged"
