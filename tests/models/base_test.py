"""What all models share besides the training step, seen on a small categorical VAE."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.models import small_models
from tf_discrete.models import base


@pytest.mark.parametrize("name", ["loss", "loss_weights", "metrics", "weighted_metrics"])
def test_what_compile_cannot_honour_is_refused(name):
    model = small_models.make()
    with pytest.raises(ValueError, match=f"Leave {name} out.*Received: {name}=.*mse"):
        model.compile("adam", **{name: ["mse"]})
    assert not model.compiled


def test_a_model_from_a_file_is_compiled_as_it_was(tmp_path):
    model = small_models.compiled(small_models.make(), steps_per_execution=2)
    model.train_step(small_models.data())
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.steps_per_execution == 2
    for one, other in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_a_subclass_must_supply():
    model = base.DiscreteModel()
    for call in (
        lambda: model.objective(None, None, True),
        lambda: model.hard_terms(None, None),
        lambda: model.signatures(),
    ):
        with pytest.raises(NotImplementedError):
            call()
