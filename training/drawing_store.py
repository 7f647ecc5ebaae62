"""People's drawings with their labels, kept in SQLite or PostgreSQL: the table, and all access to it.

The dashboard keeps drawings here, and fine-tuning learns from them. Nothing here needs torch.
"""

import datetime
import hashlib
import io
import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import LargeBinary, String, create_engine, delete, event, func, select
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, make_transient, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry

from inkserve.client import Prediction
from inkserve.command import CommandError

VARIABLE = "DATABASE_URL"
DEFAULT = Path(__file__).resolve().parents[1] / "runs" / "stack" / "drawings.db"
DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}  # SQLAlchemy's default is psycopg2
CONNECT_TIMEOUT_S = 5  # a page of the dashboard waits for it
LABEL_LENGTH = 8
SIGNATURES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"RIFF": "webp", b"GIF8": "gif", b"BM": "bmp"}


class StoreError(CommandError):
    """The database cannot be used; the message says why."""


class Base(DeclarativeBase):
    """Holds the schema of all tables."""


class Drawing(Base):
    """A picture with its label, and the prediction when it was kept."""

    __tablename__ = "drawings"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    picture: Mapped[bytes] = mapped_column(LargeBinary)
    label: Mapped[str] = mapped_column(String(LABEL_LENGTH), index=True)
    read_as: Mapped[str | None] = mapped_column(String(LABEL_LENGTH))
    confidence: Mapped[float | None]
    model: Mapped[str | None] = mapped_column(String(64))
    version: Mapped[str | None] = mapped_column(String(16))
    kept_at: Mapped[datetime.datetime]


ATTEMPTS = 10  # to make the tables; others that open an empty database at the same time may be in the way


class Store:
    """Keeps drawings; several threads may use it."""

    def __init__(self, url: str) -> None:
        """Open a database, and make its table if it is missing.

        Raises:
            StoreError: it cannot be opened.
        """
        self.url = with_driver(url)
        try:
            self.engine = _durable_engine(self.url)
            for attempt in range(ATTEMPTS):
                try:
                    Base.metadata.create_all(self.engine)
                except SQLAlchemyError:  # others may have made the table between the check and the creation
                    if attempt == ATTEMPTS - 1:
                        raise
                else:
                    break
        except (SQLAlchemyError, ImportError, OSError) as err:
            raise StoreError(f"the database cannot be opened: {err}") from err

    def keep(self, picture: bytes, label: str, prediction: Prediction | None = None) -> bool:
        """Keep a drawing with its right label. The same picture is kept once, with the label that came last.

        Returns:
            whether it is new.

        Raises:
            StoreError: it cannot be written, or the label is empty or too long.
        """
        if not 1 <= len(label) <= LABEL_LENGTH:
            raise StoreError(f"the label is {label!r}; wanted 1 to {LABEL_LENGTH} characters")
        drawing = Drawing(
            sha256=hashlib.sha256(picture).hexdigest(),
            picture=picture,
            label=label,
            kept_at=datetime.datetime.now(datetime.UTC).replace(tzinfo=None),
        )
        if prediction is not None:
            drawing.read_as, drawing.confidence = prediction.label, prediction.confidence
            drawing.model, drawing.version = prediction.model, prediction.version
        with self.session() as session:
            found = session.scalar(select(Drawing).where(Drawing.sha256 == drawing.sha256))
            if found is None:
                session.add(drawing)
            else:
                found.label = label
            try:
                session.commit()
            except IntegrityError:  # another session has kept the same picture meanwhile
                session.rollback()
                return self.keep(picture, label, prediction)
        return found is None

    def delete(self, number: int) -> None:
        """Delete a drawing by its id, if it exists."""
        with self.session() as session:
            session.execute(delete(Drawing).where(Drawing.id == number))
            session.commit()

    def put_back(self, drawing: Drawing) -> None:
        """Keep a deleted drawing again, with all that was known of it."""
        make_transient(drawing)
        with self.session() as session:
            session.add(drawing)
            try:
                session.commit()
            except IntegrityError:  # the same picture has been kept again meanwhile
                session.rollback()

    def counts(self) -> Mapping[str, int]:
        """Return the number of drawings of each label, in the order of the labels."""
        with self.session() as session:
            rows = session.execute(select(Drawing.label, func.count()).group_by(Drawing.label).order_by(Drawing.label))
            return {label: count for label, count in rows}

    def latest(self, count: int, label: str | None = None) -> Sequence[Drawing]:
        """Return the drawings kept last, newest first; of one label only, if it is given."""
        query = select(Drawing).order_by(Drawing.id.desc()).limit(count)
        with self.session() as session:
            return list(session.scalars(query.where(Drawing.label == label) if label else query))

    def export(self) -> bytes:
        """Pack all drawings into a ZIP file with a folder for each label, as fine-tuning and the Batch page take it."""
        buffer = io.BytesIO()
        numbers: Counter[str] = Counter()
        with self.session() as session, zipfile.ZipFile(buffer, "w") as archive:
            for label, picture in session.execute(select(Drawing.label, Drawing.picture).order_by(Drawing.id)):
                numbers[label] += 1
                archive.writestr(f"{folder_name(label)}/{numbers[label]:05}.{ending(picture)}", picture)
        return buffer.getvalue()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give a session whose database errors become StoreErrors."""
        try:
            with Session(self.engine, expire_on_commit=False) as session:
                yield session
        except SQLAlchemyError as err:
            raise StoreError(f"the database reports an error: {err}") from err


def read_drawings(url: str) -> Iterator[tuple[str, bytes]]:
    """Yield label and picture of each drawing, in the order of their ids, without changing the database.

    Any table `drawings` with columns `id`, `label` and `picture` will do.

    Raises:
        StoreError: the database or the table cannot be read.
    """
    shown = masked(url)
    try:
        engine = create_engine(with_driver(url))
        if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").is_file():
            raise StoreError(f"{shown}: there is no such file")  # connecting would make one
        with engine.connect() as connection:
            for label, picture in connection.execute(select(Drawing.label, Drawing.picture).order_by(Drawing.id)):
                yield str(label), bytes(picture)
        engine.dispose()
    except SQLAlchemyError as err:
        raise StoreError(f"{shown}: no table of drawings can be read: {err}") from err


def database_url() -> str:
    """Return the address of the database: that of DATABASE_URL, or the file that `make up` uses."""
    return with_driver(os.environ.get(VARIABLE) or f"sqlite:///{DEFAULT}")


def with_driver(address: str) -> str:
    """Name the installed driver in an address that names none, such as postgres://user@host/database."""
    scheme, separator, rest = address.partition("://")
    return f"{DRIVERS.get(scheme, scheme)}{separator}{rest}"


def masked(address: str) -> str:
    """Return an address as it may be printed: with its driver, and with *** for its password.

    Raises:
        StoreError: it is not an address. The message does not repeat it, since it may hold a password.
    """
    try:
        shown = make_url(with_driver(address)).render_as_string(hide_password=True)
    except SQLAlchemyError as err:
        raise StoreError("that is no address of a database; wanted one such as sqlite:///drawings.db") from err
    return re.sub(r"\*\*\*@.*@", "***@", shown)  # an @ in a password that is not written as %40: a part of it is left


def folder_name(label: str) -> str:
    """Return a label as the name of a folder; other labels than letters and digits are written as code points."""
    plain = label.isalnum() and label.isascii()
    return label if plain else "-".join(f"U+{ord(character):04X}" for character in label)


def ending(picture: bytes) -> str:
    """Return the file ending that fits the content of a picture."""
    return next((name for start, name in SIGNATURES.items() if picture.startswith(start)), "tif")


def _durable_engine(url: str) -> Engine:
    """Open a database for writing. SQLite's file gets its folder, and writes survive a crash."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    timeout = {"connect_timeout": CONNECT_TIMEOUT_S} if address.get_backend_name() == "postgresql" else {}
    engine = create_engine(address, pool_pre_ping=True, connect_args=timeout)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def make_durable(connection: object, _: ConnectionPoolEntry) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")  # a committed drawing is on the disk
            cursor.close()

    return engine
