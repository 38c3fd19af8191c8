"""All ways in which samples break sticks with a Dirichlet copula, with their probabilities, in NumPy."""

import itertools
import math

import numpy as np


def all_below(share, number, count):
    """P(u_1 < share, ..., u_number < share): P(d_1 > a, ..., d_n > a) = (1 - n a)**(M - 1) on the simplex."""
    lowest = 1 - share ** (1 / (count - 1))
    return max(0.0, 1 - number * lowest) ** (count - 1)


def pattern_probability(share, below, count):
    """P(the first `below` of M numbers are below the share and no other is), by inclusion and exclusion."""
    return sum(
        (-1) ** more * math.comb(count - below, more) * all_below(share, below + more, count)
        for more in range(count - below + 1)
    )


def uniform_of_pattern(share, pattern):
    """Independent numbers, [M], whose copula has the given ones below the share."""
    count, below = len(pattern), sum(pattern)
    lowest, rest = 1 - share ** (1 / (count - 1)), count - below
    if below in (0, count):
        parts = np.full(count, 1 / count)
    else:
        smallest = max(lowest, (1 - rest * lowest) / below)
        one = (smallest + 1 / below) / 2
        parts = np.where(pattern, one, (1 - below * one) / rest)
    return np.exp(-parts)


def all_noise(shares, count):
    """Noise of one variable [patterns, K - 1, M], and the probability of each pattern."""
    each = []
    for share in shares:
        patterns = []
        for pattern in itertools.product([True, False], repeat=count):
            weight = pattern_probability(share, sum(pattern), count)
            if weight > 1e-15:
                patterns.append((uniform_of_pattern(share, pattern), weight, pattern))
        each.append(patterns)
    chosen = list(itertools.product(*each))
    noise = np.array([[stick[0] for stick in one] for one in chosen])
    weight = np.array([math.prod(stick[1] for stick in one) for one in chosen])
    taken = np.array([[stick[2] for stick in one] for one in chosen])
    return noise, weight, taken


def all_places(shares, count):
    """Sticks of M samples [patterns, M], and the probability of each pattern."""
    _, weight, taken = all_noise(shares, count)
    last = np.ones_like(taken[:, :1])
    return np.concatenate([taken, last], axis=1).argmax(axis=1), weight
