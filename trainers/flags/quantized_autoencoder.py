"""Flags of trainers.quantized_autoencoder."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from . import names
from .code_prior import CodePriorFlags
from .config import option
from .latents import PixelFlags
from .run import RunConfig


@dataclasses.dataclass(frozen=True)
class QuantizerFlags:
    """The quantiser; flags that another quantiser has are ignored."""

    quantizer: str = option(
        "vector",
        "How vectors become codes. 'vector': the nearest of --num_categories codewords; 'residual', "
        "'grouped': --num_parts of these, each on the error of those before or on a part of the vector; "
        "'sim_vq': codewords that share one matrix; 'finite_scalar': numbers rounded to --levels; "
        "'lookup_free', 'spherical': the signs of --num_bits numbers.",
        choices=names.QUANTIZERS,
    )
    num_categories: int = option(256, "Number K of codewords of a codebook.", lower=2)
    num_parts: int = option(4, "Quantisers of 'residual' and 'grouped'.", lower=1)
    beam_size: int = option(1, "Sums of codewords that 'residual' keeps; 1 is greedy.", lower=1)
    quantizer_dropout: float = option(
        0.0,
        "Probability that a batch of 'residual' is decoded from its first codes alone, so that a prefix of "
        "the codes is a code.",
        lower=0,
        upper=0.99,
    )
    levels: tuple[int, ...] = option((8, 6, 5), "Levels of each number of 'finite_scalar'.")
    num_bits: int = option(8, "Bits of a vector of 'lookup_free' and 'spherical'.", lower=1)
    bits_per_code: int = option(
        0, "Bits of one variable of 'lookup_free' and 'spherical'. 0: all of a vector.", lower=0
    )
    codebook: str = option("moving_average", "How codewords are learned.", choices=names.CODEBOOKS)
    k_means_start: bool = option(
        False,
        "Start codebooks at the k-means of encoded training images, and not at vectors of the first batches.",
    )
    distance: str = option(
        "euclidean",
        "How the nearest codeword is found; 'cosine' normalises vectors and codewords.",
        choices=names.DISTANCES,
    )
    gradient: str = option(
        "straight_through",
        "How the gradient passes codewords; 'diveq' takes --codebook=gradient.",
        choices=names.GRADIENT_RULES,
    )
    code_size: int = option(0, "Size of codewords. 0: --vector_size.", lower=0)
    quantizer_loss_weight: float = option(
        1.0, "Weight of the quantiser's loss next to the reconstruction in nats.", lower=0
    )


@dataclasses.dataclass(frozen=True)
class Config(QuantizerFlags, CodePriorFlags, PixelFlags, RunConfig):
    """Flags of this trainer; those of the model have the names of its arguments."""

    tighter_bound_samples: ClassVar[int] = 0
    bound_samples: int = option(
        1, "One: the code of an image is certain, so more samples are the same.", lower=1
    )
    num_vectors: int = option(
        8,
        "Vectors, and so codewords, of an image; 'conv_grid' has one for each cell of its grid instead.",
        lower=1,
    )
    vector_size: int = option(32, "Size of a vector between encoder and decoder.", lower=1)
    encoder: str = option(
        "mlp",
        "Encoder and decoder networks: 'mlp', 'conv', 'conv_grid' (convolutions alone, with a grid of "
        "vectors for each image) or a registered name.",
        registered=names.NETWORKS,
    )
    hidden_units: tuple[int, ...] = option(
        (512, 256),
        "Units of the encoder's hidden layers; the decoder mirrors them. Of 'conv_grid' filters: each "
        "convolution halves height and width.",
    )
    activation: str = option("relu", "Keras activation of the hidden layers.")
    likelihood: str = option(
        "bernoulli",
        "Distribution of the pixels, see trainers.categorical_vae. 'bernoulli': binary cross-entropy, "
        "for grey pixels too.",
        registered=("auto", *names.LIKELIHOODS),
    )
