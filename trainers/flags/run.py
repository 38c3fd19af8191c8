"""Flags that every training has: the data, the optimisation, where and how it runs."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from .config import option


@dataclasses.dataclass(frozen=True)
class DataFlags:
    """The data of a run."""

    dataset: str = option(
        "digits",
        "'digits' (embedded), a TFDS image data set ('mnist', 'binarized_mnist', ...), an .npz file, "
        "or a folder of images or of TFRecord files.",
        path=True,
    )
    data_dir: str = option("", "Folder of prepared TFDS data. Default: TFDS's own.", path=True)
    binarization: str = option(
        "none",
        "How grey pixels become bits: 'dynamic' samples them each time they are read, 'static' samples them "
        "once, 'threshold' rounds at 1/2, 'none' leaves them grey (with a Bernoulli likelihood the value "
        "is then not a bound on a density).",
        choices=("none", "threshold", "static", "dynamic"),
    )
    image_size: tuple[int, ...] = option(
        (), "Height and width to resize images to, as height,width. Default: no resizing."
    )
    validation_fraction: float = option(
        0.1, "Fraction of the training images used for validation.", lower=0.001, upper=0.9
    )
    max_examples: int = option(0, "Maximum number of examples of each split. 0: all.", lower=0)
    skip_unreadable: bool = option(
        False,
        "Leave out files of a folder that cannot be read as images, with a warning that names them, instead "
        "of refusing the folder.",
    )
    stream: bool = option(
        False,
        "Decode images when a batch is read, for data larger than memory. Otherwise they are decoded "
        "once, into memory or a cache file. Images of 'digits' and of .npz files are decoded already.",
    )
    shuffle_buffer: int = option(
        10_000,
        "Number of images among which streamed TFRecord files are shuffled, after the files themselves. "
        "Image folders are shuffled as a whole.",
        lower=1,
    )
    accept_changed_data: bool = option(
        False, "Continue a run although its data have changed since it started."
    )


@dataclasses.dataclass(frozen=True)
class OptimizationFlags:
    """The optimisation: its length, step size and regularisation."""

    batch_size: int = option(100, "Images per training step.", lower=1)
    epochs: int = option(100, "Passes over the training images.", lower=1)
    optimizer: str = option(
        "adam",
        "'rectified_adam' (RAdam) warms the adaptive step size up by itself; some papers train with it.",
        choices=("adam", "rectified_adam"),
    )
    learning_rate: float = option(1e-3, "Learning rate of Adam.", positive=True)
    learning_rate_schedule: str = option(
        "constant",
        "'cosine' decays the learning rate to 0 over the run.",
        choices=("constant", "cosine"),
    )
    weight_decay: float = option(
        0.0,
        "Decoupled weight decay of the kernels; multiplied by the learning rate in each step.",
        lower=0,
    )
    early_stopping: int = option(
        0,
        "Stop after n epochs without a better validation score: the discrete ELBO, or what the "
        "trainer's --monitor names. 0: never.",
        lower=0,
    )
    seed: int = option(
        0,
        "Seed of the initial weights, the order of the data and all samples.",
        lower=0,
        upper=2**32 - 1,
    )


@dataclasses.dataclass(frozen=True)
class DistributeFlags:
    """The devices and machines that train together."""

    distribute: str = option(
        "none",
        "'mirrored' trains on all GPUs (or logical CPUs) of this machine, 'multi_worker' on those of all "
        "machines that TF_CONFIG names, with the same command on each (docs/workers.md). Both take one step "
        "per execution and no XLA.",
        choices=("none", "mirrored", "multi_worker"),
    )


@dataclasses.dataclass(frozen=True)
class ExecutionFlags(DistributeFlags):
    """Where and how a run is executed, and what it shows."""

    output_dir: str = option(
        "", "Directory of the run. Default: runs/<model>-<data set>.", path=True
    )
    monitor_every: int = option(
        10,
        "How often, in training steps, the discrete ELBO and the gradient norm are evaluated.",
        lower=1,
    )
    pictures_every: int = option(
        10,
        "How often, in epochs, pictures and histograms are written to TensorBoard. 0: never.",
        lower=0,
    )
    bound_samples: int = option(
        100,
        "Number m of samples of the importance-weighted test bound at the end of the run. Papers often "
        "report 1000, which takes ten times as long; trainers.evaluate computes that later.",
        lower=1,
    )
    steps_per_execution: int = option(
        0,
        "Training steps per call of the compiled function. 0: chosen from the size of the data.",
        lower=0,
    )
    jit_compile: str = option(
        "auto",
        "Whether XLA compiles the training step, or the whole loop of --loop. 'auto': on with exactly one "
        "GPU, off otherwise. 'measure': trains for a second with and without it, and keeps the faster; "
        "compiling for it takes some seconds, so it is for long runs. XLA samples other noise.",
        choices=("auto", "on", "off", "measure"),
    )
    dtype_policy: str = option(
        "float32",
        "Keras dtype policy of the networks.",
        choices=("float32", "float64", "mixed_float16", "mixed_bfloat16"),
    )
    profile: bool = option(False, "Profile some steps of the first epoch for TensorBoard.")
    import_module: tuple[str, ...] = option(
        (), "Modules to import first: your own registered estimators, networks and likelihoods."
    )


@dataclasses.dataclass(frozen=True)
class TrainingFlags(ExecutionFlags, OptimizationFlags, DataFlags):
    """Options of the data, the optimizer and the execution."""


@dataclasses.dataclass(frozen=True)
class CheckpointFlags:
    """Which checkpoints of a run are saved in addition to the last and the best epoch."""

    keep_every: int = option(
        0,
        "Save a permanent checkpoint every n epochs, and one of the start. 0: none.",
        lower=0,
    )


@dataclasses.dataclass(frozen=True)
class LoopFlags:
    """Whether the steps of a run are taken in one compiled loop."""

    loop: str = option(
        "auto",
        "'compiled' trains blocks of --steps_per_execution steps in one compiled function on data in memory; "
        "'fit' feeds the batches to a compiled step one by one. Without XLA the numbers are the same up to "
        "rounding. 'auto': compiled where the data stay in memory and one device trains.",
        choices=("auto", "compiled", "fit"),
    )


@dataclasses.dataclass(frozen=True)
class AverageFlags:
    """Which weights of a run are evaluated and kept."""

    weight_average: float = option(
        0.0,
        "Decay of an exponential average of the weights in each step, such as 0.999. Validation, the "
        "choice of the best epoch, the test and all files then use the average; the test's numbers of the "
        "weights themselves are kept as plain_test/. 0: no average.",
        lower=0,
        upper=0.9999999,
    )


@dataclasses.dataclass(frozen=True)
class RunConfig(CheckpointFlags, LoopFlags, AverageFlags, TrainingFlags):
    """Flags of every task. The configuration of a task derives from it."""

    tighter_bound_samples: ClassVar[int] = 1000
    """Samples of the bound that the end of a run suggests next; 0 where more samples change nothing."""
