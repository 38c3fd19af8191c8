import io
import runpy
import sys

import numpy as np
import pytest
from PIL import Image

from tf_discrete import plots
from tf_discrete.plots import canvas


def _figure(value=0.5):
    return plots.image_grid(np.full([4, 8, 8], value), columns=2)


def test_to_image_is_rgb_of_the_figure_s_size():
    figure = canvas.new_figure(3.0, 2.0)
    image = plots.to_image(figure)
    assert image.dtype == np.uint8 and image.shape == (200, 300, 3)
    assert (image == 255).all()


def test_a_notebook_shows_a_figure():
    figure = _figure()
    with Image.open(io.BytesIO(figure._repr_png_())) as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), plots.to_image(figure))


def test_to_image_shows_the_content():
    dark, light = plots.to_image(_figure(0.0)), plots.to_image(_figure(1.0))
    assert dark.shape == light.shape
    assert dark.mean() < light.mean() - 50


def test_to_image_leaves_the_figure_as_it_was():
    figure = _figure()
    np.testing.assert_array_equal(plots.to_image(figure), plots.to_image(figure))


def test_save_writes_the_picture_and_makes_folders(tmp_path):
    figure = _figure(0.25)
    path = plots.save(figure, tmp_path / "a" / "b" / "grid.png", dpi=canvas.DPI)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), plots.to_image(figure))
    assert [p.name for p in path.parent.iterdir()] == ["grid.png"]


def test_save_doubles_the_resolution_by_default(tmp_path, monkeypatch):
    own = runpy.run_path(canvas.__file__)["SAVE_DPI"]  # That of the module is lower in the tests.
    monkeypatch.setattr(canvas, "SAVE_DPI", own)
    figure = _figure()
    with Image.open(plots.save(figure, str(tmp_path / "grid.png"))) as image:
        assert image.size == tuple(2 * side for side in plots.to_image(figure).shape[1::-1])


def test_save_replaces_an_older_picture(tmp_path):
    path = tmp_path / "grid.png"
    plots.save(_figure(0.0), path)
    before = path.read_bytes()
    plots.save(_figure(1.0), path)
    assert path.read_bytes() != before


@pytest.mark.parametrize("suffix", ["pdf", "svg"])
def test_save_writes_vector_formats(tmp_path, suffix):
    assert plots.save(_figure(), tmp_path / f"grid.{suffix}").stat().st_size > 1000


def test_failed_save_keeps_the_old_picture_and_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "grid.png"
    plots.save(_figure(), path)
    before = path.read_bytes()
    figure = _figure(1.0)

    def fail(target, **kwargs):
        target.write_bytes(b"half a pic")
        raise OSError("no space left on device")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(OSError, match="no space left"):
        plots.save(figure, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["grid.png"]


def test_save_expands_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert plots.save(_figure(), "~/grid.svg") == tmp_path / "grid.svg"
    assert [p.name for p in tmp_path.iterdir()] == ["grid.svg"]


def test_save_refuses_a_folder_with_content(tmp_path):
    (tmp_path / "grid.png").mkdir()
    (tmp_path / "grid.png" / "file").write_text("x")
    with pytest.raises(FileExistsError, match="a folder that holds file"):
        plots.save(_figure(), tmp_path / "grid.png")


@pytest.mark.parametrize("name", ["grid", "grid.txt"])
def test_save_refuses_unknown_formats(tmp_path, name):
    with pytest.raises(ValueError, match=rf"Give one of .*\.png.*Received: path='.*{name}'"):
        plots.save(_figure(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_plots_use_no_pyplot():
    for name, module in list(sys.modules.items()):
        if name.startswith("tf_discrete.plots"):
            names = [getattr(value, "__name__", "") for value in vars(module).values()]
            assert "matplotlib.pyplot" not in names
