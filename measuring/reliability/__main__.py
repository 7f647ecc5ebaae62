"""Reliability under bad input and under faults, each with a server of its own: `python -m measuring.reliability`.

Writes docs/results/reliability.md; a part that does not run keeps what it found before. Exit code 1 if a criterion is
not met, with a line for each. `--url` sends the bad input to a running server instead, and writes no page.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from deploy.local.settings import ROOT
from inkserve.command import run
from measuring.common.command_line import parser_of
from measuring.common.criteria import Criterion, exit_code
from measuring.common.results_page import when_and_where
from measuring.common.temporary_server import running_stack
from measuring.reliability import campaign, reliability_page
from measuring.reliability.campaign import Campaign
from measuring.reliability.faults import FAULTS
from measuring.reliability.faults.faulty_server import running_faulty_server
from measuring.reliability.http_wire import LIMIT_S
from measuring.reliability.reliability_page import Findings

COMMAND = "reliability"
HEADINGS = {"inputs": "Bad input", "faults": "Faults under load"}
FAULT_SECONDS = 10.0
URL = "http://127.0.0.1:8080"
MANAGEMENT = "http://127.0.0.1:8081"


def parse() -> argparse.Namespace:
    """Read the command line."""
    numbers = {"requests": campaign.REQUESTS, "seed": 0, "connections": campaign.CONNECTIONS, "limit": LIMIT_S}
    parser = parser_of("measuring.reliability", __doc__, **numbers)
    parser.add_argument("--only", choices=HEADINGS, nargs="+", default=list(HEADINGS), help="parts (default: all)")
    parser.add_argument("--url", help="inference API of a running server to send bad input to, such as " + URL)
    parser.add_argument("--management", default=MANAGEMENT, help="its management API (default: %(default)s)")
    parser.add_argument("--again", type=Path, help="send the requests in this file again, to --url, and nothing else")
    return parser.parse_args()


def main() -> int:
    """Run from the command line; 1 if a criterion is not met."""
    options = parse()
    if options.again:
        return campaign.send_again(options.url or URL, options.again, options.limit)
    if options.url:
        findings = campaign.run(campaign_of(options, options.url, options.management))
        print("\n".join(reliability_page.part_lines(HEADINGS["inputs"], findings)))
        return exit_code(COMMAND, findings.criteria)
    criteria: list[Criterion] = []
    for name, heading in HEADINGS.items():
        if name in options.only:
            facts = when_and_where()
            findings = bad_input(options) if name == "inputs" else faults(FAULT_SECONDS)
            reliability_page.record(options.out, heading, replace(findings, facts=facts))
            criteria += findings.criteria
    print(reliability_page.write(options.out))
    return exit_code(COMMAND, criteria)


def campaign_of(options: argparse.Namespace, url: str, management_url: str) -> Campaign:
    """Return the campaign that the command line describes."""
    return Campaign(url, management_url, options.requests, options.seed, options.connections, options.limit)


def bad_input(options: argparse.Namespace) -> Findings:
    """Send bad requests to a server with all recognisers."""
    with running_stack(*sorted((ROOT / "model_store").glob("*.mar"))) as stack:
        urls = (stack.settings.url(port) for port in ("INFERENCE_PORT", "MANAGEMENT_PORT"))
        return campaign.run(campaign_of(options, *urls))


def faults(seconds: float) -> Findings:
    """Inject all faults into one server."""
    criteria: list[Criterion] = []
    with running_faulty_server() as server:
        for name, inject in tqdm(FAULTS.items(), desc="faults", unit="fault", disable=None):
            untested = Criterion(name.replace("_", " "), "tested", "untested: libfaketime is not installed", False)
            criteria += inject(server, seconds) or [untested]
    return Findings(criteria)


if __name__ == "__main__":
    sys.exit(run(COMMAND, main, "interrupted; parts that were complete are on record"))
