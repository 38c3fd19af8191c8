"""Bytes for an image: codes, packed and coded with a learned prior, next to PNG, JPEG and archives.

    pip install 'tf-discrete[compress]'
    python -m benchmarks.codes.compression --dataset=mnist --data_dir=$TF_DISCRETE_DATA_DIR

trains semantic hashing and, on its frozen codes of the training images, an LSTM prior; or takes the finished
run of another model, --run=DIR. Then all test images are compressed in every way. Codes lose detail, so the
mean squared error of what is decoded, rounded to 8 bits, is reported too. JPEG gets the quality, and
a share of the images' height and width, that take the fewest bytes with an error like that of the codes, and
is tried for all images in one sheet too. "Without headers" counts the payload of the coded file, the IDAT
chunks of a PNG, and the scan of a JPEG with standard Huffman tables. The networks that read the codes are not
counted; their size is in the result. That the files give the codes back is checked.
"""

from __future__ import annotations

import dataclasses
import gzip
import io
import lzma
import math
import pathlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from benchmarks import help_flag, provenance, store
from trainers.common import command_line, tables
from trainers.flags.config import check, option, to_json

if not help_flag.GIVEN:
    import keras
    import numpy as np
    import tensorflow as tf

    from benchmarks.codes import image_bytes
    from tf_discrete import codes as codes_lib
    from trainers.common import finished_run
    from trainers.common.run_directory import RunDirectory
    from trainers.saved_runs import autoregressive_prior
    from trainers.tasks import semantic_hashing

RESULTS = "compression"
QUALITIES = range(1, 96)
SHARES = (1.0, 0.75, 0.5, 0.25)
"""Shares of the sides of an image at which it is stored; its reader makes it larger again."""
COMPARABLE = 0.05
"""Share by which the error of a JPEG may differ from that of the codes."""
_TRIED = 500
"""Images by which the quality of JPEG is chosen."""


class Jpeg(NamedTuple):
    """How images are stored: the quality, and the share of their sides that is left."""

    quality: int
    share: float

    def sides(self, images: np.ndarray) -> tuple[int, int]:
        """Height and width at which images [M, H, W, ...] are stored."""
        height, width = (max(1, round(self.share * side)) for side in images.shape[1:3])
        return height, width

    def store(self, images: np.ndarray, optimize: bool = True) -> list[bytes]:
        """A file of each image."""
        small = (image_bytes.resize(image, *self.sides(images)) for image in images)
        return [image_bytes.jpeg(image, self.quality, optimize) for image in small]

    def read(self, files: Iterable[bytes], images: np.ndarray) -> np.ndarray:
        """Reads the files of `store` back, in the size of the images."""
        size = images.shape[1:3]
        return np.stack([image_bytes.resize(image_bytes.read(data), *size) for data in files])

    def store_sheet(self, images: np.ndarray, optimize: bool = True) -> bytes:
        """Writes one file that holds all images in a grid."""
        small = [image_bytes.resize(image, *self.sides(images)) for image in images]
        return image_bytes.jpeg(image_bytes.sheet(np.stack(small)), self.quality, optimize)

    def read_sheet(self, data: bytes, images: np.ndarray) -> np.ndarray:
        """Reads the file of `store_sheet` back, in the size of the images."""
        small = image_bytes.cut(image_bytes.read(data), len(images), *self.sides(images))
        size = images.shape[1:3]
        return np.stack([image_bytes.resize(image, *size) for image in small])


@dataclasses.dataclass(frozen=True)
class Config:
    """Options: images and model."""

    run: str = option("", "Folder of a finished run. Default: semantic hashing is trained.")
    output_dir: str = option("runs/compression", "Folder of the models and the coded file.")
    dataset: str = option("mnist", "As in the trainers; with --run, that of the run.")
    data_dir: str = option("", "Folder of prepared TFDS data. Default: TFDS's own.")
    max_examples: int = option(0, "Maximum number of examples of each split. 0: all.", lower=0)
    num_bits: int = option(64, "Bits of semantic hashing.", lower=1)
    hidden_units: tuple[int, ...] = option((512, 256), "Of its hidden layers.")
    epochs: int = option(20, "Of its training.", lower=1)
    batch_size: int = option(100, "Images, or codes, in a step.", lower=1)
    prior_units: int = option(128, "Of the prior's LSTM.", lower=1)
    prior_epochs: int = option(30, "Most epochs of the prior's training.", lower=1)
    seed: int = option(0, "Of both trainings.", lower=0, upper=2**31)


def train(config: Config) -> finished_run.FinishedRun:
    """The finished run: that which is given, or a new one, which goes on if it was stopped."""
    run = config.run
    if not run:
        run = str(pathlib.Path(config.output_dir) / "model")
        shared = ("dataset", "data_dir", "max_examples", "num_bits", "hidden_units", "epochs")
        settings = semantic_hashing.Config(
            output_dir=run,
            bound_samples=1,
            generation_samples=0,
            pictures_every=0,
            batch_size=config.batch_size,
            seed=config.seed,
            **{name: getattr(config, name) for name in shared},
        )
        if not RunDirectory(run).result_path.exists():
            semantic_hashing.run(settings)
    finished = finished_run.load(run, data_dir=config.data_dir)
    if finished.config.binarization != "none":
        raise ValueError(
            "Grey images are compared. Give a run with --binarization=none. "
            f"Received: run={run!r} with binarization={finished.config.binarization!r}"
        )
    return finished


def train_prior(config: Config, run: str) -> Any:
    """The prior of a run's codes, trained where it is not finished."""
    folder = pathlib.Path(config.output_dir) / "prior"
    if not RunDirectory(folder).result_path.exists():
        autoregressive_prior.run(
            autoregressive_prior.Config(
                run=run,
                output_dir=str(folder),
                data_dir=config.data_dir,
                units=config.prior_units,
                epochs=config.prior_epochs,
                batch_size=config.batch_size,
                seed=config.seed,
            )
        )
    return keras.models.load_model(folder / "prior.keras")


def decoder_parameters(run: str, model: Any) -> int:
    """The number of weights that turn codes into images.

    Raises:
        ValueError: a model that does not say which they are.
    """
    # Of several layers, images are decoded from the first.
    decoder = getattr(model, "decoder", None)
    if decoder is None:
        raise ValueError(
            "The weights of the decoder are reported. Give a run whose model has a decoder. "
            f"Received: run={run!r} with {type(model).__name__}"
        )
    return decoder.count_params()


def compress_codes(finished: Any, prior: Any, path: pathlib.Path) -> tuple[dict, np.ndarray]:
    """The rows of the codes of the test split, and what is decoded from their file, uint8.

    Raises:
        RuntimeError: the file does not give the codes back.
    """
    model, test = finished.model, finished.split("test")
    codes = codes_lib.encode_batches(model, test.batches(500))
    report = codes_lib.compress(codes, prior, path, overwrite=True)
    again = codes_lib.decompress(path, prior)
    packed = codes_lib.pack(codes, model.num_categories)
    unpacked = codes_lib.unpack(packed, model.num_variables, model.num_categories)
    if not ((again == codes).all() and (unpacked == codes).all()):
        raise RuntimeError(
            f"The files must give the codes back. Received: others from {str(path)!r}"
        )
    rows = {
        f"codes, packed ({model.num_variables} x {model.num_categories})": (packed.nbytes,) * 2,
        "codes, packed, all through xz": (_xz(packed.tobytes()), None),
        "codes, coded with the prior, all in one file": (
            report.bytes_on_disk,
            report.payload_bytes,
        ),
    }
    decode = tf.function(model.decode, reduce_retracing=True)
    parts = [
        decode(tf.constant(part)).numpy() for part in np.array_split(again, -(-len(again) // 500))
    ]
    return rows, to_bytes(np.concatenate(parts))


def compress_images(images: np.ndarray, wanted_error: float) -> tuple[dict, dict[str, float]]:
    """The rows of files of images, and the errors of those that lose detail.

    Args:
        images: uint8 [M, H, W] or [M, H, W, 3].
        wanted_error: mean squared error that JPEG is to come near.
    """
    jpeg = comparable_jpeg(images[:_TRIED], wanted_error)
    own, standard = jpeg.store(images), jpeg.store(images, optimize=False)
    one, one_standard = jpeg.store_sheet(images), jpeg.store_sheet(images, optimize=False)
    files = [image_bytes.png(image) for image in images]
    tall = image_bytes.png(images.reshape(-1, *images.shape[2:]))
    archive = io.BytesIO()
    np.savez_compressed(archive, images)
    raw = images.tobytes()
    height, width = jpeg.sides(images)
    name = f"JPEG of {height} x {width} pixels, quality {jpeg.quality}"
    errors = {
        name: squared_error(images, jpeg.read(own, images)),
        f"{name}, all in one sheet": squared_error(images, jpeg.read_sheet(one, images)),
    }
    alone, together = errors
    rows = {
        alone: (_total(own, len), _total(standard, image_bytes.jpeg_payload)),
        together: (len(one), image_bytes.jpeg_payload(one_standard)),
        "PNG": (_total(files, len), _total(files, image_bytes.png_payload)),
        "PNG of all, one above the other": (len(tall), image_bytes.png_payload(tall)),
        "NumPy's .npz, all": (archive.tell(), None),
        "gzip of all pixels": (len(gzip.compress(raw, 9)), None),
        "xz of all pixels": (_xz(raw), None),
        "pixels": (len(raw), len(raw)),
    }
    return rows, errors


def comparable_jpeg(images: np.ndarray, wanted_error: float) -> Jpeg:
    """The JPEG of fewest bytes among those with an error like another; if none is, the nearest."""

    def cost(jpeg: Jpeg) -> tuple[float, int]:
        files = jpeg.store(images, optimize=False)
        away = abs(squared_error(images, jpeg.read(files, images)) - wanted_error)
        return max(away, COMPARABLE * wanted_error), _total(files, image_bytes.jpeg_payload)

    return min((Jpeg(quality, share) for share in SHARES for quality in QUALITIES), key=cost)


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Images of 0..255, or of intensities in [0, 1], as uint8 without a single channel's axis."""
    if images.dtype != np.uint8:
        images = np.rint(255 * np.clip(images, 0, 1)).astype(np.uint8)
    return images[..., 0] if images.shape[-1] == 1 else images


def squared_error(images: np.ndarray, others: np.ndarray) -> float:
    """Mean squared difference of uint8 images, as intensities in [0, 1]."""
    parts = [
        np.square(images[at] / 255.0 - others[at] / 255.0).mean(axis=tuple(range(1, images.ndim)))
        for at in np.array_split(np.arange(len(images)), -(-len(images) // 1000))
    ]
    return float(np.concatenate(parts).mean())


def run(config: Config) -> dict[str, Any]:
    """Trains what is missing, compresses the test images in every way, and records the result.

    Raises:
        ImportError: constriction is not installed.
        RuntimeError: the coded file does not give the codes back.
        ValueError: flags out of range, a run of binarised images, or a model without a decoder.
    """
    check(config)
    made = provenance.record(["constriction", "pillow"])
    finished = train(config)
    num_parameters = decoder_parameters(config.run, finished.model)
    prior = train_prior(config, str(finished.directory.path))
    images = to_bytes(np.asarray(finished.split("test").images))
    path = pathlib.Path(config.output_dir) / "test-codes.bin"
    coded, decoded = compress_codes(finished, prior, path)
    error = squared_error(images, decoded)
    files, file_errors = compress_images(images, error)
    errors = {**dict.fromkeys(coded, error), **file_errors}
    rows = [
        {
            "name": name,
            "bytes_per_image": whole / len(images),
            "payload_bytes_per_image": None if payload is None else payload / len(images),
            "squared_error": errors.get(name, 0.0),
        }
        for name, (whole, payload) in {**coded, **files}.items()
    ]
    result = {
        "command": provenance.command_of(
            "benchmarks.codes.compression", Config, to_json(config), ("output_dir",)
        ),
        "dataset": finished.config.dataset,
        "num_images": len(images),
        "rows": rows,
        "decoder_parameters": num_parameters,
        "prior_parameters": prior.count_params(),
        "codes_are_given_back": True,
        "provenance": made,
    }
    store.append(RESULTS, result)
    print(f"\n{table(result)}")
    return result


def table(result: dict[str, Any]) -> str:
    """The result as docs/codes.md shows it."""
    rows = []
    for row in result["rows"]:
        payload, error = row["payload_bytes_per_image"], row["squared_error"]
        rows.append(
            (
                row["name"],
                f"{row['bytes_per_image']:.2f}",
                "" if payload is None else f"{payload:.2f}",
                f"{error:.4f}" if error else "0",
                f"{-10 * math.log10(error):.1f}" if error else "lossless",
            )
        )
    header = ("", "bytes an image", "without headers", "squared error", "PSNR, dB")
    return tables.markdown(header, rows) + (
        f"\n{result['num_images']:,} test images of {result['dataset']}. Not counted: a decoder of "
        f"{result['decoder_parameters']:,} parameters and a prior of {result['prior_parameters']:,}. "
        f"{provenance.line(result['provenance'], result['command'])}"
    )


def _total(files: list[bytes], size: Callable[[bytes], int]) -> int:
    return sum(map(size, files))


def _xz(data: bytes) -> int:
    return len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    command_line.start(Config, lambda: run, __doc__)
