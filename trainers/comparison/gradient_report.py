"""Every estimator's gradient at the weights of one run: bias, variance and cosine, by layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from tf_discrete._internal import locking
from tf_discrete._internal.writing import write_json, write_text

from ..common import compiling, data, finished_run, identity
from ..common import run as run_lib
from ..common.run_checkpoints import Checkpoints
from ..common.run_directory import RunDirectory
from ..tasks import categorical_vae
from . import gradient_comparison


def report(
    folder: str,
    checkpoint: str,
    names: Sequence[str],
    settings_of: Callable[[categorical_vae.Config], gradient_comparison.Settings],
    data_dir: str = "",
    import_module: tuple[str, ...] = (),
    accept_changed_data: bool = False,
) -> dict[str, Any]:
    """Writes gradient_report.json and gradient_report.md into the folder of a run.

    Args:
        folder: of a run of trainers.categorical_vae.
        checkpoint: "best", "last" or the number of an epoch that was kept.
        names: of estimators, or "all"; that of the run is always there.
        settings_of: how the gradients are drawn, from the configuration of the run.
        data_dir: of prepared TFDS data, if it has moved since.
        import_module: modules to import first. Those that the run has imported must be among them.
        accept_changed_data: whether data other than those that the run was trained on are taken.

    Returns:
        report: what gradient_report.json holds.

    Raises:
        InUseError: another process measures gradients at this run.
        ValueError: no such run or checkpoint, one that cannot be read, modules that are not named, or data
            that have changed.
    """
    directory = RunDirectory(folder)
    if not directory.config_path.exists():
        raise ValueError(
            "--gradient_report must name the folder of a run. Give the --output_dir of its training. "
            f"Received: gradient_report={folder!r}"
        )
    task, config = finished_run.open_run(directory, import_module, argument="gradient_report")
    if task is not categorical_vae.TASK:
        raise ValueError(
            "--gradient_report must name a run of trainers.categorical_vae. "
            f"Received: gradient_report={folder!r} with task={task.name!r}"
        )
    config = dataclasses.replace(config, data_dir=data_dir or config.data_dir, distribute="none")
    run_lib.prepare(config)
    splits = data.load_splits(config)
    identity.check(directory.path, splits, accept_changed_data)
    steps = splits["train"].steps_per_epoch(config.batch_size, drop_remainder=True)
    source = categorical_vae.build_model(config, splits["train"], steps)
    compiling.compile_model(source, config, steps, config.weight_average)
    checkpoints = Checkpoints(source, directory, 0, steps)
    _restore(checkpoints, checkpoint)
    epoch = checkpoints.epoch

    def build(name: str, num_samples: int | None = None) -> Any:
        changed = dataclasses.replace(config, estimator=name, num_samples=num_samples or 0)
        return categorical_vae.build_model(changed, splits["train"], steps)

    applicable, skipped = gradient_comparison.sort_out(
        gradient_comparison.resolve((config.estimator, *names)), build, splits["train"].image_shape
    )
    measured_in = directory.path / "gradients" / f"epoch-{epoch}"
    measured_in.mkdir(parents=True, exist_ok=True)
    with locking.lock(measured_in.parent):
        measured = gradient_comparison.Comparison(
            measured_in,
            build,
            source,
            [gradient_comparison.Checkpoint(epoch, epoch * steps, lambda: None)],
            splits["train"],
            splits["validation"],
            settings_of(config),
        ).run(applicable)
        rows = {
            name: {**values, **values["rows"][0]}
            for name, values in measured["estimators"].items()
            if name in applicable
        }
        for row in rows.values():
            del row["rows"]
        found = {"run": folder, "epoch": epoch, "skipped": skipped, "estimators": rows}
        write_json(directory.path / "gradient_report.json", found)
        head = f"# Gradients at epoch {epoch} of {folder}\n\n{_legend(rows)}\n"
        tail = "".join(f"- `{name}`: {why}\n" for name, why in skipped.items())
        tail = f"\n### not applicable\n\n{tail}" if tail else ""
        path = directory.path / "gradient_report.md"
        write_text(path, head + gradient_comparison.tables(rows) + tail)
    print(f"\n{head}{gradient_comparison.tables(rows, parts=True)}{tail}\nBy layer: {path}")
    return found


def _restore(checkpoints: Checkpoints, which: str) -> None:
    if which.isdigit():
        found = checkpoints.restore_kept(int(which))
    elif which in ("best", "last"):
        found = checkpoints.restore_best() if which == "best" else checkpoints.restore_last()
    else:
        raise ValueError(
            f"checkpoint must be 'best', 'last' or a number. Received: checkpoint={which!r}"
        )
    if not found:
        kept = ", ".join(map(str, checkpoints.kept_epochs())) or "none"
        raise ValueError(
            f"The run must have this checkpoint; epochs kept: {kept}. Received: checkpoint={which!r}"
        )


def _legend(rows: dict[str, Any]) -> str:
    kinds = {row["reference"] for row in rows.values()} - {"none"}
    against = {
        "exact": "the exact gradient, by enumeration",
        "pooled": "the average of the unbiased estimators",
    }
    return (
        f"Compared with {' or '.join(against[kind] for kind in sorted(kinds)) or 'nothing'}. Of one "
        "batch; only the latents' noise varies. *evaluations*: of the objective, for each image and "
        "draw. *cosine*: of one draw, on average. *bias*: distance of the mean, relative; in brackets "
        "what noise alone would make of it.\n"
    )
