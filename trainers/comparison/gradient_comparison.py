"""The gradients of many estimators at the same weights and on the same images."""

from __future__ import annotations

import gc
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tf_discrete import datasets, estimators, evaluation, seeds
from tf_discrete._internal import reading, writing
from tf_discrete._internal.writing import write_json
from tf_discrete.models import DiscreteModel

from ..common import compiling
from ..common.run_directory import read_json
from ..common.tables import markdown
from . import compared_runs
from .compared_runs import GRADIENTS

BuildModel = Callable[[str, int | None], DiscreteModel]


class Settings(NamedTuple):
    """How the gradients are drawn.

    Attributes:
        draws: of each gradient.
        evaluations: of the objective for one example and draw; as many samples as they allow.
        examples: images in the batch.
        adaptation_steps: that an estimator with something to learn gets at each checkpoint.
        batch_size: of these steps.
        seed: of the draws and of the batches.
    """

    draws: int
    evaluations: int
    examples: int
    adaptation_steps: int
    batch_size: int
    seed: int


class Checkpoint(NamedTuple):
    """Weights at which estimators are compared: `restore` puts them into `model`."""

    epoch: int
    step: int
    restore: Callable[[], Any]


class Comparison:
    """Measures estimators one after the other and keeps what is done in a folder.

    Args:
        folder: of gradients.json and reference.npz; what they hold is not measured again.
        build: (name, number of samples) -> a new model under that estimator, of the weights' networks.
        source: the model that the checkpoints restore.
        checkpoints: in order of their steps.
        training: split that learned baselines are adapted on.
        validation: split whose first images make the batch.
        settings: how the gradients are drawn.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        build: BuildModel,
        source: DiscreteModel,
        checkpoints: Sequence[Checkpoint],
        training: datasets.Split,
        validation: datasets.Split,
        settings: Settings,
    ):
        self.build, self.source, self.checkpoints = build, source, checkpoints
        self.training, self.settings = training, settings
        size = min(settings.examples, len(validation))
        self.images = next(iter(validation.batches(size)))["image"]
        self.path, self.reference_path = folder / GRADIENTS, folder / "reference.npz"
        identity = {
            "settings": settings._asdict(),
            "epochs": [checkpoint.epoch for checkpoint in checkpoints],
        }
        stored = read_json(self.path) if self.path.exists() else {}
        self.stored: dict[str, Any] = {**identity, "estimators": {}}
        if {key: stored.get(key) for key in identity} == identity:
            compared_runs.measured(self.path, compared_runs.check_gradients)
            self.stored = {"estimators": {}, **stored}
        else:
            self.reference_path.unlink(missing_ok=True)

    def run(self, names: Sequence[str]) -> dict[str, Any]:
        """Measures the estimators that are not measured yet; returns what gradients.json holds."""
        missing = [name for name in names if name not in self.stored["estimators"]]
        if not missing:
            return self.stored
        references = self._references(names)
        for number, name in enumerate(missing, 1):
            print(f"gradients {number}/{len(missing)}: {name}", flush=True)
            self.stored["estimators"][name] = self._measure(name, references)
            write_json(self.path, self.stored)
        return self.stored

    def _measure(
        self, name: str, references: Mapping[int, evaluation.Reference | None]
    ) -> dict[str, Any]:
        model, probe, samples = self._probe(name)
        rows = []
        for checkpoint in self._at_each(model):
            if probe.learns:
                batches = self.training.batches(
                    self.settings.batch_size,
                    seed=self.settings.seed,
                    start_epoch=checkpoint.epoch,
                    shuffle=True,
                    repeat=True,
                    drop_remainder=True,
                )
                probe.adapt(batches.take(self.settings.adaptation_steps))
            reference = references[checkpoint.epoch]
            if reference and not draws_from_posterior(
                model, self.images
            ):  # Its objective is another one.
                reference = evaluation.exact_reference(model, self.images)
            statistics = probe.measure(
                self.images,
                self.settings.draws,
                seeds.fold(seeds.base(self.settings.seed), "measure", checkpoint.epoch),
                reference,
            )
            rows.append(
                {
                    "epoch": checkpoint.epoch,
                    "step": checkpoint.step,
                    "reference": _kind(reference),
                    "groups": {group: value._asdict() for group, value in statistics.items()},
                }
            )
        return {
            "num_samples": samples,
            "evaluations": evaluation.count_evaluations(model, samples),
            "adapted": probe.learns,
            "rows": rows,
        }

    def _references(self, names: Sequence[str]) -> Mapping[int, evaluation.Reference | None]:
        if self.source.objective_name != "elbo":  # No estimator of a relaxed objective is unbiased.
            return dict.fromkeys(checkpoint.epoch for checkpoint in self.checkpoints)
        if self.reference_path.exists():
            expected, remedy = (
                "the reference gradients of a comparison",
                "Remove it and gradients.json.",
            )
            reading.check_regular(self.reference_path, expected, remedy)
            with (
                reading.reading(self.reference_path, expected, remedy),
                np.load(self.reference_path) as file,
            ):
                return {
                    c.epoch: evaluation.Reference(
                        file[f"gradient-{c.epoch}"],
                        file[f"variance-{c.epoch}"],
                        bool(file[f"exact-{c.epoch}"]),
                    )
                    for c in self.checkpoints
                }
        references = self._exact() or self._pooled(names)
        arrays: dict[str, Any] = {}
        for epoch, reference in references.items():
            arrays |= {f"{key}-{epoch}": value for key, value in reference._asdict().items()}
        with writing.replaced_file(self.reference_path) as new:
            np.savez(new, **arrays)
        return references

    def _exact(self) -> dict[int, evaluation.Reference]:
        found = {}
        for checkpoint in self.checkpoints:
            checkpoint.restore()
            model = self.build("score_function", None)
            self._copy(checkpoint, model)
            reference = evaluation.exact_reference(model, self.images)
            if reference is None:
                return {}
            found[checkpoint.epoch] = reference
        return found

    def _pooled(self, names: Sequence[str]) -> dict[int, evaluation.Reference]:
        """The average of all unbiased estimators that have nothing to learn."""
        moments: dict[int, list[Any]] = {c.epoch: [] for c in self.checkpoints}
        for name in sorted({*names, "score_function"}):
            if estimators.get_class(name).spec.exactness(self.source.latents) != "any":
                continue
            model, probe, _ = self._probe(name)
            if probe.learns:  # Or divides by a running number.
                continue
            print(f"gradients, reference: {name}", flush=True)
            for checkpoint in self._at_each(model):
                seed = seeds.fold(
                    seeds.base(self.settings.seed), "reference", name, checkpoint.epoch
                )
                drawn = probe.moments(self.images, 2 * self.settings.draws, seed)
                moments[checkpoint.epoch].append(drawn)
        return {epoch: evaluation.pooled_reference(drawn) for epoch, drawn in moments.items()}

    def _probe(self, name: str) -> tuple[DiscreteModel, evaluation.GradientProbe, int]:
        gc.collect()
        fewest = self.build(name, None)
        samples = evaluation.most_samples(fewest, self.settings.evaluations)
        model = self.build(name, samples)
        return model, evaluation.GradientProbe(model), samples

    def _at_each(self, model: DiscreteModel) -> Iterator[Checkpoint]:
        """Goes through the checkpoints, with their weights in the model."""
        for checkpoint in self.checkpoints:
            checkpoint.restore()
            self._copy(checkpoint, model)
            yield checkpoint

    def _copy(self, checkpoint: Checkpoint, model: DiscreteModel) -> None:
        evaluation.copy_network(self.source, model)
        for value in model.scheduled.values():
            value.update(checkpoint.step)


def resolve(asked: Sequence[str]) -> list[str]:
    """Names of estimators, each once, with "all" for those that are registered.

    Raises:
        ValueError: a name that is not.
    """
    names = [n for name in asked for n in (estimators.names() if name == "all" else [name])]
    for name in names:
        estimators.get_class(name)
    return list(dict.fromkeys(names))


def sort_out(
    names: Sequence[str], build: Callable[[str], DiscreteModel], image_shape: tuple[int, ...]
) -> tuple[list[str], dict[str, str]]:
    """The estimators that go with a model, and why the others do not."""
    applicable, reasons = [], {}
    for name in names:
        try:
            compiling.check_objective(build(name), image_shape)
            applicable.append(name)
        except ValueError as error:
            reasons[name] = " ".join(str(error).split())
    return applicable, reasons


def draws_from_posterior(model: DiscreteModel, x: Any) -> bool:
    """Whether a model's estimator draws codes from softmax(logits) (sigmoid for Bernoulli latents)."""
    plain = model.latent_spec.distribution(model.logits(x))
    return bool(np.allclose(model.posterior(x).probs, plain.probs, rtol=1e-4, atol=1e-5))


def tables(rows: Mapping[str, Mapping[str, Any]], parts: bool = False) -> str:
    """Markdown: one table for each group of layers, an estimator a line, by falling cosine.

    Args:
        rows: of each estimator at one checkpoint, with "groups", "reference" and "evaluations".
        parts: leave single layers out.
    """
    groups = [g for g in next(iter(rows.values()))["groups"] if not (parts and "/" in g)]
    header = (
        *("estimator", "evaluations", "variance", "signal to noise", "cosine"),
        *("cosine of the mean", "bias (noise)"),
    )
    texts = []
    for group in groups:
        cells = []
        order = sorted(rows, key=lambda name: -(rows[name]["groups"][group]["cosine"] or -2.0))
        for name in order:
            row, s = rows[name], rows[name]["groups"][group]
            bias = "" if s["relative_bias"] is None else f"{s['relative_bias']:.3f}"
            noise = "" if s["bias_noise"] is None else f" ({s['bias_noise']:.3f})"
            ratios = (s["signal_to_noise"], s["cosine"], s["mean_cosine"])
            cells.append(
                (
                    *(f"`{name}`", str(row["evaluations"]), f"{s['variance']:.3g}"),
                    *(_short(ratio) for ratio in ratios),
                    f"{bias}{noise}",
                )
            )
        texts.append(f"### {group}\n\n{markdown(header, cells)}")
    return "\n".join(texts)


def _kind(reference: evaluation.Reference | None) -> str:
    if reference is None:
        return "none"
    return "exact" if reference.exact else "pooled"


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
