"""The versions that TorchServe should serve: all archives at its start, and later the versions that are loaded."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.checksums import check_all
from deploy.default_versions import FILE, Defaults
from deploy.local.settings import Settings, StackError
from inkserve.management import Management, ManagementError

STARTED = "started"  # file in temp_dir that says that all archives have answered; each start removes it


def versions(settings: Settings) -> list[str]:
    """Return `<model>/<version>` of what should answer: each archive, or once all have answered, what is loaded.

    Raises:
        StackError: there is no archive to load.
    """
    return (has_started(settings) and loaded(settings)) or packed(settings)


def loaded(settings: Settings) -> list[str]:
    """Return `<model>/<version>` of each loaded version; none if the server does not answer."""
    try:
        with management(settings) as api:
            return [f"{each.model}/{each.version}" for each in api.versions()]
    except ManagementError:
        return []


def management(settings: Settings) -> Management:
    """Return a client of the management API of a stack."""
    return Management(settings.url("MANAGEMENT_PORT"), settings.auth("management"))


def packed(settings: Settings) -> list[str]:
    """Return `<model>/<version>` of each archive in the model store that may be loaded.

    Raises:
        StackError: there is none.
    """
    return [f"{model}/{version}" for model, version in archives(settings).values()]


def archives(settings: Settings, tell: Callable[[str], None] = lambda _: None) -> Mapping[Path, tuple[str, str]]:
    """Return the archives in the model store that may be loaded, with recogniser and version.

    Args:
        settings: of the stack.
        tell: takes a message for each archive that may not be loaded.

    Raises:
        StackError: there is none, or none of a recogniser that the settings name.
    """
    found, errors = check_all(settings.model_store)
    good = {path: each for path, each in found.items() if not settings.models or each[0] in settings.models}
    lacking = sorted(set(settings.models) - {model for model, _ in good.values()})
    for error in errors:
        tell(str(error))
    if not good:
        reasons = "".join(f"\n{error}" for error in errors)
        raise StackError(f"no archive to load in {settings.model_store}: run `make archive`{reasons}")
    if lacking:
        raise StackError(
            f"MODELS names {', '.join(lacking)}; no archive of it may be loaded from {settings.model_store}"
        )
    return good


def has_started(settings: Settings) -> bool:
    """Tell whether all archives have answered since the last start."""
    return (settings.temp_dir / STARTED).exists()


def note_started(settings: Settings) -> None:
    """Note that all archives have answered."""
    (settings.temp_dir / STARTED).touch()


def set_defaults(settings: Settings, found: Sequence[str]) -> None:
    """Set the default version of each recogniser: the chosen one, or else the lowest.

    TorchServe itself takes the one that it loads first.

    Raises:
        StackError: the server refuses.
    """
    by_model: dict[str, list[str]] = defaultdict(list)
    for each in found:
        model, _, version = each.partition("/")
        by_model[model].append(version)
    record = Defaults(settings.run_dir / FILE)
    for model, there in by_model.items():
        if len(there) > 1:
            try:
                with management(settings) as api:
                    api.set_default(model, record.among(model, there))
            except ManagementError as err:
                raise StackError(f"the default version of {model} cannot be set: {err}") from err
