"""Which discrete bottleneck, at equal bits? Codes of every family in the same autoencoder.

    python -m benchmarks.bottlenecks --data_dir=$TF_DISCRETE_DATA_DIR

trains, for each family and size of code, an autoencoder with the same MLP, as many parameters (codebooks
counted), steps and tuning trials. Reported on test images: cross-entropy in nats and PSNR of deterministic
codes; nominal bits, bits under one LSTM prior, bytes on disk; use of the codes, harm of a flipped bit,
retrieval next to ITQ, inception scores.

    python -m benchmarks.bottlenecks --dataset=photos/ --image_size=32,32 --results=bottlenecks_photos

does the same with your images, one folder for each class, in a table of their own, with a picture in
runs/bottlenecks_photos.

Each training is a record in benchmarks/results as soon as it is done; the same command goes on where it was
stopped. --toy runs the whole program in seconds. benchmarks.bottlenecks.step_time measures the time of a
step, which other programs on the machine would change.
"""

from __future__ import annotations

from typing import Any

from benchmarks.bottlenecks import setting
from trainers.common import command_line


def load() -> Any:
    """Imports the study."""
    from benchmarks.bottlenecks import study

    return study.run


if __name__ == "__main__":
    command_line.start(setting.Config, load, __doc__)
