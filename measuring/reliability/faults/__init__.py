"""Fault injection, each fault into a real server under load: what fails, what is answered, and whether it recovers.

A fault takes the server of `running_faulty_server` and the seconds of its load, and returns criteria; none where it
cannot be injected on this machine. The server answers again when it returns.
"""

from collections.abc import Mapping

from measuring.reliability.faults import killed_processes, machine_faults, overload, version_changes, wrong_tokens
from measuring.reliability.faults.faulty_server import Fault

FAULTS: Mapping[str, Fault] = {
    "workers_killed": killed_processes.workers_killed,
    "queue_full": overload.queue_full,
    "handler_too_slow": overload.handler_too_slow,
    "half_a_request": overload.half_a_request,
    "wrong_tokens": wrong_tokens.wrong_tokens,
    "broken_version": version_changes.broken_version,
    "updated": version_changes.updated,
    "terminated": killed_processes.terminated,
    "front_end_killed": killed_processes.front_end_killed,
    "disk_full": machine_faults.disk_full,
    "clock_jumps": machine_faults.clock_jumps,
}
