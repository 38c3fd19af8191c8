"""Serves a SavedModel with NVIDIA's Triton Inference Server: every signature becomes a model.

Runs in an environment of its own with nvidia-pytriton and tensorflow-cpu, without this package; see
docs/serving.md. With --measure it asks its own server, prints the latencies and stops.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pathlib
import signal
import statistics
import sys
import sysconfig
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import numpy as np

DATATYPES = {"float32": "FP32", "int32": "INT32"}


def with_libpython() -> None:
    """Starts this program again with the folder of libpython, which Triton's Python backend loads."""
    folder = sysconfig.get_config_var("LIBDIR")
    known = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    if folder and folder not in known:
        path = ":".join(filter(None, [folder, *known]))
        environment = {**os.environ, "LD_LIBRARY_PATH": path}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)


def is_batched(signature: dict[str, Any]) -> bool:
    """Whether every input and output has the batch axis, so that Triton may join requests."""
    specs = (*signature["inputs"].values(), *signature["outputs"].values())
    return all(spec["shape"][:1] == [None] for spec in specs)


def bind(triton: Any, name: str, signature: dict[str, Any], served: Any, max_batch: int) -> None:
    """Adds one signature to the server as the model `name`."""
    decorators = importlib.import_module("pytriton.decorators")
    config = importlib.import_module("pytriton.model_config")
    batched = is_batched(signature)
    fn = served.signatures[name]

    def call(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        # Triton has no scalars: a number comes as [1].
        shapes = {key: spec["shape"] for key, spec in signature["inputs"].items()}
        feed = {k: v if shapes[k] else v.reshape([]) for k, v in inputs.items()}
        return {key: value.numpy() for key, value in fn(**tensors(feed)).items()}

    def answer_batch(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        return call(inputs)

    def answer_each(requests: Any) -> list[dict[str, np.ndarray]]:
        return [call(dict(request.data)) for request in requests]

    def declare(specs: dict[str, Any]) -> list[Any]:
        return [
            config.Tensor(
                name=key,
                dtype=np.dtype(spec["dtype"]),
                shape=tuple(-1 if n is None else n for n in spec["shape"][int(batched) :]) or (1,),
            )
            for key, spec in specs.items()
        ]

    triton.bind(
        model_name=name,
        infer_func=decorators.batch(answer_batch) if batched else answer_each,
        inputs=declare(signature["inputs"]),
        outputs=declare(signature["outputs"]),
        config=config.ModelConfig(batching=batched, max_batch_size=max_batch),
        strict=True,
    )


def tensors(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """NumPy arrays as TensorFlow's."""
    import tensorflow as tf

    return {name: tf.constant(value) for name, value in arrays.items()}


def ask(url: str, model: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Sends one request by the KServe v2 protocol; what any HTTP client can do."""
    body = {
        "inputs": [
            {
                "name": name,
                "shape": list(value.shape or (1,)),
                "datatype": DATATYPES[value.dtype.name],
                "data": value.ravel().tolist(),
            }
            for name, value in inputs.items()
        ]
    }
    request = urllib.request.Request(
        f"{url}/v2/models/{model}/infer",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        outputs = json.load(response)["outputs"]
    names = {code: name for name, code in DATATYPES.items()}
    return {
        x["name"]: np.array(x["data"], names[x["datatype"]]).reshape(x["shape"]) for x in outputs
    }


def latencies(send: Callable[[], Any], requests: int) -> str:
    """Median and 95th percentile of sequential requests, in milliseconds."""
    for _ in range(10):
        send()
    taken = []
    for _ in range(requests):
        began = time.perf_counter()
        send()
        taken.append(1000 * (time.perf_counter() - began))
    quantiles = statistics.quantiles(taken, n=20)
    return f"median {statistics.median(taken):.1f} ms, 95th percentile {quantiles[-1]:.1f} ms"


def measure(url: str, signature: dict[str, Any], name: str, requests: int) -> None:
    """Prints the latency of the default signature, for single examples and batches of 32."""
    ((key, spec),) = signature["inputs"].items()
    generator = np.random.default_rng(0)
    for size in (1, 32):
        value = generator.uniform(size=[size, *spec["shape"][1:]]).astype(spec["dtype"])
        result = latencies(lambda value=value: ask(url, name, {key: value}), requests)
        print(f"{name}, {size} per request, {requests} requests over HTTP with JSON: {result}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--saved_model", required=True, type=pathlib.Path, help="what was exported")
    parser.add_argument("--http_port", type=int, default=8000)
    parser.add_argument("--grpc_port", type=int, default=8001)
    parser.add_argument("--metrics_port", type=int, default=8002)
    parser.add_argument("--max_batch", type=int, default=256, help="examples in one call")
    parser.add_argument("--measure", type=int, default=0, help="requests to time; 0: serve on")
    arguments = parser.parse_args()
    manifest = arguments.saved_model / "assets.extra" / "manifest.json"
    if not manifest.exists():
        parser.error(f"--saved_model must hold assets.extra/manifest.json. Received: {manifest}")
    with_libpython()
    signatures = json.loads(manifest.read_text(encoding="utf-8"))["signatures"]

    import tensorflow as tf

    triton_lib = importlib.import_module("pytriton.triton")
    served = tf.saved_model.load(str(arguments.saved_model))
    config = triton_lib.TritonConfig(
        http_port=arguments.http_port,
        grpc_port=arguments.grpc_port,
        metrics_port=arguments.metrics_port,
        http_address="127.0.0.1",
        grpc_address="127.0.0.1",
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with triton_lib.Triton(config=config) as triton:
        for name, signature in signatures.items():
            bind(triton, name, signature, served, arguments.max_batch)
        triton.run()
        url = f"http://127.0.0.1:{arguments.http_port}"
        print(f"Serving {', '.join(signatures)} at {url}", flush=True)
        if arguments.measure:
            name = next(iter(signatures))
            measure(url, signatures[name], name, arguments.measure)
        else:
            stop.wait()


if __name__ == "__main__":
    main()
