"""The programs: what they import, how fast they explain themselves, and Ctrl-C while they begin."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from tests import forked
from tests.trainers import small_runs
from trainers.flags.run import RunConfig

FOLDER = small_runs.ROOT / "trainers"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
LIGHT = ("absl", "trainers")
"""What may be imported before the flags are parsed, in addition to the standard library."""


def test_the_programs_are_known():
    assert PROGRAMS == [
        "autoregressive_prior",
        "categorical_vae",
        "compare_estimators",
        "encode",
        "evaluate",
        "explore",
        "export",
        "quantized_autoencoder",
        "search",
        "semantic_hashing",
        "semantic_ids",
        "semi_supervised",
        "state_tabulation",
        "structured_prediction",
        "train",
    ]


def _imported(path: pathlib.Path) -> set[str]:
    """The modules that a file imports anywhere, with dots for relative ones resolved."""
    package = path.relative_to(small_runs.ROOT).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.update({module, *(f"{module}.{alias.name}" for alias in node.names)})
    return found


def test_no_module_imports_a_program():
    programs = {f"trainers.{name}" for name in PROGRAMS}
    files = sorted(FOLDER.rglob("*.py"))
    assert len(files) > 30
    wrong = {str(path): _imported(path) & programs for path in files if _imported(path) & programs}
    assert wrong == {}


def test_the_installed_name_is_the_same_package():
    interruption = importlib.import_module("trainers.common.interruption")
    assert importlib.import_module("tf_discrete_trainers.common.interruption") is interruption
    assert interruption.__name__ == interruption.__spec__.name == "trainers.common.interruption"
    assert importlib.import_module("tf_discrete_trainers.flags.run").RunConfig is RunConfig


def test_imports_between_the_modules_are_relative():
    """The wheel installs them under another name."""
    texts = {path: path.read_text() for path in FOLDER.rglob("*.py")}
    wrong = [path for path, text in texts.items() if re.search(r"(from|import) trainers\b", text)]
    assert wrong == []


_CALL = """
import sys, time
sys.argv = sys.argv[1:]
import runpy
try:
    runpy.run_module("trainers." + sys.argv[0], run_name="__main__", alter_sys=True)
except SystemExit as ended:
    print("status", ended.code, file=sys.stderr)
print("seconds", time.process_time(), file=sys.stderr)
print("heavy", *sorted({"tensorflow", "keras", "numpy", "tf_discrete"} & set(sys.modules)), file=sys.stderr)
"""


def _call(program: str, *flags: str) -> tuple[str, list[str]]:
    """Calls a program in a new process; returns what it prints, and the lines of its stderr.

    Their last three are the status, the seconds of processor time, and the large packages that were imported.
    """
    done = small_runs.call_fresh("-c", _CALL, program, *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr.splitlines()


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_is_answered_at_once(program):
    text, lines = _call(program, "--help")
    status, seconds, heavy = lines[-3:]
    assert (status, heavy) == ("status 0", "heavy")
    # Processor time, because other processes of this machine come and go.
    assert float(seconds.split()[1]) < 1.0
    config_class = importlib.import_module(f"trainers.flags.{program}").Config
    shown = "".join(text.split())  # Lines break anywhere.
    for field in dataclasses.fields(config_class):
        assert f"--{field.name}:" in shown or f"--[no]{field.name}:" in shown, field.name
        assert "".join(field.metadata["help"].split()) in shown, field.name
        for choice in field.metadata["choices"] or ():
            assert choice in shown


def test_every_program_that_trains_has_the_flag_of_devices_and_workers():
    missing = []
    for program in PROGRAMS:
        config_class = importlib.import_module(f"trainers.flags.{program}").Config
        fields = {field.name: field for field in dataclasses.fields(config_class)}
        choices = fields["distribute"].metadata["choices"] if "distribute" in fields else ()
        if "learning_rate" in fields and not {"mirrored", "multi_worker"} <= set(choices):
            missing.append(program)
    assert missing == ["state_tabulation"]  # Its agent acts in one environment.


@pytest.mark.parametrize("flag", ["--helpshort", "--helpfull"])
def test_other_help_too(flag):
    text, lines = _call("export", flag)
    assert lines[-3] == "status 0" and lines[-1] == "heavy"
    assert "--tflite" in text and ("--verbosity" in text) == (flag == "--helpfull")


@pytest.mark.parametrize(
    "flags,said",
    [
        (["--epoch=3"], "Unknown command line flag 'epoch'. Did you mean: epochs"),
        (["--epochs=many"], "flag --epochs=many"),
        (["--objective=elb"], "value should be one of <elbo|"),
        (["--epochs=0"], "ValueError: epochs must be at least 1. Received: epochs=0"),
        (["--num_variables=3,x"], "--num_variables takes a comma-separated list of int."),
        (
            ["--estimator=gumbel_sofmax"],
            "or registered by a module of --import_module. Did you mean 'gumbel_softmax'? Received: ",
        ),
        (
            ["--latents=ordinal"],
            "latents must be one of categorical, bernoulli, tree, path, or registered by",
        ),
        (["--estimator=reinmax,rebar,r"], "Received: estimator='r'"),
        (["dynamic"], "Unknown arguments. Received: dynamic"),
    ],
)
def test_wrong_flags_are_refused_at_once(flags, said):
    _, lines = _call("categorical_vae", *flags)
    assert lines[-1] == "heavy"
    assert lines[-3] != "status 0"
    assert said in "\n".join(lines), lines


def test_a_wrong_flag_ends_the_program_with_status_1():
    for flags in (["--epoch=3"], ["--epochs=0"]):
        done = small_runs.call_fresh("-m", "trainers.categorical_vae", *flags)
        assert done.returncode == 1 and "Traceback" not in done.stderr


def test_a_program_is_silent_about_processors_at_the_quietest_level():
    done = small_runs.call_fresh("-m", "trainers.evaluate", "--run=none", TF_CPP_MIN_LOG_LEVEL="3")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and line.endswith("Received: run='none'"), line


def _loads_tensorflow(process: subprocess.Popen) -> bool:
    return "libtensorflow" in pathlib.Path(f"/proc/{process.pid}/maps").read_text()


def _handles_signals(process: subprocess.Popen) -> bool:
    """Whether SIGTERM is handled; SIGINT always is, by Python."""
    (line,) = [
        line
        for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
        if line.startswith("SigCgt:")
    ]
    return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.one_in(2)
@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="needs Linux")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("begun", [_handles_signals, _loads_tensorflow])
def test_an_interruption_before_the_run_ends_it_at_once(begun, number, tmp_path):
    process = _start(tmp_path / "run")
    _wait(process, lambda: begun(process))
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    (told,) = [line for line in errors.splitlines() if not line.startswith(("WARNING", "I0", "E0"))]
    assert told.startswith(
        "Interrupted before anything was started; nothing was written. Continue "
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="needs Linux")
def test_an_interruption_just_after_the_start_ends_the_run(tmp_path):
    flags = small_runs.arguments(tmp_path / "run", epochs=1000, early_stopping=0)
    log = tmp_path / "stderr"
    process = forked.start(
        "-m", "trainers.categorical_vae", *flags, env=small_runs.environment(), stderr=log
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "run/config.json").exists():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    returncode, errors = process.wait(timeout=120), log.read_text()
    assert returncode == 130, errors
    told = errors.splitlines()[-1]
    assert told.startswith("Interrupted") and "Continue with the same command: " in told
    assert "Traceback" not in errors
    assert not (tmp_path / "run/metrics.json").exists()


def _start(folder: pathlib.Path) -> subprocess.Popen:
    """Starts a training that takes long."""
    flags = small_runs.arguments(folder, epochs=1000, early_stopping=0)
    return subprocess.Popen(
        small_runs.command("-m", "trainers.categorical_vae", *flags),
        env=small_runs.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell lets its background jobs ignore Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def _wait(process: subprocess.Popen, condition) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)
