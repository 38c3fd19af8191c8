from __future__ import annotations

import numpy as np
import pytest

import tf_discrete.datasets as datasets


def test_the_arguments_reach_the_split():
    data = datasets.get("digits", "test", binarization="static", seed=4)
    assert (data.name, data.split, data.binarization, data.seed) == ("digits", "test", "static", 4)


def test_digits_are_embedded():
    assert "digits" in datasets.names()


def test_a_folder_named_like_a_tfds_data_set_is_meant_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").mkdir()
    (tmp_path / "shapes").mkdir()
    for name in ("./mnist", str(tmp_path / "mnist"), "shapes"):
        with pytest.raises(ValueError, match="A folder of images must hold images"):
            datasets.get(name, "train")


def test_paths_may_be_path_objects(tmp_path):
    np.savez(tmp_path / "mine.npz", image=np.zeros([10, 2, 2], np.uint8))
    data = datasets.get(tmp_path / "mine.npz", "test", data_dir=tmp_path)
    assert data.name == str(tmp_path / "mine.npz")


def test_the_home_directory_may_be_abbreviated(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.savez(tmp_path / "mine.npz", image=np.zeros([10, 2, 2], np.uint8))
    assert len(datasets.get("~/mine.npz", "train")) == 8


@pytest.mark.parametrize("name", ["./nothing", "/nothing/here", "~/nothing"])
def test_a_path_that_does_not_exist_is_refused(name):
    with pytest.raises(
        FileNotFoundError,
        match=f"must exist. Check it. See docs/your_data.md. Received: name='{name}'",
    ):
        datasets.get(name, "train")


def test_a_file_that_is_no_npz_is_refused(tmp_path):
    (tmp_path / "images.tar").write_text("")
    with pytest.raises(ValueError, match="must be an .npz. Write one with np.savez.*images.tar'"):
        datasets.get(str(tmp_path / "images.tar"), "train")


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"split": "dev"}, "split must be one of train, validation, test. Received: split='dev'"),
        ({"binarization": "hard"}, "binarization must be one of none, .*dynamic. Received.*'hard'"),
        ({"validation_fraction": 0.0}, r"must be in \(0, 1\).* Received: validation_fraction=0.0"),
        ({"validation_fraction": 1.0}, "validation_fraction=1.0"),
        ({"validation_fraction": float("nan")}, "validation_fraction=nan"),
        (
            {"image_size": (0, 4)},
            r"image_size must be \(height, width\).* Received: image_size=\(0, 4\)",
        ),
        ({"image_size": (4,)}, r"image_size=\(4,\)"),
        ({"max_examples": 0}, "max_examples must be at least 1.* Received: max_examples=0"),
    ],
)
def test_bad_arguments_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        datasets.get("digits", **{"split": "train", **kwargs})


@datasets.source.REGISTRY.restored()
def test_ones_own_data_set_is_loaded_by_its_name():
    @datasets.register("rows")
    def rows(request):
        images = np.arange(100, dtype=np.uint8).reshape([100, 1, 1, 1]) + np.zeros(
            [4, 6, 1], np.uint8
        )
        return datasets.take_split(datasets.Arrays(images, np.arange(100) % 2, 2), request)

    splits = [datasets.get("rows", split) for split in ("train", "validation", "test")]
    assert [len(split) for split in splits] == [81, 9, 10]
    seen = np.concatenate([split.images[:, 0, 0, 0] for split in splits])
    assert sorted(seen) == list(range(100))
    assert [split.labels.mean().round(1) for split in splits] == [0.5, 0.6, 0.5]
    small = datasets.get("rows", "test", image_size=(2, 3), max_examples=4)
    assert small.images.shape == (4, 2, 3, 1)
    with pytest.raises(ValueError, match="Did you mean .*rows"):
        datasets.get("rowss", "train")


def test_a_registered_data_set_is_not_replaced():
    with pytest.raises(ValueError, match="The name of a data set must be new.*name='digits'"):
        datasets.register("digits")(lambda request: None)


def test_every_refusal_of_data_names_the_guide(tmp_path):
    (tmp_path / "empty").mkdir()
    np.savez(tmp_path / "wrong.npz", picture=np.zeros([3, 4, 4]))
    (tmp_path / "text.txt").write_text("")
    for name in ("empty", "wrong.npz", "text.txt", "missing.npz", "missing"):
        with pytest.raises((ValueError, FileNotFoundError), match="See docs/your_data.md. Rec"):
            datasets.get(str(tmp_path / name), "train")
    with pytest.raises(ValueError, match="See docs/your_data.md. Received: name='mnits'"):
        datasets.get("mnits", "train")
