"""Any recorded row is repeated by its command, and compared with the record."""

from __future__ import annotations

import pathlib

import pytest

from benchmarks import reproduce, store

TOY = (
    "--dataset=digits --binarization=none --validation_fraction=0.1 --max_examples=300 --epochs=1 "
    "--hidden_units=8 --bound_samples=2 --pictures_every=0 --monitor_every=1"
)
"""Flags that make a run of any row short."""

RESULT = {
    "test/bound_nats": -90.0,
    "test/bound_samples": 100,
    "test/bound_standard_error_nats": 0.3,
    "test/accuracy": 0.9,
    "test/loss": 91.0,
    "test/num_examples": 10000,
    "training_seconds": 36.0,
}


def test_every_listed_row_has_a_command_that_can_be_run(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_DISCRETE_DATA_DIR", "/data of mine")
    listed = dict(reproduce.rows())
    assert len(listed) > 50
    for name, record in listed.items():
        assert reproduce.find(name) == record
        _, program, *flags = reproduce.command(record, tmp_path, "--epochs=2")
        assert program.startswith("trainers.")
        assert not any("$" in flag for flag in flags) and "--data_dir=/data of mine" in flags
        assert flags[-2:] == [f"--output_dir={tmp_path}", "--epochs=2"]
        assert f"--bound_samples={record['result']['test/bound_samples']}" in flags
        assert name in reproduce.listing()


def test_runs_are_compared_by_their_standard_errors():
    repeated = {**RESULT, "test/bound_nats": -91.0, "test/accuracy": 0.907, "test/loss": 95.0}
    found = {row.name: row for row in reproduce.compare(RESULT, repeated)}
    assert set(found) == {"test/bound_nats", "test/accuracy", "test/loss"}
    assert found["test/bound_nats"].standard_error == pytest.approx(0.3 * 2**0.5)
    assert found["test/bound_nats"].agrees is False  # 1 nat is 2.4 standard errors.
    assert found["test/accuracy"].standard_error == pytest.approx(0.0042, abs=1e-4)
    assert found["test/accuracy"].agrees is True  # 0.007 is 1.7 of them.
    assert found["test/loss"].agrees is None
    text = reproduce.report(list(found.values()))
    assert "| test/bound_nats | -90.0000 | -91.0000 | -1.0000 | 0.4243 | **differ** |" in text


@pytest.mark.parametrize(
    "row", ["", "few_labels", "few_labels/none", "speed/x", "sweeps/linear_20x10"]
)
def test_rows_that_there_are_not(row):
    with pytest.raises(ValueError, match=r"--list.*Received: row="):
        reproduce.find(row)


def test_data_that_the_environment_does_not_name(monkeypatch, tmp_path):
    monkeypatch.delenv("TF_DISCRETE_DATA_DIR", raising=False)
    _, record = next(iter(reproduce.rows()))
    with pytest.raises(ValueError, match="Set it to a folder.*Received: command="):
        reproduce.command(record, tmp_path)


def test_a_row_has_the_defaults_of_its_time(tmp_path: pathlib.Path, monkeypatch):
    monkeypatch.setenv("TF_DISCRETE_DATA_DIR", str(tmp_path))
    short = reproduce.command(reproduce.find("few_labels/paper_short-100-enumeration-0"), tmp_path)
    assert {"--learning_rate=0.001", "--style_size=32", "--alpha=50.0"} <= set(short)
    long = reproduce.command(reproduce.find("few_labels/paper-100-gumbel_softmax-0"), tmp_path)
    rates = [flag for flag in long if flag.startswith("--learning_rate=")]
    assert rates == ["--learning_rate=0.003"]


def test_a_run_of_a_comparison_is_repeated_by_its_settings(tmp_path: pathlib.Path, monkeypatch):
    monkeypatch.setenv("TF_DISCRETE_DATA_DIR", str(tmp_path))
    record = reproduce.find("estimators/binarized_mnist-linear-200x2/disarm-2")
    _, program, *flags = reproduce.command(record, tmp_path)
    assert program == "trainers.categorical_vae"
    assert {"--estimator=disarm", "--seed=2", "--latents=bernoulli", "--num_variables=200"} <= set(
        flags
    )
    assert {"--hidden_units=", "--prior=learned", "--learning_rate=0.01"} <= set(flags)
    assert "--epochs=40" not in flags  # It has the trainer's own number.
    short = reproduce.find("estimators/binarized_mnist-linear-20x10/darn-0")
    assert "--epochs=40" in reproduce.command(short, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "more"),
    [
        ("few_labels/augmented-100-gumbel_softmax-0", "--labels_per_class=5 --style_size=2"),
        ("published-gumbel_softmax/structured-200x2/darn-0", "--num_variables=8"),
        ("categorical_vae/mnist", "--num_variables=3 --num_categories=4"),
        ("estimators/binarized_mnist-linear-20x10/darn-0", "--num_variables=3 --num_categories=4"),
    ],
)
def test_a_row_at_toy_length(row, more, tmp_path: pathlib.Path, monkeypatch, capfd):
    monkeypatch.setenv("TF_DISCRETE_DATA_DIR", str(tmp_path))
    before = results()
    reproduce.run(
        reproduce.Config(row=row, more=f"{TOY} {more}", output_dir=str(tmp_path / "runs"))
    )
    shown = capfd.readouterr().out
    assert "hours of training" in shown and "| test/bound_nats | -" in shown
    assert before == results()


def results() -> dict[str, bytes]:
    """The content of each table that has records."""
    paths = [store.path_of(table) for table in reproduce.TABLES]
    return {path.name: path.read_bytes() for path in paths if path.exists()}
