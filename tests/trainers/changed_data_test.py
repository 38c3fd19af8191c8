"""The data and the model of a run are those that it began with, or the run says what differs."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.datasets import image_folder_test
from tests.trainers import small_runs
from trainers.common import finished_run
from trainers.flags import autoregressive_prior as prior_flags
from trainers.flags import evaluate as evaluate_flags
from trainers.flags import search as search_flags
from trainers.saved_runs import autoregressive_prior, evaluate, image_index, search
from trainers.saved_runs.image_source import ImageSource
from trainers.tasks import categorical_vae

SMALL = {
    "binarization": "none",
    "max_examples": 0,
    "batch_size": 8,
    "epochs": 1,
    "hidden_units": (4,),
    "num_variables": 2,
}
CHANGED = "must be those that the run began with.*accept_changed_data"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run and its folder of pictures, both in one folder."""
    folder = tmp_path_factory.mktemp("changed_data")
    image_folder_test.write(folder / "photos", 40)
    finish(folder)
    return folder


def finish(folder, **changes):
    """Trains to the end, with the files that a finished run has."""
    options = {**SMALL, "pictures_every": 0, "dataset": str(folder / "photos"), **changes}
    categorical_vae.run(small_runs.config(folder / "run", **options))


@pytest.fixture
def copied(trained, tmp_path):
    """A copy that a test may change, and in which paths are those of the copy."""
    folder = tmp_path / "copy"
    shutil.copytree(trained, folder)
    config = folder / "run" / "config.json"
    config.write_text(config.read_text().replace(str(trained), str(folder)))
    return folder


def go_on(folder, **changes):
    small_runs.train(
        folder / "run", **{**SMALL, "epochs": 2, **changes}, dataset=str(folder / "photos")
    )


def scored(folder, **changes):
    options = {"run": str(folder / "run"), "bound_samples": 2, **changes}
    return evaluate.run(evaluate_flags.Config(**options))


def test_a_folder_that_has_grown_ends_the_run(copied, capsys):
    image_folder_test.write(copied / "photos", 20, suffix="jpg")
    with pytest.raises(ValueError, match=f"{CHANGED}.*images=.* instead of"):
        go_on(copied)
    with pytest.raises(ValueError, match=CHANGED):
        scored(copied)
    go_on(copied, accept_changed_data=True)
    assert "The data have changed and are taken as they are" in capsys.readouterr().err
    recorded = json.loads((copied / "run" / "data.json").read_text())
    assert recorded["earlier"][0]["train"]["images"] < recorded["splits"]["train"]["images"]
    scored(copied)  # They are the run's data now.


def test_other_images_under_the_same_names_end_the_run(copied, capsys):
    for path in (copied / "photos").iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    with pytest.raises(ValueError, match=f"{CHANGED}.*other images or labels"):
        go_on(copied)
    with pytest.raises(ValueError, match=f"{CHANGED}.*other images or labels"):
        scored(copied)
    scored(copied, accept_changed_data=True)
    assert "taken as they are" in capsys.readouterr().err


def test_a_relative_path_means_the_same_from_everywhere(trained, tmp_path, monkeypatch):
    shutil.copytree(trained / "photos", tmp_path / "here" / "photos")
    image_folder_test.write(tmp_path / "there" / "photos", 40)  # Other images.
    monkeypatch.chdir(tmp_path / "here")
    small_runs.train(tmp_path / "run", **SMALL, dataset="./photos")
    stored = json.loads((tmp_path / "run" / "config.json").read_text())
    assert stored["dataset"] == str(tmp_path / "here" / "photos")
    here = scored(tmp_path)
    monkeypatch.chdir(tmp_path / "there")
    assert scored(tmp_path) == here


def test_a_prior_does_not_go_on_with_another_model(copied):
    options = {"run": str(copied / "run"), "units": 4, "batch_size": 8, "early_stopping": 0}
    autoregressive_prior.run(prior_flags.Config(**options, epochs=1))
    prior = copied / "prior"
    (copied / "run" / "autoregressive_prior").rename(prior)
    shutil.rmtree(copied / "run")
    finish(copied, seed=1)
    with pytest.raises(ValueError, match="A prior is of the codes of one model"):
        autoregressive_prior.run(prior_flags.Config(**options, epochs=2, output_dir=str(prior)))


def test_an_index_of_other_pictures_is_refused(copied):
    image_folder_test.write(copied / "found", 6)
    options = {
        "run": str(copied / "run"),
        "images": str(copied / "found"),
        "k": 2,
        "num_queries": 2,
    }
    search.run(search_flags.Config(**options))
    image_folder_test.write(copied / "found" / "more", 1)
    with pytest.raises(ValueError, match="rebuild"):
        search.run(search_flags.Config(**options))
    folder = image_index.folder_of(
        search_flags.Config(**options), finished_run.load(str(copied / "run"))
    )
    with image_index.building(folder), pytest.raises(OSError, match="one process at a time"):
        search.run(search_flags.Config(**options, rebuild=True))
    found = search.run(search_flags.Config(**options, rebuild=True))
    assert found["items"] == 7
    assert not list((copied / "run").glob(".*building"))


def test_queries_are_scaled_as_the_training_data_are(tmp_path):
    random = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(40):  # Pictures of 16 bits: white is 65535.
        pixels = random.integers(0, 65536, [6, 5]).astype(np.uint16)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number:02}.png")
    finish(tmp_path)
    dark = random.integers(0, 3000, [6, 5]).astype(np.uint16)
    Image.fromarray(dark).save(tmp_path / "dark.png")
    source = ImageSource(finished_run.load(str(tmp_path / "run")), None)
    seen = source.read(str(tmp_path / "dark.png"))
    record = tmp_path / "run" / "data.json"
    whole = record.read_text()
    for levels in ("[255]", "[255, 2.7]", "7"):
        splits = {"train": {"white_levels": json.loads(levels)}}
        record.write_text(json.dumps({"splits": splits}))
        with pytest.raises(ValueError, match="data.json.*white_levels"):
            ImageSource(finished_run.load(str(tmp_path / "run")), None)
    record.write_text(whole)
    wanted = (dark.astype(int) * 255 // 65535).astype(np.float32) / np.float32(255)
    np.testing.assert_allclose(seen[..., 0], wanted, rtol=1e-6)
