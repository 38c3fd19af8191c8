"""Discrete latent variables for TensorFlow and Keras 3."""
