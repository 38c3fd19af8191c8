"""The text of `--help`: the flags that most runs need, then all others by what they are about."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from absl import flags

COMMON = (
    *("task", "environment", "run", "dataset", "data_dir", "binarization", "image_size"),
    *("labels_per_class", "split", "images", "query", "k", "path", "tflite"),
    *("output_dir", "output", "epochs", "steps", "batch_size", "learning_rate"),
    *("early_stopping", "seed"),
    *("num_variables", "num_categories", "num_bits", "quantizer", "num_vectors"),
    *("estimator", "estimators", "temperature", "likelihood", "bound_samples"),
)
"""Flags that are shown first, in this order, where a program has them."""
FEW = 12
"""Programs with at most this number of flags show them in one list."""


def text(
    doc: str | None,
    config_class: type,
    others: Iterable[str] = (),
    parsed: flags.FlagValues = flags.FLAGS,
) -> str:
    """Returns the help of a program.

    Args:
        doc: What the program does.
        config_class: Dataclass whose fields are flags. A base class is a group of flags, whose heading is
            the first line of its docstring.
        others: Names of further flags, of the program itself, which are shown with the first group.
        parsed: Where the flags are defined.
    """
    parts = [(doc or "").strip()]
    found = groups(config_class)
    next(iter(found.values())).extend(others)
    for heading, names in found.items():
        parts.append("\n".join([heading, *(_flag(parsed[name]) for name in names)]))
    parts.append("Try --helpfull to get a list of all flags.")
    return "\n\n".join(parts) + "\n"


def groups(config_class: type) -> dict[str, list[str]]:
    """Returns the names of the flags of a configuration under the headings of their groups.

    Example:
        >>> from tf_discrete_trainers.flags.search import Config
        >>> found = groups(Config)
        >>> found["Common flags:"][:3]
        ['run', 'dataset', 'data_dir']
    """
    names = [field.name for field in dataclasses.fields(config_class)]
    if len(names) <= FEW:
        return {"Flags:": names}
    common = [name for name in COMMON if name in names]
    found = {"Common flags:": common}
    order = [f"{_heading(group)}:" for group in config_class.__mro__[:-1]]
    for heading in order:
        found.setdefault(heading, [])
    for name in names:
        if name not in common:
            found[f"{_heading(_group(config_class, name))}:"].append(name)
    return {heading: members for heading, members in found.items() if members}


def _group(config_class: type, name: str) -> type:
    """Returns the class that introduces a field; a subclass may give it another default."""
    owners = [
        one for one in config_class.__mro__ if name in one.__dict__.get("__annotations__", {})
    ]
    return owners[-1]


def _heading(group: type) -> str:
    return (group.__doc__ or group.__name__).strip().split("\n")[0].rstrip(".")


def _flag(flag: flags.Flag) -> str:
    name = f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}"
    default = f" (default: {flag.default_as_str})" if flag.default_as_str else ""
    return flags.text_wrap(f"{name}: {flag.help}{default}", indent="    ", firstline_indent="  ")
