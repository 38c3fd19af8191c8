from __future__ import annotations

import dataclasses
import inspect
import json
import math

import pytest
from absl import flags

from tf_discrete import datasets, schedules
from tf_discrete._internal.arguments import PRIORS
from tf_discrete.models import CategoricalVAE
from tf_discrete.models.categorical_vae import OBJECTIVES
from tf_discrete.schedules import scheduled_values
from trainers.common import latents, stored_config
from trainers.flags import config
from trainers.saved_runs import evaluate, export
from trainers.tasks import categorical_vae, semi_supervised, structured_prediction

CLASSES = {"categorical_vae": categorical_vae.Config, "evaluate": evaluate.Config}
CLASSES["export"] = export.Config
CLASSES["structured_prediction"] = structured_prediction.Config


@dataclasses.dataclass(frozen=True)
class Toy:
    """One field of each kind."""

    toy_number: int = config.option(3, "A number.", lower=1, upper=9)
    toy_rate: float = config.option(0.5, "A rate.", positive=True)
    toy_word: str = config.option("a", "A word.", choices=("a", "b"))
    toy_sizes: tuple[int, ...] = config.option((4, 2), "Sizes.")
    toy_names: tuple[str, ...] = config.option((), "Names.")
    toy_switch: bool = config.option(True, "A switch.")


@pytest.fixture
def toy_flags():
    """Parses a command line into a Toy."""
    config.define_flags(Toy)

    def parse(*words):
        flags.FLAGS.unparse_flags()
        flags.FLAGS(["program", *words])
        return config.config_from_flags(Toy)

    yield parse
    for field in dataclasses.fields(Toy):
        delattr(flags.FLAGS, field.name)
    flags.FLAGS.unparse_flags()


@pytest.mark.parametrize("name", CLASSES)
def test_every_field_is_explained(name):
    for field in dataclasses.fields(CLASSES[name]):
        text = field.metadata["help"]
        assert len(text) > 5, field.name
        assert text.rstrip().endswith("."), field.name
        assert not text.startswith("Of "), f"{field.name}: say what it is"


def test_flags_are_named_as_the_arguments_of_the_model():
    arguments = set(inspect.signature(CategoricalVAE).parameters)
    fields = {field.name for field in dataclasses.fields(categorical_vae.Config)}
    # The shape comes from the data, the mirrored decoder from the encoder.
    assert arguments - fields == {"data_shape", "decoder", "kwargs"}


def test_flags_and_model_have_the_same_choices_of_objective_and_prior():
    metadata = {field.name: field.metadata for field in dataclasses.fields(categorical_vae.Config)}
    assert metadata["objective"]["choices"] == OBJECTIVES
    assert metadata["prior"]["choices"] == PRIORS


def test_defaults_pass_the_check():
    for cls in CLASSES.values():
        config.check(cls())


def test_flags_become_the_configuration(toy_flags):
    assert toy_flags() == Toy()
    found = toy_flags(
        "--toy_number=7", "--toy_rate=2", "--toy_word=b", "--toy_sizes=1,2,3", "--notoy_switch"
    )
    assert found == Toy(7, 2.0, "b", (1, 2, 3), (), False)
    assert toy_flags("--toy_sizes=", "--toy_names=x,y") == Toy(toy_sizes=(), toy_names=("x", "y"))


def test_flags_out_of_range_are_refused(toy_flags):
    with pytest.raises(ValueError, match=r"toy_number must be at least 1\. Received: toy_number=0"):
        toy_flags("--toy_number=0")
    with pytest.raises(
        ValueError, match=r"--toy_sizes takes a comma-separated list of int\. Rec.*1,a"
    ):
        toy_flags("--toy_sizes=1,a")
    with pytest.raises(flags.IllegalFlagValueError, match="toy_word=c"):
        toy_flags("--toy_word=c")


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"toy_number": 10}, r"toy_number must be at most 9\. Received: toy_number=10"),
        ({"toy_number": 0}, r"toy_number must be at least 1\. Received: toy_number=0"),
        ({"toy_rate": 0.0}, r"toy_rate must be positive\. Received: toy_rate=0\.0"),
        ({"toy_rate": math.nan}, r"toy_rate must be finite\. Received: toy_rate=nan"),
        ({"toy_rate": math.inf}, r"toy_rate must be finite\. Received: toy_rate=inf"),
        ({"toy_word": "c"}, r"toy_word must be one of a, b\. Received: toy_word='c'"),
        ({"toy_number": "3"}, r"toy_number must be an integer\. Received: toy_number='3'"),
        ({"toy_number": 2.7}, r"toy_number must be an integer\. Received: toy_number=2\.7"),
        ({"toy_number": True}, r"toy_number must be an integer\. Received: toy_number=True"),
        ({"toy_number": None}, r"toy_number must be an integer\. Received: toy_number=None"),
        ({"toy_rate": "0.1"}, r"toy_rate must be a number\. Received: toy_rate='0\.1'"),
        ({"toy_rate": True}, r"toy_rate must be a number\. Received: toy_rate=True"),
        ({"toy_word": 3}, r"toy_word must be a string\. Received: toy_word=3"),
        ({"toy_sizes": 3}, r"toy_sizes must be a tuple or a list. Received: toy_sizes=3"),
        ({"toy_sizes": (1, "2")}, r"toy_sizes must be an integer\. Received: toy_sizes='2'"),
    ],
)
def test_check_refuses(changes, message):
    with pytest.raises(ValueError, match=message):
        config.check(Toy(**changes))


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"temperature": -1.0}, "temperature must be at least 0. Received: temperature=-1.0"),
        ({"num_categories": 1}, "num_categories must be at least 2. Received: num_categories=1"),
        ({"num_variables": 0}, "num_variables must be at least 1. Received: num_variables=0"),
        ({"batch_size": 0}, "batch_size must be at least 1. Received: batch_size=0"),
        ({"epochs": 0}, "epochs must be at least 1. Received: epochs=0"),
        ({"free_bits": -1.0}, "free_bits must be at least 0. Received: free_bits=-1.0"),
        ({"seed": -1}, "seed must be at least 0. Received: seed=-1"),
        ({"validation_fraction": 0.95}, "validation_fraction must be at most 0.9. Received: "),
        ({"likelihood_scale": -0.1}, "likelihood_scale must be at least 0. Received: "),
    ],
)
def test_check_refuses_flags_of_the_trainer(changes, message):
    with pytest.raises(ValueError) as caught:
        config.check(categorical_vae.Config(**changes))
    assert str(caught.value).startswith(message)


def test_file_round_trip(tmp_path):
    written = categorical_vae.Config(
        output_dir="here", hidden_units=(7, 5), image_size=(4, 3), import_module=("mine",)
    )
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config.to_json(written)))
    assert stored_config.load(categorical_vae.Config, path) == written


def test_files_of_others_are_refused(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"toy_number": 3, "colour": 1, "age": 2}')
    with pytest.raises(ValueError, match="fields that Toy does not have.*Received: 'age, colour'"):
        stored_config.load(Toy, path)
    for text in ("{half", "[1, 2]", "3"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"a JSON object.*Received: path='.*config\.json'"):
            stored_config.load(Toy, path)


@pytest.mark.parametrize(
    "name,expected",
    [
        ("constant", schedules.Constant(0.9)),
        ("exponential", schedules.Exponential(0.9, 0.001, 0.2, 50)),
        ("linear", schedules.Linear(0.9, 0.2, 300)),
        ("cosine", schedules.Cosine(0.9, 0.2, 300)),
    ],
)
def test_schedule_of_the_temperature(name, expected):
    flags_of = categorical_vae.Config(
        temperature=0.9,
        temperature_schedule=name,
        temperature_final=0.2,
        temperature_rate=0.001,
        temperature_update_period=50,
    )
    made = categorical_vae.make_temperature(flags_of, total_steps=600)
    assert type(made) is type(expected)
    assert made.get_config() == expected.get_config()
    longer = dataclasses.replace(flags_of, temperature_steps=17)
    if name in ("linear", "cosine"):
        assert categorical_vae.make_temperature(longer, 600).get_config()["steps"] == 17


@pytest.mark.parametrize(
    "estimator,temperature,expected",
    [
        ("gumbel_softmax", 0.0, schedules.Exponential(1.0, 1e-4, 0.5, 500)),
        ("gumbel_rao", 2.0, schedules.Exponential(2.0, 1e-4, 0.5, 500)),
        ("reinmax", 0.0, None),
        ("reinmax", 1.3, schedules.Constant(1.3)),
        ("rebar", 0.0, None),
        ("score_function", 0.7, None),
    ],
)
def test_automatic_temperature_is_that_of_the_estimator(estimator, temperature, expected):
    settings = categorical_vae.Config(estimator=estimator, temperature=temperature)
    made = categorical_vae.make_temperature(settings, total_steps=600)
    assert type(made) is type(expected)
    assert expected is None or made.get_config() == expected.get_config()


def test_the_slope_grows_over_the_whole_run():
    name = "slope_annealed_straight_through"
    settings = categorical_vae.Config(estimator=name, slope_final=3.0)
    made = latents.make_estimator(settings, "bernoulli", total_steps=600)
    assert made.latents == "bernoulli"
    assert made.slope.schedule.values([0, 300, 600, 900]).tolist() == [1.0, 2.0, 3.0, 3.0]
    shorter = dataclasses.replace(settings, slope_steps=300, estimator=(name, "reinmax"))
    first, second = latents.make_estimator(shorter, "categorical", total_steps=600)
    assert first.slope.schedule.values([150, 300]).tolist() == [2.0, 3.0]
    assert second == "reinmax"


def test_the_baseline_of_nvil_learns_as_fast_as_the_flag_says():
    settings = categorical_vae.Config(estimator="nvil", baseline_learning_rate_factor=10.0)
    made = latents.make_estimator(settings, "bernoulli", total_steps=600)
    assert made.baseline.learning_rate_factor == 10.0 and made.latents == "bernoulli"


def test_the_slope_of_a_run_reaches_the_model():
    split = datasets.get("digits", "train", binarization="threshold", max_examples=10)
    for task, sizes in (
        (categorical_vae, {"num_variables": 2}),
        (structured_prediction, {"num_variables": (2,)}),
        (semi_supervised, {"style_size": 2}),
    ):
        settings = task.Config(
            estimator="slope_annealed_straight_through", epochs=3, hidden_units=(4,), **sizes
        )
        model = task.build_model(settings, split, steps_per_epoch=7)
        values = [v for v in scheduled_values(model) if v.name == "slope"]
        assert values and all(v.schedule.get_config()["steps"] == 21 for v in values)


def test_daps_takes_the_weight_of_the_kl():
    split = datasets.get("digits", "train", binarization="threshold", max_examples=10)
    given = {"estimator": "daps", "num_samples": 2, "hidden_units": (4,), "num_variables": 2}
    model = categorical_vae.build_model(categorical_vae.Config(**given, kl_weight=0.5), split, 7)
    assert float(model.kl_weight.value) == float(model.estimator.entropy_weight.value) == 0.5
    for other in ({"kl_weight": 0.0}, {"kl_warmup_steps": 10}):
        with pytest.raises(ValueError, match="daps takes the weight of the KL.*Set --kl_weight"):
            categorical_vae.build_model(categorical_vae.Config(**given, **other), split, 7)
    # The KL of the style is not that of the class.
    settings = semi_supervised.Config(estimator="daps", kl_weight=0.0)
    assert latents.make_estimator(settings, "categorical", total_steps=600) == "daps"


def test_warm_up_of_the_kl():
    assert categorical_vae.make_kl_weight(categorical_vae.Config(kl_weight=0.5)) == 0.5
    made = categorical_vae.make_kl_weight(categorical_vae.Config(kl_weight=0.5, kl_warmup_steps=10))
    assert [float(made(step)) for step in (0, 5, 10, 20)] == [0.0, 0.25, 0.5, 0.5]
