"""The registry: names, lookup and what it says when it cannot find one."""

import keras
import pytest

from tests import registries
from tf_discrete import estimators


@pytest.fixture
def sandbox():
    """A registry that a test may add to."""
    with registries.restored():
        yield


def test_names_filter_by_family_and_latents():
    everything = estimators.names()
    assert everything == sorted(everything)
    pathwise, score = estimators.names("pathwise"), estimators.names("score")
    assert sorted(pathwise + score) == everything and not set(pathwise) & set(score)
    assert {"gumbel_softmax", "reinmax"} <= set(pathwise) and "score_function" in score
    for latents in ("categorical", "bernoulli"):
        for name in estimators.names(latents=latents):
            assert latents in estimators.get_class(name).spec.supports


def test_every_registered_class_is_public_under_its_own_name():
    for name in estimators.names():
        cls = estimators.get_class(name)
        assert getattr(estimators, cls.__name__) is cls and cls.__name__ in estimators.__all__
        assert cls.registered_name == name


def test_get_takes_a_name_a_class_a_config_and_an_instance():
    by_name = estimators.get("gumbel_softmax", temperature=0.25, latents="bernoulli")
    assert float(by_name.temperature.value) == 0.25 and by_name.latents == "bernoulli"
    by_class = estimators.get(estimators.GumbelSoftmax, temperature=0.25)
    assert float(by_class.temperature.value) == 0.25
    by_config = estimators.get(estimators.serialize(by_name))
    assert by_config.get_config() == by_name.get_config() and by_config is not by_name
    assert estimators.get(by_name) is by_name


@pytest.mark.parametrize(
    "name,hint", [("gumble_softmax", "Did you mean 'gumbel_softmax'?"), ("zzz", "must be one of ")]
)
def test_unknown_names(name, hint):
    with pytest.raises(ValueError) as error:
        estimators.get(name)
    message = str(error.value)
    assert hint in message and message.endswith(f"Received: estimator={name!r}")
    assert ("Did you mean" in message) == ("Did you mean" in hint)
    assert all(known in message for known in estimators.names())


@pytest.mark.parametrize("identifier", [3, None, dict, object()])
def test_what_is_no_estimator(identifier):
    with pytest.raises(
        ValueError, match="estimator must be one of .*an Estimator, its class.*Received: estimator="
    ):
        estimators.get(identifier)


def test_configs_of_something_else_are_refused():
    config = keras.saving.serialize_keras_object(keras.layers.Dense(1))
    with pytest.raises(
        ValueError, match="estimator must be one of .*an Estimator, its class.*Received: estimator="
    ):
        estimators.get(config)


def test_arguments_that_the_constructor_does_not_take():
    with pytest.raises(ValueError, match=r"ScoreFunction does not take.*\{'temperature': 0.5\}"):
        estimators.get("score_function", temperature=0.5)


def test_arguments_beside_an_instance_or_a_config_are_refused():
    for given in (estimators.get("reinmax"), estimators.serialize(estimators.get("reinmax"))):
        with pytest.raises(ValueError, match=r"takes no further arguments.*\{'temperature': 0.5\}"):
            estimators.get(given, temperature=0.5)


def test_a_third_party_registers_and_is_found(sandbox):
    @estimators.register("theirs")
    class Theirs(estimators.ScoreFunction):
        pass

    assert "theirs" in estimators.names("score")
    again = estimators.get(estimators.serialize(estimators.get("theirs")))
    assert type(again) is Theirs


def test_a_taken_name_is_refused(sandbox):
    with pytest.raises(ValueError, match="must be new.*name='reinmax', registered for .*ReinMax"):

        @estimators.register("reinmax")
        class Theirs(estimators.ScoreFunction):
            pass


def test_a_module_that_is_loaded_again_registers_again(sandbox):
    """As in a notebook: the newest class of the same name counts."""

    def load():
        @estimators.register("theirs")
        class Theirs(estimators.ScoreFunction):
            pass

        return Theirs

    load()
    assert load() is estimators.get_class("theirs")
