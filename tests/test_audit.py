"""`make audit`: what it makes of pip-audit's answers, and of what is installed."""

import subprocess

import pytest

from deploy import audit
from deploy.audit import AuditError, advisories, compare, pip_audit

GOOD = {"name": "a", "version": "1", "vulns": []}
BAD = {
    "name": "b",
    "version": "2",
    "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}, {"id": "CVE-2", "fix_versions": []}],
}
UNKNOWN = {"name": "c", "skip_reason": "Dependency not found"}
PINS = ["a==1", "b==2", "c==3", "d==4"]


def test_each_vulnerability_is_a_line_with_its_fix():
    known, vulnerable = advisories(PINS, lambda _: [GOOD, BAD, UNKNOWN, GOOD])
    assert known == "vulnerabilities: 2 in 3 pins, 1 unknown to the index"
    assert vulnerable == [
        "b 2 is vulnerable: CVE-1, fixed in 3",
        "b 2 is vulnerable: CVE-2, fixed in no version",
    ]


def test_an_index_without_advisories_is_reported_and_asked_once():
    asked = []

    def ask(pins):
        asked.append(list(pins))
        return [UNKNOWN] * len(pins)

    known, vulnerable = advisories(PINS, ask)
    assert known == "vulnerabilities: unknown, as the index tells of no advisories; 4 pins not checked"
    assert (vulnerable, asked) == ([], [PINS[:3]])


def test_without_a_network_it_says_why():
    def ask(_):
        raise AuditError("no route to host")

    assert advisories(PINS, ask) == ("vulnerabilities: unknown, no route to host; 4 pins not checked", [])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (subprocess.CompletedProcess([], 1, "", "Traceback\nConnectionError: no route"), "ConnectionError: no route"),
        (subprocess.CompletedProcess([], 1, "", ""), "pip-audit says nothing"),
        (subprocess.TimeoutExpired([], 90), "no answer within 90 s"),
    ],
)
def test_an_invalid_answer_is_an_error(monkeypatch, answer, reason):
    def run(*_, **__):
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(audit.subprocess, "run", run)
    with pytest.raises(AuditError, match=reason):
        pip_audit(PINS)


def test_a_package_in_another_version_is_named():
    installed = {"A": "1", "B_b": "2", "torch": "2.0+cpu", "extra": "9", "inkserve": "0.1.0", "pip": "1"}
    assert compare(["a==1", "b-b==3", "torch==2.0", "absent==1"], installed) == (
        ["b-b 2 is not as pinned; wanted ==3"],
        ["extra"],
    )
