"""The numbers, the table, the pictures and TensorBoard's files of a comparison."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator

from tf_discrete._internal.writing import write_json
from trainers.comparison import compared_runs, comparison_report


def _run(folder: pathlib.Path, seed: int, bounds: list[float], test: float | None) -> None:
    folder.mkdir(parents=True)
    write_json(folder / "config.json", {"seed": seed})
    rows = [
        {
            "epoch": epoch + 1,
            "step": 10 * (epoch + 1),
            "seconds": 0.5,
            "validation/hard_elbo_nats": bound,
        }
        for epoch, bound in enumerate(bounds)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if test is not None:
        result = {
            "test/hard_elbo_nats": test - 2.0,
            "test/bound_nats": test,
            "test/bound_samples": 100,
        }
        write_json(folder / "metrics.json", result)


def _gradients(variance: float, cosine: float) -> dict:
    numbers = {"variance": variance, "cosine": cosine, "signal_to_noise": 1.0}
    return {
        "evaluations": 12,
        "rows": [
            {
                "epoch": epoch,
                "step": 10 * epoch,
                "groups": {"encoder": numbers, "all": numbers},
                "reference": "pooled",
            }
            for epoch in (0, 3)
        ],
    }


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two estimators with two seeds, one that diverged, one cut short."""
    runs = tmp_path / "runs"
    _run(runs / "gumbel_softmax-0", 0, [-30, -25, -20], -18.0)
    _run(runs / "gumbel_softmax-1", 1, [-32, -27, -22], -20.0)
    _run(runs / "reinmax-0", 0, [-30, -22, -19], -17.0)
    _run(runs / "straight_through-0", 0, [-40], None)
    write_json(runs / "straight_through-0" / compared_runs.DIVERGED, {"message": "at step 13"})
    _run(runs / "vimco-0", 0, [-40, -30], None)
    cost = {"ratio": 1.5, "low": 1.4, "high": 1.6, "step_milliseconds": 3.0, "evaluations": 1}
    costs = {"gumbel_softmax": {**cost, "ratio": 1.0, "low": 1.0, "high": 1.0}, "reinmax": cost}
    write_json(tmp_path / compared_runs.COSTS, {"estimators": costs})
    gradients = {"gumbel_softmax": _gradients(2.0, 0.5), "reinmax": _gradients(3.0, 0.9)}
    write_json(tmp_path / compared_runs.GRADIENTS, {"estimators": gradients})
    return tmp_path


def _comparison(folder: pathlib.Path) -> dict:
    found = compared_runs.collect(folder, {"arm": "ARM supports bernoulli latents only."})
    return {
        "config": {"reference": "gumbel_softmax", "latents": "categorical"},
        "estimators": found,
    }


def test_numbers(folder: pathlib.Path):
    found = _comparison(folder)["estimators"]
    assert found["gumbel_softmax"]["summary"]["test/bound_nats"] == {
        "mean": -19.0,
        "deviation": pytest.approx(np.sqrt(2)),
        "lowest": -20.0,
        "highest": -18.0,
    }
    assert found["gumbel_softmax"]["summary"]["test/hard_elbo_nats"]["mean"] == -21.0
    assert found["reinmax"]["summary"]["test/bound_nats"]["deviation"] is None
    assert found["reinmax"]["cost"]["ratio"] == 1.5
    statuses = {name: [r["status"] for r in found[name].get("runs", [])] for name in found}
    assert statuses == {
        "arm": [],
        "gumbel_softmax": ["finished", "finished"],
        "reinmax": ["finished"],
        "straight_through": ["diverged"],
        "vimco": ["unfinished"],
    }
    assert found["straight_through"]["runs"][0]["message"] == "at step 13"
    assert compared_runs.read_run(folder / "runs/none-0") is None


def test_a_reference_whose_gradient_does_not_vary_has_no_ratios(folder: pathlib.Path):
    """That of enumeration."""
    gradients = {"gumbel_softmax": _gradients(0.0, 1.0), "reinmax": _gradients(3.0, 0.9)}
    write_json(folder / compared_runs.GRADIENTS, {"estimators": gradients})
    _, rows = comparison_report.cells(
        _comparison(folder)["estimators"], "gumbel_softmax", "categorical"
    )
    assert rows["gumbel_softmax"][-2] == "0 (12)" and rows["reinmax"][-2] == "3 (12)"


def test_table(folder: pathlib.Path):
    text = comparison_report.write_numbers(folder, _comparison(folder))
    lines, skipped = text.split("\nNot applicable:\n\n")
    assert skipped == "- `arm`: ARM supports bernoulli latents only.\n"
    lines = lines.splitlines()
    assert "bound with 100 samples, test" in lines[0]
    assert len({line.count("|") for line in lines}) == 1
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    rows = {row[0].strip("`"): row[1:] for row in cells}
    # By falling bound; what has none comes last.
    assert list(rows) == ["reinmax", "gumbel_softmax", "straight_through", "vimco"]
    assert rows["gumbel_softmax"] == [
        "biased",
        "-21.00 +- 1.41",
        "-19.00 +- 1.41",
        "2",
        "30",
        "1.00 (1.00 to 1.00)",
        "1",
        "1 x (12)",
        "0.500",
    ]
    assert rows["reinmax"][-4:] == ["1.50 (1.40 to 1.60)", "1", "1.5 x (12)", "0.900"]
    assert rows["straight_through"][3] == "0, 1 diverged"
    assert rows["vimco"][3] == "0, 1 unfinished"
    assert json.loads((folder / "comparison.json").read_text()) == _comparison(folder)
    assert (folder / "table.md").read_text() == text


def test_pictures_and_tensorboard(folder: pathlib.Path):
    for _ in range(2):  # The second time takes the place of the first.
        comparison_report.write(folder, _comparison(folder))
    names = {"bound_vs_steps", "bound_vs_seconds", "gradient_variance"}
    assert {path.stem for path in folder.glob("*.png")} == names
    events = event_accumulator.EventAccumulator(
        str(folder / "tensorboard/comparison"), size_guidance={"images": 0}
    ).Reload()
    assert set(events.Tags()["images"]) | set(events.Tags()["tensors"]) >= names
    assert len(list((folder / "tensorboard/gumbel_softmax").iterdir())) == 1
    events = event_accumulator.EventAccumulator(str(folder / "tensorboard/gumbel_softmax")).Reload()
    bound = events.Tensors("comparison/hard_elbo_nats")
    assert [event.step for event in bound] == [10, 20, 30]
    assert [float(tf.make_ndarray(event.tensor_proto)) for event in bound] == [-31.0, -26.0, -21.0]
    for tag in events.Tags()["tensors"]:
        assert events.SummaryMetadata(tag).summary_description.endswith("."), tag
    variance = events.Tensors("gradient_variance/encoder")
    assert [(e.step, float(tf.make_ndarray(e.tensor_proto))) for e in variance] == [
        (0, 2.0),
        (30, 2.0),
    ]


def test_figures_show_steps_seconds_and_gradients(folder: pathlib.Path):
    figures = comparison_report.draw(_comparison(folder)["estimators"])
    (steps,) = figures["bound_vs_steps"].axes
    (seconds,) = figures["bound_vs_seconds"].axes
    assert list(steps.lines[0].get_xdata()) == [10, 20, 30]
    np.testing.assert_allclose(steps.lines[0].get_ydata(), [-31, -26, -21])
    # Steps times 3 ms.
    np.testing.assert_allclose(seconds.lines[0].get_xdata(), [0.03, 0.06, 0.09])
    variance, cosine = figures["gradient_variance"].axes
    assert variance.get_yscale() == "log"
    np.testing.assert_allclose(cosine.lines[0].get_ydata(), [0.5, 0.5])


def test_nothing_measured_yet(tmp_path: pathlib.Path):
    _run(tmp_path / "runs/gumbel_softmax-0", 0, [-30], None)
    comparison_report.write(tmp_path, _comparison(tmp_path))
    assert [path.name for path in tmp_path.glob("*.png")] == ["bound_vs_steps.png"]
