"""Numbers of things in words: 1 image, 2 images."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Returns a number and its noun, which is plural unless the number is 1.

    Args:
        number: How many.
        noun: Singular, of one or more words.
        plural: Default: the noun with an s.

    Example:
        >>> [counted(number, "test image") for number in (1, 1200)], counted(2, "class", "classes")
        (['1 test image', '1,200 test images'], '2 classes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
