"""Copies of an archive with other settings, such as a batch size, or with more code in the handler."""

import json
import zipfile
from pathlib import Path

import yaml

from deploy.checksums import MANIFEST, write_checksum

# The request says how long its batch takes
WAITING = """
import time as _time

_handle = DigitsHandler.handle


def _wait(self, data, context):
    _time.sleep(max(float(context.get_request_header(i, "x-wait-s") or 0) for i in range(len(data))))
    return _handle(self, data, context)


DigitsHandler.handle = _wait
"""
BROKEN = 'raise RuntimeError("this version cannot be loaded")'


def alter_archive(archive: Path, folder: Path, name: str, version: str, code: str = "", **settings: object) -> Path:
    """Copy an archive under another name or version, with more code in its handler, and write its checksum.

    Args:
        archive: the original.
        folder: for the copy.
        name: model name of the copy.
        version: version of the copy.
        code: appended to the handler, at module level.
        settings: changed in its YAML file, such as responseTimeout=2.
    """
    copy = folder / f"{name}-{version}.mar"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(copy, "w") as target:
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
    write_checksum(copy)
    return copy
