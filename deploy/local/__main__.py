"""`python -m deploy.local up|down|status|monitoring`: TorchServe, its metrics and the dashboard on this machine.

Ports are changed by environment variables: INFERENCE_PORT, MANAGEMENT_PORT, METRICS_PORT, TORCHSERVE_METRICS_PORT,
GRPC_INFERENCE_PORT, GRPC_MANAGEMENT_PORT, DASHBOARD_PORT, PROMETHEUS_PORT. INFERENCE_HOST=0.0.0.0 lets other machines
ask for predictions, MANAGEMENT_HOST=0.0.0.0 for all else. TOKENS=on wants a token from everybody, as both hosts do.

`status` exits with 1 if a service of `up` does not run or does not answer; `monitoring` starts Prometheus beside them.
"""

import argparse
import os
import sys

from deploy.local import dashboard, metrics, monitoring, torchserve
from deploy.local.errors import StackError
from deploy.local.settings import HOSTS, ROOT, Settings, is_open, read_settings
from deploy.local.stack import Stack, addresses


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
    running = stack.running()
    answers = {
        "torchserve": torchserve.is_ready(stack.settings),
        "metrics": metrics.is_ready(stack.settings),
        "dashboard": dashboard.is_ready(stack.settings),
    }
    for name, process in running.items():
        state = "does not run" if process is None else f"runs as process {process.pid}"
        print(f"{name:10}  {state}" + ("" if process is None or answers[name] else ", but does not answer"))
    prometheus = stack.record.find("prometheus")
    if prometheus is not None:
        state = "" if monitoring.is_ready(stack.settings) else ", but does not answer"
        print(f"prometheus  runs as process {prometheus.pid}{state}")
    if not all(process and answers[name] for name, process in running.items()):
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
    """Print a prediction of each recogniser, made now, and where everything is."""
    for version in torchserve.versions(settings):
        answered = torchserve.ask(settings, version)
        if answered is None:
            raise StackError(f"{version} has stopped answering; see `make status`")
        answer, round_trip_ms = answered
        picture = torchserve.EXAMPLE.relative_to(ROOT)
        sure = f" ({answer['confidence']:.1%})" if "confidence" in answer else ""  # a page has no single one
        read = answer.get("label", answer.get("text"))
        print(f"{answer['model']} {answer['version']} reads {picture} as {read!r}{sure} in {round_trip_ms:.1f} ms")
    for name, url in addresses(settings).items():
        print(f"  {name:12} {url}")


def exposure(settings: Settings) -> str:
    """Say who can reach the stack, and whether they need a token."""
    opened = [f"{settings.host(port)}:{settings.ports[port]}" for port in HOSTS if is_open(settings.host(port))]
    reach = f"Others can reach {' and '.join(opened)}" if opened else "Only this machine can reach these addresses"
    return f"{reach}; tokens are {f'on, in {settings.key_file}' if settings.tokens else 'off'}."


def main() -> int:
    """Run a command; 1 if it fails."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = {"up": up, "down": down, "status": status, "monitoring": monitor}
    parser.add_argument("command", choices=commands)
    name = parser.parse_args().command
    try:
        return commands[name](Stack(read_settings(os.environ)))
    except StackError as err:
        print(f"{name}: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted; `make {name}` again goes on, `make down` stops what runs", file=sys.stderr)
        return 130  # as shells report an interrupted command


if __name__ == "__main__":
    sys.exit(main())
