"""The public classes of the package that check arguments."""

from __future__ import annotations

import inspect

import tf_discrete as tfd

MODULES = (
    tfd,
    tfd.callbacks,
    tfd.codes,
    tfd.datasets,
    tfd.distributions,
    tfd.estimators,
    tfd.evaluation,
    tfd.export,
    tfd.layers,
    tfd.layers.quantizers,
    tfd.likelihoods,
    tfd.losses,
    tfd.models,
    tfd.objectives,
    tfd.plots,
    tfd.schedules,
    tfd.seeds,
)
BASES = (
    tfd.codes.ExactIndex,
    tfd.distributions.Discrete,
    tfd.distributions.Relaxable,
    tfd.distributions.TreeCategorical,
    tfd.distributions.PathCategorical,
    tfd.estimators.Estimator,
    tfd.estimators.PathwiseEstimator,
    tfd.estimators.ScoreEstimator,
    tfd.layers.quantizers.Quantizer,
    tfd.likelihoods.Likelihood,
    tfd.schedules.Schedule,
    tfd.export.Manifest,
    tfd.datasets.Request,
    tfd.datasets.IndexedBatches,
)
"""What users derive from, and what the package makes: no user makes an object of these."""


def public_classes() -> dict[str, type]:
    """Every class of the public API that checks arguments: no base, no tuple of results."""
    found = {}
    for module in MODULES:
        for name in getattr(module, "__all__", vars(module)):
            thing = getattr(module, name)
            ours = inspect.isclass(thing) and thing.__module__.startswith("tf_discrete")
            if ours and not name.startswith("_") and thing not in BASES:
                if not issubclass(thing, tuple):
                    found[f"{thing.__module__.removeprefix('tf_discrete.')}.{name}"] = thing
    return found
