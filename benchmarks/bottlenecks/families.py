"""The families of discrete bottlenecks: models with the same networks around another code of as many bits."""

from __future__ import annotations

import functools
import itertools
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks import help_flag

if not help_flag.GIVEN:
    from tf_discrete import models, schedules
    from tf_discrete.layers import quantizers
    from tf_discrete.layers.quantizers.codebook import Codebook, LinearCodebook
    from tf_discrete.models.autoencoder import DiscreteAutoencoder


Settings = Mapping[str, float]

RATES = tuple(float(rate) for rate in np.geomspace(3e-4, 3e-3, 7))
TEMPERATURES = (0.3, 0.5, 0.7, 1.0)
WEIGHTS = (0.1, 0.3, 1.0, 3.0, 10.0)
_WIDTH = 8
"""Bits of a code of 256 categories."""


class Place(NamedTuple):
    """Where a bottleneck goes: the data, the size of the code, the hidden layers, the length, the seed."""

    data_shape: tuple[int, ...]
    bits: int
    hidden_units: tuple[int, ...]
    steps: int
    seed: int


class Family(NamedTuple):
    """A family.

    Attributes:
        title: Its name in tables.
        unit: The bits of a code are a multiple of it.
        make: (place, settings) -> model.
        space: The values that are tried of each setting, its default first.
    """

    title: str
    unit: int
    make: Callable[[Place, Settings], DiscreteAutoencoder]
    space: Mapping[str, Sequence[float]]


def _common(place: Place) -> dict[str, Any]:
    return {
        "data_shape": place.data_shape,
        "hidden_units": place.hidden_units,
        "likelihood": "bernoulli",
        "seed": place.seed,
    }


def _categorical(
    categories: int,
    estimator: str,
    kl_weight: float,
    latents: str,
    place: Place,
    settings: Settings,
) -> DiscreteAutoencoder:
    final = settings["temperature"]
    temperature: Any = final
    if estimator == "gumbel_softmax" and final < 1:
        temperature = schedules.Linear(1.0, final, steps=max(1, place.steps // 2))
    return models.CategoricalVAE(
        num_variables=place.bits // round(math.log2(categories)),
        num_categories=categories,
        latents=latents,
        estimator=estimator,
        temperature=temperature,
        kl_weight=kl_weight,
        **_common(place),
    )


def _hashing(place: Place, settings: Settings) -> DiscreteAutoencoder:
    return models.SemanticHashingAutoencoder(
        num_bits=place.bits, noise_stddev=settings["noise_stddev"], **_common(place)
    )


def _quantized(
    shape: tuple[int, int], quantizer: quantizers.Quantizer, place: Place
) -> DiscreteAutoencoder:
    return models.QuantizedAutoencoder(quantizer=quantizer, latent_shape=shape, **_common(place))


def _grouped(gradient: str, place: Place, settings: Settings) -> DiscreteAutoencoder:
    """Gives each position a codebook of its own."""
    groups, weight = place.bits // _WIDTH, settings.get("loss_weight", 1.0)
    codebook = "gradient" if gradient == "diveq" else "moving_average"
    part = quantizers.VectorQuantizer(2**_WIDTH, codebook, gradient, seed=place.seed)
    quantizer = quantizers.GroupedQuantizer(part, groups, loss_weight=weight)
    return _quantized((1, 16 * groups), quantizer, place)


def _residual(place: Place, settings: Settings) -> DiscreteAutoencoder:
    part = quantizers.VectorQuantizer(2**_WIDTH, seed=place.seed)
    weight = settings["loss_weight"]
    quantizer = quantizers.ResidualQuantizer(part, place.bits // _WIDTH, loss_weight=weight)
    return _quantized((1, 32), quantizer, place)


def _finite_scalar(place: Place, settings: Settings) -> DiscreteAutoencoder:
    part = quantizers.FiniteScalarQuantizer((4,))
    return _each_position(part, 1, place.bits // 2, place, settings)


def _lookup_free(width: int, spherical: bool, place: Place, settings: Settings) -> Any:
    part = quantizers.LookupFreeQuantizer(width, bits_per_code=1, spherical=spherical)
    return _each_position(part, width, place.bits // width, place, settings)


def _each_position(
    part: quantizers.Quantizer, width: int, count: int, place: Place, settings: Settings
) -> DiscreteAutoencoder:
    """Gives each position a quantiser of its own, whose losses are of that position alone."""
    quantizer = quantizers.GroupedQuantizer(part, count, loss_weight=settings["loss_weight"])
    return _quantized((1, width * count), quantizer, place)


def _gumbel(categories: int, kl_weight: float) -> Family:
    latents = "bernoulli" if categories == 2 else "categorical"
    make = functools.partial(_categorical, categories, "gumbel_softmax", kl_weight, latents)
    title = f"Gumbel-Softmax, K = {categories}, KL x {kl_weight:g}"
    space = {"learning_rate": (1e-3, *RATES), "temperature": (0.5, *TEMPERATURES)}
    return Family(title, round(math.log2(categories)), make, space)


def _estimated(title: str, estimator: str, latents: str, categories: int) -> Family:
    make = functools.partial(_categorical, categories, estimator, 0.0, latents)
    space = {"learning_rate": (1e-3, *RATES), "temperature": (1.0, 0.5, 0.7, 1.0, 1.3, 1.5)}
    return Family(title, round(math.log2(categories)), make, space)


_TRAINED = {"learning_rate": (1e-3, *RATES), "loss_weight": (1.0, *WEIGHTS)}

FAMILIES: dict[str, Family] = {
    **{
        f"gumbel_softmax_{categories}_kl_{kl_weight:g}": _gumbel(categories, kl_weight)
        for categories in (2, 4, 16, 256)
        for kl_weight in (1.0, 0.1, 0.0)
    },
    "straight_through_gumbel_softmax": _estimated(
        "straight-through Gumbel-Softmax, K = 16",
        "straight_through_gumbel_softmax",
        "categorical",
        16,
    ),
    "reinmax": _estimated("ReinMax, K = 16", "reinmax", "categorical", 16),
    "tree": _estimated("tree of 4 x 4 x 4 x 4, ReinMax", "reinmax", "tree:4,4,4,4", 256),
    "semantic_hashing": Family(
        "semantic hashing",
        1,
        _hashing,
        {"learning_rate": (1e-3, *RATES), "noise_stddev": (1.0, 0.3, 0.5, 1.0, 1.5, 2.0)},
    ),
    "vq_grouped": Family(
        "VQ, grouped, K = 256", 8, functools.partial(_grouped, "straight_through"), _TRAINED
    ),
    "vq_rotation": Family(
        "VQ, grouped, rotation", 8, functools.partial(_grouped, "rotation"), _TRAINED
    ),
    "vq_diveq": Family(  # Its rule trains the codebook, without a loss of its own.
        "VQ, grouped, DiVeQ",
        8,
        functools.partial(_grouped, "diveq"),
        {"learning_rate": (1e-3, *(float(rate) for rate in np.geomspace(3e-4, 3e-3, 20)))},
    ),
    "vq_residual": Family("VQ, residual, K = 256", 8, _residual, _TRAINED),
    "fsq": Family("FSQ, K = 4", 2, _finite_scalar, _TRAINED),
    "lfq": Family("LFQ, 8 bits", 8, functools.partial(_lookup_free, 8, False), _TRAINED),
    "bsq": Family("BSQ, 16 bits", 16, functools.partial(_lookup_free, 16, True), _TRAINED),
}


def settings_of(name: str, trial: int) -> dict[str, float]:
    """Returns the settings of a trial: the defaults of the family, then random ones, no two of them alike."""
    space = FAMILIES[name].space
    if trial == 0:
        return {key: values[0] for key, values in space.items()}
    known = list(itertools.product(*(values[1:] for values in space.values())))
    order = np.random.default_rng(zlib.crc32(name.encode())).permutation(len(known))
    return dict(zip(space, known[order[(trial - 1) % len(known)]], strict=True))


def build(name: str, place: Place, parameters: int, settings: Settings) -> DiscreteAutoencoder:
    """Builds the model of a family whose hidden layers, 2 h and h wide, give it as many parameters.

    Args:
        name: Of the family.
        place: Its hidden layers are replaced.
        parameters: Of encoder, decoder and codebooks.
        settings: Of the family.

    Raises:
        ValueError: The code alone takes more than 2 % too many.
    """
    make = FAMILIES[name].make
    small = make(place._replace(hidden_units=(2, 1)), settings)
    data, out = math.prod(place.data_shape), small.encoder.output_shape[1:]
    code = (math.prod(out), math.prod(small.decoder.input_shape[1:]))
    fixed = _codebook_numbers(small)

    def total(h: int) -> int:
        encoder = (data + 1) * 2 * h + (2 * h + 1) * h + (h + 1) * code[0]
        decoder = (code[1] + 1) * h + (h + 1) * 2 * h + (2 * h + 1) * data
        return encoder + decoder + fixed

    h = min(range(1, 1025), key=lambda width: abs(total(width) - parameters))
    if abs(total(h) - parameters) > 0.02 * parameters:
        raise ValueError(
            "No networks around this code have that number of parameters, within 2 %. Give another. "
            f"Received: parameters={parameters}, family={name!r}, bits={place.bits}"
        )
    return make(place._replace(hidden_units=(2 * h, h)), settings)


def count_parameters(model: DiscreteAutoencoder) -> int:
    """Returns the numbers of encoder, decoder and codebooks, without moving averages and counters."""
    return int(
        model.encoder.count_params() + model.decoder.count_params() + _codebook_numbers(model)
    )


def _codebook_numbers(model: DiscreteAutoencoder) -> int:
    codebooks = [part for part in model._flatten_layers() if isinstance(part, Codebook)]
    extra = sum(book.dim**2 for book in codebooks if isinstance(book, LinearCodebook))
    return sum(book.size * book.dim for book in codebooks) + extra
