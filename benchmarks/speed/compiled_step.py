"""Our compiled step on a device without TensorFlow: what XLA makes of it, next to JAX and PyTorch there.

    python -m benchmarks.speed.compiled_step export --folder=build/step --model=mlp
    python -m benchmarks.speed.compiled_step race --folder=build/step

`export` needs TensorFlow. It writes the compiled loop of `fit`, many steps of one model, as StableHLO with
its inputs, and the loss that TensorFlow computes. `race` needs JAX and PyTorch alone, so it runs on a machine
with a GPU that has no TensorFlow: it compiles the StableHLO for the first device of JAX, checks the loss,
and lets it take turns with JAX's scan and with PyTorch, eager, compiled and with CUDA graphs. Its times are
those of XLA's code for our step, without TensorFlow's runtime. It prints a table, writes race.json to the
folder, and adds nothing to benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import tempfile
from typing import Any

import numpy as np

from benchmarks.speed import interleaved as turns
from benchmarks.speed import training
from benchmarks.speed.contenders import in_jax, pytorch
from benchmarks.speed.interleaved import Turn
from benchmarks.speed.setting import DTYPES, MODELS, Setting, binary_images
from trainers.common import tables

OURS = "step"
CONTENDERS = {
    OURS: "tf_discrete's step, by XLA",
    **in_jax.TITLES,
    **pytorch.TITLES,
    **pytorch.ON_GPU,
}
TOLERANCE = 1e-3
"""Relative difference of the loss that passes: devices sum in another order, over all steps of a turn."""


def export(setting: Setting, folder: pathlib.Path) -> None:
    """Writes step.mlir, inputs.npz and setting.json."""
    import keras

    from benchmarks.speed.contenders import ours
    from tf_discrete.models.compiled_loop import CompiledLoop

    with tempfile.TemporaryDirectory() as temporary:
        path = pathlib.Path(temporary) / "images.npy"
        binary_images(path)
        model, batches = ours.model_and_batches(np.load(path), setting, "ours_loop_xla")
    model.steps_per_execution = setting.steps
    loop = CompiledLoop(model, batches)
    block = next(iter(batches.blocks(setting.steps)))
    arguments = (block.indices, block.steps)
    concrete = loop._steps.get_concrete_function(*arguments)
    code = loop._steps.experimental_get_compiler_ir(*arguments)(stage="stablehlo_serialized")
    inputs = [*keras.tree.flatten(arguments), *concrete.captured_inputs]
    arrays = [_array(one) for one in inputs]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "step.mlir").write_bytes(code)
    np.savez(folder / "inputs.npz", *arrays)
    logs = loop._steps(*arguments)
    names = [name for name, _ in sorted(logs.items())]
    said = {**setting._asdict(), "logs": names, "loss": float(logs["loss"])}
    (folder / "setting.json").write_text(json.dumps(said))
    print(f"{len(code)} bytes of StableHLO with {len(arrays)} inputs in {folder}")


def _array(captured: Any) -> np.ndarray:
    """The value of an input, or of the variable behind it."""
    import tensorflow as tf

    if captured.dtype != tf.resource:
        return captured.numpy()
    kind = tf.as_dtype(captured._handle_data.shape_and_type[0].dtype)
    return tf.raw_ops.ReadVariableOp(resource=captured, dtype=kind).numpy()


def make(folder: pathlib.Path, names: list[str]) -> tuple[Turn, dict[str, Any]]:
    """Returns a generator that takes `setting.steps` steps for each turn, its device and its first loss."""
    import jax

    jax.config.update("jax_enable_x64", True)
    from jax.extend import backend
    from jaxlib import xla_client

    device = jax.devices()[0]
    client: Any = backend.get_backend()
    run = client.compile_and_load(
        (folder / "step.mlir").read_bytes(),
        xla_client.DeviceList((device,)),
        xla_client.CompileOptions(),
    )
    with np.load(folder / "inputs.npz") as arrays:
        inputs = [jax.device_put(arrays[f"arr_{k}"], device) for k in range(len(arrays.files))]
    turn = _turns(run, inputs, names)
    return turn, {"device": str(device.device_kind), "first_loss": next(turn)}


def _turns(run: Any, inputs: list[Any], names: list[str]) -> Turn:
    """Takes the steps of a turn, from where the last has ended.

    The results are the logs and then the new values of what the step assigns, which are the inputs whose
    memory it takes.
    """
    while True:
        outputs = run.execute_sharded(inputs).disassemble_into_single_device_arrays()
        logs = [array for (array,) in outputs[: len(names)]]
        loss = float(np.asarray(logs[names.index("loss")]))
        assigned = [k for k, one in enumerate(inputs) if one.is_deleted()]
        for k, (array,) in zip(assigned, outputs[len(names) :], strict=True):
            inputs[k] = array
        yield loss


def work(arguments: argparse.Namespace, setting: Setting, said: dict[str, Any]) -> None:
    """One contender's process."""
    if arguments.worker == OURS:
        turns.serve(lambda: make(arguments.folder, said["logs"]), ("jax", "jaxlib"))
        return
    kind = arguments.worker.split("_")[0]
    images = np.load(arguments.folder / "images.npy")
    module = {"torch": pytorch, "jax": in_jax}[kind]
    turns.serve(lambda: module.make(images, setting, arguments.worker), training.PACKAGES[kind])


def race(arguments: argparse.Namespace, setting: Setting, said: dict[str, Any]) -> None:
    """Runs all rounds, and checks the loss of ours."""
    with np.load(arguments.folder / "inputs.npz") as arrays:
        data = [arrays[name] for name in arrays.files]
    images = next(array for array in data if array.dtype == np.uint8)
    np.save(arguments.folder / "images.npy", images.reshape(len(images), -1) // 255)
    module = [sys.executable, "-m", "benchmarks.speed.compiled_step", "work"]
    commands = {
        name: [*module, f"--folder={arguments.folder}", f"--worker={name}"]
        for name in arguments.contenders
    }
    contenders = turns.start(commands, setting.threads)
    try:
        found = turns.take_turns(contenders, arguments.rounds, setting.steps)
    finally:
        turns.stop(contenders)
    times = turns.milliseconds(found, "seconds", setting.steps)
    facts = {contender.name: contender.facts for contender in contenders}
    (arguments.folder / "race.json").write_text(
        json.dumps({**said, "milliseconds_per_step": times, "facts": facts})
    )
    print("\n" + turns.table(times, CONTENDERS))
    if OURS in found:
        loss = facts[OURS]["first_loss"]
        rows = [("TensorFlow", f"{said['loss']:.4f}"), (facts[OURS]["device"], f"{loss:.4f}")]
        print(tables.markdown(("first loss on", "nats"), rows))
        if abs(loss - said["loss"]) > TOLERANCE * abs(said["loss"]):
            sys.exit("The step does not compute what TensorFlow computes.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("action", choices=("export", "race", "work"))
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="of the exported step")
    parser.add_argument("--model", choices=MODELS, default="mlp", help="that is exported")
    parser.add_argument("--batch", type=int, default=100, help="images of a step")
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="of matrix products")
    parser.add_argument("--threads", type=int, default=2, help="of each framework, on a CPU")
    parser.add_argument("--steps", type=int, default=200, help="training steps of a turn")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each contender")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.action == "export":
        export(Setting(*(getattr(arguments, name) for name in Setting._fields)), arguments.folder)
        return
    said = json.loads((arguments.folder / "setting.json").read_text())
    setting = Setting(*(said[name] for name in Setting._fields))
    if arguments.action == "work":
        work(arguments, setting, said)
    else:
        race(arguments, setting, said)


if __name__ == "__main__":
    main()
