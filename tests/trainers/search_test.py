"""Search from a finished run: indexes of data and folders, queries, FAISS, and what is refused."""

import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tf_discrete import codes, evaluation
from trainers.common import finished_run
from trainers.saved_runs import image_index, search


@pytest.fixture(scope="module")
def run(finished):
    return finished_run.load(str(finished))


@pytest.fixture(scope="module")
def index(finished, tmp_path_factory):
    """The folder of an index of the training images, and of what its search has written."""
    folder = tmp_path_factory.mktemp("search")
    result = search.run(config(finished, folder, k=5, near_duplicates=1))
    return folder, result


def config(finished, folder, **changes):
    paths = {"index": str(folder / "index"), "output": str(folder / "out")}
    return search.Config(**{"run": str(finished), **paths, **changes})


def binary(split, count=None):
    """Intensities as the search shows them to the model."""
    return (split.images[:count] / 255.0 > 0.5).astype(np.float32)


def test_neighbours_of_test_images_are_the_nearest_training_images(run, index):
    folder, result = index
    train = run.model.encode(binary(run.split("train"))).numpy()
    test = run.model.encode(binary(run.split("test"), 10)).numpy()
    assert result["items"] == len(train) and result["queries"] == 10
    differing = (test[:, np.newaxis] != train).sum(-1)
    for query, row in enumerate(result["neighbors"]):
        order = np.argsort(differing[query], kind="stable")[:5]
        assert row["query"] == f"test/{query}"
        assert row["found"] == [f"train/{i}" for i in order]
        assert row["distances"] == differing[query, order].tolist()
    assert json.loads((folder / "out/search.json").read_text()) == result
    assert (folder / "out/search.png").stat().st_size > 1000


def test_it_reports_collisions_duplicates_and_labels(run, index):
    result = index[1]
    stored = codes.CodeIndex.load(index[0] / "index")
    assert result["distinct_codes"] == codes.collisions(stored.codes, 3).num_distinct
    pairs = codes.near_duplicates(stored.codes, 1, 3)
    assert result["near_duplicate_pairs"] == pairs.num_pairs > 0
    train, test = run.split("train"), run.split("test")
    asked = run.model.encode(binary(test, 10)).numpy()
    distances = (asked[:, np.newaxis] != stored.codes).sum(-1)
    relevant = test.labels[:10, np.newaxis] == train.labels
    expected = evaluation.precision_at_k(distances, relevant, 5, "expected").mean()
    np.testing.assert_allclose(result["retrieval/precision_at_k"], expected)


def test_faiss_is_measured_against_the_exact_search(finished, index):
    pytest.importorskip("faiss", reason="FAISS is an extra")
    folder, exact = index
    for _ in range(2):  # The second time it is read.
        result = search.run(config(finished, folder, k=5, method="faiss_flat"))
        assert result["recall_against_exact"] == 1.0
        assert len(list((folder / "index").glob("flat-????????????.faiss"))) == 1
    for found, expected in zip(result["neighbors"], exact["neighbors"], strict=True):
        assert found["distances"] == expected["distances"]


def test_a_file_of_faiss_with_another_number_of_codes_is_refused(tmp_path):
    pytest.importorskip("faiss", reason="FAISS is an extra")
    index = codes.CodeIndex(np.zeros([5, 6], int))
    path = tmp_path / f"flat-{index.digest[:12]}.faiss"
    codes.FaissIndex(np.zeros([4, 6], int)).save(path)
    with pytest.raises(ValueError, match=f"{path.name}' with 4 codes instead of 5"):
        image_index.faiss_index(index, tmp_path, "flat")


def test_a_file_of_faiss_with_as_many_other_codes_is_not_taken(tmp_path):
    pytest.importorskip("faiss", reason="FAISS is an extra")
    for value in (0, 1):
        index = codes.CodeIndex(np.full([5, 6], value))
        found = image_index.faiss_index(index, tmp_path, "flat").search([[1] * 6], 1)
        assert found.distances == 6 * (1 - value)


def test_a_labelled_folder_is_scored_by_its_classes(run, finished, tmp_path):
    train = run.split("train")
    for number in range(40):
        folder = tmp_path / "images" / str(train.labels[number])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(train.images[number, :, :, 0]).save(folder / f"{number}.png")
    flags = {"images": str(tmp_path / "images"), "k": 5}
    result = search.run(config(finished, tmp_path, **flags))
    assert result["labelled_queries"] == 10
    stored = codes.CodeIndex.load(tmp_path / "index")
    labels = np.array([int(path.split("/")[-2]) for path in stored.ids])
    test = run.split("test")
    asked = run.model.encode(binary(test, 10)).numpy()
    distances = (asked[:, np.newaxis] != stored.codes).sum(-1)
    relevant = test.labels[:10, np.newaxis] == labels
    expected = evaluation.precision_at_k(distances, relevant, 5, "expected").mean()
    np.testing.assert_allclose(result["retrieval/precision_at_k"], expected)
    assert 0 < result["retrieval/precision_at_k_standard_error"] < 0.5
    # A query file has the class of its folder, unless it is in the index itself.
    other = tmp_path / "others" / str(test.labels[0])
    other.mkdir(parents=True)
    Image.fromarray(test.images[0, :, :, 0]).save(other / "a.png")
    result = search.run(config(finished, tmp_path, query=(str(other / "a.png"),), **flags))
    expected = evaluation.precision_at_k(distances[:1], relevant[:1], 5, "expected").mean()
    np.testing.assert_allclose(result["retrieval/precision_at_k"], expected)
    assert not any("standard_error" in name for name in result)  # There is one query.
    result = search.run(config(finished, tmp_path, query=(stored.ids[0],), **flags))
    assert "labelled_queries" not in result


@pytest.fixture
def images(run, tmp_path):
    """A folder of some test images, one of them twice, and three files that cannot be read."""
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    pixels = run.split("test").images[:6, :, :, 0]
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(folder / "more" / f"{number}.png")
    Image.fromarray(pixels[2]).save(folder / "again.png")
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    huge = bytearray((folder / "again.png").read_bytes())
    huge[16:24] = struct.pack(">II", 20_000, 20_000)
    huge[29:33] = struct.pack(">I", zlib.crc32(huge[12:29]))
    (folder / "huge.png").write_bytes(huge)
    return folder


def test_a_folder_is_indexed_and_what_is_unreadable_is_named_and_counted(
    finished, images, tmp_path, capsys
):
    query = str(images / "more/2.png")
    flags = {"images": str(images), "query": (query,), "k": 2}
    result = search.run(config(finished, tmp_path, **flags))
    captured = capsys.readouterr()
    unreadable = [str(images / name) for name in ("broken.png", "gone.png", "huge.png")]
    assert captured.err.count("Skipped: Images must be whole") == 3
    assert all(name in captured.err for name in (*unreadable, "400000000 pixels"))
    assert "7 images encoded, 3 skipped" in captured.out
    assert (result["items"], result["skipped"]) == (7, 3)
    row = result["neighbors"][0]
    assert row["distances"] == [0, 0]
    stored = codes.CodeIndex.load(tmp_path / "index")
    assert stored.metadata["skipped"] == unreadable
    assert str(images / "again.png") in stored.ids
    # It is read again where the same images are named, refused without, and built anew on request.
    assert search.run(config(finished, tmp_path, **flags)) == result
    with pytest.raises(ValueError, match="of the images that are asked for.*--images="):
        search.run(config(finished, tmp_path, query=(query,), k=2))
    (images / "broken.png").unlink()
    assert search.run(config(finished, tmp_path, rebuild=True, **flags))["skipped"] == 2


def test_an_index_of_other_images_or_another_model_is_refused(finished, index, copied, tmp_path):
    with pytest.raises(ValueError, match="of the images that are asked for.*'test'.*'train'"):
        search.run(config(finished, index[0], split="test"))
    folder = copied()
    model = finished_run.load(str(folder)).model
    model.encoder.weights[0].assign(model.encoder.weights[0] + 1.0)
    model.save(folder / "model.keras")
    with pytest.raises(ValueError, match="this very model"):
        search.run(config(folder, index[0]))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"run": ""}, ValueError, "Give --run"),
        ({"k": 0}, ValueError, "k must be at least 1"),
        ({"k": 10**6}, ValueError, "at most the number of codes searched.*k=1000000"),
        ({"query": ("none.png",)}, ValueError, "whole, readable files.*none.png"),
        ({"images": "none", "index": "new"}, FileNotFoundError, "images must be a folder.*/none'"),
        ({"method": "faiss"}, ValueError, "method must be one of exact, faiss_flat"),
    ],
)
def test_bad_flags_are_refused(finished, index, monkeypatch, tmp_path, changes, error, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        search.run(config(finished, index[0], **changes))


def test_a_folder_without_an_image_is_refused(finished, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/x.png").write_bytes(b"")
    with pytest.raises(ValueError, match="one image that can be read.*1 images, 1 skipped"):
        search.run(config(finished, tmp_path, images=str(tmp_path / "images")))


def test_an_index_that_is_not_finished_leaves_no_folder(tmp_path):
    with pytest.raises(ValueError, match="no images"), image_index.building(tmp_path / "index"):
        assert [path.name for path in tmp_path.iterdir()] == [".index.building"]
        raise ValueError("no images")
    assert not list(tmp_path.iterdir())
