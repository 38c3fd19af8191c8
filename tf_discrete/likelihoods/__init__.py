"""Likelihoods p(x | parameters) of observations, per example in nats.

A likelihood defines how many numbers the decoder returns, and what they mean. To write your own, derive from
`Likelihood` and register it with Keras; `register` gives it a name.
"""

from tf_discrete.likelihoods import registry as registry
from tf_discrete.likelihoods.base import Likelihood as Likelihood
from tf_discrete.likelihoods.bernoulli import Bernoulli as Bernoulli
from tf_discrete.likelihoods.categorical_intensity import (
    CategoricalIntensity as CategoricalIntensity,
)
from tf_discrete.likelihoods.cosine_similarity import CosineSimilarity as CosineSimilarity
from tf_discrete.likelihoods.gaussian import Gaussian as Gaussian
from tf_discrete.likelihoods.registry import get as get
from tf_discrete.likelihoods.registry import names as names
from tf_discrete.likelihoods.registry import register as register
