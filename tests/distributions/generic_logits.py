"""Logits without symmetries, of several rows and variables."""

import numpy as np

_random = np.random.RandomState(0)
LOGITS = {
    "categorical": _random.normal(scale=2.0, size=[4, 3, 5]),
    "bernoulli": _random.normal(scale=2.0, size=[4, 3]),
}
PRIOR = {
    "categorical": _random.normal(scale=2.0, size=[3, 5]),
    "bernoulli": _random.normal(scale=2.0, size=[3]),
}
