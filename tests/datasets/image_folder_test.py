from __future__ import annotations

import os
import pathlib
import warnings

import numpy as np
import pytest
from PIL import Image

import tf_discrete.datasets as datasets
from tf_discrete.datasets import image_cache, image_folder

SPLITS = ("train", "validation", "test")
RANDOM = np.random.RandomState(0)


def write(
    path: pathlib.Path,
    count: int = 1,
    size=(6, 5),
    colour: bool = False,
    suffix: str = "png",
    **kwargs,
):
    path.mkdir(parents=True, exist_ok=True)
    shape = (*size, 3) if colour else size
    for i in range(count):
        pixels = RANDOM.randint(0, 256, shape).astype(np.uint8)
        Image.fromarray(pixels).save(path / f"{suffix}{i:03d}.{suffix}", **kwargs)


def rows(data: datasets.Split) -> set[bytes]:
    return {image.tobytes() for image in data.images}


def test_a_flat_folder_is_split_into_three(tmp_path):
    write(tmp_path, 30)
    splits = [datasets.get(str(tmp_path), s) for s in SPLITS]
    assert [len(data) for data in splits] == [24, 3, 3]
    assert len(set.union(*map(rows, splits))) == 30
    for data in splits:
        assert data.image_shape == (6, 5, 1) and data.images.dtype == np.uint8
        assert data.labels is None and data.num_classes is None
    files = {np.asarray(Image.open(p)).tobytes() for p in tmp_path.iterdir()}
    assert set.union(*map(rows, splits)) == files


def test_subfolders_are_classes_in_the_order_of_their_names(tmp_path):
    for name, count in (("cat", 10), ("ant", 20), ("unlabelled", 10)):
        write(tmp_path / name, count)
    splits = [datasets.get(str(tmp_path), s) for s in SPLITS]
    assert [np.bincount(d.labels + 1).tolist() for d in splits] == [
        [8, 16, 8],
        [1, 2, 1],
        [1, 2, 1],
    ]
    assert {d.num_classes for d in splits} == {2}
    cats = {np.asarray(Image.open(p)).tobytes() for p in (tmp_path / "cat").iterdir()}
    for data in splits:
        assert {
            im.tobytes() for im, label in zip(data.images, data.labels, strict=True) if label == 1
        } <= cats


def test_explicit_splits_are_kept(tmp_path):
    for split, count in (("train", 20), ("test", 4)):
        for name in ("a", "b"):
            write(tmp_path / split / name, count // 2)
    write(tmp_path / "train" / "b" / "more", 2)
    assert [len(datasets.get(str(tmp_path), s)) for s in SPLITS] == [20, 2, 4]
    assert datasets.get(str(tmp_path), "test").labels.tolist() == [0, 0, 1, 1]
    assert len(datasets.get(str(tmp_path), "test", max_examples=3)) == 3
    write(tmp_path / "validation" / "a", 1)
    assert [len(datasets.get(str(tmp_path), s)) for s in SPLITS] == [22, 1, 4]
    assert datasets.get(str(tmp_path), "validation").num_classes == 2


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "jpg", "jpeg", "PNG"])
def test_all_kinds_of_files_are_read(tmp_path, suffix):
    for i in range(4):
        Image.fromarray(np.full((6, 5), 60 * i, np.uint8)).save(tmp_path / f"{i}.{suffix}")
    found = np.concatenate([datasets.get(str(tmp_path), s).images for s in SPLITS])
    assert np.abs(np.sort(found[:, 3, 3, 0]).astype(int) - [0, 60, 120, 180]).max() <= 2
    assert found.shape == (4, 6, 5, 1)


def test_hidden_and_other_files_are_left_out_with_a_warning(tmp_path):
    write(tmp_path, 4)
    (tmp_path / "README.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_text("no image")
    (tmp_path / ".folder").mkdir()
    with pytest.warns(UserWarning, match="2 files in .* were left out: 1 .txt, 1 hidden. Images"):
        assert sum(len(datasets.get(str(tmp_path), s)) for s in SPLITS) == 4


def test_images_of_one_colour_are_counted_in_a_warning(tmp_path):
    write(tmp_path, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        datasets.get(str(tmp_path), "train")
    for i in range(10, 18):
        Image.fromarray(np.full((6, 5), 20 * i % 256, np.uint8)).save(tmp_path / f"{i}.png")
    with pytest.warns(UserWarning, match="where 7 of 13 images of train have one colour"):
        datasets.get(str(tmp_path), "train")


def test_white_is_decided_over_all_splits_and_kept_for_single_files(tmp_path):
    masks = RANDOM.randint(0, 2, (6, 12, 10)).astype(np.uint8)
    for split, images in (("train", masks[:4]), ("test", masks[4:])):
        (tmp_path / split).mkdir()
        for i, mask in enumerate(images):
            Image.fromarray(mask).save(tmp_path / split / f"{i}.png")
    for split in ("train", "test"):
        data = datasets.get(str(tmp_path), split)
        assert data.white_levels == (1, None)
        assert set(np.unique(data.images)) == {0, 255}
    data = datasets.get(str(tmp_path), "test", image_size=(6, 5))
    one = image_folder.read(tmp_path / "test" / "0.png", (6, 5, 1), data.white_levels)
    np.testing.assert_array_equal(one, data.images[0])
    # One grey image anywhere, and 1 is nearly black in every split.
    Image.fromarray(np.full((12, 10), 100, np.uint8)).save(tmp_path / "train" / "9.png")
    data = datasets.get(str(tmp_path), "test")
    assert data.white_levels == (255, None)
    np.testing.assert_array_equal(data.images[..., 0], masks[4:])
    one = image_folder.read(tmp_path / "test" / "0.png", (12, 10, 1), data.white_levels)
    np.testing.assert_array_equal(one, data.images[0])


def test_twelve_bits_are_told_of(tmp_path):
    for i in range(4):
        pixels = RANDOM.randint(0, 4096, (6, 5)).astype(np.uint16)
        pixels[0, :2] = 0, 4095
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    with pytest.warns(UserWarning, match="has a value above 4095, so 4095 is taken as white"):
        data = datasets.get(str(tmp_path), "train")
    assert data.white_levels == (None, 4095)
    assert (data.images.min(), data.images.max()) == (0, 255)


def test_names_of_classes_are_kept(tmp_path):
    for split in ("Train", "TEST"):
        for name in ("cat", "ant", "Unlabeled"):
            write(tmp_path / split / name, 4)
    for split in SPLITS:
        data = datasets.get(str(tmp_path), split)
        assert (data.num_classes, data.class_names) == (2, ("ant", "cat"))
    assert sorted(datasets.get(str(tmp_path), "test").labels) == [-1] * 4 + [0] * 4 + [1] * 4
    assert datasets.get(str(tmp_path / "TEST" / "cat"), "train").class_names is None


def test_a_part_of_an_explicit_test_split_has_all_classes(tmp_path):
    for split in ("train", "test"):
        for name in ("a", "b", "c"):
            write(tmp_path / split / name, 6)
    data = datasets.get(str(tmp_path), "test", max_examples=6)
    assert np.bincount(data.labels).tolist() == [2, 2, 2]


def test_grey_and_colour_together_become_colour_in_every_split(tmp_path):
    write(tmp_path / "train", 5, colour=True)
    write(tmp_path / "test", 5)
    for split in SPLITS:
        assert datasets.get(str(tmp_path), split).image_shape == (6, 5, 3)
    grey = datasets.get(str(tmp_path), "test").images
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])


@pytest.mark.parametrize(
    ("mode", "channels", "expected"),
    [("1", 1, 255), ("LA", 1, 200), ("P", 1, 200), ("RGBA", 3, 200), ("I;16", 1, 200)],
)
def test_other_modes(tmp_path, mode, channels, expected):
    if mode == "I;16":
        image = Image.fromarray(np.full((6, 5), 257 * expected, np.uint16))
    else:
        image = Image.fromarray(np.full((6, 5), expected, np.uint8)).convert(mode)
    for i in range(3):
        image.save(tmp_path / f"{i}.png")
    data = datasets.get(str(tmp_path), "train")
    assert data.image_shape == (6, 5, channels)
    assert (data.images == expected).all()


def test_a_palette_with_colours_is_colour(tmp_path):
    image = Image.fromarray(np.full((6, 5, 3), (200, 10, 30), np.uint8)).quantize(4)
    for i in range(3):
        image.save(tmp_path / f"{i}.gif")
    data = datasets.get(str(tmp_path), "train")
    assert np.abs(data.images.astype(int) - (200, 10, 30)).max() <= 4


def test_the_orientation_of_a_photograph_is_obeyed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    write(tmp_path, 3, suffix="jpg", exif=exif)
    assert datasets.get(str(tmp_path), "train").image_shape == (5, 6, 1)


def test_images_of_several_sizes_are_resized_if_asked(tmp_path):
    write(tmp_path, 3, size=(6, 5))
    write(tmp_path, 3, size=(9, 4), suffix="bmp")
    with pytest.raises(
        ValueError, match=r"one size. Give image_size.*png' of \(6, 5\)|bmp' of \(9, 4\)"
    ):
        datasets.get(str(tmp_path), "train")
    assert datasets.get(str(tmp_path), "train", image_size=(7, 8)).images.shape == (4, 7, 8, 1)


def test_large_folders_go_through_a_file_that_follows_changes(tmp_path, monkeypatch):
    write(tmp_path / "images", 10)
    folder, data_dir = str(tmp_path / "images"), str(tmp_path / "data")
    expected = datasets.get(folder, "train")
    monkeypatch.setattr(image_cache, "MEMORY_BYTES", 10)
    mapped = datasets.get(folder, "train", data_dir=data_dir)
    assert isinstance(mapped.images, np.memmap)
    np.testing.assert_array_equal(mapped.images, expected.images)
    assert len(os.listdir(tmp_path / "data" / "decoded")) == 1
    write(tmp_path / "images", 10, size=(6, 5))
    changed = datasets.get(folder, "train", data_dir=data_dir)
    assert not np.array_equal(changed.images, expected.images)


def test_an_unreadable_image_is_named(tmp_path):
    write(tmp_path, 5)
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"Images must be whole, readable files.*broken.png'"):
        datasets.get(str(tmp_path), "train")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif"])
def test_a_truncated_image_is_named(tmp_path, suffix):
    write(tmp_path, 3, size=(60, 50), suffix=suffix)
    victim = tmp_path / f"{suffix}001.{suffix}"
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    with pytest.raises(
        ValueError, match=rf"Images must be whole.*replace the file.*{victim.name}'"
    ):
        for split in SPLITS:
            datasets.get(str(tmp_path), split)


def test_folders_that_are_not_laid_out_as_they_should_be(tmp_path):
    def check(message: str) -> None:
        with pytest.raises(ValueError, match=message) as error:
            for split in SPLITS:
                datasets.get(str(tmp_path), split)
        assert str(tmp_path) in str(error.value)

    check("A folder of images must hold images .*png")
    (tmp_path / "empty").mkdir()
    check("Each subfolder must hold images.*empty'")
    write(tmp_path, 1)
    check("either images or a subfolder for each class.*1 images and subfolders .'empty'.")
    (tmp_path / "png000.png").unlink()
    (tmp_path / "empty").rmdir()
    write(tmp_path / "test", 2)
    check("must hold train and, optionally, validation, test and.*subfolders .'test'.")
    write(tmp_path / "train" / "a", 2)
    write(tmp_path / "cat", 2)
    check("and nothing else.*subfolders .'cat', 'test', 'train'.")


def test_one_image_only_is_refused(tmp_path):
    write(tmp_path, 1)
    with pytest.raises(ValueError, match="must hold enough images.*with 1 image"):
        datasets.get(str(tmp_path), "train")


def test_classes_that_train_does_not_have_are_refused(tmp_path):
    write(tmp_path / "train" / "a", 5)
    write(tmp_path / "test" / "b", 5)
    with pytest.raises(
        ValueError, match=r"among those of train.*\['b'\] in test and \['a'\] in train"
    ):
        datasets.get(str(tmp_path), "test")


def test_unreadable_files_are_named_and_skipped_on_request(tmp_path):
    for name in ("ant", "cat"):
        write(tmp_path / name, 20)
    (tmp_path / "ant" / "bad.png").write_bytes(b"no picture")
    whole = (tmp_path / "cat" / "png000.png").read_bytes()
    (tmp_path / "cat" / "cut.png").write_bytes(whole[:50])  # Its header is fine.
    (tmp_path / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(ValueError, match="--skip_unreadable leaves it out. See docs/your_data.md"):
        datasets.get(str(tmp_path), "train")
    with pytest.warns(UserWarning, match="3 files .* are skipped:") as caught:
        splits = [datasets.get(str(tmp_path), split, skip_unreadable=True) for split in SPLITS]
    (text,) = [str(one.message) for one in caught if "skipped" in str(one.message)]  # Once.
    assert all(name in text for name in ("bad.png", "cut.png", "gone.png"))
    assert sum(map(len, splits)) == 40 and splits[0].num_classes == 2


def test_a_folder_of_nothing_but_unreadable_files_is_refused(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="an image that can be read.*with 1 files in train"):
        datasets.get(str(tmp_path), "train", skip_unreadable=True)


def test_a_split_that_the_folder_keeps_apart_is_not_carved(tmp_path):
    for name in ("train", "test"):
        write(tmp_path / name, 20)
    carved = {split: datasets.get(str(tmp_path), split).carved for split in SPLITS}
    assert carved == {"train": False, "validation": True, "test": False}
