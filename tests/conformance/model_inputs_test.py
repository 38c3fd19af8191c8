"""Every public model refuses, in every public method, observations and codes that it was not made for."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import tensorflow as tf

from tests.export import small_models
from tf_discrete import evaluation, models, seeds
from tf_discrete.models import CategoricalVAE, StructuredPrediction

NAMES = sorted(small_models.CLASSES)
SHAPE = small_models.ARGUMENTS["data_shape"]
GOOD = np.full([2, *SHAPE], 0.5, np.float32)
READERS = {
    "call": lambda model, x: model(x),
    "logits": lambda model, x: model.logits(x),
    "posterior": lambda model, x: model.posterior(x),
    "encode": lambda model, x: model.encode(x),
    "encode_packed": lambda model, x: model.encode_packed(x),
    "encode_probs": lambda model, x: model.encode_probs(x),
    "classify": lambda model, x: model.classify(x),
    "reconstruct": lambda model, x: model.reconstruct(x),
    "transfer": lambda model, x: model.transfer(x),
    "complete": lambda model, x: model.complete(x),
    "sample": lambda model, x: model.sample(x, 2),
    "log_weights": lambda model, x: model.log_weights(x, 3, seeds.base(0)),
    "log_likelihood": lambda model, x: model.log_likelihood(x, 3),
    "objective": lambda model, x: model.objective(x, seeds.base(0), False),
    "hard_terms": lambda model, x: model.hard_terms(x, seeds.base(0)),
    "evaluate_bound": lambda model, x: evaluation.evaluate_bound(model, [{"image": x}], 3),
    "fit": lambda model, x: model.fit(x, verbose=0),
    "evaluate": lambda model, x: model.evaluate(x, verbose=0),
}
"""What takes observations alone, where a model has it."""
OF_WINDOWS = (
    *("log_weights", "log_likelihood", "objective", "hard_terms"),
    *("evaluate_bound", "fit", "evaluate"),
)
"""What takes windows of observations in state tabulation, see its own tests."""


def refused():
    nan, large = GOOD.copy(), GOOD.copy()
    nan[1, 3, 3, 0], large[1] = np.nan, 255.0
    return {
        "no channel": (GOOD[..., 0], r"shape \(8, 8, 1\).*Reshape x.*x.shape=\(2, 8, 8\)"),
        "no batch": (GOOD[0], r"shape \(8, 8, 1\).*axis of the batch.*x.shape=\(8, 8, 1\)"),
        "channels first": (np.moveaxis(GOOD, -1, 1), r"Transpose x.*x.shape=\(2, 1, 8, 8\)"),
        "0..255": (large, r"in \[0, 1\].*1 / 255.*Received: x from 0.5 to 255"),
        "NaN": (nan, "must be finite.*Received: x from nan to nan"),
    }


@pytest.fixture(scope="module", params=NAMES)
def model(request):
    made = small_models.make(request.param)
    made.compile("sgd", jit_compile=False)
    return made


def readers(model):
    """Those of the model; `sample` takes observations in structured prediction only."""
    for name, reader in READERS.items():
        if name in OF_WINDOWS and isinstance(model, models.VariationalStateTabulation):
            continue
        own = {"call": "call", "evaluate_bound": "log_weights"}.get(name, name)
        if hasattr(model, own):
            if name == "sample" and "x" not in inspect.signature(model.sample).parameters:
                continue
            yield name, reader


def test_every_public_method_that_reads_observations_is_here():
    """A method with an argument x is listed above, or takes latents with it, or a batch of `fit`."""
    others = {
        "adapt",
        "check_arrays",
        "check_observations",
        "class_logits",
        "features",
        "conditional_log_likelihood",
        "predict",
        "predict_on_batch",
        "test_on_batch",
        "train_on_batch",
    }
    for name in NAMES:
        for key, method in inspect.getmembers(small_models.CLASSES[name], inspect.isfunction):
            own = method.__module__.startswith("tf_discrete") and not key.startswith("_")
            if own and "x" in inspect.signature(method).parameters:
                assert key in READERS or key in others, (name, key)


@pytest.mark.parametrize("case", refused())
def test_observations_of_another_kind_are_refused_by_every_method(model, case):
    x, message = refused()[case]
    for name, reader in readers(model):
        with pytest.raises(ValueError, match=message):
            reader(model, x)
            pytest.fail(name)


@pytest.mark.parametrize("case", ["no channel", "0..255"])
def test_batches_of_a_data_set_are_refused_by_the_step(case):
    """They are not in memory: a shape shows in the trace, a value in the assertion."""
    x, _ = refused()[case]
    model = small_models.make("CategoricalVAE")
    model.compile("sgd", jit_compile=False)
    before = [weight.numpy() for weight in model.trainable_variables]
    data = tf.data.Dataset.from_tensors(x)
    error = ValueError if case == "no channel" else tf.errors.InvalidArgumentError
    for step in (model.fit, model.evaluate):
        with pytest.raises(error, match=r"shape \(8, 8, 1\)|in \[0, 1\]"):
            step(data, verbose=0)
    for old, new in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.one_in(3)
def test_under_xla_the_loss_of_values_outside_the_support_is_nan(model):
    if isinstance(model, models.VariationalStateTabulation):
        pytest.skip("takes windows")
    x = refused()["0..255"][0]
    call = tf.function(
        lambda x: model.objective(x, seeds.base(0), True).loss, jit_compile=True, autograph=False
    )
    loss = call(x).numpy()
    assert np.isfinite(loss[0]) and np.isnan(loss[1])


def test_an_image_is_one_example_and_not_as_many_as_it_has_rows():
    """What broadcasting made of an image without its channel: a value for each row of pixels."""
    model = CategoricalVAE((28, 28, 1), num_variables=2, num_categories=3, hidden_units=(4,))
    with pytest.raises(ValueError, match=r"x.shape=\(1, 28, 28\)"):
        model.log_likelihood(np.zeros([1, 28, 28]), 8)
    assert model.log_likelihood(np.zeros([1, 28, 28, 1]), 8).shape == (1,)


@pytest.mark.one_in(3)
def test_pixels_between_0_and_1_and_integers_are_read(model):
    if isinstance(model, models.VariationalStateTabulation):
        pytest.skip("takes windows")
    for x in (GOOD, np.ones([2, *SHAPE], np.uint8), np.zeros([2, *SHAPE], bool)):
        assert np.isfinite(model.log_likelihood(x, 2)).all()
    model.evaluate(GOOD.astype(np.float64), np.arange(2), verbose=0)


DECODERS = [name for name in NAMES if hasattr(small_models.CLASSES[name], "decode")]


@pytest.mark.parametrize("name", DECODERS)
def test_codes_that_are_none_are_not_decoded(name):
    model = small_models.make(name)
    good = np.zeros([2, model.num_variables], np.int32)
    assert model.decode(good).shape == (2, *SHAPE)
    for code in (-1, model.num_categories, 99):
        bad = good.copy()
        bad[1, -1] = code  # Of several layers, the image is not decoded from the last.
        with pytest.raises(
            ValueError, match=rf"codes must lie in.*(minimum={code}|maximum={code})"
        ):
            model.decode(bad)
        decode = tf.function(model.decode, jit_compile=True, autograph=False)
        found = decode(bad).numpy()
        assert np.isnan(found[1]).all() and np.isfinite(found[0]).all()
    for bad in (good[:, :-1], good[0], good.astype(np.float32)):
        with pytest.raises(ValueError, match=r"codes must be.*Received: codes\."):
            model.decode(bad)


@pytest.mark.parametrize("name", NAMES)
def test_no_negative_number_of_samples_is_drawn(name):
    model = small_models.make(name)
    x = (GOOD,) if name == "StructuredPrediction" else ()
    for count, message in ((-1, "at least 0"), (2.5, "an integer >= 0"), (True, "an integer >= 0")):
        with pytest.raises(
            ValueError, match=f"num_samples must be {message}. Received: num_samples="
        ):
            model.sample(*x, count)


def test_structured_prediction_reads_its_own_part_only():
    """What is to be predicted is not read; an x of its own may be any finite numbers."""
    model = StructuredPrediction((8, 8, 1), num_variables=2, num_categories=3)
    x = GOOD.copy()
    x[:, 4:] = np.nan
    assert np.isfinite(np.asarray(model.complete(x))[:, 4:]).all()
    with pytest.raises(ValueError, match="must be finite"):
        model.log_likelihood(x, 2)
    own = StructuredPrediction((3,), output_shape=(2,), num_variables=2, num_categories=3)
    given, wanted = np.full([4, 3], 99.0, np.float32), np.ones([4, 2], np.float32)
    assert own.log_likelihood((given, wanted), 2).shape == (4,)
    with pytest.raises(ValueError, match=r"y must be finite and in \[0, 1\].*y from 7 to 7"):
        own.log_likelihood((given, 7 * wanted), 2)
    with pytest.raises(ValueError, match=r"y.shape=\(4, 1\)"):
        own.log_likelihood((given, wanted[:, :1]), 2)


def test_a_dict_without_images_is_refused():
    model = models.CategoricalVAE((4,), num_variables=2, num_categories=3, hidden_units=())
    with pytest.raises(ValueError, match="under 'image'. Received: keys=.'images'"):
        model({"images": np.zeros([2, 4])})
