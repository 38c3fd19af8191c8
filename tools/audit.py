"""Reports known vulnerabilities of the packages of this environment: python tools/audit.py [--strict].

pip-audit asks PyPI, with a few seconds' patience. Where the service does not answer, or knows none of the
packages (a mirror without advisories), a notice says so and the status is 0. A vulnerability is printed, and
fails with --strict only: an advisory that was published today is not a fault of the change under test.
"""

from __future__ import annotations

import json
import subprocess
import sys

SECONDS = 20
_COMMAND = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--format=json"]
_OPTIONS = ["--timeout=5", "--progress-spinner=off"]


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    try:
        ended = subprocess.run(
            [*_COMMAND, *_OPTIONS], capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return _notice(f"no answer within {SECONDS} s")
    try:
        packages = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        lines = ended.stderr.strip().splitlines()
        return _notice(lines[-1][:300] if lines else f"status {ended.returncode}")
    audited = [package for package in packages if "vulns" in package]
    if not audited:
        return _notice(f"the service knows none of the {len(packages)} packages")
    found = [(package, fault) for package in audited for fault in package["vulns"]]
    for package, fault in found:
        fixed = ", ".join(fault.get("fix_versions", [])) or "no version yet"
        print(f"{package['name']} {package['version']}: {fault['id']}, fixed by {fixed}")
    skipped = len(packages) - len(audited)
    print(f"{len(audited)} packages audited, {skipped} skipped, {len(found)} vulnerabilities")
    return int(bool(found) and "--strict" in arguments)


def _notice(reason: str) -> int:
    print(f"Notice: no package was audited for known vulnerabilities ({reason}).")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
