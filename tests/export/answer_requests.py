"""Answers requests to SavedModels in a process that imports TensorFlow and nothing of this project.

Usage: python answer_requests.py FOLDER, where each sub-folder holds saved_model/ and requests named
SIGNATURE-NUMBER.npz. Writes SIGNATURE-NUMBER.answer.npz next to each and FOLDER/modules.json.
"""

from __future__ import annotations

import json
import pathlib
import sys

import numpy as np
import tensorflow as tf


def main(folder: pathlib.Path) -> None:
    for export in sorted(path.parent for path in folder.glob("*/saved_model")):
        served = tf.saved_model.load(str(export / "saved_model"))
        for request in sorted(export.glob("*[0-9].npz")):
            signature = served.signatures[request.name.split("-")[0]]
            inputs = {name: tf.constant(value) for name, value in np.load(request).items()}
            answer = {name: value.numpy() for name, value in signature(**inputs).items()}
            np.savez(request.with_suffix(".answer.npz"), **answer)
    (folder / "modules.json").write_text(json.dumps(sorted(sys.modules)))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
