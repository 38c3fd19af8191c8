import numpy as np
import pytest
from sklearn.datasets import load_digits

from tf_discrete import evaluation
from tf_discrete.evaluation import image_classifiers


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    return data.images[order].astype(np.float32) / 16.0, data.target[order]


@pytest.fixture(scope="module")
def classifier(digits):
    images, labels = digits
    return evaluation.train_classifier(images[:1400], labels[:1400], num_classes=10, num_steps=400)


@pytest.mark.slow
def test_classifier_reads_unseen_digits(digits, classifier):
    images, labels = digits[0][1400:], digits[1][1400:]
    assert len(labels) == 397
    probs = evaluation.predict_probs(classifier, images)
    np.testing.assert_allclose(probs.sum(axis=1), 1.0, atol=1e-5)
    assert evaluation.accuracy(probs, labels) >= 0.95
    assert evaluation.expected_calibration_error(probs, labels) < 0.05
    confusion = evaluation.confusion_matrix(probs, labels)
    assert confusion.sum(axis=1).tolist() == np.bincount(labels).tolist()


def test_reconstructions_are_read_as_well_as_they_look(digits, classifier):
    images, labels = digits[0][1400:], digits[1][1400:]

    def read(reconstructions):
        return evaluation.reconstruction_accuracy(classifier, reconstructions, labels)

    assert read(np.clip(images + 0.05, 0, 1)) >= 0.95
    assert read(images[::-1]) < 0.3  # the right digits, in the wrong places
    assert read(np.zeros_like(images)) < 0.3


def test_formats_of_one_image_agree(digits, classifier):
    integers = np.round(digits[0][:5] * 255).astype(np.uint8)
    expected = evaluation.predict_probs(classifier, integers.astype(np.float64) / 255)
    np.testing.assert_allclose(evaluation.predict_probs(classifier, integers), expected, atol=1e-6)
    np.testing.assert_allclose(
        evaluation.predict_probs(classifier, integers[..., np.newaxis], batch_size=2),
        expected,
        atol=1e-6,
    )


def test_no_images_give_no_probabilities(classifier):
    assert evaluation.predict_probs(classifier, np.zeros([0, 8, 8])).shape == (0, 10)
    assert np.isnan(evaluation.reconstruction_accuracy(classifier, np.zeros([0, 8, 8]), []))


def test_seed_fixes_weights_and_order(digits):
    images, labels = digits[0][:100], digits[1][:100]

    def weights(seed):
        model = evaluation.train_classifier(images, labels, 10, num_steps=3, seed=seed)
        return np.concatenate([w.ravel() for w in model.get_weights()])

    np.testing.assert_allclose(weights(1), weights(1), atol=1e-6)
    assert np.abs(weights(1) - weights(2)).max() > 1e-2


@pytest.mark.parametrize("shape", [(3, 5, 7, 3), (1, 1, 1), (2, 28, 28, 1)])
def test_any_size_and_fewer_images_than_a_batch(shape):
    images = np.random.default_rng(0).uniform(size=shape)
    labels = np.arange(len(images)) % 2
    model = evaluation.train_classifier(images, labels, 2, num_steps=2)
    assert evaluation.predict_probs(model, images).shape == (len(images), 2)


@pytest.mark.parametrize("images", [np.zeros([2, 64]), np.zeros([8])])
def test_flat_images_are_refused(images):
    with pytest.raises(ValueError, match=r"Reshape flat images.*images\.shape=\("):
        evaluation.train_classifier(images, [0, 1], 2)


@pytest.mark.parametrize("value", [np.nan, 1.5, -0.5, 300])
def test_images_out_of_range_are_refused(value):
    with pytest.raises(ValueError, match="Rescale or clip them. Received: dtype=.*maximum="):
        evaluation.train_classifier(np.full([2, 8, 8], value), [0, 1], 2)


@pytest.mark.parametrize("images, labels", [(0, []), (2, [0]), (1, [0, 1])])
def test_images_without_one_label_each_are_refused(images, labels):
    with pytest.raises(ValueError, match=f"one label for each.*Received: images={images}"):
        evaluation.train_classifier(np.zeros([images, 8, 8]), labels, 2)


@pytest.mark.parametrize("labels", [[0, 2], [-1, 0], [[0], [1]], [[1, 0], [0, 1]]])
def test_impossible_labels_are_refused(labels):
    with pytest.raises(ValueError, match=r"integers in \[0, 2\).*Received: labels\.shape=\(2,"):
        evaluation.train_classifier(np.zeros([2, 8, 8]), labels, 2)


@pytest.mark.parametrize(
    "labels,message",
    [
        (["cat", "dog"], r"np\.unique\(names.*Received: labels\.dtype=str"),
        (np.array(["cat", None], object), r"np\.unique\(names.*Received: labels\.dtype=object"),
        ([0.0, 1.0], r"astype\('int32'\).*Received: labels\.dtype=float64"),
        ([0.5, 1.0], r"labels\.dtype=float64"),
        ([False, True], r"labels\.dtype=bool"),
    ],
)
def test_labels_that_are_no_integers_are_never_converted(labels, message):
    with pytest.raises(ValueError, match=f"Labels must be integers.*{message}"):
        evaluation.train_classifier(np.zeros([2, 8, 8]), labels, 2)
    with pytest.raises(ValueError, match=f"Labels must be integers.*{message}"):
        evaluation.accuracy([[0.9, 0.1], [0.2, 0.8]], labels)


def test_arrays_of_names_are_no_images_and_no_probabilities():
    with pytest.raises(ValueError, match="images must be numbers.*Received: images.dtype=<U"):
        evaluation.train_classifier([["a.png"]], [0], 2)
    with pytest.raises(ValueError, match="probs must be numbers.*Received: probs.dtype=<U"):
        evaluation.accuracy([["0.5", "0.5"]], [0])


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="num_classes must be at least 2. Received: num_classes=1"):
        evaluation.train_classifier(np.zeros([2, 8, 8]), [0, 0], 1)


# The classifier that is kept.


@pytest.fixture(scope="module")
def halves():
    """Images of a bright upper or lower half."""
    y = np.arange(40) % 2
    x = np.zeros([40, 4, 4])
    x[y == 0, :2], x[y == 1, 2:] = 1.0, 1.0
    return x, y


def test_a_classifier_is_trained_once(halves, tmp_path, monkeypatch):
    x, y = halves
    path = tmp_path / "new" / "classifier.keras"
    made = image_classifiers.cached_classifier(
        path, x, y, 2, network="mlp", decay=False, num_steps=30, batch_size=20
    )
    assert [layer.units for layer in made.layers if hasattr(layer, "units")] == [512, 256, 2]
    assert float(made.optimizer.learning_rate) == pytest.approx(1e-3)
    monkeypatch.setattr(image_classifiers, "train_classifier", None)
    again = image_classifiers.cached_classifier(path, x, y, 2)
    p = image_classifiers.predict_probs(again, x)
    np.testing.assert_array_equal(p, image_classifiers.predict_probs(made, x))
    assert evaluation.accuracy(p, y) == 1.0
    assert [file.name for file in path.parent.iterdir()] == ["classifier.keras"]


def test_a_kept_classifier_of_other_images_is_refused(halves, tmp_path):
    x, y = halves
    path = tmp_path / "classifier.keras"
    image_classifiers.cached_classifier(path, x, y, 2, network="mlp", num_steps=1)
    with pytest.raises(ValueError, match=r"of such images.*from \(4, 4, 1\) to 2 classes"):
        image_classifiers.cached_classifier(path, x[:, :3], y, 2)
    path.write_text("none")
    with pytest.raises(ValueError, match="Remove it, and it is trained again. Received: path="):
        image_classifiers.cached_classifier(path, x, y, 2)


def test_unknown_networks_are_refused(halves):
    with pytest.raises(ValueError, match="one of conv, mlp. Received: network='rnn'"):
        image_classifiers.train_classifier(*halves, 2, network="rnn")


def test_the_largest_seed_trains(halves):
    classifier = image_classifiers.train_classifier(
        *halves, 2, network="mlp", num_steps=1, seed=2**63 - 1
    )
    assert all(np.isfinite(weights).all() for weights in classifier.get_weights())
