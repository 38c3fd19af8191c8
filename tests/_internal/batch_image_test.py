"""Batches that are dicts without images are refused by all that read batches."""

import pytest
import tensorflow as tf

from tests.models import small_models
from tf_discrete import codes, evaluation


@pytest.mark.parametrize(
    "read",
    [
        evaluation.collect_usage,
        evaluation.reconstruction_nats,
        codes.encode_batches,
        lambda model, batches: evaluation.evaluate_bound(model, batches, 1),
        lambda model, batches: model.fit(tf.data.Dataset.from_tensors(batches[0])),
    ],
)
def test_a_dict_must_hold_its_observations_under_image(read):
    model = small_models.make()
    model.compile("sgd")
    with pytest.raises(ValueError, match=r"under 'image'\. Received: keys=\['images'\]"):
        read(model, [{"images": small_models.data()}])
