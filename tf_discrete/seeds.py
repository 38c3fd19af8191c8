"""Seeds for stateless draws: derived, never stored, never used twice.

A seed is an int32 tensor of shape [2]. It starts from an integer and is folded with whatever tells
two samples apart: the step, the replica, the purpose, the layer, the chunk.
"""

from __future__ import annotations

import contextlib
import contextvars
import random
import zlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from tf_discrete._internal import checks
from tf_discrete.types import Seed, SeedLike, Tensor

_RULE = "an integer of at most 64 bits, or an int32 tensor of shape [2]"
_STRING = 1 << 62
"""Sets hashed strings apart from counters."""
_ALGORITHM = contextvars.ContextVar("algorithm", default="auto_select")


def base(seed: int) -> Seed:
    """Returns the seed of an integer.

    Args:
        seed: any Python int of up to 64 bits.

    Returns:
        int32 tensor of shape [2].

    Example:
        >>> base(7).shape
        TensorShape([2])
    """
    return tf.constant(_halves(checks.seed("seed", seed)), tf.int32)


def convert(seed: SeedLike) -> Seed:
    """Converts an integer or a seed to a seed.

    Raises:
        ValueError: The seed is neither an integer of 64 bits nor an integer tensor of shape [2].

    Example:
        >>> bool(tf.reduce_all(convert(3) == base(3)))
        True
    """
    if isinstance(checks.plain(seed), (bool, int, float, str)):
        return base(seed)
    try:
        tensor = tf.convert_to_tensor(seed)
    except (TypeError, ValueError):
        checks.refuse("seed", _RULE, seed)
    if not tensor.dtype.is_integer or not tensor.shape.is_compatible_with([2]):
        checks.refuse("seed", _RULE, seed)
    return tensor


def fold(seed: Seed, *data: int | str | Tensor) -> Seed:
    """Folds data into a seed, so that each purpose has its own seed.

    Each fold keeps all 64 bits. `tf.random.experimental.stateless_fold_in` keeps 32 of the seed it is
    given, so that some of 300 000 training steps would share their noise.

    Args:
        seed: int32 [2].
        *data: each an int, an integer scalar tensor or a string. Integers count by value, up to 64 bits,
            whatever their type; a string names a purpose and is hashed alike in every process.

    Returns:
        int32 [2]; different data give independent seeds.

    Raises:
        ValueError: for data that are no integer scalars.

    Example:
        >>> a, b = fold(base(0), "train", 1), fold(base(0), "train", 2)
        >>> bool(tf.reduce_all(a == b))
        False
    """
    for item in data:
        mixed = tf.random.stateless_uniform([2], seed, None, None, tf.int32, alg=algorithm())
        seed = mixed + _two_words(item)
    return seed


def algorithm() -> str:
    """Returns the algorithm of random numbers, for `alg=` of `tf.random.stateless_uniform` and the like."""
    return _ALGORITHM.get()


@contextlib.contextmanager
def compiled_by_xla() -> Iterator[None]:
    """Makes what is traced inside sample by Threefry, which XLA alone has.

    On CPUs XLA is much slower with "auto_select", which is Philox there. Both are counter-based generators of
    Salmon et al.

    Reference:
        Salmon et al. Parallel random numbers: as easy as 1, 2, 3. 2011.
    """
    token = _ALGORITHM.set("threefry")
    try:
        yield
    finally:
        _ALGORITHM.reset(token)


def clone_with_new_seed(layer: keras.layers.Layer, seed: int | None = None) -> keras.layers.Layer:
    """Copies a layer or model, without its weights, so that the copy draws other noise.

    The config of a layer holds its seed, so a copy by `from_config` or `keras.models.clone_model` draws the
    noise of the original. Give this function to `clone_model` as `clone_function`, with `recursive=True`
    if models are nested.

    Args:
        layer: Keras layer or model; one without a seed is copied as it is.
        seed: Seed of the copy. Default: None, a new one, fixed by `keras.utils.set_random_seed`.

    Returns:
        copy: Layer of the same class and name, with weights of its own.

    Example:
        >>> from tf_discrete import layers
        >>> model = keras.Sequential([keras.Input([3, 4]), layers.GumbelSoftmax(seed=1)])
        >>> same = keras.models.clone_model(model)
        >>> other = keras.models.clone_model(model, clone_function=clone_with_new_seed)
        >>> same.layers[0].seed, other.layers[0].seed == 1
        (1, False)
    """
    checks.instance("layer", layer, keras.layers.Layer, "a Keras layer or model")
    config = layer.get_config()
    if "seed" in config:
        config["seed"] = random_seed() if seed is None else checks.seed("seed", seed)
    return type(layer).from_config(config)


def random_seed() -> int:
    """Returns a random base seed, which `keras.utils.set_random_seed` determines."""
    return random.randint(1, 2**31 - 1)


def replica_id() -> Tensor:
    """Returns the number of this replica under `tf.distribute`, 0 otherwise. int32 scalar."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tf.constant(0, tf.int32)
    return tf.cast(context.replica_id_in_sync_group, tf.int32)


def _two_words(item: int | str | Tensor) -> tf.Tensor:
    """Returns the datum as 64 bits, int32 [2]."""
    if isinstance(item, str):
        item = zlib.crc32(item.encode()) | _STRING
    if isinstance(item, int):
        return tf.constant(_halves(item), tf.int32)
    item = tf.convert_to_tensor(item)
    if not item.dtype.is_integer or item.shape.rank not in (0, None):
        raise ValueError(
            "A seed is folded with an int, an integer scalar tensor or a string. "
            f"Received: a tensor of dtype {item.dtype.name} and shape {item.shape}"
        )
    return tf.bitcast(tf.cast(item, tf.int64), tf.int32)


def _halves(value: int) -> list[int]:
    """Returns the low and the high 32 bits, each as a signed number."""
    words = [value & 0xFFFFFFFF, (value >> 32) & 0xFFFFFFFF]
    return [word - (1 << 32) if word >= 1 << 31 else word for word in words]
