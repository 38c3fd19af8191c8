"""What regularises a classifier: its options, and their configs."""

from __future__ import annotations

import json

import keras
import pytest

from tf_discrete.models import Augmentation, Regularization
from tf_discrete.models import regularization as regularization_lib

OPTIONS = [
    Regularization(),
    Regularization(dropout=0.2, balance=1.0),
    Regularization(augmentation=Augmentation(shift=2, zoom=0.1), consistency=0.5),
]


@pytest.mark.parametrize("made", [*OPTIONS, Augmentation(), Augmentation(rotation=5.0)], ids=str)
def test_configs_are_json_and_make_equal_objects(made):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(made)))
    assert keras.saving.deserialize_keras_object(config) == made
    assert type(made).from_config(made.get_config()) == made


def test_get_takes_objects_configs_and_none():
    made = OPTIONS[-1]
    assert regularization_lib.get(made) is made
    assert regularization_lib.get(keras.saving.serialize_keras_object(made)) == made
    assert regularization_lib.get(None) == Regularization()


@pytest.mark.parametrize(
    "options,views",
    [
        ({}, False),
        ({"balance": 1.0}, False),
        ({"augmentation": Augmentation()}, False),
        ({"augmentation": Augmentation(noise_stddev=0.1)}, True),
        ({"dropout": 0.1}, True),
    ],
)
def test_whether_there_are_views(options, views):
    assert Regularization(**options).has_views == views
    if views:
        assert Regularization(**options, consistency=1.0).consistency == 1.0
    else:
        with pytest.raises(ValueError, match="must differ.*or consistency=0. Received: consist"):
            Regularization(**options, consistency=1.0)


@pytest.mark.parametrize(
    "options,message",
    [
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\). Received: dropout=1.0"),
        ({"balance": -1.0}, "balance must be a finite number >= 0. Received: balance=-1.0"),
        ({"augmentation": 0}, "augmentation must be an Augmentation, its config or None. Rec"),
    ],
)
def test_refuses_arguments_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        Regularization(**options)
