"""The relaxation on a page in a real browser: its sliders, and gradients that are those of TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.explorer.pages import set_slider
from tf_discrete import estimators

GUMBELS = ("gumbel_softmax", "straight_through_gumbel_softmax")
WEIGHTS = (0.8, -0.6, 0.3, 1.0, -0.9)


def values_of(page, chart):
    return page.eval_on_selector_all(
        f".bars.{chart} .bar", "bars => bars.map(bar => Number(bar.dataset.value))"
    )


def test_the_temperature_moves_the_relaxed_bars_alone(pages):
    _, page = pages.open(None)
    before, one_hot = values_of(page, "relaxed"), values_of(page, "one-hot")
    assert len(before) == 5 and sum(before) == pytest.approx(1)
    set_slider(page, "temperature", np.log10(0.1))
    after = values_of(page, "relaxed")
    assert max(after) > 0.9 > max(before), "nearly one-hot"
    assert np.argmax(after) == np.argmax(before) == np.argmax(one_hot)
    assert values_of(page, "one-hot") == values_of(page, "straight-through") == one_hot
    set_slider(page, "temperature", 0)
    assert values_of(page, "relaxed") == pytest.approx(before), "the noise is frozen"
    page.click("button[name=new-noise]")
    assert values_of(page, "relaxed") != pytest.approx(before)
    set_slider(page, "logit-2", 4)
    assert page.locator("input[name=logit-2] ~ small").text_content() == "91 %"
    for categories in (2, 10):
        set_slider(page, "categories", categories)
        assert len(values_of(page, "relaxed")) == categories
        assert sum(values_of(page, "relaxed")) == pytest.approx(1)


@pytest.mark.parametrize(
    ("temperature", "objective"),
    [
        (0.4, "sine"),
        pytest.param(1.0, "sine", marks=pytest.mark.slow),
        pytest.param(0.4, "quadratic", marks=pytest.mark.slow),
        pytest.param(1.0, "quadratic", marks=pytest.mark.slow),
    ],
)
def test_the_gradients_are_those_of_tensorflow(pages, temperature, objective):
    _, page = pages.open(None)
    random = np.random.default_rng(0)
    logits, noise = random.normal(size=5), random.gumbel(size=5)
    exponentials, normals = random.exponential(size=(10, 5)), random.normal(size=5)
    names = page.eval_on_selector_all(
        "tr[data-estimator]", "rows => rows.map(row => row.dataset.estimator)"
    )
    assert names[0] == "exact" and len(names) == 12
    for name in names[1:]:
        found = page.evaluate(
            "arguments => explorer.gradientOf(...arguments)",
            [
                *(name, logits.tolist(), noise.tolist(), temperature, objective),
                *(exponentials.tolist(), normals.tolist()),
            ],
        )
        estimator = make_estimator(name, temperature)
        given = noise_of(name, logits, noise, exponentials, normals)
        expected = gradient(estimator, logits, given, objective)
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=name)
    found = page.evaluate(
        "arguments => explorer.exactGradient(...arguments)", [logits.tolist(), objective]
    )
    with tf.GradientTape() as tape:
        variable = tf.Variable(logits)
        mean = tf.reduce_sum(tf.nn.softmax(variable) * f(tf.eye(5, dtype=tf.float64), objective))
    np.testing.assert_allclose(found, tape.gradient(mean, variable), atol=1e-8)


def make_estimator(name, temperature):
    if name in ("darn", "redge"):
        return estimators.get(name)
    return estimators.get(name, temperature=temperature)


def noise_of(name, logits, noise, exponentials, normals):
    """The noise of the page as the estimator takes it, [1, (1 + M, )1, K], or [1, 1, K, 2] of "redge"."""
    if name in (*GUMBELS, "decoupled_straight_through_gumbel_softmax"):
        return noise[np.newaxis, np.newaxis]
    drawn = int(np.argmax(logits + noise))
    one_hot = np.eye(5)[drawn]
    if name == "redge":
        return np.stack([one_hot, normals], axis=-1)[np.newaxis, np.newaxis]
    if name not in ("gumbel_rao", "reinmax_rao", "reinmax_cv"):
        return one_hot[np.newaxis, np.newaxis]
    if name != "gumbel_rao":
        logits = np.log((np.exp(logits) / np.exp(logits).sum() + one_hot) / 2)
    top = np.log(np.exp(logits).sum()) - np.log(exponentials[:, drawn, np.newaxis])
    perturbed = -np.log(exponentials * np.exp(-logits) + np.exp(-top))
    perturbed[:, drawn] = top[:, 0]
    own = [noise] if name == "reinmax_cv" else []
    return np.stack([one_hot, *own, *(perturbed - logits)])[np.newaxis, :, np.newaxis]


def f(z, objective):
    t = tf.linalg.matvec(z, tf.constant(WEIGHTS, z.dtype))
    return (t - 0.3) ** 2 if objective == "quadratic" else tf.sin(3 * t)


def gradient(estimator, logits, noise, objective):
    with tf.GradientTape() as tape:
        variable = tf.Variable(logits[np.newaxis].astype(np.float32))
        z = estimator.sample(tf.convert_to_tensor(variable), tf.constant(noise, tf.float32)).value
        value = tf.reduce_sum(f(z, objective))
    return tape.gradient(value, variable)[0]


def test_estimators_of_the_page_are_registered(pages):
    _, page = pages.open(None)
    names = page.eval_on_selector_all("tbody th", "heads => heads.map(head => head.textContent)")
    found = {name.replace("\u200b", "") for name in names} - {"exact"}
    assert found <= set(estimators.names(family="pathwise", latents="categorical"))
