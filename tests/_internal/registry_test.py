"""What is named by a word: registered once, found by name, refused by a message that helps."""

import keras
import pytest

from tf_discrete._internal.registry import ClassRegistry, Registry


class Shape:
    def __init__(self, size=1.0):
        self.size = size

    def get_config(self):
        return {"size": self.size}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@pytest.fixture
def shapes():
    registry = ClassRegistry("shape", Shape, "registry_test", "a number, or a Shape")

    @registry.takes_number
    @registry.register("circle")
    class Circle(Shape):
        pass

    @registry.register("oblong")
    class Oblong(Shape):
        pass

    return registry


def test_names_are_sorted_and_entries_in_order():
    registry = Registry("thing")
    registry.add("b", 1)
    registry.add("a", 2)
    assert registry.names() == ["a", "b"] and list(registry) == ["b", "a"]
    assert registry.items() == [("b", 1), ("a", 2)]
    assert "a" in registry and "c" not in registry and ["a"] not in registry


def test_what_is_registered_for_a_while_is_forgotten():
    registry = Registry("thing")
    registry.add("a", 1)
    with pytest.raises(KeyError), registry.restored():
        registry.add("b", 2)
        assert registry.names() == ["a", "b"]
        raise KeyError
    assert registry.items() == [("a", 1)]


@pytest.mark.parametrize("name", ["", None, 3, ["a"]])
def test_a_name_is_a_word(name):
    with pytest.raises(ValueError, match="name must be a word that names a thing.*Received: name="):
        Registry("thing").add(name, 1)


def test_nothing_is_replaced_silently(shapes):
    with pytest.raises(ValueError, match="The name of a shape must be new.*name='circle'.*Circle"):
        shapes.register("circle")(Shape)
    assert shapes.entry("circle").__name__ == "Circle"
    plain = Registry("thing")
    plain.add("a", 1)
    with pytest.raises(ValueError, match="must be new.*Received: name='a', registered for 1"):
        plain.add("a", 2)


def test_a_module_that_is_read_again_registers_again(shapes):
    def load():
        @shapes.register("own")
        class Own(Shape):
            pass

        return Own

    load()
    assert load() is shapes.entry("own")


def test_an_object_from_a_name_a_class_a_config_a_number_or_itself(shapes):
    circle = shapes.entry("circle")
    assert shapes.get("circle", size=2.0).size == 2.0
    assert shapes.get(circle, size=3.0).size == 3.0
    made = shapes.get(keras.saving.serialize_keras_object(circle(4.0)))
    assert type(made) is circle and made.size == 4.0
    assert shapes.get(5).size == 5 and type(shapes.get(5)) is circle
    assert shapes.get(made) is made


@pytest.mark.parametrize(
    "identifier,message",
    [
        (
            "oblng",
            r"shape must be one of circle, oblong, or .*Did you mean 'oblong'\? Received: shape='oblng'",
        ),
        ("zzz", "or a Shape. Received: shape='zzz'"),
        (None, "Received: shape=None"),
        (True, "Received: shape=True"),
        (int, "Received: shape=<class 'int'>"),
        ({"class_name": "Nothing", "config": {}}, "shape must be the config of an object"),
    ],
)
def test_what_is_refused(shapes, identifier, message):
    with pytest.raises(ValueError, match=message):
        shapes.get(identifier)


def test_the_message_names_the_argument(shapes):
    with pytest.raises(ValueError, match="outline must be one of.*Received: outline='x'"):
        shapes.get("x", "outline")


def test_arguments_without_a_taker(shapes):
    with pytest.raises(ValueError, match=r"Circle does not take these arguments.*\{'colour': 1\}"):
        shapes.get("circle", colour=1)
    with pytest.raises(ValueError, match=r"takes no further arguments.*\{'size': 1\}"):
        shapes.get(shapes.get("circle"), size=1)


def test_keras_finds_a_class_again_under_the_package_or_its_own(shapes):
    assert keras.saving.get_registered_name(shapes.entry("circle")) == "registry_test>Circle"

    @keras.saving.register_keras_serializable("theirs")
    class Own(Shape):
        pass

    shapes.register("own")(Own)
    assert keras.saving.get_registered_name(Own) == "theirs>Own"
