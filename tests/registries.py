"""All registries as they were, after a test that registers components of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras

from tf_discrete import likelihoods, schedules
from tf_discrete.datasets import source
from tf_discrete.distributions import kinds
from tf_discrete.estimators import registry
from tf_discrete.models import networks

REGISTRIES = (
    kinds.REGISTRY,
    registry.REGISTRY,
    likelihoods.registry.REGISTRY,
    schedules.schedule.REGISTRY,
    source.REGISTRY,
    networks.REGISTRY,
)


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Forgets at its end what was registered inside it, with the package and with Keras."""
    custom = keras.saving.get_custom_objects()
    before = dict(custom)
    with contextlib.ExitStack() as stack:
        for one in REGISTRIES:
            stack.enter_context(one.restored())
        try:
            yield
        finally:
            custom.clear()
            custom.update(before)
