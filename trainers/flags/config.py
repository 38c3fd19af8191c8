"""Configurations: a frozen dataclass is the only definition of a trainer's flags."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import numbers
import os
import types
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

from absl import flags

Config = TypeVar("Config")


def option(
    default: Any,
    help: str,
    *,
    choices: Sequence[str] | None = None,
    registered: Sequence[str] | None = None,
    lower: float | None = None,
    upper: float | None = None,
    positive: bool = False,
    repeated: bool = False,
    path: bool = False,
) -> Any:
    """A dataclass field that is a flag too.

    Args:
        default: Default value. A tuple becomes a comma-separated flag; so does a field that is one value or
            a tuple of one for each layer.
        help: what `--help` prints.
        choices: the values that are allowed.
        registered: Names that the package registers, for a value that modules of the user may register too.
            On a command line without --import_module, other values are refused.
        lower: smallest value.
        upper: largest value.
        positive: only values > 0.
        repeated: whether a list may also be given by several flags, whose items are joined.
        path: Whether it names files or folders; then `~` is expanded when the flag is read.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "registered": registered,
        "lower": lower,
        "upper": upper,
        "positive": positive,
        "repeated": repeated,
        "path": path,
    }
    return dataclasses.field(default=default, metadata=metadata)


def define_flags(config_class: type, into: flags.FlagValues = flags.FLAGS) -> None:
    """Defines one flag for each field of a configuration.

    Args:
        config_class: Dataclass of options.
        into: Holds the flags. Default: those of the program.
    """
    hints = typing.get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        help_text: str = field.metadata["help"]
        default: Any = field.default
        kind = _kind(hints[field.name])
        if field.metadata["choices"]:
            flags.DEFINE_enum(
                field.name, default, list(field.metadata["choices"]), help_text, flag_values=into
            )
        elif kind is bool:
            flags.DEFINE_bool(field.name, default, help_text, flag_values=into)
        elif kind is tuple and field.metadata["repeated"]:
            parser, serializer = flags.ListParser(), flags.CsvListSerializer(",")
            flags.DEFINE_multi(
                parser, serializer, field.name, list(default), help_text, flag_values=into
            )
        elif kind is tuple or _per_layer(hints[field.name]):
            items = default if isinstance(default, tuple) else (default,)
            flags.DEFINE_list(
                field.name, [str(item) for item in items], help_text, flag_values=into
            )
        else:
            define = {
                int: flags.DEFINE_integer,
                float: flags.DEFINE_float,
                str: flags.DEFINE_string,
            }
            define[kind](field.name, default, help_text, flag_values=into)


def config_from_flags(config_class: type[Config], parsed: flags.FlagValues = flags.FLAGS) -> Config:
    """The configuration that the command line asks for, checked. The only reader of flags."""
    hints = typing.get_type_hints(config_class)
    values = {}
    for field in dataclasses.fields(config_class):  # type: ignore[arg-type]
        value = getattr(parsed, field.name)
        if field.metadata["repeated"]:
            value = [item for items in value for item in items]
        if _kind(hints[field.name]) is tuple:
            value = _parse_list(field.name, value, typing.get_args(hints[field.name])[0])
        elif _per_layer(hints[field.name]):
            value = _parse_list(field.name, value, _kind(hints[field.name]))
            value = value[0] if len(value) == 1 else value
        if field.metadata["path"]:
            value = _expanded(value)
        values[field.name] = value
    config = config_class(**values)
    check(config)
    if not getattr(config, "import_module", ()):
        _check_registered(config)
    return config


def _check_registered(config: Any) -> None:
    """Refuses names that no module of the package registers."""
    for field in dataclasses.fields(config):
        known, value = field.metadata["registered"], getattr(config, field.name)
        for name in value if isinstance(value, tuple) else (value,):
            if known and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                shown = ", ".join(filter(None, known))
                rule = f"be one of {shown}, or registered by a module of --import_module.{hint}"
                raise ValueError(f"{field.name} must {rule} Received: {field.name}={name!r}")


def check(config: Any) -> None:
    """Refuses values of another type than the field's, or out of range.

    Raises:
        ValueError: names the field, the rule and the value.
    """
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value, rules = getattr(config, field.name), field.metadata
        if value is None and type(None) in typing.get_args(hints[field.name]):
            continue
        _check_type(field.name, hints[field.name], value)
        items = value if isinstance(value, (tuple, list)) else (value,)
        if any(isinstance(item, int) and not -(2**63) <= item < 2**63 for item in items):
            _refuse(field.name, "fit into 64 bits", value)
        if rules["choices"] and value not in rules["choices"]:
            _refuse(field.name, f"be one of {', '.join(rules['choices'])}", value)
        if rules["positive"] and not all(item > 0 for item in items):
            _refuse(field.name, "be positive", value)
        if rules["lower"] is not None and not all(item >= rules["lower"] for item in items):
            _refuse(field.name, f"be at least {rules['lower']}", value)
        if rules["upper"] is not None and not all(item <= rules["upper"] for item in items):
            _refuse(field.name, f"be at most {rules['upper']}", value)


def to_json(config: Any) -> dict[str, Any]:
    """The fields of a configuration as JSON holds them."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def defaults(config: Any) -> dict[str, Any]:
    """The defaults of a configuration's class as JSON holds them."""
    return to_json(type(config)())


def _kind(hint: Any) -> type:
    if isinstance(hint, types.UnionType):
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
    return typing.get_origin(hint) or hint


def _per_layer(hint: Any) -> bool:
    """Whether a field holds one value, or a tuple of one for each layer."""
    parts = typing.get_args(hint) if isinstance(hint, types.UnionType) else ()
    return any(typing.get_origin(part) is tuple for part in parts)


def _has_type(value: Any, hint: Any) -> bool:
    """Whether a value is of the type of its field; integers are numbers, booleans are none."""
    if isinstance(hint, types.UnionType):
        return any(_has_type(value, part) for part in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        items = isinstance(value, (list, tuple))
        return items and all(_has_type(item, typing.get_args(hint)[0]) for item in value)
    if hint in (int, float):
        number = numbers.Integral if hint is int else numbers.Real
        return isinstance(value, number) and not isinstance(value, bool)
    return isinstance(value, (str, os.PathLike) if hint is str else hint)


def _named(hint: Any) -> str:
    """Names a type as messages do."""
    if isinstance(hint, types.UnionType):
        return " or ".join(_named(part) for part in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return f"a list, each item {_named(typing.get_args(hint)[0])}"
    names = {int: "an integer", float: "a number", str: "a string", bool: "true or false"}
    return names.get(hint, "None")


def _expanded(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_expanded(item) for item in value)
    return os.path.expanduser(value)


def _parse_list(name: str, items: Sequence[Any], kind: type) -> tuple[Any, ...]:
    try:
        return tuple(kind(item) for item in items)
    except ValueError:
        raise ValueError(
            f"--{name} takes a comma-separated list of {kind.__name__}. "
            f"Received: {name}={','.join(items)!r}"
        ) from None


_TYPES = {bool: "True or False", int: "an integer", float: "a number", str: "a string"}


def _check_type(name: str, hint: Any, value: Any) -> None:
    """Refuses a value that is not of a field's type: an int for a float is, a bool for an int is not."""
    kind = _kind(hint)
    if _per_layer(hint) and isinstance(value, (tuple, list)):
        if not value:
            _refuse(name, "be one value, or one for each layer", value)
        for item in value:
            _check_type(name, kind, item)
        return
    if kind is tuple:
        if not isinstance(value, (tuple, list)):
            _refuse(name, "be a tuple or a list", value)
        for item in value:
            _check_type(name, typing.get_args(hint)[0], item)
        return
    kinds = (int, float) if kind is float else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
        _refuse(name, f"be {_TYPES.get(kind, kind.__name__)}", value)
    if kind is float and not math.isfinite(value):
        _refuse(name, "be finite", value)


def _refuse(name: str, rule: str, value: Any) -> None:
    shown = repr(value)
    shown = shown if len(shown) <= 200 else f"{shown[:200]}..."
    raise ValueError(f"{name} must {rule}. Received: {name}={shown}")
