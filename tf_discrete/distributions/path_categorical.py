"""Paths through a tree whose digits depend on one another: one variable of very many categories."""

from __future__ import annotations

from collections.abc import Sequence

from tf_discrete._internal import checks
from tf_discrete.distributions import kinds, mixed_radix
from tf_discrete.distributions.tree_categorical import TreeCategorical
from tf_discrete.distributions.tree_leaves import TreeLeaves


@kinds.register
class PathCategorical(TreeCategorical):
    """The values of one variable of K categories whose digits depend on the digits before.

    Values, digits and codes are those of `TreeCategorical` with one variable, but K may be any number up to
    the product of the branching: the leaves from K on are no categories. The logits of a digit are a function
    of the digits before it, which a model has; this class has none, so layers and priors that know logits
    alone refuse the kind. `tf_discrete.CategoricalVAE` takes it.

    The class is made by its branching: `tf_discrete.distributions.get("path:101,101,101")`.

    Args:
        logits: float [..., D, r], of digits that are independent of one another. Its values are those of the
            kind, its probabilities are those of a tree.

    Raises:
        ValueError: Logits of another shape, or a class without a branching.

    Example:
        >>> from tf_discrete.distributions import LatentSpec, path_latents
        >>> spec = LatentSpec(1, 10**6 + 3, path_latents((101, 101, 101), 10**6 + 3))
        >>> spec.latents, spec.shape, spec.digits([[10**6]]).numpy().tolist()
        ('path:101,101,101', (3, 101), [[98, 2, 100]])
    """

    latents = "path"
    factorized = False

    @classmethod
    def check_sizes(cls, num_variables: object, num_categories: object) -> tuple[int, int]:
        num_variables = checks.whole("num_variables", num_variables)
        if num_variables != 1:
            raise ValueError(
                "A path is one variable. Set num_variables=1, or take a tree, whose digits are independent, "
                f"such as latents={TreeCategorical.latents + cls.latents.removeprefix('path')!r}. "
                f"Received: num_variables={num_variables}"
            )
        num_categories = checks.whole("num_categories", num_categories, 2, checks.INT64_MAX)
        TreeLeaves(num_categories, cls.branching)
        cls._check_num_logits(num_variables)
        return num_variables, num_categories


def path_latents(branching: Sequence[int], num_categories: int | None = None) -> str:
    """Returns the name of the kind of paths through a tree with a branching.

    Args:
        branching: Integers >= 2, the children of a node at each depth.
        num_categories: K, at most the product of the branching, to be checked. Default: None, for no check.

    Raises:
        ValueError: No branching, one that does not reach K, or one with a needless depth.

    Example:
        >>> path_latents((101, 101, 101), num_categories=10**6 + 3)
        'path:101,101,101'
    """
    found = mixed_radix.check_branching(branching)
    if num_categories is not None:
        TreeLeaves(num_categories, found)
    return f"{PathCategorical.latents}:{','.join(map(str, found))}"
