"""Names of the package that flags explain or allow, known before TensorFlow is imported.

A test compares them with the registries and constants of the package.
"""

from __future__ import annotations

import importlib.util
import pathlib
import re

TASKS = ("categorical_vae", "semantic_hashing", "semi_supervised", "structured_prediction")
"""Of the package, each with a module in `flags` and one in `tasks`."""
LATENTS = ("categorical", "bernoulli")


def registered(package: str) -> tuple[str, ...]:
    """Names under which the modules of a package of tf_discrete register classes, by their sources.

    A component is then one file and one import line, and its name is known without TensorFlow.
    """
    spec = importlib.util.find_spec("tf_discrete")  # Finds the package without importing it.
    assert spec is not None and spec.submodule_search_locations is not None
    (root,) = spec.submodule_search_locations
    files = pathlib.Path(root, package).glob("*.py")
    return tuple(
        sorted(name for file in files for name in _REGISTER.findall(file.read_text("utf-8")))
    )


_REGISTER = re.compile(r'^@register\("(\w+)"\)', re.MULTILINE)

LIKELIHOODS = registered("likelihoods")
ESTIMATORS = registered("estimators")
BERNOULLI_ESTIMATORS = ("arm", "semantic_hashing")
"""Estimators for Bernoulli latents alone."""
CATEGORICAL_ESTIMATORS = tuple(name for name in ESTIMATORS if name not in BERNOULLI_ESTIMATORS)
NETWORKS = ("conv", "mlp")
OBJECTIVES = (
    "elbo",
    "relaxed_elbo",
    "importance_weighted",
    "relaxed_importance_weighted",
    "doubly_reparameterized",
)
"""Of the categorical VAE."""
CODE_VALUES = ("zero_one", "plus_minus")
EXACT = "exact"
"""The search without an index of FAISS."""
FAISS_KINDS = ("flat", "hnsw", "ivf")
