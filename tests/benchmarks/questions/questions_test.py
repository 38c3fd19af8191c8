"""The benchmark of the readers' questions: its vectors, records and tables."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks import store
from benchmarks.questions import __main__ as program
from benchmarks.questions import cells, documentation, report
from tf_discrete import datasets


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Two modules of documented functions, each with a text of 40 words."""
    for part in ("layers", "src/ops"):
        (tmp_path / "documented" / part).mkdir(parents=True)
    (tmp_path / "documented" / "__init__.py").touch()
    words = ["abc", "def", "ghi", "jkl", "mno", "pqr", "stu", "vwx"]
    random = np.random.default_rng(0)
    for part in ("layers/dense.py", "src/ops/sum.py"):
        functions = [
            f'def f{number}():\n    """{" ".join(random.choice(words, 40))}"""\n'
            for number in range(10)
        ]
        text = "".join([*functions, functions[0], 'def g():\n    """Short."""\n'])
        (tmp_path / "documented" / part).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return "documented"


def test_vectors_are_rows_of_docstrings_with_their_modules(package, monkeypatch):
    found = list(documentation.texts((package,)))
    assert len(found) == 20
    assert {label for label, _ in found} == {"documented.layers", "documented.ops"}
    monkeypatch.setattr(documentation, "MAX_SHARE", 1.0)
    data = documentation.vectors(5, packages=(package,))
    assert data.train.shape == (16, 5) and data.test.shape == (4, 5)
    assert np.linalg.norm(data.train, axis=1).min() > 0 and data.train.min() >= 0
    assert set(data.train_labels) == set(data.test_labels) == {0, 1}


def test_a_missing_package_is_named():
    with pytest.raises(ValueError, match="must be installed. Received: package='no_such_package'"):
        list(documentation.texts(("no_such_package",)))


def test_the_normaliser_on_the_sphere_of_three_dimensions():
    """C = concentration / (4 pi sinh(concentration)), and 1 / (4 pi) at 0."""
    assert cells.log_normalizer(2.0, 3) == pytest.approx(math.log(2 / (4 * math.pi * math.sinh(2))))
    assert cells.log_normalizer(0.0, 3) == pytest.approx(-math.log(4 * math.pi))
    assert cells.log_normalizer(1e-3, 2000) == pytest.approx(cells.log_normalizer(0.0, 2000))


def test_a_run_goes_on_where_it_was_stopped(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    trained = []

    def measure(config, cell):
        trained.append(cell)
        good = cell.setting.endswith("8")
        value = float(len(trained) + 100 * good)
        names = ("validation_hard_elbo_nats", "hard_elbo_nats", "bound_nats", "elbo_nats", "active")
        return dict.fromkeys((*names, "accuracy"), value)

    monkeypatch.setattr(program, "measure", measure)
    config = cells.Config(questions=("smoothing", "straight_through"), num_seeds=2)
    program.run(config)
    settings = sum(map(len, cells.SMOOTHINGS.values()))
    assert len(trained) == settings + len(cells.SMOOTHINGS) + 2 * len(cells.BOTTLENECKS)
    assert {cell.setting for cell in trained if cell.row == "discrete_vae" and cell.seed} == {
        "sharpness 8"
    }
    program.run(config)
    assert len(set(trained)) == len(trained)
    table = report.table(store.read(report.RESULTS), "smoothing")
    assert "| `discrete_vae` | sharpness 8 |" in table
    assert "python -m benchmarks.questions --num_seeds=2`" in table
    assert report.table(store.read(report.RESULTS), "cosine") == "Not measured.\n"
    capsys.readouterr()


def test_other_questions_are_refused():
    with pytest.raises(ValueError, match="must be of straight_through, .*'why'"):
        program.run(cells.Config(questions=("why",)))


@pytest.mark.slow
@pytest.mark.parametrize("question", cells.QUESTIONS)
def test_the_cells_of_a_question_train(question, monkeypatch, package):
    """On digits of 8 x 8 pixels, and on twenty texts."""
    split = {
        name: datasets.get("digits", name, binarization="threshold", max_examples=200)
        for name in ("train", "validation", "test")
    }
    monkeypatch.setattr(cells, "_images", lambda config, name, which: split[which])
    monkeypatch.setattr(documentation, "MAX_SHARE", 1.0)
    texts = documentation.vectors(8, packages=(package,))
    monkeypatch.setattr(cells, "_texts", lambda num_words: texts)
    config = cells.Config(steps=2, text_steps=2, num_samples=2)
    for row, settings in cells.QUESTIONS[question][1].items():
        found = cells.measure(config, cells.Cell(question, row, settings[0], 0))
        assert all(math.isfinite(value) for value in found.values())
