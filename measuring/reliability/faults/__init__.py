"""Faults, each with a real server under load: what is lost, what is answered, and whether it comes back by itself.

A fault takes the stack of `faulty_stack` and the seconds of its load, and returns rows. The server
answers again when it is over.
"""

from collections.abc import Mapping

from measuring.reliability.faults.common import Fault, faulty_stack
from measuring.reliability.faults.deaths import front_end_killed, terminated, workers_killed
from measuring.reliability.faults.machine import clock_jumps, disk_full
from measuring.reliability.faults.pressure import half_a_request, handler_too_slow, queue_full
from measuring.reliability.faults.versions import broken_version, updated

__all__ = ["FAULTS", "faulty_stack"]

FAULTS: Mapping[str, Fault] = {
    each.__name__: each
    for each in (
        workers_killed,
        queue_full,
        handler_too_slow,
        half_a_request,
        broken_version,
        updated,
        terminated,
        front_end_killed,
        disk_full,
        clock_jumps,
    )
}
