"""Debian packages, as the Makefile asks for them."""

import re
import shlex
import sys
from pathlib import Path
from unittest import mock

import pytest

from deploy import packages

MAKEFILE = Path(__file__).parents[1] / "Makefile"
ASKED = re.findall(r"deploy\.packages (.+)", MAKEFILE.read_text())


def ask(monkeypatch, arguments: str, missing: set[str]) -> tuple[int, list[str]]:
    """Return the exit code, and what was installed."""
    monkeypatch.setattr(sys, "argv", ["packages", *shlex.split(arguments)])
    monkeypatch.setattr(packages.os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages.shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(packages, "missing", lambda names: [name for name in names if name in missing])
    with mock.patch.object(packages, "install") as install:
        code = packages.main()
    return code, list(install.call_args.args[0]) if install.called else []


@pytest.mark.parametrize("arguments", ASKED)
def test_the_makefile_asks_for_packages_that_are_known(monkeypatch, arguments):
    assert ask(monkeypatch, arguments, missing=set()) == (0, [])


def test_missing_packages_are_installed_and_only_needed_ones_fail(monkeypatch, capsys):
    assert ask(monkeypatch, "--optional faketime", {"faketime"}) == (0, ["faketime"])
    assert ask(monkeypatch, "chromium --optional faketime", {"chromium"}) == (1, ["chromium"])
    assert "apt-get install chromium" in capsys.readouterr().err


def test_an_unknown_package_is_named(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        ask(monkeypatch, "--optional nonesuch", set())
    assert "'nonesuch' is no package of chromium, postgresql" in capsys.readouterr().err
