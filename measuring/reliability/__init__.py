"""Reliability under bad input and under faults: `python -m measuring.reliability`.

| module | what it does |
|---|---|
| corpus | bad and rare requests by name, each with the expected answer |
| fuzzing | random mutations of valid requests |
| expected | compares an answer with the expected one, or with the rules of docs/api.md |
| campaign | sends all of that to a server and counts the answers |
| valid_requests | sends valid requests meanwhile |
| server_state | workers, memory, files and logs of the server, before and after |
| verdict | the criteria that the server has to meet |
| faults | fault injection under load: killed processes, overload, full disk, clock, version changes |
| reliability_page | docs/results/reliability.json and .md |
"""

from inkserve.command import CommandError


class CampaignError(CommandError):
    """A campaign cannot run; the message says what is missing."""
