import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete.callbacks import ReorderClasses
from tf_discrete.callbacks.reorder_classes import digit_scores
from tf_discrete.models import SemiSupervisedVAE

K, BRANCHING = 6, (2, 3)
RANDOM = np.random.RandomState(0)
X = RANDOM.uniform(size=[24, 5]).astype("float32")
Y = np.arange(24, dtype=np.int32) % K


def _model(order=range(K), **changes):
    keras.utils.set_random_seed(0)
    arguments = {"num_classes": K, "latents": "tree:2,3", "style_size": 2, "hidden_units": (7,)}
    model = SemiSupervisedVAE((5,), **{**arguments, "class_order": order, **changes})
    model.compile(keras.optimizers.Adam(0.03), run_eagerly=True)
    return model


def test_scores_are_means_over_the_labelled_images_of_a_class():
    model = _model()
    y = np.where(Y == 4, -1, Y)  # Class 4 has no labelled image.
    log_probs = model.posterior(X).category_log_probs.numpy()
    batches = tf.data.Dataset.from_tensor_slices({"image": X, "label": y}).batch(7)
    scores = digit_scores(model, batches)
    assert [array.shape for array in scores] == [(6, 2), (6, 3)]
    for depth, (array, children) in enumerate(zip(scores, BRANCHING, strict=True)):
        expected = [log_probs[y == k, depth, :children].mean(axis=0) for k in (0, 1, 2, 3, 5)]
        np.testing.assert_allclose(array[[0, 1, 2, 3, 5]], expected, rtol=1e-5)
        np.testing.assert_allclose(array[4], np.mean(expected, axis=0), rtol=1e-5)


def test_classes_that_look_alike_end_below_one_node():
    """The first digit of a class follows its first pixel."""
    linear = keras.Sequential([keras.Input([5]), keras.layers.Dense(6)])
    model = _model(classifier=linear, style_encoder="mlp", decoder="mlp")
    kernel = np.zeros([5, 6], "float32")
    kernel[0, 0], kernel[0, 1] = 3.0, -3.0
    model.classifier.set_weights([kernel, np.zeros(6, "float32")])
    bright = np.array([1, 0, 0, 1, 0, 1])
    x = X.copy()
    x[:, 0] = bright[Y]
    model.fit(x, Y, epochs=1, verbose=0, callbacks=[ReorderClasses((x, Y))])
    assert sorted(model.class_order.array()[:3]) == [0, 3, 5]


@pytest.mark.parametrize(
    "options, expected",
    [({}, [0]), ({"until": 3}, [0, 1, 2]), ({"every": 2, "until": 4}, [0, 2])],
)
def test_the_epochs_in_which_classes_move(options, expected, monkeypatch):
    model, moved = _model(), []
    monkeypatch.setattr(SemiSupervisedVAE, "reorder_classes", lambda self, order: moved.append(1))
    callback = ReorderClasses((X, Y), **options)
    callback.set_model(model)
    epochs = []
    for epoch in range(5):
        callback.on_epoch_begin(epoch)
        epochs += [epoch] * len(moved)
        moved.clear()
    assert epochs == expected


def test_training_that_is_resumed_ends_with_the_same_order(tmp_path):
    options = {"shuffle": False, "verbose": 0}

    def callbacks():
        return [ReorderClasses((X, Y), until=3)]

    whole, part, rest = _model(), _model(), _model()
    whole.fit(X, Y, epochs=4, callbacks=callbacks(), **options)
    part.fit(X, Y, epochs=2, callbacks=callbacks(), **options)
    path = tf.train.Checkpoint(model=part, optimizer=part.optimizer).write(str(tmp_path / "two"))
    rest._build_optimizer()
    tf.train.Checkpoint(model=rest, optimizer=rest.optimizer).read(path)
    rest.fit(X, Y, epochs=4, initial_epoch=2, callbacks=callbacks(), **options)
    order = whole.class_order.array()
    assert (order != np.arange(K)).any()
    np.testing.assert_array_equal(rest.class_order.array(), order)
    np.testing.assert_array_equal(rest.classify(X), whole.classify(X))


def test_what_cannot_be_ordered_is_refused():
    with pytest.raises(ValueError, match=r"class_order=range\(num_classes\)"):
        _model("given").fit(X, Y, verbose=0, callbacks=[ReorderClasses((X, Y))])
    with pytest.raises(ValueError, match="Give some. Received: data without labels"):
        _model().fit(X, Y, verbose=0, callbacks=[ReorderClasses((X,))])
    with pytest.raises(ValueError, match="until must be at least 1"):
        ReorderClasses((X, Y), until=0)
