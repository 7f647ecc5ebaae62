"""Pictures in folders, ZIP files and Parquet files, cut into shards that are always the same for the same source.

A source is a path, or an address of a file system that pyarrow knows, such as s3://bucket/folder.
"""

import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from inkserve import UnusablePicture
from inkserve.batch.kinds import why_left_out
from inkserve.batch.sources import list_members
from inkserve.client.pictures import to_bytes
from inkserve.command import CommandError

PICTURES = 1000  # of a shard, at most
SHARD_BYTES = 64 * 2**20  # of a shard's files, at most, and so of what a worker holds in memory
PICTURE, NAME = "picture", "name"  # columns of a Parquet source; names may be missing
ZIP, PARQUET = ".zip", ".parquet"
T = TypeVar("T")
Picture = tuple[str, bytes | UnusablePicture]  # name, and content or why there is none


@dataclass(frozen=True)
class Shard:
    """Some pictures of a source.

    Attributes:
        number: of the shard, from 0.
        container: address of the ZIP or Parquet file that they are in; "" for files.
        items: paths of files, names in a ZIP file, or numbers of a Parquet file's rows.
        root: what the names of files are relative to.
    """

    number: int
    container: str
    items: Sequence[str] | range
    root: str = ""
    address: str = field(default="", repr=False)

    def read(self) -> Iterator[Picture]:
        """Read the pictures, each with its name; what a ZIP file holds may be damaged, and then comes with its error.

        Raises:
            OSError: the file system does not answer, or a file has gone.
        """
        files, _ = open_address(self.address)
        if not self.container:
            for path in self.items:
                with files.open_input_stream(str(path)) as stream:
                    yield str(path).removeprefix(f"{self.root}/"), stream.read()
        elif self.container.lower().endswith(ZIP):
            with files.open_input_file(self.container) as file, zipfile.ZipFile(file) as archive:
                members = dict(list_members(archive))
                for name in self.items:
                    try:
                        yield str(name), to_bytes(members[str(name)])
                    except UnusablePicture as err:
                        yield str(name), err
        else:
            yield from self._rows(files)

    def _rows(self, files: fs.FileSystem) -> Iterator[tuple[str, bytes]]:
        rows = self.items
        if not isinstance(rows, range):
            raise TypeError(f"rows are {type(rows).__name__}; wanted a range")
        with files.open_input_file(self.container) as file:
            parquet, first = pq.ParquetFile(file), 0
            columns = [each for each in (NAME, PICTURE) if each in parquet.schema_arrow.names]
            for number in range(parquet.num_row_groups):
                following = first + parquet.metadata.row_group(number).num_rows
                if first < rows.stop and rows.start < following:
                    table = parquet.read_row_group(number, columns)
                    for row in range(max(rows.start, first), min(rows.stop, following)):
                        name = table[NAME][row - first].as_py() if NAME in columns else None
                        yield str(row if name is None else name), table[PICTURE][row - first].as_py() or b""
                first = following


def open_address(address: str) -> tuple[fs.FileSystem, str]:
    """Return the file system of a path or address, and the path in it.

    Raises:
        CommandError: the address is of no file system that is known.
    """
    try:
        return fs.FileSystem.from_uri(address) if "://" in address else (fs.LocalFileSystem(), address)
    except (pa.ArrowInvalid, OSError) as err:
        raise CommandError(f"{address} is no address of a file system: {err}") from err


def cut(source: str) -> list[Shard]:
    """Cut a source into shards.

    Raises:
        CommandError: it does not exist, is no folder, ZIP or Parquet file, or has no pictures.
    """
    files, path = open_address(source)
    found = files.get_file_info(path)
    if found.type == fs.FileType.Directory:
        shards = _of_folder(files, source, path)
    elif found.type == fs.FileType.NotFound:
        raise CommandError(f"{source} does not exist")
    elif path.lower().endswith(ZIP):
        shards = _of_zip(files, source, path)
    elif path.lower().endswith(PARQUET):
        shards = _of_parquet(files, source, path)
    else:
        raise CommandError(f"{source} is a file; wanted a folder, a ZIP file or a Parquet file")
    if not shards:
        raise CommandError(f"{source} has no pictures")
    return shards


def _of_folder(files: fs.FileSystem, source: str, path: str) -> list[Shard]:
    found = files.get_file_info(fs.FileSelector(path, recursive=True))
    pictures = [
        (each.path, each.size)
        for each in sorted(found, key=lambda each: each.path)
        if each.type == fs.FileType.File and not why_left_out(each.path.removeprefix(f"{path}/"))
    ]
    return [Shard(number, "", paths, path, source) for number, paths in enumerate(_names(pictures))]


def _of_zip(files: fs.FileSystem, source: str, path: str) -> list[Shard]:
    try:
        with files.open_input_file(path) as file, zipfile.ZipFile(file) as archive:
            members = [(name, each.info.file_size) for name, each in list_members(archive)]
    except (zipfile.BadZipFile, pa.ArrowInvalid) as err:
        raise CommandError(f"{source} is not a ZIP file: {err}") from err
    pictures = [each for each in members if not why_left_out(each[0])]
    return [Shard(number, path, names, "", source) for number, names in enumerate(_names(pictures))]


def _of_parquet(files: fs.FileSystem, source: str, path: str) -> list[Shard]:
    try:
        with files.open_input_file(path) as file:
            metadata, schema = pq.read_metadata(file), pq.read_schema(file)
    except pa.ArrowInvalid as err:
        raise CommandError(f"{source} is not a Parquet file: {err}") from err
    if PICTURE not in schema.names or not pa.types.is_binary(schema.field(PICTURE).type):
        raise CommandError(f"{source} has the columns {', '.join(schema.names)}; wanted {PICTURE!r}, of bytes")
    starts = range(0, metadata.num_rows, PICTURES)
    return [
        Shard(number, path, range(start, min(start + PICTURES, metadata.num_rows)), "", source)
        for number, start in enumerate(starts)
    ]


def grouped(items: Iterable[T], size: Callable[[T], int], most: int, most_bytes: int) -> Iterator[list[T]]:
    """Group items that follow each other: at most so many, and at most so many bytes unless one alone has more."""
    group: list[T] = []
    total = 0
    for each in items:
        if group and (len(group) == most or total + size(each) > most_bytes):
            yield group
            group, total = [], 0
        group.append(each)
        total += size(each)
    if group:
        yield group


def _names(pictures: Sequence[tuple[str, int]]) -> Iterator[list[str]]:
    """Group the names of pictures, which come with their sizes in bytes, for shards."""
    for group in grouped(pictures, itemgetter(1), PICTURES, SHARD_BYTES):
        yield [name for name, _ in group]
