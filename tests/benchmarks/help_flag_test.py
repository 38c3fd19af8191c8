"""Every benchmark answers --help with status 0, before TensorFlow is imported."""

import pathlib
import re
import subprocess
import sys

from tests import forked

ROOT = forked.ROOT
OTHERS = ("benchmarks.quantizers.keras_hub_layer", "benchmarks.state_tabulation.dqn")
"""Scripts that a benchmark starts in another interpreter."""
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in pathlib.Path(ROOT / "benchmarks").rglob("*.py")
    if 'if __name__ == "__main__":' in path.read_text()
)
_CALL = """
import os, runpy, sys
for name in sys.argv[1:]:
    sys.stdout.flush()
    child = os.fork()
    if not child:
        sys.argv = [name, "--help"]
        status = None
        try:
            runpy.run_module(name.removesuffix(".__main__"), run_name="__main__", alter_sys=True)
        except SystemExit as ended:
            status = ended.code
        heavy = sorted({"tensorflow", "keras", "torch", "jax", "tf_discrete"} & set(sys.modules))
        print("ended", name, status, *heavy, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_help_is_answered_without_tensorflow():
    names = [name for name in MODULES if name not in OTHERS]
    assert len(names) > 20
    done = subprocess.run(
        [sys.executable, "-c", _CALL, *names], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("ended ")]
    assert lines == [f"ended {name} 0" for name in names], done.stderr
    said = re.split(r"^ended .*$", done.stdout.lower(), flags=re.MULTILINE)
    mute = [
        name for name, one in zip(names, said, strict=False) if not re.search("usage|flags", one)
    ]
    assert not mute
