"""`simpletuner server`: the service under uvicorn, on a socket that is ours before anything else starts."""

import fcntl
import logging
import os
import resource
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from service.access.accounts import is_setup_required
from service.app import create_app
from service.database import Database
from service.protocols import BoundedWebSocket, bounded_http
from service.settings import Settings, SettingsError

MAX_FRAME_BYTES = 1 << 20
MAX_HEADER_BYTES = 32 << 10
MAX_CONNECTIONS = 4000
"""HTTP and websockets together; above it, requests are answered with 503."""

MAX_OPEN_FILES = 8192
KEEP_ALIVE_SECONDS = 15
PING_SECONDS = 20.0
SHUTDOWN_SECONDS = 5
LOCK_FILE = "service.lock"
SETUP_TOKEN_BYTES = 12


def serve(settings: Settings) -> None:
    """Until it is told to stop. Raises SettingsError when port, workspace or database cannot be had."""
    configure_logging()
    allow_open_files(MAX_OPEN_FILES)
    with listen(settings) as listening, locked_workspace(settings), opened_database(settings) as database:
        if not settings.is_loopback and is_setup_required(database):
            settings = replace(settings, setup_token=secrets.token_urlsafe(SETUP_TOKEN_BYTES))
        certificate, key = (None, None)
        if settings.ssl:
            from service.tls import ensure_certificate  # noqa: PLC0415  slow import

            certificate, key = ensure_certificate(settings.certificates, host=settings.host)
        config = uvicorn.Config(
            create_app(settings, database),
            ssl_certfile=certificate,
            ssl_keyfile=key,
            http=bounded_http(request_seconds=settings.request_seconds, trusted_proxies=settings.trusted_proxies),
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            ws=BoundedWebSocket,
            ws_per_message_deflate=False,
            ws_max_size=MAX_FRAME_BYTES,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PING_SECONDS,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        logging.getLogger(__name__).info("serving url=%s workspace=%s", settings.url, settings.workspace)
        if settings.setup_token:
            tell_setup_token(settings.url, settings.setup_token)
        server = uvicorn.Server(config)
        server.run(sockets=[listening])
    if not server.started:
        raise SettingsError("the service could not start; the reason is in the lines above")


def allow_open_files(wanted: int) -> None:
    """Each connection is one; many systems begin with 1024 and allow more to those who ask."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


@contextmanager
def opened_database(settings: Settings) -> Iterator[Database]:
    """With its tables. Raises SettingsError in place of a traceback when it cannot be opened."""
    database = Database(settings.database_url)
    try:
        database.create_tables()
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", error)).split())
        raise SettingsError(f"the database cannot be opened: {reason}; look at SIMPLETUNER_DATABASE_URL") from error
    try:
        yield database
    finally:
        database.close()


def tell_setup_token(url: str, token: str) -> None:
    """On the terminal alone, not in the log: it is good until the first administrator is there."""
    sys.stdout.write(f"First start: open {url} and create the administrator with the setup token {token}\n")
    sys.stdout.flush()


def listen(settings: Settings) -> socket.socket:
    """Raises SettingsError in place of a traceback when the address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}; "
            "choose another with --host and --port"
        ) from error
    return listening


@contextmanager
def locked_workspace(settings: Settings) -> Iterator[None]:
    """Two services on one workspace would follow the same runs. Raises SettingsError."""
    lock = os.open(settings.workspace / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SettingsError(
            f"another service is using the workspace {settings.workspace}; stop it, or set SIMPLETUNER_WORKSPACE"
        ) from error
    try:
        yield
    finally:
        os.close(lock)


def configure_logging() -> None:
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("strawberry.ws.task").setLevel(logging.ERROR)
