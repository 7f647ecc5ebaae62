"""The database of drawings, which DATABASE_URL names; training.finetune reads it, too."""

import datetime
import hashlib
import io
import os
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import LargeBinary, String, create_engine, delete, event, func, select
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from training.database import VARIABLE, with_driver

DEFAULT = Path(__file__).resolve().parents[2] / "runs" / "stack" / "drawings.db"
CONNECT_TIMEOUT_S = 5  # a page waits for it
SIGNATURES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"RIFF": "webp", b"GIF8": "gif", b"BM": "bmp"}


class StoreError(Exception):
    """The database cannot be used; the message says why."""


class Base(DeclarativeBase):
    """Of the tables."""


class Drawing(Base):
    """A picture with what it shows, and what was read in it."""

    __tablename__ = "drawings"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    picture: Mapped[bytes] = mapped_column(LargeBinary)
    label: Mapped[str] = mapped_column(String(8), index=True)
    read_as: Mapped[str | None] = mapped_column(String(8))
    confidence: Mapped[float | None]
    model: Mapped[str | None] = mapped_column(String(64))
    version: Mapped[str | None] = mapped_column(String(16))
    kept_at: Mapped[datetime.datetime]


@dataclass(frozen=True)
class Reading:
    """What was read in a drawing when it was kept.

    Attributes:
        label: the most probable one.
        confidence: its probability in [0, 1].
        model: that read it.
        version: of the model.
    """

    label: str
    confidence: float
    model: str
    version: str


def database_url() -> str:
    """Return the address of the database: that of DATABASE_URL, or the file that `make up` keeps."""
    return with_driver(os.environ.get(VARIABLE) or f"sqlite:///{DEFAULT}")


class Store:
    """Keeps drawings; may be used by several threads."""

    def __init__(self, url: str) -> None:
        """Open a database, and make its table where there is none.

        Raises:
            StoreError: it cannot be opened.
        """
        self.url = with_driver(url)
        try:
            self.engine = open_engine(self.url)
            make_tables(self.engine)
        except (SQLAlchemyError, ImportError, OSError) as err:
            raise StoreError(f"the database cannot be opened: {err}") from err

    def keep(self, picture: bytes, label: str, reading: Reading | None = None) -> bool:
        """Keep a drawing with its right label. The same picture is kept once: the last label holds.

        Returns:
            whether it is new.

        Raises:
            StoreError: it could not be written, or the label is empty or too long.
        """
        if not 1 <= len(label) <= Drawing.label.type.length:
            raise StoreError(f"the label is {label!r}; wanted 1 to {Drawing.label.type.length} characters")
        digest = hashlib.sha256(picture).hexdigest()
        with self.session() as session:
            found = session.scalar(select(Drawing).where(Drawing.sha256 == digest))
            if found is not None:
                found.label = label
                session.commit()
                return False
            read = reading and {"read_as": reading.label, "confidence": reading.confidence}
            read = {**(read or {}), **({"model": reading.model, "version": reading.version} if reading else {})}
            now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
            session.add(Drawing(sha256=digest, picture=picture, label=label, kept_at=now, **read))
            try:
                session.commit()
            except IntegrityError:  # another session kept the same picture meanwhile
                session.rollback()
                return self.keep(picture, label, reading)
            return True

    def drop(self, number: int) -> None:
        """Delete a drawing, by its id; nothing happens if there is none."""
        with self.session() as session:
            session.execute(delete(Drawing).where(Drawing.id == number))
            session.commit()

    def counts(self) -> Mapping[str, int]:
        """Return how many drawings there are of each label, in the labels' order."""
        with self.session() as session:
            rows = session.execute(select(Drawing.label, func.count()).group_by(Drawing.label).order_by(Drawing.label))
            return {label: count for label, count in rows}

    def latest(self, count: int, label: str | None = None) -> Sequence[Drawing]:
        """Return the last drawings that were kept, the newest first; of one label, if it is named."""
        query = select(Drawing).order_by(Drawing.id.desc()).limit(count)
        with self.session() as session:
            return list(session.scalars(query.where(Drawing.label == label) if label else query))

    def export(self) -> bytes:
        """Pack all drawings into a ZIP file with a folder for each label, as training.finetune and Batch take it."""
        buffer = io.BytesIO()
        numbers: Counter[str] = Counter()
        with self.session() as session, zipfile.ZipFile(buffer, "w") as archive:
            for label, picture in session.execute(select(Drawing.label, Drawing.picture).order_by(Drawing.id)):
                numbers[label] += 1
                archive.writestr(f"{folder_name(label)}/{numbers[label]:05}.{ending(picture)}", picture)
        return buffer.getvalue()

    def session(self) -> "Checked":
        """Return a session, for a `with`; what goes wrong in it is a StoreError."""
        return Checked(Session(self.engine, expire_on_commit=False))


class Checked:
    """A session whose faults are StoreErrors."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def __enter__(self) -> Session:
        return self.session

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        self.session.close()
        if isinstance(error, SQLAlchemyError):
            raise StoreError(f"the database does not do it: {error}") from error


def open_engine(url: str) -> Engine:
    """Open a database; of SQLite, a file whose folder is made, written so that a crash loses nothing."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    patience = {"connect_timeout": CONNECT_TIMEOUT_S} if address.get_backend_name() == "postgresql" else {}
    engine = create_engine(address, pool_pre_ping=True, connect_args=patience)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def durable(connection: object, _: object) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")  # what was acknowledged is on the disk
            cursor.close()

    return engine


def make_tables(engine: Engine) -> None:
    """Make the tables that are missing."""
    try:
        Base.metadata.create_all(engine)
    except SQLAlchemyError:  # another process may have made them between the look and the making
        Base.metadata.create_all(engine)


def folder_name(label: str) -> str:
    """Return a label as a folder's name; what no folder can be called is spelled by its code points."""
    plain = label.isalnum() and label.isascii()
    return label if plain else "-".join(f"U+{ord(character):04X}" for character in label)


def ending(picture: bytes) -> str:
    """Return the ending that fits a picture's content."""
    return next((name for start, name in SIGNATURES.items() if picture.startswith(start)), "tif")
