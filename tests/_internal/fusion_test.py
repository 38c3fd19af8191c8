"""Parts are compiled by XLA inside `enabled`, training parts of many numbers in training too."""

import pytest
import tensorflow as tf

from tf_discrete._internal import fusion


@fusion.part
def square(x):
    """Says in the sign whether a graph is built of it."""
    return x * x if tf.executing_eagerly() else -x * x


@fusion.training_part
def cube(x):
    return x**3 if tf.executing_eagerly() else -(x**3)


def test_a_part_is_compiled_inside_only():
    x = tf.constant(3.0)
    assert not fusion.is_enabled() and float(square(x)) == 9.0
    with fusion.enabled():
        assert fusion.is_enabled() and float(square(x)) == -9.0
    assert float(square(x)) == 9.0


def test_it_is_over_after_an_error():
    with pytest.raises(KeyError), fusion.enabled():
        raise KeyError
    assert not fusion.is_enabled()


def test_a_graph_calls_the_compiled_part():
    with fusion.enabled():
        graph = tf.function(square, autograph=False).get_concrete_function(tf.TensorSpec([2]))
    calls = [op for op in graph.graph.get_operations() if "Call" in op.type]
    assert [op.get_attr("_XlaMustCompile") for op in calls] == [True]


def test_whether_xla_is_available_is_tried_outside_of_the_graph(monkeypatch):
    """A call inside a graph is an operation that nobody runs."""
    fusion._available.cache_clear()
    function = tf.function

    def without_xla(fn, jit_compile=False, **options):
        def refuse(*_):
            if tf.executing_eagerly():
                raise tf.errors.UnimplementedError(None, None, "no XLA")

        return refuse if jit_compile else function(fn, **options)

    monkeypatch.setattr(tf, "function", without_xla)
    found = []

    @function(autograph=False)
    def graph():
        with fusion.enabled():
            found.append(fusion.is_enabled())

    graph()
    fusion._available.cache_clear()
    assert found == [False]


def test_without_xla_nothing_is_compiled(monkeypatch):
    monkeypatch.setattr(fusion, "_available", lambda: False)
    with fusion.enabled():
        assert not fusion.is_enabled() and float(square(tf.constant(3.0))) == 9.0


def test_in_training_only_parts_for_it_are_compiled_and_only_with_many_numbers():
    few, many = tf.fill([3], 2.0), tf.fill([fusion._MANY], 2.0)
    with fusion.enabled_in_training():
        assert not fusion.is_enabled() and float(square(many)[0]) == 4.0
        assert not fusion.compiles(few) and float(cube(few)[0]) == 8.0
        assert fusion.compiles(many) and float(cube(many)[0]) == -8.0
    assert not fusion.compiles(many) and float(cube(many)[0]) == 8.0
    with fusion.enabled():
        assert fusion.compiles(few) and float(cube(few)[0]) == -8.0
