"""What a page holds of a model: computed by NumPy, it is what the model computes."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.explorer import small_pages
from tests.export import small_models
from tf_discrete import explorer, models
from tf_discrete.explorer import codewords, computing, packed, payload
from tf_discrete.layers import quantizers

MODELS = (
    *(small_pages.categorical, small_pages.bits, small_pages.convolutions),
    small_pages.quantized,
)


@pytest.fixture(scope="module", params=MODELS, ids=lambda make: make.__name__)
def model(request):
    return request.param()


def test_the_decoder_is_the_models(model):
    found = json.loads(json.dumps(small_pages.payload(model)))
    random = np.random.default_rng(2)
    codes = random.integers(0, found["num_categories"], [6, model.num_variables])
    expected = np.asarray(model.decode(codes))
    assert expected.std(axis=0).max() > 0.01
    decoded = explorer.decode(found, codes[:, : found["num_variables"]])
    np.testing.assert_allclose(decoded, expected, atol=1e-3)
    assert found["largest_error"] < 1e-3


def test_layers_may_have_different_numbers_of_categories():
    options = {"num_layers": 2, "num_variables": (3, 2), "num_categories": (4, 2)}
    model = models.CategoricalVAE((4, 4, 1), **options, hidden_units=(6,))
    found = small_pages.payload(small_pages.spread(model))
    assert (found["num_variables"], found["num_categories"]) == (3, 4)
    assert found["largest_error"] < 1e-3


def test_codes_and_probabilities_are_the_models(model):
    found = small_pages.payload(model)
    x = tf.constant(small_pages.examples(model.data_shape).observations)
    n, k = found["num_variables"], found["num_categories"]
    codes = np.asarray(model.encode(x))[:, :n]
    np.testing.assert_array_equal(packed.unpack(found["examples"]["codes"]), codes)
    assert found["examples"]["labels"] == small_pages.LABELS.tolist()
    if model is small_pages.quantized():
        assert found["examples"]["log_probs"] is None
        return
    probs = np.exp(packed.unpack(found["examples"]["log_probs"])).reshape([-1, n, k])
    expected = np.asarray(model.encode_probs(x))[:, :n]
    if expected.ndim == 2:
        expected = np.stack([1 - expected, expected], axis=-1)
    np.testing.assert_allclose(probs, expected[..., :k], atol=0.05)


def test_values_of_minus_one_and_one_are_decoded():
    model = small_pages.categorical(code_values="plus_minus")
    codes = np.array([[0, 1, 2, 0]])
    found = explorer.decode(small_pages.payload(model), codes)
    np.testing.assert_allclose(found, np.asarray(model.decode(codes)), atol=1e-3)


def test_class_and_style_are_the_models():
    model = small_pages.class_and_style()
    found = json.loads(json.dumps(small_pages.payload(model)))
    style = np.random.default_rng(2).normal(size=[5, 3]).astype(np.float32)
    label = np.arange(5)
    expected = np.asarray(model.generate(label, style))
    assert expected.std(axis=0).max() > 0.01
    np.testing.assert_allclose(explorer.generate(found, label, style), expected, atol=1e-3)
    x = tf.constant(small_pages.examples().observations)
    probs = packed.unpack(found["examples"]["class_probs"])
    np.testing.assert_allclose(probs, model.classify(x), atol=1e-3)
    styles = packed.unpack(found["examples"]["styles"])
    np.testing.assert_allclose(styles, model.encode(x)[1], atol=1e-3)


def test_a_model_on_features_is_decoded_to_images():
    m1 = models.CategoricalVAE(small_pages.SHAPE, 4, 3, hidden_units=(6,))
    extractor, decoder = models.feature_networks(small_pages.spread(m1))
    model = models.SemiSupervisedVAE(
        small_pages.SHAPE,
        10,
        3,
        hidden_units=(6,),
        feature_extractor=extractor,
        feature_decoder=decoder,
    )
    assert small_pages.payload(model)["largest_error"] < 1e-3


@pytest.mark.parametrize(
    ("make", "kinds"),
    [
        (small_pages.categorical, ("independent", "lstm")),
        (small_pages.bits, ("independent", None)),
        (small_pages.quantized, ("independent", None)),
        (small_pages.convolutions, ("samples", None)),
    ],
)
def test_the_priors_are_those_of_the_model(make, kinds):
    found = small_pages.payload(make())
    priors = found["prior"], found["code_prior"]
    assert tuple(prior and prior["kind"] for prior in priors) == kinds
    if kinds[0] == "samples":
        codes = packed.unpack(found["prior"]["codes"])
        assert codes.shape == (256, 4) and codes.max() == 2


def test_fewer_bits_cost_precision_and_save_space():
    model = small_pages.categorical()
    sixteen, eight = (small_pages.payload(model, precision=name) for name in ("int16", "int8"))
    assert sixteen["largest_error"] < eight["largest_error"] < 0.1
    assert len(json.dumps(eight)) < len(json.dumps(sixteen))


QUANTIZERS = (
    lambda: quantizers.VectorQuantizer(7, code_size=2),
    lambda: quantizers.GroupedQuantizer(quantizers.VectorQuantizer(5), num_groups=2),
    lambda: quantizers.FiniteScalarQuantizer(levels=(4, 3)),
    lambda: quantizers.LookupFreeQuantizer(4, bits_per_code=2, spherical=True),
    lambda: quantizers.SimVQ(6),
)


@pytest.mark.parametrize("make", QUANTIZERS)
def test_vectors_of_every_quantiser_are_sums_of_rows(make):
    quantizer = make()
    quantizer.build((None, 3, 4))
    codes = np.random.default_rng(0).integers(
        0, quantizer.num_categories, [2, 3, quantizer.num_variables]
    )
    network = codewords.of_quantizer(quantizer, (3, 4), "int16")
    one_hot = np.eye(quantizer.num_categories)[codes.reshape([2, -1])]
    found = computing.compute(network, one_hot)
    np.testing.assert_allclose(found, quantizer.decode(codes.astype(np.int32)), atol=1e-3)


def test_a_page_decodes_a_grid_of_codes():
    quantizer = quantizers.VectorQuantizer(6)
    options = {"encoder": "conv_grid", "hidden_units": (4, 3)}
    model = models.QuantizedAutoencoder((7, 9, 1), quantizer, (2, 3, 4), **options)
    small_pages.spread(model.decoder)
    found = small_pages.payload(model)
    assert found["num_variables"] == 6 and found["largest_error"] < 1e-3


def of_many_codes():
    quantizer = quantizers.LookupFreeQuantizer(18)
    return models.QuantizedAutoencoder(small_pages.SHAPE, quantizer, (2, 4), hidden_units=(4,))


def of_trees():
    return models.CategoricalVAE(small_pages.SHAPE, 2, 9, latents="tree:3,3", hidden_units=(4,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (of_many_codes, "at most 8192 vectors.*num_variables=1, num_categories=262144"),
        (of_trees, "categorical and bernoulli latents.*Received: latents='tree:3,3'"),
        (
            lambda: small_models.make("StructuredPrediction"),
            "must decode its codes.*Received: model=StructuredPrediction",
        ),
        (
            lambda: models.SemiSupervisedVAE(small_pages.SHAPE, 9, 2, latents="tree:3,3"),
            "one categorical variable.*latents='tree:3,3'",
        ),
        (
            lambda: models.CategoricalVAE((8,), 2, 3, hidden_units=(4,)),
            r"shows images.*Received: data_shape=\(8,\)",
        ),
    ],
)
def test_models_that_a_page_cannot_show_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        payload.check_model(make())


def test_a_page_without_images_is_refused():
    none = explorer.Examples(np.zeros([0, 8, 8, 1], np.uint8), np.zeros([0, 8, 8, 1]))
    with pytest.raises(ValueError, match="at least one image"):
        explorer.of_model(small_pages.categorical(), none)
