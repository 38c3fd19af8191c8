"""The audit of dependencies reports, and does not fail where its service does not answer."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import subprocess

import pytest

_PATH = pathlib.Path(__file__).resolve().parents[1] / "tools" / "audit.py"
_FAULT = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"]}


def _run(monkeypatch, capsys, answer, *arguments):
    spec = importlib.util.spec_from_file_location("audit", _PATH)
    audit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(audit)

    def run(command, timeout, **options):
        if isinstance(answer, Exception):
            raise answer
        return subprocess.CompletedProcess(command, 1, *answer)

    monkeypatch.setattr(audit.subprocess, "run", run)
    return audit.main(list(arguments)), capsys.readouterr().out


def _packages(*packages):
    return json.dumps({"dependencies": list(packages)}), ""


@pytest.mark.parametrize(
    "answer,reason",
    [
        (subprocess.TimeoutExpired("pip-audit", 20), "no answer within 20 s"),
        (("", "Traceback\nConnectionError: no route"), "ConnectionError: no route"),
        (("", "No module named pip_audit"), "No module named pip_audit"),
        (_packages({"name": "a", "skip_reason": "not found"}), "knows none of the 1 packages"),
    ],
)
def test_no_answer_is_told_and_no_failure(monkeypatch, capsys, answer, reason):
    status, told = _run(monkeypatch, capsys, answer, "--strict")
    assert status == 0
    assert told.startswith("Notice: no package was audited") and reason in told


def test_a_vulnerability_is_told_and_fails_where_asked(monkeypatch, capsys):
    bad = {"name": "a", "version": "1.0", "vulns": [_FAULT]}
    answer = _packages(bad, {"name": "b", "version": "1", "vulns": []}, {"name": "c"})
    for arguments, expected in (((), 0), (("--strict",), 1)):
        status, told = _run(monkeypatch, capsys, answer, *arguments)
        assert status == expected
        assert told == (
            "a 1.0: PYSEC-2026-1, fixed by 2.0\n2 packages audited, 1 skipped, 1 vulnerabilities\n"
        )
