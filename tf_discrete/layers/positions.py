"""Positions [...] of values [..., *event], folded into rows [R, *event] and back."""

from __future__ import annotations

import tensorflow as tf

from tf_discrete.types import Shape, Tensor


def rows_of_mask(
    mask: Tensor, values: tf.Tensor, event_rank: int = 1, name: str = "inputs"
) -> tf.Tensor:
    """Returns which rows of values a mask lets count, bool [R].

    Args:
        mask: bool [...] or with fewer axes, false where there is padding; axes of size 1 are repeated.
        values: Tensor [..., *event].
        event_rank: Number of axes of the event. Default: 1.
        name: Name of the values in messages. Default: "inputs".

    Raises:
        ValueError: The mask has other axes than the values.

    Example:
        >>> rows_of_mask([True, False], tf.ones([2, 2, 5])).numpy().tolist()
        [True, True, False, False]
    """
    mask = tf.cast(mask, tf.bool)
    rank = values.shape.rank - event_rank
    last = "the last one" if event_rank == 1 else f"the last {event_rank}"
    if not _is_start(mask.shape, values.shape[:rank]):
        raise ValueError(
            f"mask must have the first axes of the {name}, without {last}. "
            f"Received: mask.shape={tuple(mask.shape)}, {name}.shape={tuple(values.shape)}"
        )
    while mask.shape.rank < rank:
        mask = mask[..., tf.newaxis]
    return tf.reshape(tf.broadcast_to(mask, tf.shape(values)[:rank]), [-1])


def unfold(rows: Tensor, lead: Tensor, static: Shape) -> tf.Tensor:
    """Returns rows [R, *event] as [*lead, *event].

    Args:
        rows: Tensor [R, *event].
        lead: Int [rank], the axes of the positions.
        static: What is known of the result's shape; the axes of the event must be.
    """
    event = list(static)[len(static) - rows.shape.rank + 1 :]
    made = tf.reshape(rows, tf.concat([lead, tf.constant(event, tf.int32)], axis=0))
    made.set_shape(static)  # TFLite has no operation that checks it.
    return made


def _is_start(shape: tf.TensorShape, whole: tf.TensorShape) -> bool:
    """Returns whether a shape can be that of the first axes of another; axes of size 1 are repeated."""
    return shape.rank <= whole.rank and all(
        one in (None, 1, other) or other is None for one, other in zip(shape, whole, strict=False)
    )
