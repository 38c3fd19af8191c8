"""`CollapseWarning`: tells when latent variables have stopped to carry information."""

from __future__ import annotations

import warnings
from typing import Any

from tf_discrete._internal import checks
from tf_discrete.callbacks.code_usage import CodeUsageCallback
from tf_discrete.evaluation import Usage
from tf_discrete.types import DataLike, Logs

ADVICE = (
    "Let the weight of the KL grow from 0 (kl_weight=schedules.Linear(0.0, 1.0, steps=...)), give each "
    "variable free bits (CategoricalVAE(free_bits=...)), lower the temperature, or use fewer variables."
)


class CollapseWarning(CodeUsageCallback):
    """A `CodeUsageCallback` that also warns of collapsed variables, each of them once.

    A variable has collapsed if it tells nothing about the data: its mutual information with them is at
    most 0.01 nats. Logs `usage/collapsed_units` next to the fields of `CodeUsageCallback`. A model with a
    `collapse_advice` of its own says itself what helps.

    Args:
        data: arrays or a batched `tf.data.Dataset`, as `fit` takes them; labels are not read.
        every: How often, in epochs, usage is measured. Default: 1.
        begin: epochs that must be over before it warns, for variables may wake up late. Default: 0.
        **kwargs: see `CodeUsageCallback`.

    Raises:
        ValueError: what `CodeUsageCallback` refuses, or begin < 0.

    Example:
        >>> import numpy as np
        >>> from tf_discrete.models import CategoricalVAE
        >>> model = CategoricalVAE([4], num_variables=3, num_categories=2, hidden_units=[8])
        >>> model.compile("adam")
        >>> same = np.ones([8, 4], "float32")   # a code has nothing to say about these
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     _ = model.fit(same, verbose=0, callbacks=[CollapseWarning(same)])
        >>> any("3 of 3 latent variables have collapsed" in str(w.message) for w in caught)
        True
    """

    def __init__(self, data: DataLike, every: int = 1, begin: int = 0, **kwargs: Any):
        super().__init__(data, every=every, **kwargs)
        self.begin = checks.whole("begin", begin, lowest=0)
        self._warned: set[int] = set()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._warned = set()

    def report(self, epoch: int, usage: Usage, logs: Logs | None) -> None:
        super().report(epoch, usage, logs)
        collapsed = usage.collapsed
        if logs is not None:
            logs["usage/collapsed_units"] = len(collapsed)
        if epoch < self.begin or self._warned.issuperset(collapsed):
            return
        self._warned.update(collapsed)
        advice = getattr(self.model, "collapse_advice", ADVICE)
        warnings.warn(
            f"After epoch {epoch + 1} {len(collapsed)} of {len(usage.active)} latent variables have "
            f"collapsed: {', '.join(map(str, collapsed))}. They tell nothing about the data. {advice}",
            stacklevel=2,
        )
