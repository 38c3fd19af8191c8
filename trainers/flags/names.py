"""Names of the package that flags explain or allow, known before TensorFlow is imported.

A test compares them with the registries and constants of the package.
"""

from __future__ import annotations

import importlib.util
import pathlib
import re

TASKS = (
    *("categorical_vae", "quantized_autoencoder", "semantic_hashing", "semi_supervised"),
    "structured_prediction",
)
"""Tasks of the package, each with a module in `flags` and one in `tasks`."""
OTHER_PROGRAMS = ("autoregressive_prior", "compare_estimators", "state_tabulation")
"""Programs whose folders hold something else than one trained model of images."""
FACTS = ("task", "picture_shape", "num_actions")
"""Keys of the config.json of a run that are no flags: its task, and what an agent has seen."""
LATENTS = ("categorical", "bernoulli", "tree", "path")


def registered(package: str, latents: str | None = None) -> tuple[str, ...]:
    """Returns the names under which the modules of a package of tf_discrete register classes.

    They are read from the sources: a component is one file and one import line, and its name is known
    without TensorFlow.

    Args:
        package: Such as "estimators".
        latents: Leaves out estimators whose `Spec(only=...)` has other kinds of latents. Default:
            None, all are returned.
    """
    spec = importlib.util.find_spec("tf_discrete")  # Finds the package without importing it.
    assert spec is not None and spec.submodule_search_locations is not None
    (root,) = spec.submodule_search_locations
    found: list[str] = []
    for file in pathlib.Path(root, package).glob("*.py"):
        source = file.read_text("utf-8")
        only = _ONLY.search(source)
        if latents is None or only is None or f'"{latents}"' in only[1]:
            found += _REGISTER.findall(source)
    return tuple(sorted(found))


_REGISTER = re.compile(r'^@register\("(\w+)"\)', re.MULTILINE)
_ONLY = re.compile(r"^ +only=\((.*)\),", re.MULTILINE)

LIKELIHOODS = registered("likelihoods")
ESTIMATORS = registered("estimators")
CATEGORICAL_ESTIMATORS = registered("estimators", latents="categorical")
NETWORKS = ("conv", "conv_grid", "mlp")
OBJECTIVES = (
    "elbo",
    "relaxed_elbo",
    "importance_weighted",
    "relaxed_importance_weighted",
    "doubly_reparameterized",
)
"""Objectives of the categorical VAE."""
QUANTIZERS = (
    *("vector", "residual", "grouped", "sim_vq", "finite_scalar", "lookup_free", "spherical"),
)
"""Quantisers of the quantised autoencoder."""
CODEBOOKS = ("moving_average", "gradient")
DISTANCES = ("euclidean", "cosine")
GRADIENT_RULES = ("diveq", "rotation", "straight_through")
CODE_VALUES = ("zero_one", "plus_minus")
CODE_EMBEDDINGS = ("one_hot", "digit_sum", "table")
EXACT = "exact"
"""The search without an index of FAISS."""
FAISS_KINDS = ("flat", "hnsw", "ivf")
