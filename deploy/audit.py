"""`python -m deploy.audit`: checks the pinned packages for known vulnerabilities and conflicts.

Asks the Python Packaging Advisory Database about each version in constraints.txt, with pip-audit. Exits with 1 if it
finds something. Without an answer it says so and exits with 0.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "constraints.txt"
SAMPLE = 3  # pins that are asked about first: a mirror of the index may have no advisories at all
TIMEOUT_S = 15  # for one package
LIMIT_S = 90  # for all packages
OURS = "inkserve"
NO_PINS = {OURS, "pip", "setuptools"}  # parts of the environment itself


class AuditError(Exception):
    """The database does not answer; the message says why."""


def main() -> int:
    """Print the findings; 1 if there are some."""
    pins = [line for line in PINS.read_text().splitlines() if line and not line.startswith("#")]
    known, vulnerable = advisories(pins)
    differing, unpinned = compare(pins, {each.name: each.version for each in metadata.distributions()})
    found = [*vulnerable, *differing, *conflicts()]
    print(known)
    print(f"installed without a pin: {', '.join(unpinned) or 'nothing'}")
    print("\n".join(found) or "installed versions: as pinned, without conflicts")
    return 1 if found else 0


def advisories(
    pins: Sequence[str], ask: Callable[[Sequence[str]], Sequence[dict]] | None = None
) -> tuple[str, list[str]]:
    """Return a line of summary and a line for each known vulnerability.

    Args:
        pins: as `name==version`.
        ask: returns pip-audit's answers about some pins; by default it runs pip-audit.
    """
    ask = ask or pip_audit
    try:
        if not known_to_index(ask(pins[:SAMPLE])):
            return f"vulnerabilities: unknown, as the index tells of no advisories; {len(pins)} pins not checked", []
        answers = known_to_index(ask(pins))
    except AuditError as err:
        return f"vulnerabilities: unknown, {err}; {len(pins)} pins not checked", []
    vulnerable = [
        f"{each['name']} {each['version']} is vulnerable: {one['id']}, fixed in "
        + (", ".join(one["fix_versions"]) or "no version")
        for each in answers
        for one in each["vulns"]
    ]
    left_out = f", {len(pins) - len(answers)} unknown to the index" if len(answers) < len(pins) else ""
    return f"vulnerabilities: {len(vulnerable)} in {len(answers)} pins{left_out}", vulnerable


def known_to_index(answers: Sequence[dict]) -> list[dict]:
    """Drop packages that the index does not know; pip-audit counts them as not vulnerable."""
    return [each for each in answers if "vulns" in each]


def pip_audit(pins: Sequence[str]) -> Sequence[dict]:
    """Ask the database about some pins.

    Raises:
        AuditError: no answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pins.txt"
        path.write_text("\n".join(pins))
        options = ["--requirement", path, "--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
        command = [sys.executable, "-m", "pip_audit", *options, "--timeout", str(TIMEOUT_S)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
            return json.loads(done.stdout)["dependencies"]
        except subprocess.TimeoutExpired as err:
            raise AuditError(f"no answer within {LIMIT_S} s") from err
        except (ValueError, KeyError) as err:  # pip-audit writes a traceback; its last line names the error
            raise AuditError((done.stderr.strip().splitlines() or ["pip-audit says nothing"])[-1][:200]) from err


def compare(pins: Sequence[str], installed: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return a line for each package with another version than pinned, and the names of packages without a pin.

    The latter are allowed, as PyTorch's dependencies differ by machine.
    """
    wanted = {canonicalize_name(each.name): each.specifier for each in map(Requirement, pins)}
    there = {canonicalize_name(name): version for name, version in sorted(installed.items())}
    differing = [
        f"{name} {version} is not as pinned; wanted {wanted[name]}"
        for name, version in there.items()
        if name in wanted and not wanted[name].contains(version, prereleases=True)
    ]
    return differing, [name for name in there if name not in wanted.keys() | NO_PINS]


def conflicts() -> list[str]:
    """Return pip's messages about missing or conflicting packages, a line each."""
    command = [sys.executable, "-m", "pip", "check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return done.stdout.strip().splitlines() if done.returncode else []


if __name__ == "__main__":
    sys.exit(main())
