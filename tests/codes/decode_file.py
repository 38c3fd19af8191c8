"""Decodes a file in a process of its own: python decode_file.py CODES PRIOR OUTPUT BATCH_SIZE."""

import sys

import keras
import numpy as np

from tf_discrete import codes

if __name__ == "__main__":
    file, prior, output, batch_size = sys.argv[1:]
    loaded = keras.saving.load_model(prior)
    np.save(output, codes.decompress(file, loaded, batch_size=int(batch_size)))
