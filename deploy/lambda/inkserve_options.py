"""The settings of the function's stacks, from CDK's context."""

from dataclasses import dataclass
from typing import Protocol

FRONTS = ("url", "api")


class OptionError(Exception):
    """A setting is wrong; the message names it."""


@dataclass(frozen=True)
class Options:
    """Settings from CDK's context.

    Attributes:
        account: number of the AWS account; None for the one of the caller.
        regions: a stack each.
        front: `url`, a function URL, or `api`, an HTTP API.
        image_tag: of the function's image in each region's registry.
        other_version: number of an earlier version that gets a part of the requests, or "".
        other_weight: that part, in [0, 1].
        provisioned: environments that are kept warm.
        domain: name that leads to the region with the least latency, or "".
        zone_id: Route 53's number of the domain's zone.
    """

    account: str | None
    regions: tuple[str, ...]
    front: str
    image_tag: str
    other_version: str
    other_weight: float
    provisioned: int
    domain: str
    zone_id: str


class Context(Protocol):
    """What has CDK's context: the node of an app."""

    def try_get_context(self, key: str) -> object:
        """Return a value, None without one."""


def read_options(node: Context) -> Options:
    """Read the settings.

    Raises:
        OptionError: one is wrong.
    """

    def text(name: str, usual: str = "") -> str:
        found = node.try_get_context(name)
        return usual if found is None else str(found)

    options = Options(
        account=text("account") or None,
        regions=tuple(text("regions").replace(",", " ").split()),
        front=text("front", FRONTS[0]),
        image_tag=text("image_tag"),
        other_version=text("other_version"),
        other_weight=float(text("other_weight", "0")),
        provisioned=int(text("provisioned", "0")),
        domain=text("domain"),
        zone_id=text("zone_id"),
    )
    if options.front not in FRONTS:
        raise OptionError(f"front is {options.front!r}; wanted one of {', '.join(FRONTS)}")
    if not options.regions:
        raise OptionError("regions is empty; wanted some, such as eu-central-1")
    if not 0 <= options.other_weight < 1 or bool(options.other_version) != bool(options.other_weight):
        raise OptionError(
            f"other_weight is {options.other_weight}; wanted over 0 and under 1 with other_version, else 0"
        )
    if options.provisioned and options.other_version:
        raise OptionError(
            "provisioned and other_version are both set; CloudFormation refuses warm environments with weights"
        )
    if options.domain and (options.front != "api" or not options.zone_id):
        raise OptionError(f"domain is {options.domain!r}, which needs front=api and a zone_id")
    return options
