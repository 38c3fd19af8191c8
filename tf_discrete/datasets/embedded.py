"""Data sets that need no download: the handwritten digits that scikit-learn ships."""

from __future__ import annotations

import numpy as np

from tf_discrete.datasets import splitting
from tf_discrete.datasets.source import Arrays, Request, register


@register("digits")
def digits(request: Request) -> Arrays:
    """1797 real handwritten digits, 8 x 8 x 1, ten classes.

    The test set is a fixed stratified fifth (359 images). The other 1438 give, with the default
    validation fraction of 0.1, 1294 images for training and 144 for validation. The 17 grey levels
    0..16 become 0..255, so that 16 is white (1.0).

    Args:
        request: the split that is wanted.

    Returns:
        Arrays with uint8 images.

    Example:
        >>> digits(Request("digits", "test")).images.shape
        (359, 8, 8, 1)

    Reference:
        E. Alpaydin, C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI repository.
    """
    from sklearn.datasets import load_digits

    raw = load_digits()
    images = np.round(raw.images * (255.0 / 16.0)).astype(np.uint8)[..., np.newaxis]
    labels = raw.target.astype(np.int32)
    everything = Arrays(images, labels, 10, tuple("0123456789"))
    return splitting.take_split(everything, request, test_fraction=0.2)
