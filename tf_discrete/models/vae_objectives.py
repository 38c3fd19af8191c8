"""The objectives of the categorical VAE, and the latents and estimators that they take."""

from __future__ import annotations

from collections.abc import Sequence

from tf_discrete import estimators
from tf_discrete.distributions import LatentSpec
from tf_discrete.distributions.tree_leaves import TreeLeaves
from tf_discrete.estimators import Estimator
from tf_discrete.types import PriorLike

OBJECTIVES = (
    "elbo",
    "relaxed_elbo",
    "importance_weighted",
    "relaxed_importance_weighted",
    "doubly_reparameterized",
)
RELAXED = ("relaxed_elbo", "relaxed_importance_weighted", "doubly_reparameterized")
"""Objectives that take the densities of the relaxation."""
MULTI_SAMPLE = ("importance_weighted", "relaxed_importance_weighted", "doubly_reparameterized")
"""Bounds that grow tighter with `num_samples`."""


def path_leaves(spec: LatentSpec, objective: str, code_prior: PriorLike | None) -> TreeLeaves:
    """Returns the categories of a model whose code is a path.

    Raises:
        ValueError: Densities of relaxed digits, or a prior that may sample digits of no category.
    """
    if objective in RELAXED:
        raise ValueError(
            "The digits of a path are one-hot, so they have no relaxed density. Choose objective='elbo' or "
            f"'importance_weighted'. Received: objective={objective!r}, latents={spec.latents!r}"
        )
    leaves = TreeLeaves(spec.num_categories, spec.kind.describe_codes()["branching"])
    if leaves.irregular and code_prior is not None:
        raise ValueError(
            "A prior of the digits may sample those of no category. Set num_categories to the product of the "
            "branching, or prior='learned', which samples categories alone. "
            f"Received: num_categories={spec.num_categories}, latents={spec.latents!r}, code_prior given"
        )
    return leaves


def check_objective(objective: str, layers: Sequence[Estimator], num_samples: int) -> None:
    """Refuses estimators that an objective cannot use, in one stochastic layer or several.

    Raises:
        ValueError: Names the estimator and the objective.
    """
    reduce = estimators.log_mean_exp if objective in MULTI_SAMPLE else estimators.mean
    for layer in layers:
        name = type(layer).__name__
        if objective in RELAXED and not layer.spec.density:
            raise ValueError(
                f"objective={objective!r} takes the density of relaxed samples, so it "
                f"needs a relaxed estimator such as gumbel_softmax. Received: estimator={name}"
            )
        if objective == "importance_weighted" and layer.spec.relaxed:
            raise ValueError(
                "objective='importance_weighted' weighs discrete samples. Choose "
                "objective='relaxed_importance_weighted' for relaxed ones, or an estimator such as vimco. "
                f"Received: estimator={name}"
            )
    if len(layers) > 1 or objective in MULTI_SAMPLE:
        estimators.check_nested(layers, num_samples, reduce)
    else:
        layers[0].check(num_samples, None)


def check_free_bits(free_bits: float, objective: str, specs: Sequence[LatentSpec]) -> None:
    """Refuses free bits where the KL of each variable is not exact.

    Raises:
        ValueError: Another objective than "elbo", several layers, or a path.
    """
    if free_bits and objective != "elbo":
        raise ValueError(
            "free_bits needs the exact KL of objective='elbo'. "
            f"Received: objective={objective!r}, free_bits={free_bits}"
        )
    if free_bits and len(specs) > 1:
        raise ValueError(
            "free_bits needs the exact KL of one layer. Set free_bits=0. "
            f"Received: num_layers={len(specs)}, free_bits={free_bits}"
        )
    if free_bits and not specs[0].kind.factorized:
        raise ValueError(
            "free_bits needs the exact KL, of which a path has a sample. Set free_bits=0. "
            f"Received: latents={specs[0].latents!r}, free_bits={free_bits}"
        )
