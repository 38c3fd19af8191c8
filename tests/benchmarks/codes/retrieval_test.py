"""The benchmark of retrieval: every cell is scored and kept, and the table and the picture show them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from benchmarks import store
from benchmarks.codes import retrieval

SMALL = {
    "dataset": "digits",
    "max_examples": 300,
    "methods": ("semantic_hashing", "itq", "pca", "random"),
    "bits": (8,),
    "k": 10,
    "epochs": 1,
    "batch_size": 60,
    "hidden_units": (8,),
    "num_seeds": 2,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small measurement: its configuration and its result."""
    folder = tmp_path_factory.mktemp("retrieval")
    place = {"output_dir": str(folder / "cells"), "picture": str(folder / "picture.png")}
    config = retrieval.Config(**place, **SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "RESULTS", folder)
        result = retrieval.run(config)
        assert store.newest("retrieval") == {"name": "retrieval", **result}
    return config, result


def test_the_cells_of_the_whole_measurement():
    cells = retrieval.cells(retrieval.Config())
    assert len(set(cells)) == len(cells) == 3 * (4 * 3 + 1)
    assert {cell.seed for cell in cells if cell.method == "pca"} == {0}
    hashing, gumbel = (
        retrieval.settings(retrieval.Config(kl_weight=0.5), retrieval.Cell(method, 32, 2))
        for method in ("semantic_hashing", "gumbel_softmax")
    )
    assert (hashing.num_bits, hashing.seed, hashing.noise_stddev) == (32, 2, 1.0)
    assert (gumbel.num_variables, gumbel.num_categories, gumbel.kl_weight) == (32, 2, 0.5)
    assert gumbel.latents == "bernoulli" and gumbel.binarization == hashing.binarization == "none"


@pytest.mark.slow
def test_every_cell_is_scored(finished):
    config, result = finished
    assert len(result["cells"]) == 3 * 2 + 1
    scores = {}
    for cell in result["cells"]:
        assert cell["num_queries"] == 300 and cell["num_without_relevant"] == 0
        assert 1 < cell["distinct_codes"] <= cell["database"] == 300
        scores.setdefault(cell["method"], []).append(cell["mean_average_precision"])
    assert scores["itq"][0] != scores["itq"][1]
    # A chance ranking of ten classes has a mAP of about 0.1.
    assert min(scores["itq"]) > np.mean(scores["random"]) > 0.15
    rows = retrieval.table(result).splitlines()
    assert rows[0] == "| method | mAP, 8 bits | precision@10, 8 bits |"
    assert rows[2].startswith("| semantic hashing, 2 seeds | 0.") and " +- " in rows[2]
    assert rows[4].startswith("| signs of PCA, 1 seed | 0.") and " +- " not in rows[4]
    assert "python -m benchmarks.codes.retrieval --dataset=digits --max_examples=300" in rows[-1]
    with Image.open(config.picture) as image:
        assert np.asarray(image.convert("L")).std() > 5


@pytest.mark.slow
def test_cells_that_are_done_are_not_made_again(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    config, result = finished
    monkeypatch.setattr(retrieval, "measure", lambda *_: pytest.fail("measured again"))
    assert retrieval.run(config)["cells"] == result["cells"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ("lsh",)}, "methods must be of semantic_hashing.*methods='lsh'"),
        ({"methods": ()}, "methods must be of"),
        ({"bits": (0,)}, "num_bits must be at least 1"),
        ({"k": 1000}, "number of codes searched, 300. Received: k=1000"),
    ],
)
def test_what_cannot_work_is_refused_before_training(tmp_path, changes, message):
    config = retrieval.Config(output_dir=str(tmp_path / "cells"), **{**SMALL, **changes})
    with pytest.raises(ValueError, match=message):
        retrieval.run(config)
    assert not (tmp_path / "cells").exists()


def test_images_without_labels_are_refused(tmp_path):
    images = np.random.RandomState(0).randint(0, 255, [90, 4, 4]).astype(np.uint8)
    np.savez(tmp_path / "images.npz", image=images)
    config = {**SMALL, "dataset": str(tmp_path / "images.npz")}
    with pytest.raises(ValueError, match="scored by labels. Give data that has them"):
        retrieval.run(retrieval.Config(output_dir=str(tmp_path / "cells"), **config))
