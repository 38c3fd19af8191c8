"""How a result was made: date, commit, versions, processor, cores and load; and by which command."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import os
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from benchmarks import store

if TYPE_CHECKING:
    from trainers.common.task import Task

_RESULTS = ":(exclude)benchmarks/results"


def record(packages: Iterable[str] = ()) -> dict[str, Any]:
    """The provenance of what this process measures; call it first, as it holds the load before the run.

    Args:
        packages: whose versions count, in addition to those of every benchmark.
    """
    # Contenders of other frameworks import this module without TensorFlow.
    from trainers.common import provenance

    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "load": round(os.getloadavg()[0], 2),
        **of_run(provenance.hardware(), {**provenance.versions(), **versions(packages)}),
    }


def of_run(hardware: Mapping[str, Any], versions: Mapping[str, str]) -> dict[str, Any]:
    """The provenance of a run that says no more than on what it was made."""
    return {"versions": dict(versions), **hardware}


def machine(made: Mapping[str, Any]) -> str:
    """Processor and cores in words."""
    return f"{made['processor']}, {cores(made)}"


def cores(made: Mapping[str, Any]) -> str:
    """Cores in words."""
    return f"{made['cores']} core{'s' * (made['cores'] > 1)}"


def short(made: Mapping[str, Any]) -> str:
    """Returns the commit in eight digits, with "+" where tracked files differed from it."""
    whole = made.get("commit") or "not kept"
    return whole[:8] + "+" * whole.endswith("+")


def line(made: Mapping[str, Any], command: str) -> str:
    """Returns the line of Markdown that says on what a result was made, when, and by which command."""
    load = f", load before the run {made['load']}" if "load" in made else ""
    date = f"; {made['date']}, commit {short(made)}" if "date" in made else ""
    return f"{machine(made)}{load}{date}. Command: `{command.strip()}`.\n"


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Returns the versions of those packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The checked-out commit, with "+" if tracked files differ from it; None outside of a repository.

    Tables of results are no part of what made a result: a study that goes on adds to its own.
    """
    try:
        head, changed = (
            subprocess.check_output(
                ["git", *command], cwd=store.ROOT, text=True, stderr=subprocess.DEVNULL
            )
            for command in (
                ["rev-parse", "HEAD"],
                ["status", "--porcelain", "--untracked-files=no", "--", ".", _RESULTS],
            )
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.strip() + ("+" if changed.strip() else "")


def command(settings: dict[str, Any], trained: Task) -> str:
    """The command line of a run: every flag that differs from its default."""
    return command_of(f"trainers.{trained.name}", trained.config_class, settings)


def command_of(
    program: str,
    config_class: Any,
    settings: dict[str, Any],
    leave_out: tuple[str, ...] = ("output_dir",),
) -> str:
    """The command line of a program whose flags are the fields of a configuration."""
    parts = [f"python -m {program}"]
    for field in dataclasses.fields(config_class):
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        value = settings.get(field.name, default)
        if value == default or field.name in leave_out:
            continue
        if field.name == "data_dir":
            parts.append("--data_dir=$TF_DISCRETE_DATA_DIR")
            continue
        if isinstance(value, bool):
            parts.append(f"--{'' if value else 'no'}{field.name}")
        else:
            shown = ",".join(map(str, value)) if isinstance(value, list) else value
            parts.append(f"--{field.name}={shlex.quote(str(shown))}")
    return " ".join(parts)
