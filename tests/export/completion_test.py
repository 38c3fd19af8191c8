"""What a served model of structured prediction answers, with x and y in one array and in two."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import export
from tf_discrete.models import StructuredPrediction

SEED = tf.constant([3, 4])


@pytest.fixture(scope="module", params=["arrays", pytest.param("parts", marks=pytest.mark.slow)])
def served(request, tmp_path_factory):
    """A model and its SavedModel."""
    own = {"output_shape": (5,)} if request.param == "arrays" else {}
    model = StructuredPrediction((2, 3), num_variables=2, num_categories=3, **own)
    folder = tmp_path_factory.mktemp(request.param) / "saved_model"
    export.save(model, folder)
    return model, tf.saved_model.load(str(folder)).signatures


def inputs(count=4):
    return tf.random.stateless_uniform([count, 2, 3], [0, 1])


def test_completions_are_those_of_the_model(served):
    model, signatures = served
    x = inputs()
    complete = signatures["complete"](input=x)["output"]
    np.testing.assert_allclose(complete, model.complete(x), rtol=1e-5)
    mean = signatures["mean"](input=x, num_samples=tf.constant(9), seed=SEED)["output"]
    np.testing.assert_allclose(mean, model.complete(x, 9, SEED), rtol=1e-5)
    drawn = signatures["sample"](input=x, num=tf.constant(7), seed=SEED)["output"]
    assert drawn.shape[:2] == [4, 7]
    np.testing.assert_allclose(tf.unstack(drawn, axis=1), model.sample(x, 7, SEED), rtol=1e-5)


def test_the_likelihood_reads_both_parts(served):
    model, signatures = served
    x = inputs()
    y = {} if model.parts.output_shape is None else {"output": tf.ones([4, 5])}
    observations = (x, y["output"]) if y else x
    arguments = {"num_samples": tf.constant(9), "seed": SEED}
    found = signatures["log_likelihood"](input=x, **y, **arguments)["log_likelihood"]
    np.testing.assert_allclose(found, model.log_likelihood(observations, 9, SEED), rtol=1e-5)
    for count in (0, -1, 10**9):
        arguments["num_samples"] = tf.constant(count)
        for name, more in (("log_likelihood", y), ("mean", {})):
            with pytest.raises(
                tf.errors.InvalidArgumentError, match=r"num_samples must be in 1\.\."
            ):
                signatures[name](input=x, **more, **arguments)


@pytest.mark.parametrize("count", [-1, 10**9])
def test_a_request_cannot_ask_for_completions_without_end(served, count):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"num must be in 0\.\.10000"):
        served[1]["sample"](input=inputs(), num=tf.constant(count), seed=SEED)


def test_the_manifest_limits_what_the_likelihood_limits(served):
    model = served[0]
    signatures = model.signatures()
    halves = model.parts.output_shape is None
    assert signatures["complete"].limits == ({"input": (0.0, 1.0)} if halves else {})
    assert ("output" in signatures["log_likelihood"].limits) != halves


def test_an_input_that_is_not_finite_is_refused(served):
    x = inputs().numpy()
    x[1, 0, 2] = np.nan
    with pytest.raises(tf.errors.InvalidArgumentError, match="x must be finite"):
        served[1]["complete"](input=tf.constant(x))
