"""Writes one offline HTML file with the decoder of a finished run inside."""

from __future__ import annotations

import json
import os
import pathlib
import shlex
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tf_discrete import explorer
from tf_discrete._internal import keras_files, writing
from tf_discrete._internal.counted import counted
from tf_discrete.codes.digest import model_digest
from tf_discrete.explorer import atlas, packed
from tf_discrete.models import AutoregressivePrior, DiscreteModel
from tf_discrete.models.autoencoder import DiscreteAutoencoder
from tf_discrete.types import JsonObject

from ..common import finished_run, identity, narration
from ..common.run_directory import RunDirectory
from ..flags.config import check
from ..flags.explore import Config
from .image_source import ImageSource

TOLERANCE = 1e-3
"""Difference of pixels from the model's above which a notice is printed."""
FEWEST = 100
"""Images that are left in a page whose weights need space."""
_MEGABYTE = 1_000_000
_FEWER = 0.95
"""Share of the images that stay where they are still too many."""
_PRIOR_REMEDY = "Remove its folder, and trainers.autoregressive_prior trains it again."


class Page(NamedTuple):
    """A page, and what it computes with.

    Attributes:
        text: Of the HTML file.
        payload: See `explorer.of_model`.
    """

    text: str
    payload: JsonObject

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return len(self.text.encode())

    @property
    def image_size(self) -> int:
        """The size of its images and their codes in bytes."""
        return len(json.dumps(self.payload["examples"]))

    @property
    def is_exact(self) -> bool:
        """Whether its pixels differ from the model's by at most `TOLERANCE`."""
        return bool(self.payload["largest_error"] <= TOLERANCE)


def run(config: Config) -> pathlib.Path:
    """Writes the page; returns its path.

    Raises:
        FileExistsError: `output` is a file that this program has not written.
        FileNotFoundError: no such run or prior, or no model in it.
        OSError: no permission, or no space.
        ValueError: a run that cannot be read, a model that a page cannot show, or a page that is too large.
    """
    check(config)
    finished = load(config)
    explorer.check_model(finished.model)
    narration.say("Model", narration.model_words(finished.model))
    with narration.phase(f"Images of the {config.split} split"):
        examples = load_examples(finished, config)
    prior = load_prior(finished, config)
    output = writing.expand(config.output or finished.directory.path / "explorer.html")
    with narration.phase("Page"):
        page = build(finished, examples, prior, config)
    if config.atlas:
        write_atlas(finished, config)
    with writing.new_path(
        output, True, ours=explorer.is_page, kind="page of trainers.explore"
    ) as new:
        new.write_text(page.text, encoding="utf-8")
    payload = page.payload
    shown = payload["examples"]["pixels"]["shape"][0]
    print(
        f"{output}: {page.size / _MEGABYTE:.2f} MB, {counted(shown, 'image')}, "
        f"weights as {payload['precision']}; pixels differ from the model's by at most "
        f"{payload['largest_error']:.1e}"
    )
    if not page.is_exact:
        remedy = "Fewer --num_images or a larger --size_limit leave space for more precise weights."
        if config.weights != "auto":
            remedy = "Leave --weights out, or choose more precise ones."
        narration.say(
            "Notice",
            f"The pixels of the page differ from the model's by more than {TOLERANCE:g}. {remedy}",
        )
    return output


def load(config: Config) -> finished_run.FinishedRun:
    """Reads the run, whose model may be one without discrete codes.

    Raises:
        FileNotFoundError: no such run, or no model in it.
        ValueError: no run named, one that cannot be read, or modules that are not named.
    """
    if not config.run:
        raise ValueError("run must name the folder of a run. Give --run. Received: run=''")
    directory = RunDirectory(config.run)
    task, of_run = finished_run.open_run(directory, config.import_module, config.trust_run)
    model = finished_run.load_model(directory, of_run.dtype_policy)
    model.trainable = False
    of_run = finished_run.with_data(of_run, config.dataset, config.data_dir)
    return finished_run.FinishedRun(
        directory, of_run, model, config.accept_changed_data, task.load_split
    )


def load_examples(finished: finished_run.FinishedRun, config: Config) -> explorer.Examples:
    """Returns the images of the page, as they are shown and as the model reads them."""
    source = ImageSource(finished, config.split)
    labels = source.labels
    indices = in_turn(labels, source.count, config.num_images)
    grey = np.stack([source.read(f"{config.split}/{index}") for index in indices])
    return explorer.Examples(
        pixels=np.round(255 * grey).astype(np.uint8),
        observations=source.as_seen(grey),
        labels=None if labels is None else labels[indices],
        class_names=source.class_names,
    )


def write_atlas(finished: finished_run.FinishedRun, config: Config) -> None:
    """Writes the Parquet file of all images of the split.

    Raises:
        ImportError: pyarrow is not installed.
        OSError: no permission, or no space.
        ValueError: a model without discrete codes.
    """
    if not isinstance(finished.model, DiscreteAutoencoder):
        raise ValueError(
            "An atlas shows codes. Leave out --atlas, or give a run of trainers.categorical_vae or "
            f"semantic_hashing. Received: atlas={config.atlas!r}, model={type(finished.model).__name__}"
        )
    source = ImageSource(finished, config.split)
    names = source.names()
    codes, _, _ = source.encode(names)
    num_categories = finished.model.latent_spec.digit_sizes[1]
    labels = None if source.labels is None else source.classes(names)
    with narration.phase("Pixels, positions and neighbours of the atlas"):
        pixels = np.round([255 * source.read(name) for name in names]).astype(np.uint8)
        found = atlas.columns(codes, num_categories, pixels, labels, config.atlas_neighbors)
        atlas.write(config.atlas, found)
    print(f"{config.atlas}: {counted(len(names), 'image')}, which this shows:")
    print(f"  {shlex.join(['embedding-atlas', os.path.abspath(config.atlas)])} {atlas.FLAGS}")


def in_turn(labels: np.ndarray | None, count: int, most: int) -> np.ndarray:
    """Returns the indices of up to `most` of `count` images, of each class about as many.

    Example:
        >>> in_turn(np.array([7, 7, 7, 7, 1, 7]), 6, 3).tolist()
        [0, 1, 4]
    """
    if labels is None:
        return np.arange(min(count, most))
    earlier = np.zeros(count, int)  # Images of the same class before this one.
    for label in np.unique(labels):
        same = labels == label
        earlier[same] = np.arange(same.sum())
    return np.sort(np.argsort(earlier, kind="stable")[:most])


def load_prior(finished: finished_run.FinishedRun, config: Config) -> AutoregressivePrior | None:
    """Returns the prior that was trained on the codes of the run, if there is one.

    Raises:
        DamagedFileError: its file is damaged.
        FileNotFoundError: `prior` names a folder without one.
        ValueError: a prior of the codes of another model.
    """
    folder = pathlib.Path(config.prior or finished.directory.path / "autoregressive_prior")
    path = folder / "prior.keras"
    if not path.exists():
        if not config.prior:
            return None
        raise FileNotFoundError(
            "prior must be the folder of a finished prior, with prior.keras. Give the --output_dir of "
            f"trainers.autoregressive_prior. Received: prior={config.prior!r}"
        )
    if identity.read(folder).get("model") != model_digest(finished.model):
        raise ValueError(
            "The prior must be of the codes of this model. Train it again with "
            f"trainers.autoregressive_prior. Received: prior={str(folder)!r}, run={config.run!r}"
        )
    prior = keras_files.load_keras(
        path, expected="a prior, a .keras file", remedy=_PRIOR_REMEDY, kind=AutoregressivePrior
    )
    return prior


def build(
    finished: finished_run.FinishedRun,
    examples: explorer.Examples,
    prior: AutoregressivePrior | None,
    config: Config,
) -> Page:
    """Returns the page, within `size_limit`.

    The weights are the most precise with which the page fits. If its pixels then differ from the model's by
    more than `TOLERANCE`, images are left out, as long as `FEWEST` remain, so that better ones fit.

    Raises:
        ValueError: the page is larger than `size_limit`, whatever its weights.
    """
    model: DiscreteModel = finished.model
    title = f"{type(model).__name__} of {pathlib.Path(finished.config.dataset).name}"
    limit = int(config.size_limit * _MEGABYTE)

    def make(images: explorer.Examples, precision: str) -> Page:
        payload = explorer.of_model(model, images, prior, precision, title)
        return Page(explorer.page(payload), payload)

    pages = []
    for precision in packed.PRECISIONS if config.weights == "auto" else (config.weights,):
        pages.append(make(examples, precision))
        if pages[-1].size <= limit:
            break
    last, exact = pages[-1], [page for page in pages if page.is_exact]
    if last.size <= limit and last.is_exact:
        return last
    if exact:
        smallest = min(exact, key=lambda page: page.size)
        smaller = with_fewer_images(make, smallest, examples, limit)
        if smaller:
            return smaller
    if last.size <= limit:
        return last
    raise ValueError(
        f"The page must be at most {config.size_limit:g} MB. Give fewer --num_images, --weights=int8, a "
        "larger --size_limit, or train a model with smaller --hidden_units. Received: a page of "
        f"{last.size / _MEGABYTE:.1f} MB with weights as {last.payload['precision']} and "
        f"{counted(len(examples.pixels), 'image')} of {last.image_size / _MEGABYTE:.1f} MB"
    )


def with_fewer_images(
    make: Callable[[explorer.Examples, str], Page],
    page: Page,
    examples: explorer.Examples,
    limit: int,
) -> Page | None:
    """Returns a page with the weights of one that is too large, and as many of its images as fit.

    Args:
        make: Makes a page of images and a precision of the weights.
        page: The page of all images, larger than `limit`.
        examples: All images.
        limit: Largest size in bytes.

    Returns:
        The page; None where fewer than `FEWEST` images fit.
    """
    count = len(examples.pixels)
    kept = int(count - count * (page.size - limit) / page.image_size)
    while kept >= min(FEWEST, count):
        smaller = make(fewer(examples, kept), page.payload["precision"])
        if smaller.size <= limit:
            return smaller
        kept = int(_FEWER * kept)
    return None


def fewer(examples: explorer.Examples, most: int) -> explorer.Examples:
    """Returns up to `most` of the images of a page, of all classes in turn."""
    indices = in_turn(examples.labels, len(examples.pixels), most)
    labels = None if examples.labels is None else examples.labels[indices]
    pixels, observations = examples.pixels[indices], examples.observations[indices]
    return examples._replace(pixels=pixels, observations=observations, labels=labels)
