"""The trainer of state tabulation: what a run leaves, that it goes on after a kill, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import shared
from tests.trainers import small_runs
from tf_discrete import export
from tf_discrete._internal import reading
from trainers.common import finished_run
from trainers.flags.state_tabulation import Config

gymnasium = pytest.importorskip("gymnasium", reason="needs the extra 'rl'")

from trainers.tabulation import environments, mazes, program, rounds, training  # noqa: E402

SMALL = Config(
    environment="t_maze",
    steps=160,
    change_at=70,
    num_bits=9,
    hidden_units=(16,),
    transition_units=(8,),
    batch_size=10,
    train_every=40,
    batches=4,
    burn_in=40,
    exploration_steps=40,
    memory=100,
    evaluation_episodes=2,
)


def config(folder, **changes):
    return dataclasses.replace(SMALL, output_dir=str(folder), **changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of a finished small run. Not to be changed."""
    return shared.folder(
        tmp_path_factory, "state_tabulation", lambda folder: program.run(config(folder))
    )


def test_files_and_history(finished):
    names = {path.name for path in finished.iterdir()}
    assert names >= {
        *("config.json", "metrics.jsonl", "metrics.json", "checkpoints", "tensorboard"),
        *("model.keras", "saved_model", "reconstructions.png", "returns.png"),
    }
    rows = small_runs.rows(finished)
    assert [row["step"] for row in rows] == [40, 80, 120, 160]
    assert all(row["agent/states"] <= 101 and "model/loss" in row for row in rows)
    assert np.isfinite([row["model/hard_elbo_nats"] for row in rows]).all()
    assert rows[1]["model/moved_transitions"] > 0
    result = json.loads((finished / "metrics.json").read_text())
    assert result["rounds"] == 4 and {"test/return", "steps_to_recover"} <= result.keys()
    assert len(list((finished / "checkpoints/agent").iterdir())) == 2
    for name in ("reconstructions", "returns"):
        image = tf.io.decode_png((finished / f"{name}.png").read_bytes()).numpy()
        assert image[..., :3].std() > 5, name


def test_what_is_exported_encodes_and_predicts(finished):
    model = keras.saving.load_model(finished / "model.keras", compile=False)
    served = tf.saved_model.load(str(finished / "saved_model"))
    x = np.random.default_rng(0).random([5, *model.data_shape]).astype(np.float32)
    codes = served.signatures["encode"](image=tf.constant(x))["codes"]
    np.testing.assert_array_equal(codes, model.encode(x))
    after = served.signatures["predict"](codes=codes, action=tf.constant([0, 1, 2, 3, 0]))
    np.testing.assert_array_equal(after["codes"], model.predict_codes(codes, [0, 1, 2, 3, 0]))
    assert after["probs"].shape == (5, 9)
    manifest = export.load_manifest(finished / "saved_model")
    assert manifest.preprocessing == {"scale": 1 / 25.5}
    assert manifest.metadata["run"]["environment"] == "t_maze"


def test_a_run_that_continues_gives_the_numbers_of_one_that_does_not(finished, tmp_path):
    program.run(config(tmp_path, steps=80))
    program.run(config(tmp_path))
    whole, parts = small_runs.rows(finished), small_runs.rows(tmp_path)
    for one, other in zip(whole, parts, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    for name in np.load(finished / "checkpoints/agent/agent-4.npz").files:
        left, right = (
            np.load(folder / "checkpoints/agent/agent-4.npz")[name]
            for folder in (finished, tmp_path)
        )
        np.testing.assert_array_equal(left, right, err_msg=name)


def test_a_damaged_round_gives_way_to_the_one_before(tmp_path, capsys):
    program.run(config(tmp_path, steps=120))
    newest = tmp_path / "checkpoints/agent/agent-3.npz"
    newest.write_bytes(newest.read_bytes()[:100])
    program.run(config(tmp_path))
    assert "Round 3 cannot be read" in capsys.readouterr().out
    assert len(small_runs.rows(tmp_path)) == 4
    for path in (tmp_path / "checkpoints/agent").iterdir():
        path.write_bytes(b"")
    with pytest.raises(reading.DamagedFileError, match="the memory and the table of an agent"):
        program.run(config(tmp_path, steps=200))


def test_programs_for_models_of_images_refuse_its_folder(finished):
    with pytest.raises(ValueError, match="one training of a model.*a folder of trainers.state_tab"):
        finished_run.load(str(finished))


def test_a_finished_run_is_not_trained_again(finished, capsys):
    before = (finished / "metrics.jsonl").read_text()
    found = program.run(config(finished))
    assert found["rounds"] == 4 and "nothing to train" in capsys.readouterr().out
    assert (finished / "metrics.jsonl").read_text() == before


@pytest.mark.parametrize("moment", ["before the agent", "before the weights", "after them"])
def test_a_run_that_was_killed_goes_on_with_the_same_numbers(
    moment, finished, tmp_path, monkeypatch
):
    class Killed(BaseException):
        pass

    def killed(*args, **kwargs):
        raise Killed

    save = training.Training._save

    def until(self, number):
        if number == 2:
            if moment == "before the agent":
                raise Killed
            if moment == "before the weights":
                monkeypatch.setattr(type(self._weights), "save", killed)
            save(self, number)
            raise Killed
        save(self, number)

    with monkeypatch.context() as patched:
        patched.setattr(training.Training, "_save", until)
        with pytest.raises(Killed):
            program.run(config(tmp_path))
    monkeypatch.undo()
    assert len(small_runs.rows(tmp_path)) == 2
    program.run(config(tmp_path))
    for one, other in zip(small_runs.rows(finished), small_runs.rows(tmp_path), strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_a_run_whose_history_or_checkpoints_are_gone_is_not_begun_anew(tmp_path):
    program.run(config(tmp_path, steps=120))
    history = tmp_path / "metrics.jsonl"
    text = history.read_text()
    history.unlink()
    with pytest.raises(reading.DamagedFileError, match="0 rows, and a checkpoint of round 3"):
        program.run(config(tmp_path))
    history.write_text(text)
    (tmp_path / "checkpoints").rename(tmp_path / "moved")
    with pytest.raises(reading.DamagedFileError, match="no checkpoint, 3 rows of history"):
        program.run(config(tmp_path))
    assert history.read_text() == text


def test_a_damaged_agent_is_named(tmp_path):
    program.run(config(tmp_path, steps=120))
    agents = sorted((tmp_path / "checkpoints" / "agent").glob("*.npz"))
    for path in agents:
        np.savez(path, other=np.zeros(3))
    with pytest.raises(reading.DamagedFileError, match="memory and the table of an agent.*npz"):
        program.run(config(tmp_path))
    for path in agents:
        path.unlink()
        os.mkfifo(path)
    with pytest.raises(reading.DamagedFileError, match="not a regular file"):
        program.run(config(tmp_path))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"burn_in": 150}, "Lower burn_in.*Received: burn_in=150, steps=160, train_every=40"),
        ({"window": 42}, "Lower window. Received: window=42, episode_steps=60, train_every=40"),
        ({"environment": "test/Signed-v0", "change_at": 0}, "numbered from 0 on"),
        ({"environment": "no_maze"}, "An environment must be one of t_maze, h_maze, ring"),
        ({"environment": "CartPole-v1", "change_at": 0}, "Observations must be pictures"),
        ({"environment": "test/Pictures-v0"}, "Only t_maze, h_maze, ring change. Set change_at=0"),
        ({"environment": "test/Torque-v0", "change_at": 0}, "Actions must be numbered"),
        ({"window": 1}, "window"),
        ({"estimator": "none"}, "none"),
        ({"estimator": "enumeration"}, "At most max_configurations.*num_variables=18"),
        ({"memory": 10**13}, r"Lower memory. Received: memory=10+, \d+ bytes of Box"),
        (
            {"environment": "evil:Maze-v0", "change_at": 0},
            "named by --import_module.*'evil:Maze-v0'",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(changes, message, tmp_path):
    for name, action_space in (
        ("test/Pictures-v0", gymnasium.spaces.Discrete(2)),
        ("test/Torque-v0", gymnasium.spaces.Box(-1, 1, [1])),
        ("test/Signed-v0", gymnasium.spaces.Discrete(3, start=-1)),
    ):
        if name not in gymnasium.registry:
            gymnasium.register(name, Pictures, kwargs={"action_space": action_space})
    with pytest.raises(ValueError, match=message):
        program.run(config(tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


class Pictures(gymnasium.Env):
    """Noise; an episode has 7 steps."""

    observation_space = gymnasium.spaces.Box(0, 255, (6, 5, 4), np.uint8)  # Four frames.

    def __init__(self, action_space=None):
        self.action_space = action_space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.age = 0
        return self.observation_space.sample(), {}

    def step(self, action):
        self.age += 1
        seen = self.np_random.integers(0, 256, [6, 5, 4]).astype(np.uint8)
        return seen, float(action), False, self.age == 7, {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["test/Pictures-v0", "MiniGrid-Empty-5x5-v0"])
def test_an_environment_of_gymnasium(name, tmp_path):
    if name.startswith("MiniGrid"):
        pytest.importorskip("minigrid", reason="needs the extra 'rl'")
    elif name not in gymnasium.registry:
        space = gymnasium.spaces.Discrete(2)
        gymnasium.register(name, Pictures, kwargs={"action_space": space})
    changes = {"environment": name, "change_at": 0, "steps": 80}
    found = program.run(config(tmp_path, **changes))
    assert found["rounds"] == 2 and "steps_to_recover" not in found


class Large(gymnasium.Env):
    """A large grey picture, of which one quarter is white; every action is another quarter."""

    observation_space = gymnasium.spaces.Box(0, 255, (56, 56, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(4)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.picture(0), {}

    def picture(self, quarter):
        found = np.full([2, 2, 28, 28, 3], 100, np.uint8)
        found[divmod(quarter, 2)] = 255
        return found.transpose(0, 2, 1, 3, 4).reshape([56, 56, 3])

    def step(self, action):
        return self.picture(int(action)), 0.0, False, False, {}


@pytest.mark.slow
@pytest.mark.parametrize("pixel_scale", [0.0, 0.1])
def test_large_pictures_have_codes_of_their_own_unless_their_unit_is_small(
    pixel_scale, tmp_path, capsys
):
    if "test/Large-v0" not in gymnasium.registry:
        gymnasium.register("test/Large-v0", Large)
    changes = {"environment": "test/Large-v0", "change_at": 0, "steps": 120, "batches": 40}
    found = program.run(config(tmp_path, **changes, pixel_scale=pixel_scale))
    printed = capsys.readouterr().out
    notices = printed.count("The pictures that are remembered have 1 code after")
    stored = json.loads((tmp_path / "config.json").read_text())
    assert stored["pixel_scale"] == (pixel_scale or 0.9408)
    if pixel_scale:
        assert found["test/states"] == 1 and notices == 1
        assert "Received: pixel_scale=0.1\n" in printed
    else:
        assert found["test/states"] > 2 and notices == 0


def test_a_run_with_another_automatic_unit_goes_on(tmp_path):
    if "test/Large-v0" not in gymnasium.registry:
        gymnasium.register("test/Large-v0", Large)
    changes = {"environment": "test/Large-v0", "change_at": 0, "batches": 1}
    program.run(config(tmp_path, **changes, steps=80, pixel_scale=0.1))
    program.run(config(tmp_path, **changes, steps=120))
    assert json.loads((tmp_path / "config.json").read_text())["pixel_scale"] == 0.1
    assert len(small_runs.rows(tmp_path)) == 3


def test_a_run_in_an_environment_with_other_actions_or_pictures_is_not_continued(
    finished, monkeypatch
):
    before = (finished / "metrics.jsonl").read_text()
    make = environments.make

    def changed(name):
        environment = make(name)
        environment.action_space = gymnasium.spaces.Discrete(5)
        environment.observation_space = gymnasium.spaces.Box(0, 255, (7, 9, 1), np.uint8)
        return environment

    monkeypatch.setattr(environments, "make", changed)
    message = r"num_actions=4 there, 5 here; picture_shape=\[14, 18, 1\] there, \[7, 9, 1\] here"
    with pytest.raises(ValueError, match=message):
        program.run(config(finished, steps=200))
    assert (finished / "metrics.jsonl").read_text() == before


def test_minigrid_is_seen_as_pictures():
    pytest.importorskip("minigrid", reason="needs the extra 'rl'")
    environment = environments.make("MiniGrid-Empty-5x5-v0")
    seen, _ = environment.reset(seed=0)
    assert seen.shape == (56, 56, 3) and environment.observation_space.contains(seen)
    assert environment.action_space.n == 7
    for action in (2, 2, 1, 2):  # Twice ahead, to the right, ahead.
        before = seen
        seen, reward, ended, _, _ = environment.step(action)
        assert reward == 0 and not ended and (seen != before).any()
    _, reward, ended, _, _ = environment.step(2)
    assert ended and reward == pytest.approx(1 - 0.9 * 5 / 100)


def test_without_minigrid_its_environments_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "minigrid.wrappers", None)
    with pytest.raises(ValueError, match=r"need minigrid.*pip install 'tf-discrete\[rl\]'"):
        environments.make("MiniGrid-Empty-5x5-v0")


@pytest.mark.parametrize("name", environments.names())
def test_mazes_keep_to_the_interface_of_gymnasium(name):
    from gymnasium.utils import env_checker

    environment = environments.make(name)
    env_checker.check_env(environment, skip_render_check=True)
    before, _ = environment.reset(seed=0)
    again, _ = environment.reset(seed=0)
    np.testing.assert_array_equal(before, again)
    maze = environment.maze
    environment.change()
    assert environment.maze != maze and environment.render().shape[-1] == 3


def test_the_best_return_is_that_of_the_shortest_way():
    t_maze, reversed_maze = environments.mazes_of("t_maze")
    # Up four times and left three times; the reward comes with the last step.
    assert t_maze.best_return(0.9) == pytest.approx(0.9**6)
    assert reversed_maze.best_return(0.9) == pytest.approx(0.9**6)
    h_maze, teleporting = environments.mazes_of("h_maze")
    assert teleporting.best_return(0.9) > h_maze.best_return(0.9)
    ring, blocked = environments.mazes_of("ring")
    assert ring.best_return(0.9) == pytest.approx(0.9**2) and blocked.best_return(0.9) < 0.9**5


def test_a_table_of_true_states_learns_the_maze():
    settings = dataclasses.replace(SMALL, train_every=500, memory=5000, burn_in=500, change_at=500)
    environment = environments.make("t_maze")
    agent = training.make_agent(
        settings, lambda pictures: np.array([environment.cell], np.uint8), len(mazes.MOVES)
    )
    returns = [
        training.play_round(settings, agent, environment, k)["agent/return"] for k in range(3)
    ]
    assert environment.maze.rewards == {"L": -1.0, "R": 1.0}  # They are exchanged.
    best = environment.maze.best_return(settings.discount)
    assert returns == pytest.approx([best] * 3, rel=0.1)


def test_without_gymnasium_the_program_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    monkeypatch.delitem(sys.modules, "trainers.tabulation.environments")
    with pytest.raises(ImportError, match=r"pip install 'tf-discrete\[rl\]'"):
        __import__("trainers.tabulation.environments")


def test_when_a_model_learns():
    settings = dataclasses.replace(SMALL, burn_in=100, train_rounds=2)
    assert [rounds.learns(settings, k) for k in range(6)] == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]
    settings = dataclasses.replace(SMALL, burn_in=0)
    assert all(rounds.learns(settings, k) for k in range(4))
    assert rounds.changed_at(SMALL) == 80 and rounds.number_of(SMALL) == 4


def test_its_files_load_in_a_new_process_that_imports_the_package_alone(finished, tmp_path):
    assert small_runs.loaded_afresh(finished, tmp_path) == {
        "model.keras",
        "saved_model",
        "checkpoints/last",
    }
