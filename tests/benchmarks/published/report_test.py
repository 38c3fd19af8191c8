"""The report of a published table: marks, columns, what it took, pictures, and the claims of the sources."""

from __future__ import annotations

import pytest

from benchmarks import store
from benchmarks.published import cells as cells_lib
from benchmarks.published import claims, report

CELL = cells_lib.Cell(
    "reinmax",
    "small",
    "reinmax",
    40.0,
    "categorical_vae",
    {"estimator": "reinmax"},
    100,
    3,
    "published-small",
    "small/reinmax",
    sweeps=("one", "none"),
)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder of results, and a published table of one cell."""
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    monkeypatch.setitem(cells_lib.TABLES, "reinmax", lambda: [CELL])


def append(
    seed: int,
    bound: float,
    values=(-50.0, -45.0),
    epochs: int = 100,
    cores: int = 1,
    **result: float,
) -> None:
    """Records a run whose curve has two values up to nine tenths, and the last one at the end."""
    count = len(values)
    steps = [5000 * (i + 1) for i in range(9)] + [50_000]
    curve = [*[values[0]] * 9, values[-1]] if count == 2 else list(values)
    store.append(
        "published-small",
        {
            "name": f"small/reinmax-{seed}",
            "status": "finished",
            "result": {
                "test/bound_nats": -bound,
                "steps": 500 * epochs,
                "epochs": epochs,
                "training_seconds": 360.0,
                **result,
            },
            "history": {
                "step": steps,
                "seconds_so_far": [36.0 * (i + 1) for i in range(10)],
                "hard_elbo_nats": curve,
            },
            "provenance": {"processor": "P", "cores": cores, "commit": "a" * 40},
        },
    )


def columns() -> dict[str, str]:
    return dict(zip(report.HEADER, report.row(CELL), strict=True))


def test_a_row_tells_seeds_steps_trials_hours_and_commit():
    store.append("sweeps", {"name": "one", "runs": [{}, {}, {}]})
    append(0, 41.0, (-50.0, -49.95))
    assert columns() == {
        **{"model": "small", "estimator": "`reinmax`", "published": "40.0", "ours": "41.00"},
        **{"difference": "+1.00", "seeds": "1 of 3", "steps": "50000", "trials": "3"},
        **{"hours": "0.10", "hours of the paper's steps": "about 0.19"},
        **{"cores": "1", "commit": "aaaaaaaa"},
    }


@pytest.mark.parametrize(("last", "mark"), [(-49.95, ""), (-49.85, " *"), (-50.5, "")])
def test_a_curve_that_still_rises_is_marked(last, mark):
    append(0, 41.0, (-50.0, last))
    assert columns()["steps"] == f"50000{mark}"
    assert f"in the last tenth of training (*): {int(bool(mark))}." in report.effort("reinmax")


def test_a_run_that_is_shorter_than_the_table_asks_for_says_so():
    append(0, 41.0, (-50.0, -50.0), epochs=30)
    assert columns()["steps"] == "15000 of 50000"


def test_averaged_weights_stand_next_to_plain_ones():
    append(0, 41.0, **{"plain_test/bound_nats": -42.5})
    assert columns()["ours"] == "41.00 (plain 42.50)"


def test_what_a_table_took_and_what_it_lacks():
    append(0, 41.0, (-50.0, -50.0))
    text = report.effort("reinmax")
    assert text.startswith(
        "What it took: 1 run of 1 of 1 rows, 0.1 hours of training, 6 minutes a run (P, 1 core). "
    )
    assert text.endswith("Missing: runs of 1 row, about 0.2 hours on 1 core.\n")


def test_hours_are_those_of_the_cores_of_the_runs_at_the_length_of_the_table():
    append(0, 41.0, (-50.0, -50.0), epochs=25, cores=2)
    assert report.effort("reinmax").endswith("of 1 row, about 0.8 hours on 2 cores.\n")


def test_a_seed_that_diverged_is_told_and_not_missing():
    for seed in range(3):
        append(seed, 41.0)
    store.append("published-small", {"name": "small/reinmax-2", "status": "diverged", "result": {}})
    assert columns()["seeds"] == "2, 1 diverged"
    assert "Missing" not in report.effort("reinmax")


def test_curves_are_drawn_against_steps_and_hours():
    append(0, 41.0)
    ((model, figure),) = report.curves("reinmax")
    assert model == "small"
    assert [axes.get_xlabel() for axes in figure.axes] == ["training steps", "hours"]


def claim(better, worse, tolerance=0.0) -> claims.Claim:
    return claims.Claim("s", "w", better, worse, tolerance)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (claim([1.0], [3.0]), "confirmed, by one seed"),
        (claim([1.0, 1.1, 0.9], [3.0]), "confirmed, by one seed"),
        (claim([3.0], [1.0]), "not confirmed, by one seed"),
        (claim([1.0], [0.9], tolerance=0.2), "confirmed, by one seed"),
        (claim([1.0, 1.1, 0.9], [3.0, 3.1, 2.9]), "confirmed"),
        (claim([3.0, 3.1, 2.9], [1.0, 1.1, 0.9]), "not confirmed"),
        (claim([1.0, 1.1, 0.9], [1.05, 1.15, 0.95]), "not decided"),
    ],
)
def test_verdicts(made, expected):
    assert claims.verdict(made) == expected


def test_half_of_the_interval_is_that_of_students_distribution():
    # Variances of 0.01 each over 3 seeds: 4.303 * sqrt(2 * 0.01 / 3).
    assert claim([1.0, 1.1, 0.9], [3.0, 3.1, 2.9]).half == pytest.approx(4.303 * (0.02 / 3) ** 0.5)


def test_claims_without_rows_are_left_out():
    assert claims.table() == "Not measured.\n"


def test_a_claim_about_runs_of_two_lengths_names_their_steps(monkeypatch):
    model, bounds = (
        "structured prediction, Bernoulli",
        {"gumbel_softmax": 60.0, "score_function": 70.0},
    )
    rows = [
        CELL._replace(model=model, estimator=name, name=name, results="published-small")
        for name in bounds
    ]
    monkeypatch.setitem(cells_lib.TABLES, "gumbel_softmax", lambda: rows)
    for cell, steps in zip(rows, (50_000, 20_000), strict=True):
        result = {"test/bound_nats": -bounds[cell.estimator], "steps": steps}
        store.append(cell.results, {"name": cell.run(0), "status": "finished", "result": result})
    (line,) = [line for line in claims.table().splitlines() if claims.SCORE in line]
    assert f"| {model}, after 50000 and 20000 steps | +10.00 | 1 and 1 |" in line


def test_two_thirds_is_compared_with_every_temperature_that_was_tried():
    for name, trials in {
        "structured_20x10": ((0.6667, -62.0), (1.0, -60.0)),
        "structured_20x10_hotter": ((1.5, -59.0),),
        "structured_200x2": ((0.6667, -60.1), (1.5, -60.0)),
    }.items():
        runs = [{"temperature": temperature, "bound_nats": bound} for temperature, bound in trials]
        store.append("sweeps", {"name": name, "runs": runs})
    leads = {
        claim.where: (round(claim.lead, 2), claims.verdict(claim))
        for claim in claims.claims()
        if claim.sentence == claims.TWO_THIRDS and claim.better
    }
    assert leads == {
        "structured prediction, categorical": (-3.0, "not confirmed, by one seed"),
        "structured prediction, Bernoulli": (-0.1, "confirmed, by one seed"),
    }
