"""Classes that are other leaves of their tree than their numbers say."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_discrete import distributions, export, seeds
from tf_discrete.models import SemiSupervisedVAE, class_order

K, TREE, BRANCHING = 12, "tree:3,4", (3, 4)
X = np.random.RandomState(0).uniform(size=[8, 4, 4, 1]).astype("float32")
LABELS = np.array([0, 11, 5, 7, 2, -1, -1, -1], np.int32)
ORDER = np.random.RandomState(1).permutation(K)  # leaf -> class
LEAF = np.argsort(ORDER)  # class -> leaf
LEAVES = np.where(LABELS >= 0, LEAF[LABELS], -1).astype(np.int32)


def made(order, **changes):
    """A model of generic weights, the same ones for every order."""
    arguments = {"num_classes": K, "style_size": 2, "hidden_units": (6,), "latents": TREE}
    model = SemiSupervisedVAE((4, 4, 1), **{**arguments, "class_order": order, **changes})
    random = np.random.RandomState(3)
    for variable in model.trainable_variables:
        variable.assign(random.normal(scale=0.7, size=variable.shape))
    return model


def terms(model, labels, training=False):
    return model.objective(
        model.unpack_batch({"image": X, "label": labels}), seeds.base(4), training
    )


@pytest.mark.parametrize("estimator", ["enumeration", "gumbel_softmax"])
@pytest.mark.parametrize("prior", ["uniform", "learned"])
def test_it_is_the_given_model_of_other_numbers(estimator, prior):
    """By the same weights, class k of one is leaf LEAF[k] of the other, in everything that names a class."""
    model, given = (
        made(order, estimator=estimator, prior=prior, dtype="float64") for order in (ORDER, "given")
    )
    np.testing.assert_array_equal(model(X), given(X).numpy()[:, LEAF])
    label, style = model.encode(X)
    leaf, same = given.encode(X)
    assert label.dtype == tf.int32
    np.testing.assert_array_equal(label, ORDER[leaf])
    np.testing.assert_array_equal(label, tf.argmax(model(X), axis=1))
    np.testing.assert_array_equal(style, same)
    known = np.maximum(LABELS, 0)
    np.testing.assert_array_equal(model.encode(X, known)[1], given.encode(X, LEAF[known])[1])
    np.testing.assert_array_equal(
        model.generate(known, style), given.generate(LEAF[known].astype(np.int32), style)
    )
    np.testing.assert_array_equal(model.transfer(X), given.transfer(X).numpy()[:, LEAF])
    np.testing.assert_array_equal(model.sample(5, 1), given.sample(5, 1))
    np.testing.assert_array_equal(model.log_likelihood(X, 3), given.log_likelihood(X, 3))
    for training in (False, True):
        one, other = terms(model, LABELS, training), terms(given, LEAVES, training)
        np.testing.assert_array_equal(one.loss, other.loss)
        assert one.terms.keys() == other.terms.keys()
        for name, term in one.terms.items():
            keras.tree.map_structure(np.testing.assert_array_equal, term, other.terms[name])


def test_samples_of_the_prior_are_classes():
    """A prior that knows one leaf: its images are those of the class there."""
    model = made(ORDER, prior="learned")
    model.prior.logits.assign(np.where(np.arange(4) == [[2], [1]], 50.0, 0.0))
    label = np.full(3, ORDER[2 * 4 + 1])
    style = tf.random.stateless_normal([3, 2], seeds.fold(seeds.base(1), "style"))
    np.testing.assert_allclose(model.sample(3, 1), model.generate(label, style), rtol=1e-5)


def test_the_given_order_is_no_part_of_a_model():
    """The files of models made before there were orders have as many weights."""
    given, first = made("given"), made(range(K))
    assert given.class_order is None and given.get_config()["class_order"] == "given"
    assert len(given.weights) == len(first.weights) - 2
    assert len(given.trainable_weights) == len(first.trainable_weights)
    np.testing.assert_array_equal(given(X), first(X))
    np.testing.assert_array_equal(terms(given, LABELS).loss, terms(first, LABELS).loss)


def test_moving_classes_back_changes_nothing():
    model = made(range(K))
    before, bound = model(X), terms(model, LABELS).loss
    model.reorder_classes(ORDER)
    np.testing.assert_array_equal(model(X), before.numpy()[:, LEAF])
    model.reorder_classes(np.arange(K))
    np.testing.assert_array_equal(model(X), before)
    np.testing.assert_array_equal(terms(model, LABELS).loss, bound)


def test_a_compiled_step_reads_the_order_of_now():
    model = made(range(K))
    step = tf.function(lambda: model.encode(X)[0])
    leaf = step()
    model.reorder_classes(ORDER)
    np.testing.assert_array_equal(step(), ORDER[leaf])


def test_the_learned_prior_goes_with_the_classes():
    model = made(range(K), prior="learned")
    before = model.class_style.class_probs(model.prior_distribution()).numpy()[0]
    children = np.arange(K).reshape(3, 4)[[2, 0, 1]][:, [3, 1, 0, 2]].reshape(-1)
    model.reorder_classes(children)  # Independent digits can follow.
    after = model.class_style.class_probs(model.prior_distribution()).numpy()[0]
    np.testing.assert_allclose(after, before, rtol=1e-5)
    model.reorder_classes(ORDER)  # Here they cannot: the digits have the right probabilities.
    probs = model.prior_distribution().category_probs.numpy()
    of_leaves = before[ORDER].reshape(3, 4)
    np.testing.assert_allclose(probs[0, :3], of_leaves.sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(probs[1], of_leaves.sum(axis=0), rtol=1e-5)


def test_no_product_of_digits_is_nearer_to_the_prior_than_the_one_that_is_found():
    random = np.random.RandomState(0)
    logits = random.normal(size=[2, 3])
    target = _leaf_probs(logits)[np.argsort(np.arange(6))][ORDER[ORDER < 6]]
    found = class_order.moved_logits(logits, (2, 3), np.arange(6), ORDER[ORDER < 6])

    def kl(logits):
        return (target * (np.log(target) - np.log(_leaf_probs(logits)))).sum()

    for _ in range(50):
        assert kl(found) <= kl(found + 0.1 * random.normal(size=[2, 3]))


def _leaf_probs(logits):
    """Of a tree 2, 3."""
    first, second = (np.exp(row) / np.exp(row).sum() for row in (logits[0, :2], logits[1]))
    return np.outer(first, second).reshape(-1)


def test_the_order_is_saved_and_loaded(tmp_path):
    model = made(range(K))
    model.reorder_classes(ORDER)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(X), model(X))
    again = SemiSupervisedVAE.from_config(model.get_config())
    np.testing.assert_array_equal(again.class_order.array(), ORDER)
    path = tf.train.Checkpoint(model=model).write(str(tmp_path / "checkpoint"))
    fresh = made(range(K))
    tf.train.Checkpoint(model=fresh).read(path).assert_existing_objects_matched()
    np.testing.assert_array_equal(fresh.class_order.array(), ORDER)
    np.testing.assert_array_equal(fresh.class_order.leaf_of, LEAF)


@pytest.mark.slow
def test_an_export_speaks_of_classes(tmp_path):
    model = made(ORDER)
    manifest = export.save(model, tmp_path / "exported")
    assert manifest.num_classes == K and manifest.latents == TREE
    served = tf.saved_model.load(str(tmp_path / "exported")).signatures
    np.testing.assert_allclose(served["classify"](image=X)["probs"], model(X), rtol=1e-5)
    answer, (label, style) = served["encode"](image=X), model.encode(X)
    np.testing.assert_array_equal(answer["label"], label)
    image = served["generate"](label=label, style=style)["image"]
    np.testing.assert_allclose(image, model.generate(label, style), rtol=1e-5)


def test_a_label_that_xla_leaves_unchecked_does_not_end_the_step():
    """The loss of a label out of range is NaN; to look it up in the order must be no error."""
    one_hot = made(ORDER).class_style.one_hot(tf.constant([0, K, -1]))
    np.testing.assert_array_equal(tf.reduce_sum(one_hot, axis=1), [2, 2, 0])


@pytest.mark.parametrize("order", [range(K - 1), [0] * K, np.arange(K) / 1.0, "learned", None])
def test_what_is_no_permutation_is_refused(order):
    with pytest.raises(ValueError, match="class_order must be 'given', or the class of each leaf"):
        made(order)
    with pytest.raises(ValueError, match="class_order must be 'given', or the class of each leaf"):
        made(range(K)).reorder_classes(order)


def test_what_has_no_order_is_refused():
    with pytest.raises(ValueError, match="Set latents to a tree such as"):
        made(range(K), latents="categorical")
    with pytest.raises(ValueError, match=r"Make it with class_order=range\(12\)"):
        made("given").reorder_classes(ORDER)


def test_an_order_by_clustering_is_one():
    order = distributions.cluster_order(np.random.RandomState(0).normal(size=[K, 3]), BRANCHING)
    np.testing.assert_array_equal(made(order).class_order.array(), order)
