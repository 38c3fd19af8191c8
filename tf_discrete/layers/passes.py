"""`CallCounter`: finds the first call of a layer in a forward pass of its model."""

from __future__ import annotations

import weakref

import tensorflow as tf
from keras.src.backend.common import global_state


class CallCounter:
    """Finds the first call of a layer in a forward pass.

    A pass is one outermost Keras call. A layer that is shared, that `keras.layers.TimeDistributed` wraps or
    that is part of a recurrent cell is called several times in it. Keras keeps one context object for
    each pass and thread; a call outside of any is a pass of its own. A plain object, which Keras does not
    wrap.

    Example:
        >>> counter = CallCounter()
        >>> counter.is_first(), counter.is_first()
        (True, True)
    """

    def __init__(self) -> None:
        self._passes: weakref.WeakKeyDictionary[object, _Pass] = weakref.WeakKeyDictionary()

    def is_first(self, purpose: str = "") -> bool:
        """Returns whether this is the first call for a purpose in this pass, and notes it."""
        context = global_state.get_global_attribute("current_call_ctx")
        if context is None:
            return True
        current = self._passes.setdefault(context, _Pass())
        if purpose in current.purposes:
            return False
        current.purposes.add(purpose)
        return True

    def left_graph(self) -> bool:
        """Returns whether this call is traced in another graph than the first of its pass, as in a loop."""
        context = global_state.get_global_attribute("current_call_ctx")
        current = self._passes.get(context) if context is not None else None
        return current is not None and current.graph() is not tf.compat.v1.get_default_graph()


class _Pass:
    def __init__(self) -> None:
        self.purposes: set[str] = set()
        self.graph = weakref.ref(tf.compat.v1.get_default_graph())


def is_vectorized() -> bool:
    """Returns whether `tf.vectorized_map` traces the call: it samples the same noise for each element."""
    return "loop_body" in tf.compat.v1.get_default_graph().get_name_scope().split("/")
