"""The flags of all programs: dataclasses that can be read without TensorFlow."""
