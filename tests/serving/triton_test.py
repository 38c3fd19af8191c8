"""A real server, NVIDIA's Triton, answers over HTTP as the live model does."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from examples import serve_triton
from tests.export import small_models
from tests.serving import guide
from tf_discrete import export

VARIABLE = "TF_DISCRETE_TRITON_PYTHON"
pytestmark = pytest.mark.skipif(
    not os.environ.get(VARIABLE),
    reason=f"{VARIABLE} names no Python with nvidia-pytriton; docs/serving.md says how to make one",
)
START_SECONDS = 180


@pytest.fixture(scope="module")
def model():
    return small_models.make("CategoricalVAE")


@pytest.fixture(scope="module")
def url(model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running server."""
    folder = tmp_path_factory.mktemp("triton")
    export.save(model, folder / "exported")
    ports = _free_ports(3)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with open(folder / "log.txt", "w") as log:
        server = subprocess.Popen(
            [
                os.environ[VARIABLE],
                str(guide.ROOT / "examples" / "serve_triton.py"),
                "--saved_model=exported",
                f"--http_port={ports[0]}",
                f"--grpc_port={ports[1]}",
                f"--metrics_port={ports[2]}",
            ],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(server, folder / "log.txt")
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=60)
    assert server.returncode == 0, (folder / "log.txt").read_text()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait(server: subprocess.Popen, log: pathlib.Path) -> None:
    end = time.monotonic() + START_SECONDS
    while "Serving encode" not in log.read_text():
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.5)


@pytest.mark.parametrize("batch_size", [1, 7])
def test_every_signature_answers_as_the_live_model(url, model, batch_size):
    for name, signature in model.signatures().items():
        inputs = small_models.inputs(signature, batch_size, [1, 2], model.num_categories)
        answer = serve_triton.ask(url, name, inputs)
        expected = small_models.compiled(signature)(*inputs.values())
        assert set(answer) == set(expected)
        for key, value in answer.items():
            np.testing.assert_allclose(value, expected[key], rtol=1e-5, atol=1e-5, err_msg=name)


def test_requests_at_once_get_their_own_answers(url, model):
    images = np.random.default_rng(0).uniform(size=[40, 8, 8, 1]).astype(np.float32)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda x: serve_triton.ask(url, "encode", {"image": x[None]}), images)
        codes = np.concatenate([answer["codes"] for answer in answers])
    assert len(np.unique(codes, axis=0)) > 1
    np.testing.assert_array_equal(codes, model.encode(tf.constant(images)))


def test_bad_requests_are_refused_and_the_server_lives(url, model):
    with pytest.raises(urllib.error.HTTPError) as refused:
        serve_triton.ask(url, "decode", {"codes": np.full([1, 3], 9, np.int32)})
    assert "codes must be in 0..3" in refused.value.read().decode()
    with pytest.raises(urllib.error.HTTPError) as refused:
        serve_triton.ask(url, "encode", {"image": np.zeros([1, 9, 8, 1], np.float32)})
    assert "shape" in refused.value.read().decode()
    serve_triton.ask(url, "encode", {"image": np.zeros([1, 8, 8, 1], np.float32)})


def test_the_client_of_the_guide_works(url, capsys):
    ((_, code),) = guide.blocks("client")
    exec(code.replace("http://127.0.0.1:8000", url), {})
    assert capsys.readouterr().out == "[4, 3] [4, 8, 8, 1]\n"
