"""The smallest use of public functions, for the fuzz of their arguments that are no tensors."""

from __future__ import annotations

import functools
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

import tf_discrete as tfd
from tests.fuzz.hostile import Subject, finite
from tests.fuzz.small_models import prior, vae
from tf_discrete import seeds

CODES = np.array([[0, 1, 1], [1, 1, 0], [0, 0, 0]])
PACKED = np.array([[0], [3], [255]], np.uint8)


def subjects() -> list[Subject]:
    """All of them."""
    return [*_functional(), *_codes(), *_datasets(), *_evaluation(), *_methods()]


def _anything(made: Any) -> None:
    """Of functions whose results the shared checks cannot judge: that they return is enough."""


def _finite(made: Any) -> None:
    finite(*tf.nest.flatten(made))


def function(
    make: Callable[..., Any],
    names: tuple[str, ...],
    use: Callable[[Any], None] = _anything,
    name: str = "",
    **given: Any,
) -> Subject:
    return Subject(name or make.__name__, make, lambda: dict(given), names, use)


def _functional() -> list[Subject]:
    logits = tf.zeros([2, 3])
    names = ("noise_stddev", "discrete_fraction", "training", "flip_probability", "seed")
    return [
        function(
            tfd.gumbel_softmax,
            ("logits", "temperature", "hard", "seed"),
            _finite,
            logits=logits,
            seed=0,
        )._replace(tensors=("logits",)),
        function(
            tfd.straight_through, ("logits", "temperature", "seed"), _finite, logits=logits, seed=0
        )._replace(tensors=("logits",)),
        function(tfd.semantic_hash, names, _finite, logits=logits, seed=0),
        function(tfd.distributions.unimix, ("logits", "fraction"), _finite, logits=logits)._replace(
            tensors=("logits",)
        ),
        function(
            tfd.objectives.balanced_kl,
            (
                "posterior_logits",
                "dynamics_scale",
                "representation_scale",
                "free_nats",
                "latents",
            ),
            _finite,
            posterior_logits=logits,
            prior_logits=logits,
        )._replace(tensors=("posterior_logits",)),
        function(seeds.base, ("seed",), seed=0),
        function(seeds.convert, ("seed",), seed=0),
        function(tfd.schedules.get, ("schedule",), name="schedules.get", schedule=1.0),
    ]


def _codes() -> list[Subject]:
    codes = tfd.codes
    both = {"queries": PACKED, "database": PACKED}
    return [
        function(codes.bits_per_variable, ("num_categories",), num_categories=3),
        function(codes.bytes_per_code, ("num_variables", "num_categories"), num_variables=3),
        function(codes.pack, ("codes", "num_categories"), codes=CODES),
        function(codes.pack_one_hot, ("codes", "num_categories"), codes=CODES, num_categories=3),
        function(codes.pack_to_compare, ("codes", "num_categories"), codes=CODES),
        function(
            codes.unpack,
            ("packed", "num_variables", "num_categories"),
            packed=np.array([[0]], np.uint8),
            num_variables=3,
        ),
        function(codes.collisions, ("codes", "num_categories", "max_groups"), codes=CODES),
        function(
            codes.near_duplicates,
            ("codes", "radius", "num_categories", "max_pairs"),
            codes=CODES,
            radius=1,
        ),
        function(
            codes.semantic_ids,
            ("embeddings", "batch_size"),
            quantizer=tfd.layers.quantizers.FiniteScalarQuantizer((2, 2)),
            embeddings=np.array([[0.0, 1.0], [-1.0, 1.0]], np.float32),
        ),
        function(codes.hamming_distances, tuple(both), **both),
        function(codes.hamming_top_k, ("queries", "database", "k", "block"), **both, k=1),
        function(
            codes.hamming_radius, ("queries", "database", "radius", "block"), **both, radius=1
        ),
        function(codes.model_digest, ("model",), model=vae()),
        function(
            _in_folder(codes.compress),
            ("codes", "prior", "batch_size", "overwrite"),
            name="compress",
            codes=CODES,
            prior=prior(),
        ),
        function(_search().search, ("codes", "k"), codes=CODES, k=1),
        function(_search().search_radius, ("codes", "radius"), codes=CODES, radius=1),
        function(_in_folder(_search().save), ("overwrite",), name="CodeIndex.save"),
        function(
            _in_folder(codes.ExactIndex.build),
            ("num_variables", "num_categories", "ids", "metadata", "overwrite", "memory_codes"),
            name="ExactIndex.build",
            packed=PACKED,
            num_variables=8,
        ),
    ]


def _datasets() -> list[Subject]:
    split = tfd.datasets.get("digits", "test", max_examples=4)
    names = ("split", "binarization", "validation_fraction", "seed", "image_size", "max_examples")

    def read(made: Any) -> None:
        finite(*next(iter(made)).values())

    return [
        function(
            tfd.datasets.get,
            ("data_dir", *names),
            lambda made: read(made.batches(2)),
            name="datasets.get",
        )._replace(given=lambda: {"name": "digits", "split": "test"}),
        function(
            split.batches,
            ("batch_size", "seed", "start_epoch", "shuffle", "repeat", "drop_remainder"),
            read,
            batch_size=2,
        ),
        function(split.steps_per_epoch, ("batch_size", "drop_remainder"), batch_size=2),
    ]


def _evaluation() -> list[Subject]:
    evaluation = tfd.evaluation
    probs, labels = np.full([4, 2], 0.5), np.array([0, 1, 0, 1])
    ranked = {"distances": [[0.0, 1.0]], "relevant": [[True, False]]}
    images = np.concatenate([np.zeros([2, 4, 4, 1]), np.ones([2, 4, 4, 1])]).astype(np.float32)
    train = {"images": images, "labels": labels, "num_classes": 2, "num_steps": 1, "network": "mlp"}
    names = ("num_steps", "batch_size", "learning_rate", "network")
    return [
        function(
            evaluation.expected_calibration_error,
            ("num_bins",),
            _finite,
            probs=probs,
            labels=labels,
        ),
        function(evaluation.precision_at_k, ("k", "ties"), _finite, **ranked, k=1),
        function(evaluation.recall_at_k, ("k", "ties"), _finite, **ranked, k=1),
        function(evaluation.average_precision, ("k", "ties"), _finite, **ranked),
        function(evaluation.inception_score, ("splits",), probs=probs, splits=2),
        function(evaluation.slides_inception_score, ("sample_size",), probs=probs, sample_size=2),
        function(
            evaluation.evaluate_bound,
            ("model", "num_samples", "seed", "rows"),
            model=vae(),
            batches=[tf.ones([2, 2, 2, 1])],
            num_samples=2,
        ),
        function(evaluation.train_classifier, names, **train),
    ]


def _methods() -> list[Subject]:
    return [
        function(
            prior().sample,
            ("num_samples", "seed", "temperature", "top_p"),
            _finite,
            "AutoregressivePrior.sample",
            num_samples=2,
        ),
    ]


@functools.cache
def _search() -> Any:
    return tfd.codes.CodeIndex(CODES)


def _in_folder(write: Callable[..., Any]) -> Callable[..., Any]:
    """A writer with a new path."""

    def written(**arguments: Any) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            return write(path=pathlib.Path(folder) / "x", **arguments)

    return written
