"""`Spec`: what an estimator declares of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tf_discrete import distributions
from tf_discrete.distributions import Discrete


class Spec(NamedTuple):
    """The declared properties of an estimator; tests check each of them in both directions.

    Attributes:
        exact_for: the objectives whose gradient for the logits it estimates without bias: "any",
            "quadratic", "linear" or "none" (polynomials in z). It is up to one positive number, the
            estimator's `gradient_scale`, where that is not 1.
        relaxed: Bool, whether the value that the objective sees leaves the corners of the simplex.
        noise: "discrete" where the noise is the drawn configuration itself, so that a test can
            enumerate it; "continuous"; or "none" where nothing is drawn.
        evaluations: of the objective, for each sample; a formula where it depends on the shape.
        min_samples: fewest samples that the estimator takes, in its default configuration.
        reductions: Names of the reductions that it takes.
        reference: the source paper.
        exact_for_kind: `exact_for` of those kinds of latents for which it is another.
        draws: how many plain samples of z the value of one sample averages over: 2 for an antithetic
            pair, 0 where the value is a weighted sum.
        density: Bool, whether a relaxed sample has a density in log space, at the estimator's `temperature`.
        interface: what a kind of latents must implement, `Discrete` or `Relaxable`; the estimator takes
            every registered kind that does.
        only: the names of the kinds for which alone the estimator is defined; empty for all.
        exact_temperatures: where `exact_for` holds: at "any" temperature, or at the "default" one alone. Of
            an estimator without a temperature it says nothing.
        annealed: whether the temperature is lowered in training unless the user says otherwise, because it
            sets how far the value or its gradient is from the discrete one.
        relaxed_control: whether a control variate takes the objective and its derivative at relaxed values;
            the estimator is without bias only if the two belong together there, too.
    """

    exact_for: str
    relaxed: bool
    noise: str
    evaluations: str
    min_samples: int
    reductions: tuple[str, ...]
    reference: str
    exact_for_kind: Mapping[str, str] | None = None
    draws: int = 1
    density: bool = False
    interface: type = Discrete
    only: tuple[str, ...] = ()
    exact_temperatures: str = "any"
    annealed: bool = False
    relaxed_control: bool = False

    @property
    def supports(self) -> tuple[str, ...]:
        """Names of the kinds of latents that the estimator takes, of all that are registered now."""
        return tuple(name for name in distributions.names() if self.takes(name))

    def takes(self, latents: str) -> bool:
        """Returns whether the estimator takes a kind of latents, which may have parameters."""
        kind = distributions.get(latents)
        known = not self.only or kind.formulas() in self.only
        return kind.factorized and issubclass(kind, self.interface) and known

    def exactness(self, latents: str) -> str:
        """`exact_for` of a kind of latents."""
        formulas = distributions.get(latents).formulas()
        return (self.exact_for_kind or {}).get(formulas, self.exact_for)
