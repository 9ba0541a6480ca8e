"""Files on object storage by URL: found, fetched to disk, put there. The reader lies in PyArrow's wheel.

``s3://bucket/folder/file``, on Amazon S3 and on every server that speaks its protocol. Who we are, the region and the
address of another server stand where every program for S3 looks for them: ``AWS_ACCESS_KEY_ID``,
``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``, ``AWS_PROFILE``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``, the files in
``~/.aws``, the role of the machine. A URL holds no secret, and one that does is refused unprinted.

Files are fetched whole before they are read. DuckDB could read through a file system of Python's instead, yet its
threads then share one position in a file: measured, each scan took twice as long, and one sum in ten was wrong without
any error.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from features.errors import SourceError
from features.sql import one_line

SCHEME = "s3://"

#: So much of a file is in memory at a time. No part of an upload but the last may be below 5 MB.
CHUNK = 8 << 20

#: So many files are on their way at the same time.
AT_ONCE = 8

T = TypeVar("T")
R = TypeVar("R")

_ADDRESS = re.compile(r"s3://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9])(?:/(?P<key>.*))?")
_FAULT = re.compile(r"AWS Error (?P<code>[A-Z_]+) during \w+ operation: (?P<words>.*)")
_REQUEST = re.compile(r"\s*\(Request ID: [^)]*\)")

_KEYS = "Look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or AWS_PROFILE"
_MENDS = {
    "NO_SUCH_BUCKET": "there is no such bucket. Mend its name, or AWS_ENDPOINT_URL where it lies on another server.",
    "ACCESS_DENIED": f"access denied. {_KEYS}, or ask for the right to list, read and (for events) write and delete.",
    "INVALID_ACCESS_KEY_ID": f"the access key is not known there. {_KEYS}.",
    "SIGNATURE_DOES_NOT_MATCH": f"the secret is not that of the access key. {_KEYS}.",
    "NETWORK_CONNECTION": "no answer ({words}). Look at the network, AWS_ENDPOINT_URL and AWS_REGION, then run again.",
}


def is_url(data: str | Path) -> bool:
    """Whether that names a place on object storage."""
    return str(data).startswith(SCHEME)


class Storage:
    """A folder or an object on object storage; nothing is asked before a method is called.

    Made where it is needed, never kept or sent: a process needs no more than the URL and its own environment. A server
    that cannot be reached is given up after about 6 seconds, one that stays silent after about 100.

    Parameters
    ----------
    url
        ``s3://bucket/folder``; what follows the bucket's name is taken as it is written.

    Raises
    ------
    SourceError
        Here for a URL that is none or holds a secret; in the methods for whatever stands between us and the object, in
        one line that names it.
    """

    def __init__(self, url: str) -> None:
        self._bucket, self._key = _parts(url)

    def __str__(self) -> str:
        """The URL."""
        return self._url("")

    def find(self, name: str = "") -> "StoredPath | None":
        """The file or folder of that name, None where there is neither."""
        from pyarrow.fs import FileType

        with self._told(name):
            info = self._files.get_file_info(self._full(name))
        if info.type == FileType.NotFound:
            self.inside(name)  # which tells of a bucket that is not there
            return None
        return self._stored(info)

    def inside(self, name: str = "", *, below: bool = False) -> "list[StoredPath]":
        """What is in a folder, with `below` in the folders in it, too, in the order of the names; [] without one."""
        from pyarrow.fs import FileSelector

        with self._told(name):
            try:
                found = self._files.get_file_info(FileSelector(self._full(name), recursive=below))
            except FileNotFoundError:  # a bucket that is not there is another error
                return []
        stored = [self._stored(info) for info in found]
        return sorted((one for one in stored if one.key != name), key=lambda one: one.key)

    def _stored(self, info: Any) -> "StoredPath":
        key = info.path[len(self._full("")) + 1 :]
        return StoredPath(self, key, int(info.size), info.mtime_ns) if info.is_file else StoredPath(self, key)

    def read(self, name: str = "") -> bytes:
        """The content of a small object."""
        with self._told(name), self._files.open_input_file(self._full(name)) as source:
            return bytes(source.read())

    def fetch(self, path: Path, name: str = "", sha256: str = "") -> Path:
        """Write an object to a file, in bounded memory; return its path.

        Parameters
        ----------
        sha256
            Hex digest of what was put there. Without one, the object must not have been replaced on the way.
        """
        digest = hashlib.sha256()
        with self._told(name):
            source = self._files.open_input_file(self._full(name))
        with source, path.open("wb") as target:
            size, tag = source.size(), _tag(source)
            while chunk := self._next(source, name):
                target.write(chunk)
                digest.update(chunk)
            written = target.tell()
        if sha256:
            if digest.hexdigest() != sha256:
                raise altered(self._url(name))
            return path
        if written != size or self.tag(name) != tag:
            raise SourceError(f"{self._url(name)}: the object was replaced while it was read. Run again.")
        return path

    def put(self, path: Path, name: str) -> None:
        """Write a file to an object, in bounded memory; a reader meets the whole object or none."""
        with self._told(name):
            target = self._files.open_output_stream(self._full(name))
        with path.open("rb") as source:
            while chunk := source.read(CHUNK):
                with self._told(name):
                    target.write(chunk)
                    target.flush()  # else every part of the file waits for the network in memory
        with self._told(name):
            target.close()

    def write(self, content: bytes, name: str) -> None:
        """Write a small object; a reader meets the old one or the new one."""
        with self._told(name), self._files.open_output_stream(self._full(name)) as target:
            target.write(content)

    def tag(self, name: str) -> str:
        """What tells the content of an object from any other content, without reading it."""
        with self._told(name), self._files.open_input_file(self._full(name)) as source:
            return _tag(source)

    def delete(self, name: str) -> None:
        """Delete an object."""
        with self._told(name):
            self._files.delete_file(self._full(name))

    @cached_property
    def _files(self) -> Any:
        from pyarrow.fs import FileSystem

        # Opening late saves two requests for every file that is written in one piece.
        return FileSystem.from_uri(f"{SCHEME}{self._bucket}?allow_delayed_open=true")[0]

    def _next(self, source: Any, name: str) -> bytes:
        with self._told(name):
            return bytes(source.read(CHUNK))

    def _full(self, name: str) -> str:
        return "/".join(part for part in (self._bucket, self._key, name) if part)

    def _url(self, name: str) -> str:
        return SCHEME + self._full(name)

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Tell in our words what the reader says of an object."""
        from pyarrow.lib import ArrowException

        try:
            yield
        except FileNotFoundError:
            raise SourceError(f"{self._url(name)}: there is no such object, or no such bucket. Mend the URL.") from None
        except (OSError, ArrowException) as error:
            raise SourceError(f"{self._url(name)}: {_mend(str(error))}") from None


@dataclass(frozen=True)
class StoredPath:
    """A file or folder on object storage, by those of a path's words that it takes to find the tables in it.

    Parameters
    ----------
    storage, key
        Where it lies: the path from a storage on.
    size
        Bytes of a file; None for a folder.
    changed_ns
        When a file was written, in nanoseconds, by the server's clock of whole seconds.
    """

    storage: Storage
    key: str
    size: int | None = None
    changed_ns: int = 0

    def __str__(self) -> str:
        """The URL."""
        return "/".join(part for part in (str(self.storage), self.key) if part)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(str(self)).name

    @property
    def suffix(self) -> str:
        """The end of the name from its last dot on."""
        return PurePosixPath(self.name).suffix

    def is_file(self) -> bool:
        """Whether it is a file."""
        return self.size is not None

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self.size is None

    def iterdir(self) -> "Iterator[StoredPath]":
        """What is in the folder."""
        return iter(self.storage.inside(self.key))

    def tag(self) -> str:
        """What tells the content of the file from any other content, without reading it."""
        return self.storage.tag(self.key)


def fetched(files: Iterable[StoredPath], folder: Path) -> list[Path]:
    """Write files to a folder of this machine, under their names; return their paths, in the same order."""
    folder.mkdir(parents=True, exist_ok=True)
    return at_once(lambda file: file.storage.fetch(folder / file.name, file.key), list(files))


def at_once(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Call a function that waits for the network with each item, several at the same time; the first error ends it."""
    with ThreadPoolExecutor(min(AT_ONCE, max(len(items), 1))) as pool:
        try:
            return list(pool.map(function, items))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _tag(source: Any) -> str:
    return str(source.metadata().get("ETag"))


def altered(url: str) -> SourceError:
    """The error of events whose object is not what was put there."""
    return SourceError(f"{url}: the object is cut off or altered. Empty its folder and ingest the data again.")


def _parts(url: str) -> tuple[str, str]:
    """The bucket and the key of a URL."""
    server = url.removeprefix(SCHEME).split("/", 1)[0]
    if "@" in server or ":" in server:
        raise SourceError(
            f"{SCHEME}...: keys and servers do not belong into a URL, which ends up in logs. Write "
            f"{SCHEME}bucket/folder and set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for a server of your own, "
            "AWS_ENDPOINT_URL."
        )
    if "?" in url:
        raise SourceError(
            f"{url.split('?', 1)[0]}?...: nothing can be asked of an object by URL. Write {SCHEME}bucket/folder and "
            "set AWS_REGION or AWS_ENDPOINT_URL."
        )
    address = _ADDRESS.fullmatch(url)
    if not address:
        raise SourceError(f"{one_line(ValueError(url))}: not the address of a bucket. Write {SCHEME}bucket/folder.")
    return address["bucket"], (address["key"] or "").strip("/")


def _mend(words: str) -> str:
    """What to do about the reader's fault; of its words only those that help."""
    fault = _FAULT.search(" ".join(words.split()))
    if not fault:
        return f"cannot be reached ({one_line(ValueError(_REQUEST.sub('', words)))}). Look at the URL and AWS_REGION."
    told = one_line(ValueError(_REQUEST.sub("", fault["words"])))
    known = _MENDS.get(fault["code"])
    return known.format(words=told) if known else f"the server answers {fault['code']} ({told}). Run again later."
