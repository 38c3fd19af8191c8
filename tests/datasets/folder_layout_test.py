"""Splits, classes and links of a folder; only names matter here, so the files are empty."""

from __future__ import annotations

import os
import pathlib
import warnings

import pytest

from tf_discrete.datasets import folder_layout


def make(root: pathlib.Path, *names: str) -> str:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return str(root)


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "validation", "test"),
        ("Train", "Validation", "Test"),
        ("TRAIN", "VAL", "TEST"),
        ("training", "valid", "testing"),
        ("train2017", "val2017", "test2017"),
        ("training_set", "Validation Data", "test-images"),
    ],
)
def test_usual_names_of_splits_are_no_classes(tmp_path, train, validation, test):
    root = make(
        tmp_path, *(f"{split}/{c}/1.png" for split in (train, validation, test) for c in "ab")
    )
    folder = folder_layout.read(root)
    assert list(folder.splits) == ["train", "validation", "test"]
    assert folder.class_names == ("a", "b")
    assert folder.splits["test"].paths == [f"{root}/{test}/{c}/1.png" for c in "ab"]


@pytest.mark.parametrize(
    "name", ["unlabelled", "Unlabelled", "unlabeled", "UNLABELED", "un-labelled", "unlabeled_data"]
)
def test_usual_names_of_unlabelled_images_are_no_classes(tmp_path, name):
    folder = folder_layout.read(make(tmp_path / "flat", f"{name}/1.png", "cat/1.png"))
    assert folder.class_names == ("cat",)
    assert sorted(folder.splits["train"].classes) == ["cat", folder_layout.UNLABELLED_FOLDER]
    root = make(tmp_path / "split", "Train/cat/1.png", "Test/cat/1.png", f"{name}/2.png")
    folder = folder_layout.read(root)
    assert folder.splits["train"].classes == ["cat", folder_layout.UNLABELLED_FOLDER]
    assert folder.splits["train"].paths == [f"{root}/Train/cat/1.png", f"{root}/{name}/2.png"]


@pytest.mark.parametrize("names", [("Train", "training"), ("val", "valid"), ("test", "TEST")])
def test_two_folders_for_one_split_are_refused(tmp_path, names):
    root = make(tmp_path, "train/a/1.png", *(f"{name}/a/1.png" for name in names))
    with pytest.raises(ValueError, match="Only one folder may stand for"):
        folder_layout.read(root)


def test_a_class_that_is_called_like_a_split_is_told_of(tmp_path):
    with pytest.warns(UserWarning, match=r"names like splits: \['my_train', 'seg-Test'\]"):
        folder_layout.read(make(tmp_path / "a", "my_train/1.png", "seg-Test/1.png", "cat/1.png"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folder = folder_layout.read(make(tmp_path / "b", "trainer/1.png", "contest/1.png"))
    assert folder.class_names == ("contest", "trainer")


def test_names_that_are_numbers_are_ordered_as_numbers(tmp_path):
    root = make(tmp_path, *(f"{i}/1.png" for i in range(12)))
    with pytest.warns(UserWarning, match="order of the numbers: 0: '0', 1: '1', 2: '2'.*11: '11'"):
        folder = folder_layout.read(root)
    assert folder.class_names == tuple(map(str, range(12)))


@pytest.mark.parametrize("names", [("0", "1", "2"), ("001", "002", "010"), ("1", "10", "2", "x")])
def test_other_names_are_ordered_as_text_without_a_word(tmp_path, names):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folder = folder_layout.read(make(tmp_path, *(f"{name}/1.png" for name in names)))
    assert folder.class_names == tuple(sorted(names))


def test_what_is_left_out_is_counted_by_reason(tmp_path):
    root = make(
        tmp_path,
        *("train/a/1.png", "train/a/notes.txt", "train/a/more/x.TXT", "train/labels.csv"),
        *("test/a/1.jfif", "test/a/LICENSE", "test/a/.2.png", "README.md", "test/a/.DS_Store"),
    )
    os.mkfifo(tmp_path / "test" / "a" / "pipe.png")
    folder = folder_layout.read(root)
    assert folder.left_out == {
        ".txt": 2,
        ".csv": 1,
        ".md": 1,
        "without an extension": 1,
        "hidden": 1,
        "no regular file": 1,
    }
    with pytest.warns(UserWarning, match="^7 files in .*: 1 .csv, 1 .md, 2 .txt, 1 hidden"):
        folder_layout.tell(root, folder.left_out)


def test_links_are_followed_without_loops_or_duplicates(tmp_path):
    outside = make(tmp_path / "outside", "deep/2.png", "1.png")
    root = make(tmp_path / "data", "a/1.png", "b/1.png")
    links = {
        "a/loop": f"{root}/a",
        "a/above": root,
        "a/other_class": f"{root}/b",
        "a/far": outside,
        "a/far_again": f"{outside}/deep",
        "a/same.png": f"{root}/b/1.png",
        "a/one.png": f"{outside}/1.png",
        "a/nowhere.png": f"{root}/nothing",
        "c": make(tmp_path / "class_c", "1.png"),
    }
    for name, target in links.items():
        os.symlink(target, f"{root}/{name}")
    folder = folder_layout.read(root)
    by_class = dict.fromkeys(folder.splits["train"].classes, ())
    for path, name in zip(*folder.splits["train"], strict=True):
        by_class[name] += (os.path.relpath(path, root),)
    assert by_class == {
        "a": ("a/1.png", "a/far/1.png", "a/far/deep/2.png", "a/nowhere.png"),
        "b": ("b/1.png",),
        "c": ("c/1.png",),
    }
    assert sum(n for reason, n in folder.left_out.items() if "counted already" in reason) >= 5


def test_files_come_before_those_of_subfolders(tmp_path):
    root = make(tmp_path, "a/x.png", "b.png", "a/b/1.png", "a-b/1.png")
    (paths,), _ = folder_layout.walk([root])
    assert [os.path.relpath(path, root) for path in paths] == [
        "b.png",
        "a/x.png",
        "a/b/1.png",
        "a-b/1.png",
    ]


def test_a_folder_that_may_not_be_read_is_no_silent_loss(tmp_path, monkeypatch):
    root = make(tmp_path, "a/1.png", "a/secret/2.png")
    scan = os.scandir

    def guarded(path):
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(PermissionError, match="secret"):
        folder_layout.read(root)
