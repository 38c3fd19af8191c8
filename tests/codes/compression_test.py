"""Compression: without loss, as small as the prior allows, in another process, and bad files."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from tf_discrete import codes
from tf_discrete.codes import compression, container
from tf_discrete.models import AutoregressivePrior

pytest.importorskip("constriction", reason="constriction is an extra")
ROOT = pathlib.Path(__file__).resolve().parents[2]


def make(num_variables=10, num_categories=3, chunk_size=4, scale=0.7, seed=0):
    """A prior far from uniform."""
    prior = AutoregressivePrior(num_variables, num_categories, chunk_size, 16, 8)
    random = np.random.RandomState(seed)
    for weight in prior.weights:
        weight.assign(random.normal(scale=scale, size=weight.shape))
    return prior


@pytest.fixture(scope="module")
def prior():
    return make()


@pytest.fixture(scope="module")
def drawn(prior):
    """More codes of the prior than one block holds."""
    return prior.sample(5000, seed=0).numpy()


@pytest.fixture(scope="module")
def file(prior, drawn, tmp_path_factory):
    path = tmp_path_factory.mktemp("compressed") / "codes.bin"
    return path, codes.compress(drawn, prior, path)


def test_the_file_is_as_small_as_the_prior_allows(prior, drawn, file):
    path, report = file
    assert report.bytes_on_disk == os.path.getsize(path)
    assert report.bits_per_code == 8 * report.bytes_on_disk / 5000
    assert report.packed_bytes == 5000 * 3
    # Integers instead of floats cost less than a thousandth, the coder and the header (some 350 bytes,
    # 0.6 bits for each code here) little more.
    bits = prior.bits_per_item(drawn)
    assert bits < 0.9 * 10 * np.log2(3)
    assert abs(report.model_bits_per_code - bits) < 1e-3 * bits
    assert bits < report.bits_per_code < bits * 1.002 + 8 * 400 / 5000


@pytest.mark.parametrize("batch_size", [1000, 4096, 10**6])
def test_codes_return_whatever_the_batch_size(prior, drawn, file, batch_size):
    np.testing.assert_array_equal(codes.decompress(file[0], prior, batch_size=batch_size), drawn)


def test_the_batch_size_changes_no_byte(prior, drawn, tmp_path):
    for number, batch_size in enumerate((7, 60)):
        codes.compress(drawn[:60], prior, tmp_path / str(number), batch_size=batch_size)
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()


@pytest.mark.parametrize("sizes", [(7, 2, 7), (5, 2, 2), (3, 5, 1), (1, 2, 1)])
def test_codes_that_the_prior_thinks_improbable_return_too(sizes, tmp_path):
    prior = make(*sizes, scale=3.0)
    random = np.random.default_rng(0).integers(0, sizes[1], [200, sizes[0]])
    report = codes.compress(random, prior, tmp_path / "codes.bin")
    np.testing.assert_array_equal(codes.decompress(tmp_path / "codes.bin", prior), random)
    assert report.bits_per_code > report.model_bits_per_code


@pytest.mark.slow
def test_another_process_with_other_threads_batches_and_xla_decodes_it(
    prior, drawn, file, tmp_path
):
    prior.save(tmp_path / "prior.keras")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "3",
        "OPENBLAS_NUM_THREADS": "3",
        "TF_NUM_INTRAOP_THREADS": "2",
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    script = str(pathlib.Path(__file__).with_name("decode_file.py"))
    arguments = [str(file[0]), str(tmp_path / "prior.keras"), str(tmp_path / "out.npy"), "333"]
    done = subprocess.run(
        [sys.executable, script, *arguments], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), drawn)


def test_what_stands_there_is_kept(prior, drawn, file):
    before = file[0].read_bytes()
    with pytest.raises(FileExistsError, match="not written over"):
        codes.compress(drawn[:5], prior, file[0])
    assert file[0].read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-4], "bytes of codes instead of"),
        (lambda data: data + b"more", "bytes of codes instead of"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "its checksum is another"),
        (lambda data: data[:60], "a header of"),
        (lambda data: b"", "it does not begin with TFDCODE1"),
        (lambda data: b"PK" + data, "it does not begin with TFDCODE1"),
        (lambda data: data.replace(b'"count":5000', b'"count":null'), "missing or wrong: count"),
        (lambda data: data.replace(b'"count":5000', b'"count":true'), "missing or wrong: count"),
        (lambda data: data.replace(b'"count":5000', b'"count":-999'), "its checksum is another"),
        (lambda data: data.replace(b'"count":5000', b'"count":4999'), "its checksum is another"),
        (lambda data: data.replace(b'"count":5000', b'"cuont":5000'), "missing or wrong: count"),
    ],
)
def test_truncated_and_foreign_files_are_refused(prior, file, tmp_path, change, message):
    path = tmp_path / "bad.bin"
    path.write_bytes(change(file[0].read_bytes()))
    with pytest.raises(
        ValueError, match=rf"whole file of compressed codes.*Received: path='.*bad.bin' .*{message}"
    ):
        codes.decompress(path, prior)


@pytest.mark.parametrize("count", [-1, 0, 10**6, 2**40])
def test_a_crafted_count_is_refused_before_anything_is_allocated(prior, file, tmp_path, count):
    header, payload = container.read(file[0], compression._FORMAT)
    path = tmp_path / "bad.bin"
    container.write(path, compression._FORMAT, {**header, "count": count}, payload[:400], False)
    with pytest.raises(
        ValueError, match=rf"bad.bin' \((count={count}|fewer than the {count} codes)"
    ):
        codes.decompress(path, prior)


@pytest.mark.parametrize("payload", [b"", b"\x00", bytes(8), b"\xff" * 400])
def test_a_crafted_payload_is_refused(prior, file, tmp_path, payload):
    header, _ = container.read(file[0], compression._FORMAT)
    container.write(tmp_path / "bad.bin", compression._FORMAT, header, payload, False)
    with pytest.raises(ValueError, match="Received: .*bad.bin"):
        codes.decompress(tmp_path / "bad.bin", prior)


def test_codes_with_another_checksum_are_never_returned(prior, drawn, tmp_path, monkeypatch):
    path = tmp_path / "bad.bin"
    with monkeypatch.context() as patch:
        patch.setattr(compression, "_codes_digest", lambda codes: "0" * 64)
        codes.compress(drawn[:9], prior, path)
    with pytest.raises(
        ValueError, match="must have the checksum.*version of constriction.*bad.bin"
    ):
        codes.decompress(path, prior)


def test_another_prior_is_refused(prior, file):
    other = make(seed=1)
    with pytest.raises(ValueError, match="the prior that wrote it only.*digest="):
        codes.decompress(file[0], other)
    with pytest.raises(ValueError, match="num_variables=11, num_categories=3"):
        codes.decompress(file[0], make(11))


def test_bad_arguments_are_refused(prior, file, tmp_path):
    path = tmp_path / "x"
    with pytest.raises(ValueError, match=r"at least one code to compress.*\(0, 10\)"):
        codes.compress(np.zeros([0, 10], int), prior, path)
    with pytest.raises(ValueError, match=r"codes must be \[B, 10\]"):
        codes.compress(np.zeros([2, 9], int), prior, path)
    with pytest.raises(ValueError, match="batch_size=0"):
        codes.compress(np.zeros([2, 10], int), prior, path, batch_size=0)
    with pytest.raises(FileNotFoundError, match="as compress has written it"):
        codes.decompress(path, prior)
    assert not path.exists()


def test_the_extra_is_named_where_constriction_is_missing(prior, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "constriction", None)
    with pytest.raises(ImportError, match=r"pip install 'tf-discrete\[compress\]'"):
        codes.compress(np.zeros([2, 10], int), prior, tmp_path / "x")


def test_a_prior_that_was_loaded_has_the_same_digest(prior, tmp_path):
    prior.save(tmp_path / "prior.keras")
    again = keras.saving.load_model(tmp_path / "prior.keras")
    assert codes.FixedPointPrior(again).digest == codes.FixedPointPrior(prior).digest
