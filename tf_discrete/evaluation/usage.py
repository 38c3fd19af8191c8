"""`CodeUsage`: how a data set uses the latent codes, counted batch by batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tf_discrete._internal import checks
from tf_discrete._internal.batch_image import image_of
from tf_discrete.codes.packing import as_array, check_codes
from tf_discrete.evaluation.information import check_probs, entropy, perplexity
from tf_discrete.types import Batch, HasCodeProbs

ACTIVE_NATS = 0.01
ACTIVE_SHARE = 0.01


class Usage(NamedTuple):
    """The result of `CodeUsage`; every array has one entry or row per variable."""

    num_examples: int
    counts: np.ndarray  # int64 [num_variables, num_categories]
    marginal: np.ndarray  # [num_variables, num_categories], rows sum to 1
    perplexity: np.ndarray  # [num_variables], between 1 and num_categories
    mutual_information: np.ndarray | None  # [num_variables], nats; None without probabilities
    used_fraction: np.ndarray  # [num_variables], share of the categories that occurred
    active: np.ndarray  # bool [num_variables]
    active_units: int
    collapsed: list[int]  # indices of the variables that are not active


class CodeUsage:
    """Counts, over the batches of a data set, how its codes use the latent variables.

    The perplexity of a variable is `exp(H(p))` for the marginal p of its codes over all
    examples: 1 if one category is always chosen, `num_categories` if all are equally common.

    A variable is *active* if its code tells something about the example. With posterior
    probabilities: if `I(x; z_n) = H(mean_x q(z_n | x)) - mean_x H(q(z_n | x)) > 0.01` nats,
    x being uniform on the examples seen. Without: if its commonest category has less than 99 %
    of the examples. Note that the second rule cannot tell noise from information.

    Args:
      num_variables: latent variables per example.
      num_categories: categories per variable; 2 for binary latents, whose codes are 0 and 1.
      active_nats: threshold of the first rule, nats.
      active_share: threshold of the second rule, the least share of examples outside the
        commonest category.
      deterministic: Bool, whether each example has one code, as a quantiser gives it. The information
        is then the entropy of the marginal, for which no probabilities are needed. Default: False.

    Raises:
      ValueError: if there is no variable or fewer than two categories.

    Example:
      >>> usage = CodeUsage(num_variables=2, num_categories=3)
      >>> usage.update([[0, 1], [1, 1]])
      >>> usage.update([[2, 1]])
      >>> usage.result().perplexity.round(6).tolist()
      [3.0, 1.0]
      >>> usage.result().collapsed
      [1]

    Reference:
      Burda, Grosse, Salakhutdinov, "Importance Weighted Autoencoders", arXiv:1509.00519
      (active units); Hoffman and Johnson, "ELBO surgery", 2016 (mutual information).
    """

    def __init__(
        self,
        num_variables: int,
        num_categories: int,
        active_nats: float = ACTIVE_NATS,
        active_share: float = ACTIVE_SHARE,
        deterministic: bool = False,
    ):
        self.num_variables = checks.whole("num_variables", num_variables)
        self.num_categories = checks.whole("num_categories", num_categories, lowest=2)
        self.active_nats = checks.number("active_nats", active_nats, lowest=0)
        self.active_share = checks.fraction("active_share", active_share)
        self.deterministic = checks.flag("deterministic", deterministic)
        self.reset()

    def reset(self) -> None:
        """Forgets everything counted so far."""
        self._counts = np.zeros([self.num_variables, self.num_categories], np.int64)
        self._probs = np.zeros([self.num_variables, self.num_categories], np.float64)
        self._entropy = np.zeros([self.num_variables], np.float64)
        self._with_probs: bool | None = None

    @property
    def num_examples(self) -> int:
        """Returns the number of examples counted so far."""
        return int(self._counts[0].sum())

    def update(self, codes: ArrayLike, probs: ArrayLike | None = None) -> None:
        """Counts one batch.

        Args:
          codes: integers `[B, num_variables]` in `[0, num_categories)`; B may be 0.
          probs: posterior probabilities `[B, num_variables, num_categories]`; for binary
            latents also `[B, num_variables]`, the probability of code 1. Either every batch
            has them or none has.

        Raises:
          ValueError: for wrong shapes, codes out of range, probabilities that are no
            distribution, or probabilities in some batches only or of deterministic codes.
        """
        codes = as_array("codes", codes)
        if codes.shape == (0, self.num_variables):  # Of any dtype.
            return
        codes = check_codes(codes, self.num_categories, self.num_variables)
        if probs is not None:
            probs = check_probs(np.asarray(probs), codes.shape, self.num_categories)
        self._agree(probs is not None)
        offsets = np.arange(self.num_variables) * self.num_categories
        flat = (codes.astype(np.int64) + offsets).ravel()
        self._counts += np.bincount(flat, minlength=self._counts.size).reshape(self._counts.shape)
        if probs is not None:
            self._probs += probs.sum(axis=0)
            self._entropy += entropy(probs).sum(axis=0)

    def merge(self, other: CodeUsage) -> None:
        """Adds what another accumulator has counted, for example on another replica.

        Args:
          other: an accumulator of the same numbers of variables and categories.

        Raises:
          ValueError: if the numbers differ, or if only one of the two has probabilities.
        """
        if other._counts.shape != self._counts.shape:
            raise ValueError(
                "merged accumulators must describe the same codes. Build both with the same "
                "num_variables and num_categories. Received: "
                f"shapes={self._counts.shape} and {other._counts.shape}"
            )
        if not other.num_examples:
            return
        self._agree(bool(other._with_probs))
        self._counts = self._counts + other._counts
        self._probs = self._probs + other._probs
        self._entropy = self._entropy + other._entropy

    def result(self) -> Usage:
        """Sums up what was counted; without any example the statistics are NaN.

        Returns:
          A `Usage`.
        """
        total = self.num_examples
        marginal = self._counts / total if total else np.full(self._counts.shape, np.nan)
        information = None
        if self._with_probs:
            mean_entropy = self._entropy / total
            information = np.maximum(entropy(self._probs / total) - mean_entropy, 0.0)
            active = information > self.active_nats
        elif self.deterministic:
            information = entropy(marginal) if total else np.full(self.num_variables, np.nan)
            active = information > self.active_nats
        else:
            active = total - self._counts.max(axis=1) > self.active_share * total
        return Usage(
            num_examples=total,
            counts=self._counts.copy(),
            marginal=marginal,
            perplexity=perplexity(self._counts),
            mutual_information=information,
            used_fraction=(self._counts > 0).mean(axis=1),
            active=active,
            active_units=int(active.sum()),
            collapsed=np.flatnonzero(~active).tolist() if total else [],
        )

    def _agree(self, with_probs: bool) -> None:
        if with_probs and self.deterministic:
            raise ValueError(
                "Deterministic codes have no probabilities. Leave probs out, or build with "
                "deterministic=False. Received: probs=given, deterministic=True"
            )
        if self._with_probs is None:
            self._with_probs = with_probs
        elif self._with_probs != with_probs:
            raise ValueError(
                "probs must be given for every batch or for none, else the mutual information "
                "would describe a part of the data. Pass probs each time, or start anew with "
                f"reset(). Received: probs={'given' if with_probs else None}, "
                f"before={'given' if self._with_probs else None}"
            )


def collect_usage(model: HasCodeProbs, batches: Iterable[Batch]) -> Usage:
    """Counts how a model's codes are used over a data set. Of trees every digit counts as a variable.

    Args:
      model: with `encode`, `num_categories` and, unless its `deterministic_codes` are true, `encode_probs`.
      batches: at least one; images, or dicts with `image`.

    Returns:
      A `Usage`.

    Raises:
      ValueError: if there is no batch, or a dict without `image`.

    Example:
      >>> from tf_discrete.models import CategoricalVAE
      >>> model = CategoricalVAE((4, 4, 1), num_variables=2, num_categories=3, hidden_units=())
      >>> collect_usage(model, [np.ones([5, 4, 4, 1], np.float32)]).counts.sum(axis=1).tolist()
      [5, 5]
    """
    usage: CodeUsage | None = None
    spec = getattr(model, "latent_spec", None)
    deterministic = getattr(model, "deterministic_codes", False)
    for batch in batches:
        x = image_of(batch)
        codes = model.encode(x)
        probs = None if deterministic else np.asarray(model.encode_probs(x))
        if spec is not None:
            codes = spec.digits(codes)
        if usage is None:
            categories = model.num_categories
            if probs is not None:
                categories = probs.shape[2] if probs.ndim == 3 else 2
            usage = CodeUsage(codes.shape[1], categories, deterministic=deterministic)
        usage.update(np.asarray(codes), probs)
    if usage is None:
        raise ValueError("batches must hold at least one batch. Received: none")
    return usage.result()
