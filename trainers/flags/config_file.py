"""Flags from a file: the config.json of a run, or TOML; flags of the command line come on top."""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
from typing import Any

from absl import flags

from . import names

FLAG = "config"
HELP = (
    "File with flags: the config.json of a run, or a .toml file with lines such as epochs = 20. Flags of the "
    "command line come on top."
)


def define(into: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flag --config."""
    flags.DEFINE_string(FLAG, "", HELP, flag_values=into)


def read(path: str) -> dict[str, Any]:
    """Returns the flags that a file holds, by name.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds something else.
    """
    path = os.path.expanduser(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"--{FLAG} must name a file, such as the config.json of a run. Received: {FLAG}={path!r}"
        )
    with open(path, "rb") as file:
        data = file.read()
    try:
        found = _parse_toml(data) if path.lower().endswith(".toml") else json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"--{FLAG} must name a JSON or .toml file of flags. Received: {FLAG}={path!r}: {str(error)[:200]}"
        ) from None
    if not isinstance(found, dict):
        raise ValueError(
            f"A file of flags must hold an object with a value for each flag. Received: {FLAG}={path!r} with "
            f"{type(found).__name__}"
        )
    return found


def task(path: str) -> str:
    """Returns the name of the task of a run's config.json; "" where a file names none."""
    found = read(path).get("task", "")
    return found if isinstance(found, str) else ""


def set_defaults(config_class: type, path: str, into: flags.FlagValues = flags.FLAGS) -> None:
    """Makes the values of a file the defaults of flags.

    Args:
        config_class: Dataclass whose fields are the flags.
        path: Of the file.
        into: Where the flags are defined.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is of another task, names a flag that the program does not have, or holds a value that
            the flag does not take.
    """
    stored = read(path)
    known = {field.name: field for field in dataclasses.fields(config_class)}
    given = stored.get("task")
    here = config_class.__module__.rsplit(".", 1)[-1]
    if "task" not in known:
        if here in names.TASKS and given is not None and given != here:
            raise ValueError(
                f"The file must be of a run of this program. Start trainers.{given} with it. "
                f"Received: {FLAG}={path!r} with task={given!r}"
            )
    for fact in names.FACTS:
        if fact not in known:
            stored.pop(fact, None)
    _check_code(stored, path, into)
    for name, value in stored.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"Every key of a file of flags must be a flag of the program.{hint} "
                f"Received: {FLAG}={path!r} with {name!r}"
            )
        try:
            listed = isinstance(into[name].parser, flags.ListParser)
            into.set_default(name, _as_flag(value, listed, known[name].metadata["repeated"]))
        except (flags.Error, TypeError, ValueError) as error:
            raise ValueError(
                f"A file of flags must hold values that the flags take. Received: {FLAG}={path!r} with "
                f"{name}={value!r}: {error}"
            ) from None


def _check_code(stored: dict[str, Any], path: str, into: flags.FlagValues) -> None:
    """Refuses code that the file names and the command line does not."""
    modules = stored.get("import_module") or []
    modules = [modules] if isinstance(modules, str) else modules
    named = into["import_module"].value or () if "import_module" in into else ()
    if isinstance(modules, list) and set(map(str, modules)) - set(named):
        raise ValueError(
            "The modules of a file of flags are code, and are imported only if you name them. If you trust "
            f"them, give --import_module={','.join(map(str, modules))}. Received: {FLAG}={path!r} with "
            f"import_module={modules!r}"
        )
    trusts = "trust_run" in into and into["trust_run"].value
    if stored.get("trust_run") and not trusts:
        raise ValueError(
            "Whether a run is trusted is said on the command line. Give --trust_run there. "
            f"Received: {FLAG}={path!r} with trust_run={stored['trust_run']!r}"
        )


def _as_flag(value: Any, listed: bool, repeated: bool) -> Any:
    """Returns a value as the parser of its flag takes it, of strings where that is a list."""
    if isinstance(value, dict):
        raise TypeError("tables are not read")
    if not listed:
        return value
    items = [str(item) for item in (value if isinstance(value, list) else [value])]
    return ([items] if items else []) if repeated else items


def _parse_toml(data: bytes) -> dict[str, Any]:
    try:
        import tomllib
    except ImportError:  # Python 3.10.
        raise ValueError("TOML needs Python 3.11; write JSON instead") from None
    return tomllib.loads(data.decode("utf-8"))
