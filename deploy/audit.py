"""`python -m deploy.audit`: whether the pinned packages are known to be vulnerable, and whether they go together.

Asks the Python Packaging Advisory Database, by way of pip-audit, about each version in constraints.txt. Exits with 1 if
something is found; where nobody can be asked, it says so and exits with 0, as what is not known is no finding.
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
SAMPLE = 3  # pins that are asked about before all are: a mirror of the index may know of no advisory at all
TIMEOUT_S = 15  # for an answer about one
LIMIT_S = 90  # for all of them
OURS = "inkserve"
NO_PINS = {OURS, "pip", "setuptools"}  # of the environment itself


class AuditError(Exception):
    """The advisories cannot be asked for; the message says why."""


def main() -> int:
    """Print what is known; 1 if something is wrong."""
    pins = [line for line in PINS.read_text().splitlines() if line and not line.startswith("#")]
    known, vulnerable = advisories(pins)
    differing, unpinned = compare(pins, {each.name: each.version for each in metadata.distributions()})
    found = [*vulnerable, *differing, *conflicts()]
    print(known)
    print(f"installed without a pin: {', '.join(unpinned) or 'nothing'}")
    print("\n".join(found) or "installed versions: as pinned, and they go together")
    return 1 if found else 0


def advisories(
    pins: Sequence[str], ask: Callable[[Sequence[str]], Sequence[dict]] | None = None
) -> tuple[str, list[str]]:
    """Tell in a line what is known of the pins, and the vulnerabilities among it, a line each.

    Args:
        pins: as `name==version`.
        ask: for what pip-audit says of them; by default pip-audit itself.
    """
    ask = ask or pip_audit
    try:
        if not told(ask(pins[:SAMPLE])):
            return f"vulnerabilities: unknown, as the index tells of no advisories; {len(pins)} pins not checked", []
        answers = told(ask(pins))
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


def told(answers: Sequence[dict]) -> list[dict]:
    """Leave out what the index knows nothing of: pip-audit counts it as not vulnerable."""
    return [each for each in answers if "vulns" in each]


def pip_audit(pins: Sequence[str]) -> Sequence[dict]:
    """Ask about some pins.

    Raises:
        AuditError: there is no answer.
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
        except (ValueError, KeyError) as err:  # it writes a traceback, whose last line says what happened
            raise AuditError((done.stderr.strip().splitlines() or ["pip-audit says nothing"])[-1][:200]) from err


def compare(pins: Sequence[str], installed: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Tell what is installed in another version than the pinned one, a line each, and name what is not pinned at all.

    The latter is no fault: what PyTorch brings along differs by machine.
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
    """Return pip's complaints of packages that lack another, or another version of it, a line each."""
    command = [sys.executable, "-m", "pip", "check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return done.stdout.strip().splitlines() if done.returncode else []


if __name__ == "__main__":
    sys.exit(main())
