"""Names of the package that flags explain or allow, known before TensorFlow is imported.

A test compares them with the registries and constants of the package.
"""

from __future__ import annotations

TASKS = ("categorical_vae", "semantic_hashing", "semi_supervised", "structured_prediction")
"""Of the package, each with a module in `flags` and one in `tasks`."""
LATENTS = ("categorical", "bernoulli")
LIKELIHOODS = ("bernoulli", "categorical_intensity", "cosine_similarity", "gaussian")
BERNOULLI_ESTIMATORS = ("arm", "semantic_hashing")
"""Estimators for Bernoulli latents alone."""
CATEGORICAL_ESTIMATORS = (
    "arsm",
    "darn",
    "decoupled_straight_through_gumbel_softmax",
    "disarm",
    "enumeration",
    "gapped_straight_through",
    "gumbel_rao",
    "gumbel_softmax",
    "muprop",
    "nvil",
    "rebar",
    "reinmax",
    "relax",
    "score_function",
    "slope_annealed_straight_through",
    "straight_through",
    "straight_through_gumbel_softmax",
    "sum_and_sample",
    "vimco",
)
ESTIMATORS = tuple(sorted((*BERNOULLI_ESTIMATORS, *CATEGORICAL_ESTIMATORS)))
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
