"""Which versions TorchServe should have: those of the archives at its start, and later those that it was left with."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.checksums import checked
from deploy.default_versions import FILE, Defaults
from deploy.local.errors import StackError
from deploy.local.settings import Settings
from inkserve.management import Management, ManagementError

STARTED = "started"  # file in temp_dir, which each start empties: the archives have all answered once


def versions(settings: Settings) -> list[str]:
    """Return `<model>/<version>` of what should answer: of each archive, and once all have, of what is loaded now.

    Raises:
        StackError: there is no archive to load.
    """
    return (has_started(settings) and loaded(settings)) or packed(settings)


def loaded(settings: Settings) -> list[str]:
    """Return `<model>/<version>` of what the server has, since some may have been unloaded; none if it does not say."""
    try:
        with management(settings) as api:
            return [f"{each.model}/{each.version}" for each in api.versions()]
    except ManagementError:
        return []


def have_workers(settings: Settings) -> bool:
    """Tell whether each version has all its workers: it answers as soon as the first of them has started."""
    try:
        with management(settings) as api:
            return all(each.ready_workers >= each.wanted_workers for each in api.versions())
    except ManagementError:
        return False


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
        settings: name the model store.
        tell: is told of each that may not, and why.

    Raises:
        StackError: there is none.
    """
    good, errors = checked(settings.model_store)
    for error in errors:
        tell(str(error))
    if not good:
        whys = "".join(f"\n{error}" for error in errors)
        raise StackError(f"no archive to load in {settings.model_store}: run `make archive`{whys}")
    return good


def has_started(settings: Settings) -> bool:
    """Tell whether all archives have answered since the last start."""
    return (settings.temp_dir / STARTED).exists()


def note_started(settings: Settings) -> None:
    """Note that all archives have answered."""
    (settings.temp_dir / STARTED).touch()


def set_defaults(settings: Settings, found: Sequence[str]) -> None:
    """Have the chosen version answer where none is named, or the lowest where none was chosen.

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
