"""Notices: what the numbers of a run say that a newcomer may not see in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from tf_discrete._internal.counted import counted
from tf_discrete.likelihoods import Likelihood

from . import standard_errors
from .history_fields import fields_of

PATIENCE = 10
"""Epochs after which a validation accuracy that has not risen has stalled."""
MEMORISED = 0.9995
"""Train accuracy that counts as 1."""
CERTAIN = 5.0
"""Standard errors by which a number must be out of its bounds."""

Row = Mapping[str, Any]


def memorised(rows: Sequence[Row]) -> str:
    """Returns a notice where the labels of training are memorised and validation has stalled, else "".

    Args:
        rows: Of the history so far, in order.

    Example:
        >>> rows = [{"train/accuracy": 1.0, "validation/accuracy": 0.7}] * 11
        >>> memorised(rows).split(":")[0]
        'Train accuracy has been 1 for 11 epochs, and validation accuracy has not risen above 70.0 % for 10'
    """
    accuracies = [float(row["validation/accuracy"]) for row in rows if "validation/accuracy" in row]
    if len(rows) <= PATIENCE or len(accuracies) < len(rows):
        return ""
    perfect = 0
    for row in reversed(rows):
        if row.get("train/accuracy", 0.0) < MEMORISED:
            break
        perfect += 1
    before, recent = accuracies[:-PATIENCE], accuracies[-PATIENCE:]
    best = max(before)
    if perfect < PATIENCE or max(recent) > best or best >= MEMORISED:
        return ""
    return (
        f"Train accuracy has been 1 for {perfect} epochs, and validation accuracy has not risen above "
        f"{100 * best:.1f} % for {PATIENCE}: the model overfits its labels. More labels, --augment_shift, "
        "--augment_rotation and --consistency help; --early_stopping ends such a run."
    )


def of_result(result: Mapping[str, Any], likelihood: Likelihood | None) -> list[str]:
    """Returns notices of test results that cannot be bounds of the discrete model, or are worse than trivial.

    Args:
        result: What `evaluate_split` returns.
        likelihood: Of the model.
    """
    found: list[str] = []
    bound = result.get("bound_nats")
    if bound is None:
        return found
    margin = CERTAIN * (result.get("bound_standard_error_nats") or 0.0)
    trained, discrete = result.get("elbo_nats"), result.get("hard_elbo_nats")
    if likelihood is not None and likelihood.density is False and bound > 0:
        found.append(
            f"The bound of {bound:.4g} nats cannot be one: a {type(likelihood).__name__} likelihood has "
            "probabilities, whose logarithm is at most 0. Check the pixels."
        )
    if trained is not None and trained > bound + margin:
        found.append(
            f"elbo_nats is {trained:.4g} and the bound {bound:.4g}: the objective as trained, with relaxed "
            "samples, is no bound of the discrete model. Compare models by bound_nats or hard_elbo_nats."
        )
    error, of_mean = result.get("reconstruction_mse"), result.get("mean_image_mse")
    if error is not None and of_mean is not None and error > of_mean:
        found.append(
            f"The mean training image is nearer to the images, at a squared error of {of_mean:.3g}, than the "
            f"reconstructions from most probable codes, at {error:.3g}. Train longer."
        )
    if discrete is not None and discrete > bound + margin:
        found.append(
            f"hard_elbo_nats is {discrete:.4g} and the bound of {counted(result['bound_samples'], 'sample')} "
            f"{bound:.4g}: more samples cannot lower a bound, so one of the two is none. Check an objective "
            "or a likelihood of your own."
        )
    return found


HELPFUL = {"augment_shift": 2, "augment_rotation": 15, "augment_zoom": 0.1, "consistency": 1}
"""Flags that make few labels go further where small shifts and rotations leave the class as it is."""


def of_classifier(result: Mapping[str, Any], config: Any) -> list[str]:
    """Returns a notice where a linear classifier of the same labels is as good, else nothing.

    Args:
        result: What metrics.json holds.
        config: Of the run, whose flags of `HELPFUL` that are 0 are named.
    """
    own, linear = result.get("test/accuracy"), result.get("test/linear_accuracy")
    if own is None or linear is None or own > linear:
        return []
    shown = [_percent(result, name) for name in ("test/linear_accuracy", "test/accuracy")]
    flags = [f"--{name}={value}" for name, value in HELPFUL.items() if not getattr(config, name, 1)]
    advice = (
        f"Where small shifts and rotations leave the class as it is, add {' '.join(flags)}. "
        if flags
        else ""
    )
    return [
        f"A linear classifier on the same labels is right for {shown[0]} of the test images, this "
        f"model for {shown[1]}. {advice}Longer training helps; docs/semi_supervised.md has "
        "what matters."
    ]


def _percent(result: Mapping[str, Any], name: str) -> str:
    """Returns a share of a result, with its standard error if there is one, in words."""
    error = result.get(standard_errors.error_name(name))
    return f"{100 * result[name]:.1f}{'' if error is None else f' +- {100 * error:.1f}'} %"


class NoticeLog(keras.callbacks.Callback):
    """Prints that labels are memorised, once.

    Args:
        rows: Of the history of a run that continues.
    """

    def __init__(self, rows: Sequence[Row]):
        super().__init__()
        self._rows: list[Row] = list(rows)
        self._said = False

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._rows.append(fields_of(logs or {}))
        notice = "" if self._said else memorised(self._rows)
        if notice:
            self._said = True
            print(f"\nNotice: {notice}", flush=True)
