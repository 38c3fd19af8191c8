"""`CollapseWarning`: tells when latent variables, or most codes of a codebook, are not in use any more."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from tf_discrete._internal import checks
from tf_discrete.callbacks.code_usage import CodeUsageCallback
from tf_discrete.evaluation import Usage
from tf_discrete.types import DataLike, Logs

ADVICE = (
    "Let the weight of the KL grow from 0 (kl_weight=schedules.Linear(0.0, 1.0, steps=...)), give each "
    "variable free bits (CategoricalVAE(free_bits=...)), lower the temperature, or use fewer variables."
)
FEW_CODES = 0.2
"""A codebook has collapsed if it uses less than this share of the codes that equally common ones would."""


class CodebookUse(NamedTuple):
    """How many codes of each codebook are in use, see `codebook_use`.

    Attributes:
        used: int [num_codebooks], codes that occurred.
        expected: How many different codes as many vectors would have on average, if all codes were equally
            common.
    """

    used: np.ndarray
    expected: float


def codebook_use(usage: Usage, num_codebooks: int) -> CodebookUse:
    """Counts the codes of each codebook over all positions that share it.

    Args:
        usage: of codes [position 1 of codebooks 1 .. V, position 2 of codebooks 1 .. V, ...].
        num_codebooks: V, a divisor of the number of variables.

    Example:
        >>> from tf_discrete.evaluation import CodeUsage
        >>> counted = CodeUsage(num_variables=2, num_categories=4, deterministic=True)
        >>> counted.update([[0, 0], [0, 1]])  # Two positions of one codebook.
        >>> codebook_use(counted.result(), num_codebooks=1).used.tolist()
        [2]
    """
    counts = usage.counts.reshape(-1, num_codebooks, usage.counts.shape[1]).sum(axis=0)
    size, vectors = counts.shape[1], int(counts[0].sum())
    return CodebookUse((counts > 0).sum(axis=1), -size * np.expm1(vectors * np.log1p(-1 / size)))


class CollapseWarning(CodeUsageCallback):
    """A `CodeUsageCallback` that also warns of collapsed variables and codebooks, each of them once.

    A variable has collapsed if it tells nothing about the data: its mutual information with them is at
    most 0.01 nats. A codebook of a `QuantizedAutoencoder` has collapsed if the vectors of the data, at all
    positions, use less than a fifth of the codes that they would use on average if all codes were equally
    common. Logs `usage/collapsed_units` next to the fields of `CodeUsageCallback`, and for codebooks
    `usage/used_codes`, the mean share of their codes in use. A model with a `collapse_advice` of its own
    says itself what helps.

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
        self._warned_codebooks: set[int] = set()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._warned, self._warned_codebooks = set(), set()

    def report(self, epoch: int, usage: Usage, logs: Logs | None) -> None:
        super().report(epoch, usage, logs)
        collapsed = usage.collapsed
        if logs is not None:
            logs["usage/collapsed_units"] = len(collapsed)
        if epoch >= self.begin and not self._warned.issuperset(collapsed):
            self._warned.update(collapsed)
            self._warn(
                f"After epoch {epoch + 1} {len(collapsed)} of {len(usage.active)} latent variables have "
                f"collapsed: {', '.join(map(str, collapsed))}. They tell nothing about the data."
            )
        codebooks = getattr(self.model, "num_codebooks", None)
        if codebooks is not None:
            self._report_codebooks(epoch, codebook_use(usage, codebooks), usage, logs)

    def _report_codebooks(
        self, epoch: int, use: CodebookUse, usage: Usage, logs: Logs | None
    ) -> None:
        size = usage.counts.shape[1]
        if logs is not None:
            logs["usage/used_codes"] = float(use.used.mean() / size)
        # Of a codebook without any active variable the variables have been told.
        active = usage.active.reshape(-1, len(use.used)).any(axis=0)
        few = np.flatnonzero(active & (use.used < FEW_CODES * use.expected)).tolist()
        if epoch < self.begin or self._warned_codebooks.issuperset(few):
            return
        self._warned_codebooks.update(few)
        found = ", ".join(f"{use.used[index]} by codebook {index}" for index in few)
        self._warn(
            f"After epoch {epoch + 1} {len(few)} of {len(use.used)} codebooks have collapsed. Codes in use "
            f"of {size}: {found}. Equally common codes would make it {use.expected:.0f}."
        )

    def _warn(self, message: str) -> None:
        advice = getattr(self.model, "collapse_advice", ADVICE)
        warnings.warn(f"{message} {advice}", stacklevel=2)
