"""What is kept of a comparison of estimators, and the table that is made of it."""

from __future__ import annotations

import json
import pathlib

import pytest
from PIL import Image

from benchmarks import record, run_tables, store
from tf_discrete._internal.writing import write_json
from tools import tables
from trainers.comparison import compare_estimators, compared_runs
from trainers.flags.config import to_json
from trainers.tasks import categorical_vae, semi_supervised, structured_prediction


@pytest.fixture
def place(tmp_path, monkeypatch) -> pathlib.Path:
    """The folder of results and pictures, in place of the repository's."""
    monkeypatch.setattr(store, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(store, "IMAGES", tmp_path / "images")
    return tmp_path


def _run(seed: int, bound: float, epochs: int = 250, status: str = "finished") -> dict:
    result = {
        "test/hard_elbo_nats": bound - 5,
        "test/bound_nats": bound,
        "test/bound_samples": 1000,
        "best_epoch": epochs,
    }
    return {
        "status": status,
        "message": None if status == "finished" else "at step 9",
        "seed": seed,
        "result": result if status == "finished" else {},
        "history": {
            "step": [500 * (epoch + 1) for epoch in range(epochs)],
            "seconds": [2.0] * epochs,
            "hard_elbo_nats": [-100.00004 - 1 / (epoch + 1) for epoch in range(epochs)],
        },
    }


def _compared(folder: pathlib.Path, estimators: dict) -> pathlib.Path:
    for name, entry in estimators.items():
        entry |= {"cost": entry.get("cost"), "gradients": entry.get("gradients")}
        for run in entry.get("runs", []):
            made = folder / "runs" / f"{name}-{run['seed']}"
            made.mkdir(parents=True)
            machine = {"hardware": {"cores": 2}, "versions": {"python": "3.11"}}
            write_json(made / compared_runs.MACHINE, machine)
    config = compare_estimators.Config(
        dataset="binarized_mnist", output_dir="here", data_dir="there", epochs=250
    )
    comparison = {
        "config": to_json(config),
        "hardware": {"cores": 4},
        "versions": {"python": "3.12"},
        "estimators": estimators,
    }
    write_json(folder / "comparison.json", comparison)
    Image.new("RGB", (20, 10)).save(folder / "bound_vs_steps.png")
    return folder


COST = {"ratio": 1.0, "low": 1.0, "high": 1.0, "step_milliseconds": 2.0, "evaluations": 1}


def test_a_comparison_is_kept_in_small_records(place: pathlib.Path):
    estimators = {
        "gumbel_softmax": {"runs": [_run(0, -101.0), _run(1, -103.0)], "cost": COST},
        "reinmax": {"runs": [_run(0, -99.0), _run(1, -98.0, 7, "unfinished")]},
        "straight_through": {"runs": [_run(0, 0.0, 3, "diverged")]},
        "arm": {"skipped": "because"},
    }
    folder = _compared(place / "comparison", estimators)
    record.run(record.Config(comparison=str(folder)))
    kept = store.read("estimators")
    model = "binarized_mnist-linear-20x10"
    assert list(kept) == [
        f"{model}/gumbel_softmax-0",
        f"{model}/gumbel_softmax-1",
        f"{model}/gumbel_softmax/cost",
        f"{model}/reinmax-0",
        f"{model}/straight_through-0",
    ]
    one = kept[f"{model}/gumbel_softmax-1"]
    assert one["result"]["test/bound_nats"] == -103.0
    assert one["provenance"]["cores"] == 2  # Of the machine that trained it.
    assert one["settings"]["binarization"] == "threshold"
    assert not {"output_dir", "data_dir", "epochs"} & set(one["settings"])
    history = one["history"]
    assert len(history["step"]) == record.POINTS
    assert history["step"][-1] == 500 * 250
    assert history["seconds_so_far"][-1] == 500.0
    assert history["hard_elbo_nats"][-1] == -100.004
    assert all(len(json.dumps(record)) < 12_000 for record in kept.values())
    assert kept[f"{model}/gumbel_softmax/cost"]["provenance"]["cores"] == 4
    pictures = [path.name for path in (place / "images").iterdir()]
    assert pictures == ["binarized_mnist-linear-20x10-bound_vs_steps.png"]


@pytest.mark.parametrize(("epochs", "kept"), [(1, 1), (40, 40), (100, 100), (130, 100)])
def test_a_history_is_thinned_only_if_it_is_long(epochs: int, kept: int):
    steps = list(range(1, epochs + 1))
    history = {"step": steps, "seconds": [1.0] * epochs, "hard_elbo_nats": [-1.0] * epochs}
    thinned = record._thinned(history)
    assert len(set(thinned["step"])) == len(thinned["step"]) == kept
    assert thinned["step"][-1] == thinned["seconds_so_far"][-1] == epochs


def test_the_table_reads_what_is_kept(place: pathlib.Path):
    first = {"gumbel_softmax": {"runs": [_run(0, -101.0), _run(1, -103.0)], "cost": COST}}
    second = {"reinmax": {"runs": [_run(0, -99.0)]}, "darn": {"runs": [_run(0, 0, 3, "diverged")]}}
    for number, estimators in enumerate((first, second)):  # Kept one after the other.
        record.keep_comparison(_compared(place / f"comparison-{number}", estimators))
    text = run_tables.estimator_comparison()
    assert text.startswith("binarized_mnist-linear-20x10:\n\n| estimator |")
    assert "bound with 1000 samples" in text
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == ["reinmax", "gumbel_softmax", "darn"]
    assert "-102.00 +- 1.41 | 2 | 125000 | 1.00 (1.00 to 1.00)" in rows[1]
    assert "0, 1 diverged" in rows[2]
    own = run_tables.measured("gumbel_softmax").splitlines()
    assert own[0].startswith("| measured on | discrete ELBO, test |") and len(own) == 3
    assert own[2].startswith("| binarized_mnist-linear-20x10 | -107.00 +- 1.41 | -102.00 +- 1.41 |")
    assert run_tables.measured("arm") == "Not measured.\n"
    assert (
        tables.render("<!-- table: measured arm -->\n<!-- end of table -->").count("Not measured")
        == 1
    )
    document = "<!-- table: estimator_comparison -->\nold\n<!-- end of table -->\n"
    assert tables.render(document) == document.replace("old\n", text)


def test_a_variance_is_relative_to_the_reference_of_its_own_comparison(place: pathlib.Path):
    """The weights of another comparison have gradients of another size."""
    for number, variances in enumerate(({"gumbel_softmax": 4.0, "reinmax": 8.0}, {"darn": 1.0})):
        base = {"gumbel_softmax": _gradients(variances.get("gumbel_softmax", 0.5))}
        measured = base | {name: _gradients(value) for name, value in variances.items()}
        estimators = {
            name: {"runs": [_run(0, -100.0)], "gradients": found}
            for name, found in measured.items()
        }
        record.keep_comparison(_compared(place / f"comparison-{number}", estimators))
    text = run_tables.estimator_comparison()
    for name, ratio in {"reinmax": "2 x (12)", "darn": "2 x (12)"}.items():
        assert ratio in next(line for line in text.splitlines() if f"`{name}`" in line)


def test_gradients_that_are_measured_later_leave_the_cost_as_it_was(place: pathlib.Path):
    entries = {"cost": COST}, {"gradients": _gradients(3.0)}
    for number, entry in enumerate(entries):
        estimators = {"gumbel_softmax": {"runs": [_run(0, -100.0)], **entry}}
        record.keep_comparison(_compared(place / f"comparison-{number}", estimators))
    (row,) = [line for line in run_tables.estimator_comparison().splitlines() if "| `" in line]
    assert "| 1.00 (1.00 to 1.00) | 1 | 1 x (12) | 0.500 |" in row


def test_an_old_row_has_no_ratio_to_the_reference_of_a_later_comparison(place: pathlib.Path):
    """Records of earlier comparisons do not hold the variance of their reference."""
    estimators = {
        name: {"runs": [_run(0, -100.0)], "gradients": _gradients(value)}
        for name, value in {"gumbel_softmax": 0.5, "reinmax": 8.0}.items()
    }
    record.keep_comparison(_compared(place / "comparison", estimators))
    name = "binarized_mnist-linear-20x10/reinmax/gradients"
    kept = store.read("estimators")[name]
    del kept["gradients"]["reference_variance"]
    store.append("estimators", kept)
    (row,) = [line for line in run_tables.estimator_comparison().splitlines() if "reinmax" in line]
    assert "| 8 (12) |" in row


def _gradients(variance: float) -> dict:
    groups = {"encoder": {"variance": variance, "cosine": 0.5}}
    return {"evaluations": 12, "rows": [{"groups": groups}]}


@pytest.mark.parametrize(
    "trainer,changes,result,expected",
    [
        (
            structured_prediction,
            {"num_layers": 2, "dataset": "binarized_mnist"},
            {"test/bound_nats": -58.0, "test/bound_standard_error_nats": 0.2},
            "| binarized_mnist | 20 x 10 - 20 x 10 | `gumbel_softmax` | -58.00 +- 0.20 (m = 1000) | 9 (7) |",
        ),
        (
            semi_supervised,
            {"estimator": "enumeration", "dataset": "mnist", "binarization": "dynamic"},
            {"test/accuracy": 0.9361, "test/hard_elbo_nats": -93.0},
            "",  # Its table is that of benchmarks.semi_supervised.few_labels.
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_run_is_kept_by_its_trainer(place: pathlib.Path, trainer, changes, result, expected):
    folder = place / "run"
    folder.mkdir()
    common = {"test/bound_samples": 1000, "epochs": 9, "best_epoch": 7, "training_seconds": 90.0}
    settings = to_json(trainer.Config(output_dir="here", **changes))
    write_json(folder / "config.json", {"task": trainer.TASK.name, **settings})
    write_json(folder / "metrics.json", {**common, **result})
    row = {"epoch": 1, "step": 9, "seconds": 10.0, "validation/hard_elbo_nats": -70.12345}
    (folder / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    Image.new("RGB", (2000, 10)).save(folder / "curves.png")
    record.run(record.Config(run=str(folder), name="mine", pictures=("curves",)))
    name = trainer.__name__.split(".")[-1]
    kept = store.read(name)["mine"]
    assert kept["provenance"]["versions"]["python"] and kept["provenance"]["cores"]
    assert kept["command"].startswith(f"python -m trainers.{name} --dataset={changes['dataset']}")
    assert kept["validation_hard_elbo_nats"] == [[1, -70.123]]
    assert expected in tables.TABLES[name]()
    assert (place / "images" / "mine-curves.png").exists()


def test_only_a_finished_comparison_is_kept(place: pathlib.Path):
    with pytest.raises(ValueError, match="finished comparison. Received: comparison='nowhere'"):
        record.run(record.Config(comparison="nowhere"))


@pytest.mark.parametrize(
    "changes,name",
    [
        ({"dataset": "digits"}, "digits-linear-20x10"),
        (
            {"latents": "bernoulli", "num_variables": 200, "num_categories": 2},
            "digits-linear-200x2",
        ),
        ({"dataset": "data/mine.npz", "hidden_units": (512, 256)}, "mine.npz-512-256-20x10"),
        ({"encoder": "conv"}, "digits-conv-linear-20x10"),
    ],
)
def test_the_name_of_a_model(changes, name):
    assert record.model_name(to_json(compare_estimators.Config(**changes))) == name


def test_a_sweep_is_kept_and_shown(place, tmp_path):
    folder = tmp_path / "sweep"
    folder.mkdir()
    settings = to_json(
        categorical_vae.Config(sweep=True, sweep_temperatures=(0.5, 1.0), data_dir="here")
    )
    write_json(folder / "config.json", {"task": "categorical_vae", **settings})
    runs = {
        f"{rate}-{temperature}": {
            "learning_rate": rate,
            "temperature": temperature,
            "bound_nats": -100 * temperature - rate,
            "bound_samples": 100,
            "steps": 300,
        }
        for rate in (0.1, 0.2)
        for temperature in (0.5, 1.0)
    }
    runs["0.2-1.0"] = {"learning_rate": 0.2, "temperature": 1.0, "diverged": "at step 9"}
    write_json(folder / "sweep.json", runs)
    record.run(record.Config(sweep=str(folder), name="small"))
    shown = run_tables.sweep("small").splitlines()
    assert shown[0] == "| learning rate | temperature 0.5 | temperature 1 |"
    assert shown[2:4] == ["| 0.1 | -50.10 | -100.10 |", "| 0.2 | -50.20 | diverged |"]
    assert "bound of 100 samples on the validation images after 300 steps" in shown[5]
    assert (
        "`python -m trainers.categorical_vae --data_dir=$TF_DISCRETE_DATA_DIR --sweep "
        "--sweep_temperatures=0.5,1.0`" in shown[5]
    )
    assert run_tables.sweep("other") == "Not measured.\n"


def test_a_sweep_must_be_there(place):
    with pytest.raises(ValueError, match="folder of a sweep.*Received: sweep='nowhere', name='x'"):
        record.run(record.Config(sweep="nowhere", name="x"))


def test_a_bound_curve_becomes_a_row_and_a_picture(place, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.raises(ValueError, match="--bound_curve has scored.*Received: bound_curve='.*run'"):
        record.run(record.Config(bound_curve=str(folder), name="tiny"))
    rows = [
        {"num_samples": m, "bound_nats": -100.0 + m, "standard_error_nats": 0.5} for m in (1, 10)
    ]
    settings = to_json(categorical_vae.Config(estimator="reinmax"))
    write_json(folder / "config.json", {"task": "categorical_vae", **settings})
    result = {"split": "test", "num_examples": 7, "seconds": 1.0, "bounds": rows}
    write_json(folder / "bound_curve-test.json", result)
    record.run(record.Config(bound_curve=str(folder), name="tiny"))
    assert (place / "images/bound_curve-tiny.png").stat().st_size > 1000
    assert store.read("bound_curve")["tiny"]["command"].endswith("--estimator=reinmax")
    table = run_tables.bound_curve()
    assert "| tiny | `reinmax` | 7 | -99.00 +- 0.50 | -90.00 +- 0.50 |" in table
