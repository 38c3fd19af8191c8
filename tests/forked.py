"""Python processes that find the package imported: forks of one that has imported it and done nothing else.

An import of TensorFlow, Keras, TensorFlow Probability and this package takes seconds. Tests whose subject is
what a process does, and not what it imports, start it here. It has its own arguments, folder, environment,
output and process id, and dies of signals as any other.

Forking is safe here because the server runs no TensorFlow operation, so the runtime and its threads do not
exist yet. The threads that do exist are those of OpenBLAS, which are stopped and restarted around a fork.
Environment variables that are read when a module is imported have no effect.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import json
import os
import pathlib
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import types
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
_READY = 300
"""Seconds in which a server must have started."""


class Process:
    """A running process: the part of `subprocess.Popen` that the tests use."""

    def __init__(self, words: tuple[str, ...], request: dict[str, Any]):
        self._stdout = pathlib.Path(request["outputs"][0])
        self._socket = _connection()
        self._socket.sendall(json.dumps({"words": words, **request}).encode() + b"\n")
        self._lines = self._socket.makefile()
        self.pid = int(self._lines.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Returns the exit status, or minus the signal."""
        if self.returncode is None:
            if not select.select([self._socket], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            self.returncode = int(self._lines.readline())
            self._socket.close()
        return self.returncode

    def poll(self) -> int | None:
        """Returns the exit status, or None while the process runs."""
        try:
            return self.wait(0.0)
        except subprocess.TimeoutExpired:
            return None

    def first_line(self, timeout: float = 120) -> str:
        """Waits for the first line of the file of its output and returns it."""
        deadline = time.monotonic() + timeout
        while True:
            ended = self.poll() is not None  # What it has printed by then is there to be read.
            printed = self._stdout.read_text() if self._stdout.exists() else ""
            if "\n" in printed:
                return printed.splitlines()[0]
            if ended or time.monotonic() > deadline:
                state = f"has ended with {self.returncode}" if ended else "runs"
                raise RuntimeError(
                    f"Process {self.pid} {state} and has printed no line: {printed!r}"
                )
            time.sleep(0.01)

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # As `Popen` does where it has ended.
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    *words: str,
    cwd: os.PathLike[str] | None = None,
    env: dict[str, str] | None = None,
    stdout: str | os.PathLike[str] = os.devnull,
    stderr: str | os.PathLike[str] = os.devnull,
) -> Process:
    """Starts `python words`.

    Args:
        words: `-m`, a module and its arguments; or `-c`, a program and its arguments.
        cwd: Folder in which it starts. Default: that of the caller.
        env: Its whole environment. Default: that of the caller.
        stdout, stderr: Files that are appended to. Default: none.

    Returns:
        The process, which runs.
    """
    request = {
        "cwd": os.fspath(cwd or os.getcwd()),
        "env": dict(os.environ if env is None else env),
        "outputs": [os.fspath(stdout), os.fspath(stderr)],
    }
    return Process(words, request)


def run(
    *words: str,
    cwd: os.PathLike[str] | None = None,
    env: dict[str, str] | None = None,
    timeout: float = 300,
) -> subprocess.CompletedProcess[str]:
    """Runs `python words` to its end and returns what it has printed, as `subprocess.run` does."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = [pathlib.Path(folder) / name for name in ("stdout", "stderr")]
        process = start(*words, cwd=cwd, env=env, stdout=outputs[0], stderr=outputs[1])
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(
            list(words), status, *(path.read_text() for path in outputs)
        )


def _connection() -> socket.socket:
    """Returns a connection to the server of this test run, which is started where there is none."""
    # The workers of pytest-xdist share one: it ends with the process that has started them.
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    path = pathlib.Path(tempfile.gettempdir()) / f"tf_discrete_forked_{owner}"
    log = path.with_suffix(".log")
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = _connected(path)
        if connection is None:
            with open(log, "w") as output:
                server = subprocess.Popen(
                    [sys.executable, "-m", "tests.forked", str(path), str(owner)],
                    env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, "PYTHONPATH": str(ROOT)},
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )
        deadline = time.monotonic() + _READY
        while connection is None:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server of forks has not started: {log.read_text()}")
            time.sleep(0.05)
            connection = _connected(path)
    return connection


def _connected(path: pathlib.Path) -> socket.socket | None:
    one = socket.socket(socket.AF_UNIX)
    try:
        one.connect(str(path))
    except OSError:
        one.close()
        return None
    return one


def serve(path: pathlib.Path, owner: int) -> None:
    """Imports the package, then forks for every request until the owner has ended."""
    # No module of `trainers` or `tests`: what those register stays unknown to a process that imports none.
    import absl.app  # noqa: F401
    import matplotlib.backends.backend_agg  # noqa: F401
    import sklearn.datasets  # noqa: F401
    import tensorboard.plugins.hparams.api  # noqa: F401
    import tensorboard.plugins.projector  # noqa: F401
    import tensorflow_probability  # noqa: F401
    import tqdm  # noqa: F401

    import tf_discrete  # noqa: F401

    gc.collect()
    gc.freeze()
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        while _exists(owner):
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            if select.select([listener], [], [], 1.0)[0]:
                one, _ = listener.accept()
                with one:
                    line = one.makefile().readline()
                    if line and not os.fork():
                        listener.close()
                        _handle(one, json.loads(line))
    for suffix in ("", ".lock", ".log"):
        path.with_suffix(suffix).unlink(missing_ok=True)


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _handle(one: socket.socket, request: dict[str, Any]) -> None:
    """Forks the process of a request, and tells its id and then its status. Does not return."""
    child = os.fork()
    if not child:
        one.close()
        _become(**request)
    one.sendall(f"{child}\n".encode())
    _, status = os.waitpid(child, 0)
    try:
        one.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    finally:  # Nobody may wait any more.
        os._exit(0)


def _become(words: list[str], cwd: str, env: dict[str, str], outputs: list[str]) -> None:
    """Turns this fork into `python words`. Does not return."""
    # A shell lets its background jobs ignore Ctrl-C, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for stream, output in enumerate(outputs, start=1):
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, stream)
        os.close(descriptor)
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)
    sys.stderr = sys.__stderr__ = open(2, "w", buffering=1, closefd=False)
    installed = [entry for entry in sys.path if entry not in ("", str(ROOT))]
    sys.path[:] = ["", *filter(None, env.get("PYTHONPATH", "").split(os.pathsep)), *installed]
    status = _executed(*words)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    if status == -signal.SIGINT:  # As Python ends after an interrupt that nothing has caught.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status)


def _executed(kind: str, target: str, *arguments: str) -> int:
    """Executes a module or a program and returns the exit status."""
    try:
        if kind == "-m":
            sys.argv = [target, *arguments]
            sys.modules.pop("tests", None)  # Of the path of the server.
            runpy.run_module(target, run_name="__main__", alter_sys=True)
        else:
            sys.argv = [kind, *arguments]
            main = types.ModuleType("__main__")
            sys.modules["__main__"] = main
            exec(compile(target, "<string>", "exec"), main.__dict__)
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        traceback.print_exc()
        return -signal.SIGINT
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
