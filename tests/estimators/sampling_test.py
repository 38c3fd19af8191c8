"""The sample axis: folded into the batch and back."""

import numpy as np
import tensorflow as tf

from tf_discrete.estimators import sampling


def test_apply_to_samples_folds_the_samples_into_the_batch():
    shapes = []

    def network(x):
        shapes.append(tuple(x.shape))
        return tf.reshape(x, [-1, 6]) @ tf.ones([6, 7])

    z = tf.random.stateless_normal([4, 5, 2, 3], [0, 1])
    outputs = sampling.apply_to_samples(network, z, batch_rank=2)
    assert shapes == [(20, 2, 3)] and outputs.shape == [4, 5, 7]
    for s in range(4):
        np.testing.assert_allclose(outputs[s], network(z[s]), rtol=1e-5)
    assert sampling.apply_to_samples(network, z[0]).shape == [5, 7]
    assert sampling.apply_to_samples(network, z[None], batch_rank=3).shape == [1, 4, 5, 7]


def test_apply_to_samples_keeps_static_shapes_in_a_graph_of_unknown_batch():
    @tf.function(input_signature=[tf.TensorSpec([3, None, 2], tf.float32)], autograph=False)
    def run(z):
        outputs = sampling.apply_to_samples(lambda x: x @ tf.ones([2, 4]), z, batch_rank=2)
        assert outputs.shape.as_list() == [3, None, 4]
        return outputs

    for batch in (0, 1, 5):
        assert run(tf.ones([3, batch, 2])).shape == [3, batch, 4]
