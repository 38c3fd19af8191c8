"""A prior of a model's codes that is trained in the same step, next to the model's own prior."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete._internal.serialization import check_serializable, deserialize
from tf_discrete.types import HasCodes, ObjectiveTerms, Prior, PriorLike, Tensor

ATTRIBUTES = ("num_variables", "num_categories", "log_prob", "sample", "get_config")


def make(code_prior: PriorLike, model: HasCodes) -> Prior:
    """Returns the prior that an argument `code_prior=` of a model asks for.

    The prior is one of the digits of the codes, which are the codes themselves for all latents but trees.

    Args:
        code_prior: Prior of the model's codes, its config, or a function of N and K that makes one. The
            function is called after the networks of the model were made, which then start with the weights
            that they have without it.
        model: Model with `num_variables` and `num_categories`.

    Raises:
        ValueError: No such prior, or one of other codes.
    """
    sizes = sizes_of_codes(model)
    made: Any = code_prior
    if isinstance(made, dict):
        made = deserialize("code_prior", made)
    elif _makes_priors(made):
        made = _call(made, sizes)
    prior: Prior = checks.having("code_prior", made, ATTRIBUTES, "a prior of codes")
    found = prior.num_variables, prior.num_categories
    if found != sizes:
        raise ValueError(
            "The code_prior must be of the model's codes. Give its class, or a function of num_variables and "
            "num_categories, to have it made with the right sizes. "
            f"Received: code_prior with num_variables, num_categories={found}, model with {sizes}"
        )
    check_serializable(prior, "code_prior")
    if isinstance(prior, keras.layers.Layer) and not prior.built:
        prior.build((None, prior.num_variables))
    return prior


def with_prior_nats(
    terms: ObjectiveTerms, prior: Prior, codes: Tensor, training: bool
) -> ObjectiveTerms:
    """Returns the terms of an objective with -log p(codes) to be minimised as well, "prior_nats".

    Codes are integers, so the prior learns from the model and never the other way round: the model ends as
    it would alone.

    Args:
        terms: Terms of the model's objective, [B] each.
        prior: Prior of the codes.
        codes: Int [B, N], the codes, or digits, of the batch at this moment.
        training: Bool, training mode of the prior.
    """
    log_prob = prior.log_prob(tf.stop_gradient(codes), training)
    nats = -tf.cast(log_prob, terms.auxiliary.dtype)
    return terms._replace(
        auxiliary=terms.auxiliary + nats, terms={**terms.terms, "prior_nats": nats}
    )


def sizes_of_codes(model: HasCodes) -> tuple[int, int]:
    """Returns N and K of a model's codes, if all variables have as many categories; of trees, of the digits.

    Raises:
        ValueError: A model without discrete codes, or layers or digits of different numbers of categories.
    """
    num_variables = getattr(model, "num_variables", None)
    num_categories = getattr(model, "num_categories", None)
    if num_variables is None or num_categories is None:
        raise ValueError(
            "The model must have discrete codes, of num_variables with num_categories each. Give the "
            f"sizes of its codes to the prior. Received: model={model!r}"
        )
    categories = getattr(model, "categories_per_variable", (num_categories,))
    if len(set(categories)) > 1:
        raise ValueError(
            "A prior of codes gives every variable as many categories. Give num_categories of the model "
            f"once for all layers. Received: categories_per_variable={categories}"
        )
    spec = getattr(model, "latent_spec", None)
    if spec is None:
        return num_variables, num_categories
    branching = spec.kind.describe_codes().get("branching", ())
    if len(set(branching)) > 1:
        raise ValueError(
            "A prior of codes gives every digit as many categories. Give a branching of equal numbers. "
            f"Received: branching={tuple(branching)}"
        )
    if not spec.kind.factorized and math.prod(branching) > num_categories:
        raise ValueError(
            "A prior of the digits may sample those of no category. Set num_categories to the product of the "
            "branching, or prior='learned', which samples categories alone. "
            f"Received: num_categories={num_categories}, branching={tuple(branching)}"
        )
    return spec.digit_sizes


def _makes_priors(value: object) -> bool:
    """Returns whether the value is a function, or a class, that makes priors, and no prior itself."""
    if isinstance(value, keras.layers.Layer) or not callable(value):
        return False
    return isinstance(value, type) or not hasattr(value, "log_prob")


def _call(function: Callable[[int, int], Prior], sizes: tuple[int, int]) -> Prior:
    try:
        return function(*sizes)
    except TypeError as error:
        raise ValueError(
            "A function for code_prior must make a prior of num_variables and num_categories. "
            f"Received: code_prior={checks.shown(function)} ({error})"
        ) from error
