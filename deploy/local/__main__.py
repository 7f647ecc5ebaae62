"""`python -m deploy.local up|down|status|monitoring`: TorchServe, its metrics and the dashboard on this machine.

Environment variables set the ports: INFERENCE_PORT, MANAGEMENT_PORT, METRICS_PORT, TORCHSERVE_METRICS_PORT,
GRPC_INFERENCE_PORT, GRPC_MANAGEMENT_PORT, DASHBOARD_PORT, PROMETHEUS_PORT. INFERENCE_HOST=0.0.0.0 opens predictions to
other machines, MANAGEMENT_HOST=0.0.0.0 the management API, METRICS_HOST=0.0.0.0 the metrics page, which asks for no
token; each turns tokens on, as TOKENS=on does. MODELS names the recognisers to serve.

`status` exits with 1 if a service of `up` does not run or does not answer. `monitoring` also starts Prometheus.
"""

import argparse
import os
import sys

from deploy.local import torchserve
from deploy.local.settings import HOSTS, ROOT, Settings, StackError, is_open, read_settings
from deploy.local.stack import ALL, SERVICES, Stack, addresses
from inkserve.command import run


def up(stack: Stack) -> int:
    """Start the stack and print a prediction and the addresses."""
    stack.up()
    report(stack.settings)
    print(f"{exposure(stack.settings)} Stop everything with: make down")
    return 0


def down(stack: Stack) -> int:
    """Stop the stack."""
    stack.down()
    return 0


def status(stack: Stack) -> int:
    """Print what runs and whether it answers."""
    stack = Stack(stack.as_running())
    is_well = True
    for name, service in ALL.items():
        process = stack.record.find(name)
        answers = process is not None and service.is_ready(stack.settings)
        if process is not None:
            print(
                f"{name:10}  runs as process {process.pid}"
                + ("" if answers else f", but {service.why(stack.settings)}")
            )
        elif name in SERVICES:
            print(f"{name:10}  does not run")
        is_well = is_well and (answers or name not in SERVICES)
    if not is_well:
        return 1
    report(stack.settings)
    print(exposure(stack.settings))
    return 0


def monitor(stack: Stack) -> int:
    """Start Prometheus and say where it is."""
    stack.monitor()
    settings = stack.settings
    print(f"Prometheus  {settings.url('PROMETHEUS_PORT')}, which reads {settings.url('METRICS_PORT')}/metrics")
    print("Only this machine can reach it. Stop it, with all that `make up` started, with: make down")
    return 0


def report(settings: Settings) -> None:
    """Print a prediction of each recogniser, made now, and the addresses."""
    report_predictions(settings)
    for name, url in addresses(settings).items():
        print(f"  {name:12} {url}")


def report_predictions(settings: Settings) -> None:
    """Print a prediction of each recogniser, made now."""
    for version in torchserve.versions(settings):
        answered = torchserve.ask(settings, version)
        if answered is None:
            raise StackError(f"{version} has stopped answering; see `make status`")
        answer, round_trip_ms = answered
        picture = torchserve.EXAMPLE.relative_to(ROOT)
        confidence = (
            f" ({answer['confidence']:.1%})" if "confidence" in answer else ""
        )  # the answer for a page has none
        read = answer.get("label", answer.get("text"))
        print(
            f"{answer['model']} {answer['version']} reads {picture} as {read!r}{confidence} in {round_trip_ms:.1f} ms"
        )


def exposure(settings: Settings) -> str:
    """Say which addresses other machines can reach, and whether tokens are on."""
    opened = [f"{settings.host(port)}:{settings.ports[port]}" for port in HOSTS if is_open(settings.host(port))]
    reach = f"Others can reach {' and '.join(opened)}" if opened else "Only this machine can reach these addresses"
    named = f" and {settings.tokens_file}" if settings.tokens_file else ""
    return f"{reach}; tokens are {f'on, in {settings.key_file}{named}' if settings.tokens else 'off'}."


def main() -> int:
    """Run a command; 1 if it fails."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = {"up": up, "down": down, "status": status, "monitoring": monitor}
    parser.add_argument("command", choices=commands)
    name = parser.parse_args().command
    return run(
        name,
        lambda: commands[name](Stack(read_settings(os.environ))),
        interrupted=f"interrupted; `make {name}` continues, `make down` stops what runs",
    )


if __name__ == "__main__":
    sys.exit(main())
