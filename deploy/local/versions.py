"""Which versions TorchServe should have: those of the archives at its start, and later those that it was left with."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import requests
from requests.auth import AuthBase

from deploy.checksums import checked
from deploy.default_versions import FILE, Defaults
from deploy.local.errors import StackError
from deploy.local.settings import NO_PROXY, Settings

TIMEOUT_S = 5
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
        return [f"{each['modelName']}/{each['modelVersion']}" for each in described(settings)]
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return []


def have_workers(settings: Settings) -> bool:
    """Tell whether each version has all its workers: it answers as soon as the first of them has started."""
    try:
        return all(
            len(each["workers"]) >= each["minWorkers"]
            and all(worker["status"] == "READY" for worker in each["workers"])
            for each in described(settings)
        )
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return False


def described(settings: Settings) -> Sequence[Mapping]:
    """Return what the server says of each version that it has.

    Raises:
        requests.RequestException: it does not answer.
        ValueError, KeyError, TypeError: it is no TorchServe.
    """
    url = f"{settings.url('MANAGEMENT_PORT')}/models"
    auth = settings.auth("management")
    models = [each["modelName"] for each in get(f"{url}?limit=1000", auth)["models"]]
    return [each for model in models for each in get(f"{url}/{model}/all", auth)]


def get(url: str, auth: AuthBase) -> Mapping | Sequence:
    """Return the JSON document at an address.

    Raises:
        requests.RequestException: it does not answer, or not with JSON.
    """
    answer = requests.get(url, timeout=TIMEOUT_S, proxies=NO_PROXY, auth=auth)
    answer.raise_for_status()
    return answer.json()


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
            url = f"{settings.url('MANAGEMENT_PORT')}/models/{model}/{record.among(model, there)}/set-default"
            try:
                auth = settings.auth("management")
                requests.put(url, timeout=TIMEOUT_S, proxies=NO_PROXY, auth=auth).raise_for_status()
            except requests.RequestException as err:
                raise StackError(f"the default version of {model} cannot be set: {err}") from err
