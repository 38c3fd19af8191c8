"""Batches that are dicts without images are refused by all that read batches."""

import pytest
import tensorflow as tf

from tests.models import semi_supervised_models, small_models
from tf_discrete import codes, evaluation
from tf_discrete._internal.batch_image import image_of


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


def test_the_semi_supervised_model_refuses_such_a_dict_too():
    model = semi_supervised_models.make()
    with pytest.raises(ValueError, match=r"under 'image'\. Received: keys=\['images', 'label'\]"):
        semi_supervised_models.terms(model, {"images": semi_supervised_models.X, "label": [0] * 6})


def test_keys_of_several_types_are_named():
    with pytest.raises(ValueError, match=r"Received: keys=\[0, 'x'\]"):
        image_of({"x": 1, 0: 2})
