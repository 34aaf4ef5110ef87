"""Pictures from addresses, kept in a folder; a killed download leaves nothing half done, and the next start goes on."""

import errno
import fcntl
import http.client
import ipaddress
import os
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

from domain.config.dataset import PICTURE_ENDINGS, VIDEO_ENDINGS

AT_ONCE = 16
MAX_BYTES = 256 << 20
"""Of one picture."""

SECONDS_WITHOUT_ANSWER = 30
SECONDS_FOR_ALL = 600
TRIES = 3
PAUSE_SECONDS = 0.5
BLOCK = 1 << 16
WORTH_ANOTHER_TRY = frozenset({408, 425, 429, 500, 502, 503, 504})

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Undownloadable(Exception):
    """The message goes on behind the address."""


@dataclass(frozen=True, slots=True)
class PrivateHosts:
    """What may be asked although it is not in the public internet: names of hosts, addresses and networks."""

    names: frozenset[str]
    networks: tuple[Network, ...]

    @classmethod
    def parse(cls, written: str) -> "PrivateHosts":
        names, networks = set(), []
        for each in filter(None, (part.strip().lower() for part in written.split(","))):
            try:
                networks.append(ipaddress.ip_network(each, strict=False))
            except ValueError:
                names.add(each)
        return cls(frozenset(names), tuple(networks))

    def allow(self, host: str, address: str) -> bool:
        """host: as it is named; address: what was connected to."""
        found = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        if host.lower() in self.names:
            return True
        is_public = found.is_global and not found.is_multicast
        return is_public or any(found in network for network in self.networks)


class Downloads:
    """A folder with the files of addresses, under names made from them."""

    def __init__(self, folder: Path, private_hosts: PrivateHosts) -> None:
        self._folder = folder
        self._opener = _opener_of(private_hosts)

    def path_of(self, address: str) -> Path:
        name = self.name_of(address)
        return self._folder / name[:2] / name

    @staticmethod
    def name_of(address: str) -> str:
        ending = PurePosixPath(urlsplit(address).path).suffix.lower()
        return sha256(address.encode("utf-8", "surrogatepass")).hexdigest() + (
            ending if ending in (*PICTURE_ENDINGS, *VIDEO_ENDINGS) else ""
        )

    def fetch(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """Download what is not there yet, several at once. What cannot be had, each with the reason.

        Raises OSError when the folder cannot be written to. Of several processes one downloads and the others wait.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with _alone_in(self._folder):
            for leftover in self._folder.glob("*/*.tmp"):
                leftover.unlink(missing_ok=True)
            missing = [address for address in addresses if not self.path_of(address).is_file()]
            with ThreadPoolExecutor(AT_ONCE) as pool:
                reasons = pool.map(self._fetch_one, missing)
                return {address: why for address, why in zip(missing, reasons, strict=True) if why is not None}

    def _fetch_one(self, address: str) -> str | None:
        """Why it cannot be had."""
        path = self.path_of(address)
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(f"{uuid4().hex}.tmp")
        try:
            self._download(address, temporary)
            os.replace(temporary, path)
        except Undownloadable as error:
            return str(error)
        finally:
            temporary.unlink(missing_ok=True)
        return None

    def _download(self, address: str, path: Path) -> None:
        for attempt in range(1, TRIES + 1):
            try:
                self._download_once(address, path)
            except (OSError, http.client.HTTPException, ValueError) as error:
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise
                if attempt == TRIES or not _is_worth_another_try(error):
                    raise Undownloadable(_reason_of(error)) from error
                time.sleep(attempt * PAUSE_SECONDS)
            else:
                return

    def _download_once(self, address: str, path: Path) -> None:
        until = time.monotonic() + SECONDS_FOR_ALL
        with (
            self._opener.open(_request(address), timeout=SECONDS_WITHOUT_ANSWER) as answer,
            path.open("wb") as file,
        ):
            if answer.headers.get_content_maintype() == "text":
                raise Undownloadable(f"is no picture but {answer.headers.get_content_type()}")
            size = 0
            while block := answer.read(BLOCK):
                size += len(block)
                if size > MAX_BYTES:
                    raise Undownloadable(f"has more than {MAX_BYTES >> 20} MiB")
                if time.monotonic() > until:
                    raise Undownloadable(f"takes longer than {SECONDS_FOR_ALL} seconds")
                file.write(block)
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)


def is_address(written: str) -> bool:
    """Whether it can be asked for: others have no parts that could be shown."""
    try:
        parts = urlsplit(written)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def shown(address: str) -> str:
    """For people: without what may be a password or a signature."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


# ---- connections


def _request(address: str) -> urllib.request.Request:
    parts = urlsplit(address)
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    netloc = parts.netloc.rpartition("@")[2].encode("idna").decode()
    whole = f"{parts.scheme}://{netloc}{path}" + (f"?{query}" if query else "")
    return urllib.request.Request(whole, headers={"User-Agent": "simpletuner", "Accept": "image/*"})


def _opener_of(private_hosts: PrivateHosts) -> urllib.request.OpenerDirector:
    """Not urllib's usual one, which also opens file: and ftp:."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.UnknownHandler(),
        _HTTPHandler(private_hosts),
        _HTTPSHandler(private_hosts),
    ):
        opener.add_handler(handler)
    return opener


class _Connection(http.client.HTTPConnection):
    """Sends nothing to an address that is not allowed, whatever name led there. A proxy decides for itself."""

    def __init__(self, host: str, *, private_hosts: PrivateHosts, is_proxy: bool, **options: Any) -> None:
        super().__init__(host, **options)
        self._private_hosts = private_hosts
        self._is_proxy = is_proxy

    def connect(self) -> None:
        super().connect()
        _check_peer(self, self._private_hosts, is_proxy=self._is_proxy)


class _SecureConnection(http.client.HTTPSConnection):
    def __init__(self, host: str, *, private_hosts: PrivateHosts, is_proxy: bool, **options: Any) -> None:
        super().__init__(host, **options)
        self._private_hosts = private_hosts
        self._is_proxy = is_proxy

    def connect(self) -> None:
        super().connect()
        _check_peer(self, self._private_hosts, is_proxy=self._is_proxy)


def _check_peer(connection: http.client.HTTPConnection, private_hosts: PrivateHosts, *, is_proxy: bool) -> None:
    address = connection.sock.getpeername()[0]
    if not is_proxy and not private_hosts.allow(connection.host, address):
        connection.close()
        raise Undownloadable(
            f"leads to {address}, which is not in the public internet; who has the machine can allow it with "
            "SIMPLETUNER_PRIVATE_HOSTS"
        )


class _HTTPHandler(urllib.request.HTTPHandler):
    def __init__(self, private_hosts: PrivateHosts) -> None:
        super().__init__()
        self._private_hosts = private_hosts

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        made = partial(_Connection, private_hosts=self._private_hosts, is_proxy=request.has_proxy())
        return self.do_open(made, request)


class _HTTPSHandler(urllib.request.HTTPSHandler):
    def __init__(self, private_hosts: PrivateHosts) -> None:
        super().__init__(context=ssl.create_default_context())
        self._private_hosts = private_hosts

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        is_proxy = request.has_proxy() or urlsplit(request.full_url).netloc != request.host
        made = partial(_SecureConnection, private_hosts=self._private_hosts, is_proxy=is_proxy)
        return self.do_open(made, request, context=self._context)  # type: ignore[attr-defined]


def _is_worth_another_try(error: Exception) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return error.code in WORTH_ANOTHER_TRY
    return not isinstance(error, ValueError)


def _reason_of(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"answers {error.code} {error.reason}"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, socket.gaierror):
        return "names a host that there is not"
    return f"cannot be downloaded: {' '.join(str(reason).split()) or type(reason).__name__}"


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
