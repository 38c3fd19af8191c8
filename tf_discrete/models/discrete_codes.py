"""`DiscreteCodes`: what a model says of the discrete latents that it encodes to."""

from __future__ import annotations

from typing import Any

from tf_discrete.distributions import LatentSpec
from tf_discrete.types import JsonObject


class DiscreteCodes:
    """A part of a model whose codes are those of a `latent_spec`; a subclass sets it."""

    latent_spec: LatentSpec

    @property
    def num_variables(self) -> int:
        """N of the codes, of all layers together."""
        return self.latent_spec.num_variables

    @property
    def num_categories(self) -> int:
        """K of the codes."""
        return self.latent_spec.num_categories

    @property
    def categories_per_variable(self) -> tuple[int, ...]:
        """Returns the categories of each variable; K of all, unless layers differ."""
        return (self.num_categories,) * self.num_variables

    @property
    def latents(self) -> str:
        """Returns the kind of latents."""
        return self.latent_spec.latents

    def manifest_entries(self) -> JsonObject:
        inherited: Any = super()
        return {**inherited.manifest_entries(), **self.latent_spec.manifest_entries()}
