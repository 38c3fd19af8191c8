"""`Augmentation`: distorted views of images, as pure functions of the image and a seed."""

from __future__ import annotations

import dataclasses
import math

import keras
import tensorflow as tf

from tf_discrete import seeds
from tf_discrete._internal import checks
from tf_discrete.types import Config, Seed, Tensor


@keras.saving.register_keras_serializable("tf_discrete.models")
@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Random distortions of an image: rotated and zoomed, shifted, with Gaussian noise added.

    Args:
        shift: Largest shift in pixels, in each direction. Default: 0.
        rotation: Largest angle in degrees below 180, to either side. Default: 0.0.
        zoom: Largest share below 1 by which an image is zoomed, in or out. Default: 0.0.
        noise_stddev: Standard deviation of the noise. Default: 0.0.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> augmentation = Augmentation(shift=2, rotation=15.0)
        >>> augmentation(tf.ones([5, 8, 8, 1]), seeds.base(0)).shape
        TensorShape([5, 8, 8, 1])
    """

    shift: int = 0
    rotation: float = 0.0
    zoom: float = 0.0
    noise_stddev: float = 0.0

    def __post_init__(self) -> None:
        for name, value in {
            "shift": checks.whole("shift", self.shift, lowest=0),
            "rotation": checks.number("rotation", self.rotation, lowest=0, below=180),
            "zoom": checks.number("zoom", self.zoom, lowest=0, below=1),
            "noise_stddev": checks.number("noise_stddev", self.noise_stddev, lowest=0),
        }.items():
            object.__setattr__(self, name, value)

    def __bool__(self) -> bool:
        """Returns whether a view may differ from its image."""
        return any(dataclasses.astuple(self))

    def __call__(self, x: Tensor, seed: Seed) -> tf.Tensor:
        """Returns distorted views.

        Args:
            x: float [B, *data_shape]; images [B, H, W, C], unless there is noise only.
            seed: int32 [2].
        """
        if self.rotation or self.zoom:
            x = turn(x, self.rotation, self.zoom, seeds.fold(seed, "turn"))
        if self.shift:
            x = shift(x, self.shift, seeds.fold(seed, "shift"))
        if self.noise_stddev:
            x += self.noise_stddev * tf.random.stateless_normal(
                tf.shape(x), seeds.fold(seed, "noise"), dtype=x.dtype, alg=seeds.algorithm()
            )
        return x

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Refuses to shift, rotate or zoom observations of a shape that is not an image's.

        Raises:
            ValueError: It names the argument.
        """
        for name in ("shift", "rotation", "zoom"):
            if getattr(self, name) and len(shape) != 3:
                raise ValueError(
                    "Only images [height, width, channels] can be shifted, rotated or zoomed. Set "
                    f"{name}=0. Received: {name}={getattr(self, name)}, feature_shape={shape}"
                )

    def get_config(self) -> Config:
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config: Config) -> Augmentation:
        return cls(**config)


def shift(x: Tensor, pixels: int, seed: Seed) -> tf.Tensor:
    """Moves each image by up to `pixels` whole pixels in each direction; 0 moves in.

    Args:
        x: float [B, H, W, C].
        pixels: largest shift.
        seed: int32 [2].

    Example:
        >>> shift(tf.ones([2, 8, 8, 1]), 1, seeds.base(0)).shape
        TensorShape([2, 8, 8, 1])
    """
    x = tf.convert_to_tensor(x)
    padded = tf.pad(x, [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]])
    corner = tf.random.stateless_uniform(
        [tf.shape(x)[0], 2], seed, 0, 2 * pixels + 1, dtype=tf.int32, alg=seeds.algorithm()
    )
    rows = corner[:, :1] + tf.range(x.shape[1])
    columns = corner[:, 1:] + tf.range(x.shape[2])
    moved = _transpose(tf.gather(padded, rows, axis=1, batch_dims=1))
    moved = _transpose(tf.gather(moved, columns, axis=1, batch_dims=1))
    return tf.ensure_shape(moved, x.shape)


def turn(x: Tensor, degrees: float, zoom: float, seed: Seed) -> tf.Tensor:
    """Returns images turned and zoomed around their middle, each on its own; bilinear, 0 moves in.

    Args:
        x: float [B, H, W, C].
        degrees: largest angle, to either side.
        zoom: largest share by which what is read of an image grows or shrinks, below 1.
        seed: int32 [2].

    Example:
        >>> turn(tf.ones([2, 8, 8, 1]), 15.0, 0.1, seeds.base(0)).shape
        TensorShape([2, 8, 8, 1])
    """
    x = tf.convert_to_tensor(x)
    rows, (height, width) = tf.shape(x)[0], x.shape[1:3]
    drawn = tf.random.stateless_uniform(
        [2, rows, 1, 1], seed, -1, 1, dtype=x.dtype, alg=seeds.algorithm()
    )
    angle, scale = drawn[0] * (degrees * math.pi / 180), 1 + drawn[1] * zoom
    cosine, sine = scale * tf.cos(angle), scale * tf.sin(angle)
    # Where the pixels of the new image lie in the old one, in pixels from its middle.
    i = tf.range(height, dtype=x.dtype)[:, tf.newaxis] - (height - 1) / 2
    j = tf.range(width, dtype=x.dtype) - (width - 1) / 2
    top, down = _neighbor(sine * j + cosine * i, height)
    left, right = _neighbor(cosine * j - sine * i, width)
    padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    flat = tf.reshape(padded, [rows, (height + 2) * (width + 2), x.shape[3]])
    corner = top * (width + 2) + left

    def pixel(offset: int) -> tf.Tensor:
        return tf.gather(flat, corner + offset, axis=1, batch_dims=1)

    upper = pixel(0) + right * (pixel(1) - pixel(0))
    lower = pixel(width + 2) + right * (pixel(width + 3) - pixel(width + 2))
    return tf.ensure_shape(upper + down * (lower - upper), x.shape)


def _neighbor(place: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The pixel before a place along an axis, int32 in an image padded by 1, and the way on, [..., 1]."""
    place = tf.clip_by_value(place + (size + 1) / 2, 0, size + 1)
    before = tf.minimum(tf.floor(place), size)
    return tf.cast(before, tf.int32), (place - before)[..., tf.newaxis]


def _transpose(x: tf.Tensor) -> tf.Tensor:
    return tf.transpose(x, [0, 2, 1, 3])
