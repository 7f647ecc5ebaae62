"""Fault injection, each fault into a real server under load: what fails, what is answered, and whether it recovers.

A fault takes the stack of `faulty_stack` and the seconds of its load, and returns criteria; none where it cannot be
injected on this machine. The server answers again when it returns.
"""

from collections.abc import Mapping

from measuring.reliability.faults.faulty_server import Fault, faulty_stack
from measuring.reliability.faults.killed_processes import front_end_killed, terminated, workers_killed
from measuring.reliability.faults.machine_faults import clock_jumps, disk_full
from measuring.reliability.faults.overload import half_a_request, handler_too_slow, queue_full
from measuring.reliability.faults.version_changes import broken_version, updated

__all__ = ["FAULTS", "faulty_stack"]

FAULTS: Mapping[str, Fault] = {
    "workers_killed": workers_killed,
    "queue_full": queue_full,
    "handler_too_slow": handler_too_slow,
    "half_a_request": half_a_request,
    "broken_version": broken_version,
    "updated": updated,
    "terminated": terminated,
    "front_end_killed": front_end_killed,
    "disk_full": disk_full,
    "clock_jumps": clock_jumps,
}
