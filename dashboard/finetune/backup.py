"""Back up the kept drawings, and restore them: `python -m dashboard.finetune.backup save|restore drawings.zip`.

The ZIP file has a picture for each drawing, named by its sha256, and drawings.json with the rest. DATABASE_URL names
the database (default: that of `make up`); a backup of one kind of database can be restored into another. The dashboard
can run meanwhile.
"""

import argparse
import datetime
import hashlib
import json
import os
import sys
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from inkserve.command import CommandError, run
from inkserve.files import atomic_write
from training.drawing_store import Drawing, Store, database_url

ROWS = "drawings.json"
FIELDS = ("sha256", "label", "read_as", "confidence", "model", "version", "kept_at")


class BackupError(CommandError):
    """A backup cannot be read or written; the message says why."""


def save(store: Store, path: Path) -> int:
    """Write all drawings into a ZIP file, and return their number.

    Raises:
        BackupError: the file cannot be written.
        StoreError: the database cannot be read.
    """
    try:
        with atomic_write(path) as partial, partial.open("wb") as file, store.session() as session:
            with zipfile.ZipFile(file, "w") as packed:
                rows = []
                for drawing in session.scalars(select(Drawing).order_by(Drawing.id).execution_options(yield_per=100)):
                    packed.writestr(drawing.sha256, drawing.picture)
                    rows.append({name: getattr(drawing, name) for name in FIELDS})
                packed.writestr(ROWS, json.dumps(rows, indent=1, default=datetime.datetime.isoformat))
            file.flush()
            os.fsync(file.fileno())
    except OSError as err:
        raise BackupError(f"{path} cannot be written: {err}") from err
    return len(rows)


def restore(store: Store, path: Path) -> tuple[int, int]:
    """Restore the drawings of a backup, all or none of them. Drawings that were kept later stay.

    Returns:
        how many were missing, and how many were there; their labels are those of the backup again.

    Raises:
        BackupError: it is not a backup, or is damaged.
        StoreError: the database cannot be written.
    """
    try:
        with zipfile.ZipFile(path) as packed, store.session() as session:
            rows = json.loads(packed.read(ROWS))
            added = sum(_restore(session, row, packed.read(row["sha256"])) for row in rows)
            session.commit()
    except (OSError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError) as err:
        raise BackupError(f"{path} is no backup, or is damaged: {err}; nothing was restored") from err
    return added, len(rows) - added


def _restore(session: Session, row: Mapping[str, Any], picture: bytes) -> bool:
    """Add a drawing, or set the label of the one that is there; return whether it was added."""
    if hashlib.sha256(picture).hexdigest() != row["sha256"]:
        raise ValueError(f"the picture {row['sha256']} has another sha256")
    values = {name: row[name] for name in FIELDS} | {"kept_at": datetime.datetime.fromisoformat(row["kept_at"])}
    found = session.scalar(select(Drawing).where(Drawing.sha256 == row["sha256"]))
    if found is None:
        session.add(Drawing(picture=picture, **values))
        return True
    found.label = row["label"]
    return False


def main() -> None:
    """Save or restore, as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboard.finetune.backup",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=["save", "restore"])
    parser.add_argument("file", type=Path, help="ZIP file of the backup")
    options = parser.parse_args()
    store = Store(database_url())
    if options.command == "save":
        print(f"saved {save(store, options.file):,} drawings in {options.file}")
    else:
        added, known = restore(store, options.file)
        print(f"restored {added:,} drawings; {known:,} were there and have their labels of the backup again")


if __name__ == "__main__":
    sys.exit(run("backup", main))
