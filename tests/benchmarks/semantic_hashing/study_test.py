"""The study of semantic hashing: its cells follow the protocol, are kept, and make the report."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
from PIL import Image

from benchmarks import store
from benchmarks.codes import models as code_models
from benchmarks.semantic_hashing import conclusions, report, study
from tf_discrete import evaluation, schedules
from tools import tables
from trainers.common import data
from trainers.common.callbacks import TrainingDiverged

SMALL = {
    "dataset": "digits",
    "max_examples": 120,
    "epochs": 1,
    "batch_size": 60,
    "hidden_units": (8,),
    "bits": (3,),
    "sizes": ("2x3",),
    "sensitivity_bits": 3,
    "noise_stddevs": (1.0, 2.0),
    "temperature_finals": (),
    "num_samples": 128,
    "classifier_epochs": 2,
    "num_seeds": 1,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a small study, and its text."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "RESULTS", folder)
        text = study.run(study.Config(**places(folder), **SMALL))
    return folder, text


def places(folder):
    """Where a study puts its files."""
    return {"output_dir": str(folder / "study"), "picture": str(folder / "study.png")}


@pytest.fixture
def place(finished, tmp_path, monkeypatch):
    """A copy of the results of the finished study, in place of the repository's."""
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    return tmp_path


def test_the_cells_of_the_whole_study():
    cells = study.cells(study.Config())
    assert len(cells) == len({cell.name for cell in cells})
    first = [cell for cell in cells if cell.seed == 0]
    assert cells[: len(first)] == first and len(cells) == 3 * len(first)
    sizes = {(c.method, c.num_variables, c.num_categories) for c in first}
    assert {("gumbel_softmax", 30, 10), ("gumbel_softmax", 96, 2)} <= sizes
    assert ("semantic_hashing", 96, 2) in sizes
    hashing = [c for c in first if c.method == "semantic_hashing" and c.num_variables == 32]
    assert [dict(c.settings)["noise_stddev"] for c in hashing] == [1.0, 0.5, 2.0]
    gumbel = [dict(c.settings) for c in first if c.name.startswith("gumbel_softmax-32x2")]
    found = [(s["temperature_final"], s["temperature_rate"]) for s in gumbel]
    # The usual one; both rates down to 0.1 and 0.5; a temperature that stays.
    assert found == [(0.5, 3e-5), (0.1, 3e-4), (0.1, 1e-3), (0.5, 3e-4), (0.5, 1e-3), (1.0, 0.0)]


def test_the_models_follow_the_protocol():
    config = study.Config(dataset="digits", max_examples=150)
    split = data.load_split(study.run_config(config, study.cells(config)[0]), "train")
    usual = study.temperatures(0.5, 3e-5)
    gumbel = study.Cell("gumbel_softmax", 30, 10, usual, 0)
    model = code_models.build(study.run_config(config, gumbel), "gumbel_softmax", split)
    schedule = model.estimator.temperature.schedule
    assert isinstance(schedule, schedules.Exponential)
    for step in (0, 99, 100, 6000, 30_000):  # tau is set every 100 steps, and ends at 0.5.
        expected = max(0.5, np.exp(-3e-5 * (step // 100 * 100)))
        assert float(schedule(step)) == pytest.approx(expected, rel=1e-5)
    assert float(model.kl_weight.value) == 1.0 and not model.prior.last.learned
    units = [layer.units for layer in model.encoder.layers if hasattr(layer, "units")]
    assert units == [512, 256, 300]
    hashing = study.Cell("semantic_hashing", 96, 2, {"noise_stddev": 2.0}, 0)
    settings = study.run_config(config, hashing)
    model = code_models.build(settings, "semantic_hashing", split)
    assert float(model.estimator.noise_stddev.value) == 2.0
    assert float(model.estimator.discrete_fraction.value) == 0.5
    assert (settings.batch_size, settings.learning_rate, settings.epochs) == (100, 1e-3, 10)
    assert (settings.binarization, settings.likelihood) == ("none", "bernoulli")


@pytest.mark.slow
def test_every_cell_is_kept_with_its_scores(finished, place):
    cells = store.read("semantic_hashing")
    kept = cells.pop("study")
    assert kept["command"].startswith(
        "python -m benchmarks.semantic_hashing.study --dataset=digits"
    )
    assert not {"output_dir", "picture", "results"} & set(kept["config"])
    cells = list(cells.values())
    assert len(cells) == 3
    for cell in cells:
        assert 5 < cell["reconstruction_nats"] < 60
        assert set(cell["generation"]) == {"independent", "lstm"}
        for scores in cell["generation"].values():
            assert 1 <= scores["inception_score"] <= 10
            assert scores["slides_as_standard"] == pytest.approx(
                np.exp(10 * scores["slides_score"])
            )
        assert 0 < cell["lstm_bits_per_code"] < 2 * cell["bits"]
        assert cell["provenance"]["versions"]["python"] and cell["provenance"]["cores"]
    assert {round(cell["bits"], 3) for cell in cells} == {3.0, round(2 * np.log2(3), 3)}
    text = finished[1]
    assert text.count("\n| ") == 2 + 3 + 2 + 9  # Two tables: headers, rules, rows.
    assert "| 2 x 3 | Gumbel-Softmax | temperature_final 0.5, " in text
    with Image.open(place / "study.png") as image:
        assert np.asarray(image.convert("L")).std() > 5


@pytest.mark.slow
def test_the_prior_learns_beside_a_model_that_trains_as_it_would_alone(place):
    """The same cell without the prior reconstructs as well."""
    cell = study.Cell("gumbel_softmax", 2, 3, study.temperatures(0.5, 3e-5), 0)
    kept = store.read("semantic_hashing")[cell.name]
    config = study.Config(**SMALL)
    settings = study.run_config(config, cell)
    splits = data.load_splits(settings)
    alone = dataclasses.replace(settings, code_prior="none")
    model = code_models.train(alone, cell.method, splits["train"])
    assert model.code_prior is None
    error = evaluation.reconstruction_nats(model, splits["test"].batches(500))
    assert error.mean_nats == pytest.approx(kept["reconstruction_nats"], rel=1e-5)


@pytest.mark.slow
def test_a_cell_that_diverges_is_kept_and_the_others_go_on(place, monkeypatch):
    tries = []

    def train(settings, method, *arguments, **options):
        tries.append(method)
        raise TrainingDiverged("Not finite at step 3: loss.")

    monkeypatch.setattr(code_models, "train", train)
    more = study.Config(**places(place), **{**SMALL, "bits": (3, 5, 6)})
    text = study.run(more)
    assert len(tries) == 2
    assert "semantic_hashing-5x2-noise_stddev=1-seed=0. Not finite at step 3: loss." in text
    assert study.run(more) == text and len(tries) == 2


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_a_training():
    config = study.Config(**{**SMALL, "learning_rate": 1e30, "epochs": 3})
    cell = study.cells(config)[0]
    splits = data.load_splits(study.run_config(config, cell))
    with pytest.raises(TrainingDiverged, match="Not finite"):
        study.measure(config, cell, splits, classifier=None)


@pytest.mark.slow
def test_a_study_is_shown(finished, place):
    assert tables.semantic_hashing_study() == finished[1]
    (place / "semantic_hashing.jsonl").unlink()
    assert tables.semantic_hashing_study() == "Not measured.\n"


@pytest.mark.slow
def test_cells_that_are_done_are_not_trained_again(finished, place, monkeypatch):
    before = (place / "semantic_hashing.jsonl").read_text()
    trained = []

    def measure(config, cell, splits, classifier):
        trained.append(cell)
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "measure", measure)
    assert study.run(study.Config(**places(place), **SMALL)) == finished[1]
    assert (place / "semantic_hashing.jsonl").read_text().splitlines()[1:] == (
        before.splitlines()[1:]
    )
    more = {**SMALL, "bits": (3, 5)}
    with pytest.raises(KeyboardInterrupt):
        study.run(study.Config(**places(place), **more))
    assert [(cell.method, cell.num_variables) for cell in trained] == [("semantic_hashing", 5)]
    with pytest.raises(ValueError, match="another --results.*epochs=1 there, 2 here"):
        study.run(study.Config(**places(place), **{**SMALL, "epochs": 2}))


def result(seed, nats, score, size=32, noise=1.0):
    """Returns the record of a cell."""
    scores = {"inception_score": score, "slides_score": 0.1, "slides_as_standard": np.e}
    return {
        **{"status": "finished", "method": "semantic_hashing", "seed": seed, "bits": size},
        **{"num_variables": size, "num_categories": 2, "settings": {"noise_stddev": noise}},
        **{"reconstruction_nats": nats, "active_variables": 3},
        "generation": {"independent": scores, "lstm": scores},
    }


def test_seeds_and_settings_are_summed_up():
    groups = conclusions.groups(
        [result(0, 70.0, 5.0, size=64), result(1, 82.0, 5.0), result(0, 80.0, 4.0)]
        + [result(0, 90.0, 5.0, noise=2.0)]
    )
    assert [len(group) for group in groups] == [2, 1, 1]
    rows = report.table(groups).splitlines()[2:]
    assert rows[0] == (
        "| 32 x 2 | semantic hashing | noise_stddev 1 | 32 | 81.00 +- 1.41 | 3 | 4.50 +- 0.71 | "
        "4.50 +- 0.71 | 0.1000 +- 0.0000 | 0.1000 +- 0.0000 | 2.72 +- 0.00 | 2.72 +- 0.00 | 2 |"
    )
    assert rows[1].startswith("| 32 x 2 | semantic hashing | noise_stddev 2 | 32 | 90.00 |")
    assert rows[2].startswith("| 64 x 2 ")


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"sizes": ("30",)}, "variables x categories, as 30x10. Received: sizes='30'"),
        ({"sizes": ("3x1",)}, "num_categories must be at least 2"),
        ({"noise_stddevs": (0.0,)}, "noise_stddev must be positive"),
    ],
)
def test_what_cannot_work_is_refused_before_training(tmp_path, monkeypatch, changes, message):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    config = study.Config(output_dir=str(tmp_path / "study"), **{**SMALL, **changes})
    with pytest.raises(ValueError, match=message):
        study.run(config)
    assert not list(tmp_path.glob("*.jsonl")) and not (tmp_path / "study").exists()


def test_images_without_labels_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    file = tmp_path / "images.npz"
    images = np.random.RandomState(0).randint(0, 255, [90, 4, 4]).astype(np.uint8)
    np.savez(file, image=images)
    config = {**SMALL, "dataset": str(file)}
    with pytest.raises(ValueError, match="Give data with labels. Received: dataset="):
        study.run(study.Config(output_dir=str(tmp_path / "study"), **config))
    assert not list(tmp_path.glob("*.jsonl")) and not (tmp_path / "study").exists()
