"""The fields of a run's history: how the logs of Keras are named in it."""

from __future__ import annotations

from typing import Any

MONITORED = "validation/hard_elbo_nats"
"""The field whose highest value is the best epoch, unless a task names another."""


def fields_of(logs: dict[str, Any]) -> dict[str, float]:
    """Returns the logs of an epoch by field: train/..., validation/... (usage of the codes too).

    Example:
        >>> fields_of({"loss": 2.0, "val_loss": 3.0, "usage/perplexity": 4.0})
        {'train/loss': 2.0, 'validation/loss': 3.0, 'validation/usage/perplexity': 4.0}
    """
    return {_field(name): float(value) for name, value in logs.items()}


def _field(name: str) -> str:
    if name.startswith("val_"):
        return f"validation/{name[4:]}"
    return f"validation/{name}" if name.startswith("usage/") else f"train/{name}"
