"""Archives whose handlers do what ours never do: wait, or fail to load."""

import json
import zipfile
from pathlib import Path

import yaml

from deploy.checksums import MANIFEST, vouch

# A request says how long its batch shall take
WAITING = """
import time as _time

_plain = DigitsHandler.handle


def _wait(self, data, context):
    _time.sleep(max(float(context.get_request_header(i, "X-Wait-S") or 0) for i in range(len(data))))
    return _plain(self, data, context)


DigitsHandler.handle = _wait
"""
BROKEN = 'raise RuntimeError("this version cannot be loaded")'


def doctor(archive: Path, folder: Path, name: str, version: str, code: str = "", **settings: object) -> Path:
    """Make an archive of the same weights whose handler has more code, and vouch for it.

    Args:
        archive: to change.
        folder: for the new one.
        name: of the model in it.
        version: of the model in it.
        code: appended to the handler's, at module level.
        settings: that its YAML file should have, such as responseTimeout=2.
    """
    changed = folder / f"{name}-{version}.mar"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(changed, "w") as target:
        manifest = json.loads(source.read(MANIFEST))
        model = manifest["model"]
        replaced = {
            model["handler"]: source.read(model["handler"]) + f"\n\n{code}\n".encode(),
            model["configFile"]: yaml.safe_dump(yaml.safe_load(source.read(model["configFile"])) | settings).encode(),
        }
        model |= {"modelName": name, "modelVersion": version}
        replaced[MANIFEST] = json.dumps(manifest).encode()
        for each in source.namelist():
            target.writestr(each, replaced.get(each) or source.read(each))
    vouch(changed)
    return changed
