"""The program of state tabulation: checks, builds, goes on to the last round, finishes."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras
import tensorflow as tf

from tf_discrete import likelihoods, seeds
from tf_discrete._internal.counted import counted
from tf_discrete._internal.physical_memory import physical_memory
from tf_discrete.models import VariationalStateTabulation
from tf_discrete.optimizers import FusedAdam

from ..common import interruption, narration, results, trust
from ..common.run_directory import RunDirectory
from ..common.stored_config import as_begun
from ..flags.config import check, defaults, to_json
from ..flags.state_tabulation import Config
from . import collapse, environments, pixels
from . import rounds as schedule
from .finishing import finish
from .training import Training

MAY_DIFFER = ("output_dir", "steps")


def run(config: Config) -> dict[str, Any]:
    """Trains an agent, or continues; returns what metrics.json holds.

    Raises:
        ValueError: Flags that cannot work, an environment without pictures, observations that do not fit
            into memory, or the folder of another run.
        OSError: No permission or no space; names the file.
        Interrupted: Ctrl-C or SIGTERM; the message says what is kept.
        TrainingDiverged: The loss of the model is not finite.
    """
    check(config)
    for module in config.import_module:
        trust.import_module(module)
    if not config.output_dir:
        name = config.environment.replace("/", "-")
        config = dataclasses.replace(config, output_dir=f"runs/state_tabulation-{name}")
    environment = environments.make(config.environment)
    directory = RunDirectory(config.output_dir)
    config = pixels.with_scale(as_begun(config, directory, "pixel_scale", 0.0), environment)
    schedule.check(config)
    check_change(config)
    check_memory(config, environment)
    keras.utils.set_random_seed(config.seed)
    model = build_model(config, environment)
    check_objective(model)
    with directory.lock():
        # Those of an id may become others, in another version of its package.
        seen = {"picture_shape": list(model.data_shape), "num_actions": model.num_actions}
        stored = {"task": "state_tabulation", **to_json(config), **seen}
        directory.claim(stored, MAY_DIFFER, {**defaults(config), **seen})
        rounds = schedule.number_of(config)
        training = Training(config, environment, model, directory)
        if training.resume():
            print(f"Continuing {directory.path} after round {training.done}")
        narration.say("Seen", f"{config.environment}: {environment.observation_space}")
        narration.say("Model", narration.model_words(model))
        narration.say(
            "Acting", f"{counted(rounds, 'round')} of {counted(config.train_every, 'step')}"
        )
        said = False
        with interruption.saying(lambda: training.standing(rounds)):
            if training.done < rounds:
                directory.result_path.unlink(missing_ok=True)
                said = training.go_on(rounds)
            elif directory.result_path.exists():
                print(f"{directory.path} is finished; nothing to train")
                return directory.result()
            found = finish(training)
            notice = collapse.notice(directory.history(), config.pixel_scale)
            if notice and not said:
                narration.say("Notice", notice)
        results.print_table(f"{directory.path}: results", found)
        print(f"\nEverything is in {directory.path}. Curves:")
        print(f"  {results.tensorboard_command(directory.path)}")
    return found


def check_change(config: Config) -> None:
    """Refuses a change of an environment that has none.

    Raises:
        ValueError: It is not one of our mazes.
    """
    if config.change_at and config.environment not in environments.names():
        raise ValueError(
            f"Only {', '.join(environments.names())} change. Set change_at=0. "
            f"Received: environment={config.environment!r}, change_at={config.change_at}"
        )


def check_memory(config: Config, environment: Any) -> None:
    """Refuses to remember more observations than fit into the memory of the machine.

    Raises:
        ValueError: It has the sizes.
    """
    space = environment.observation_space
    needed = config.memory * math.prod(space.shape) * space.dtype.itemsize
    if needed > (there := physical_memory()):
        raise ValueError(
            "The observations that are remembered must fit into the memory of the machine. Lower memory. "
            f"Received: memory={config.memory}, {needed} bytes of {space}, and {there} of memory"
        )


def check_objective(model: VariationalStateTabulation) -> None:
    """Refuses an estimator that cannot take the bits of a window, before the agent acts.

    Raises:
        ValueError: Such as more configurations than `enumeration` lists.
    """
    image = tf.zeros([1, model.window, *model.data_shape])
    action = tf.zeros([1, model.window - 1], tf.int32)
    model.objective((image, action), seeds.base(0), training=False)


def build_model(config: Config, environment: Any) -> VariationalStateTabulation:
    """The compiled model that a configuration describes."""
    model = VariationalStateTabulation(
        data_shape=environment.observation_space.shape,
        num_actions=int(environment.action_space.n),
        num_bits=config.num_bits,
        window=config.window,
        estimator=config.estimator,
        temperature=config.temperature or None,
        hidden_units=config.hidden_units,
        transition_units=config.transition_units,
        likelihood=likelihoods.Gaussian(),  # Pixels are multiples of their deviation, see `pixels`.
        seed=config.seed,
        monitor_every=25,
    )
    model.compile(FusedAdam(config.learning_rate))
    model.optimizer.build(model.trainable_variables)
    return model
