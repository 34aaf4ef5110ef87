"""The service's own settings; the only reader of the process environment."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080
DEFAULT_UPLOAD_GB = 100
DEFAULT_CACHE_GB = 100
GB = 10**9
HUB_URL = "https://huggingface.co"
WANDB_URL = "https://api.wandb.ai"
HARMLESS_VARIABLES = ("HOME", "USER")
PACKAGE = Path(__file__).resolve().parent


class SettingsError(ValueError):
    """A setting that cannot be; the message names it and says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything below the workspace is ours; database_url: SQLAlchemy URL of SQLite or PostgreSQL.

    environment: the process environment, which trainers are given a part of. config_variables: those that a
    configuration may name as {env:NAME}. setup_token: what the first
    administrator must know, where strangers could be faster. cache_bytes: how much the encodings that runs share may take;
    more is removed before a run starts. shared_paths: folders that everybody may name in a
    configuration. configs: where each environment has a folder. audit_key, secret_key: as they were given, None to keep
    them in the workspace. hub_url, wandb_url: where tokens are checked.
    trusted_origins: other addresses that the client is served at, such as https://tuner.example.org.
    trusted_proxies: addresses and networks whose X-Forwarded-For and -Proto count. introspection: those who are signed
    in may ask for the schema. query_seconds: how long a query may take. request_seconds: how long the headers of a
    request, and again its body, may take to arrive. max_upload_bytes: of one upload, and of what it is unpacked to.
    upload_days: after how long an upload is given up that nothing has come of.
    """

    workspace: Path
    database_url: str
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    ssl: bool = False
    start_environment: str | None = None
    setup_token: str | None = None
    max_running: int = 1
    cache_bytes: int = DEFAULT_CACHE_GB * GB
    shared_paths: tuple[Path, ...] = ()
    configs: Path
    audit_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    hub_url: str = HUB_URL
    wandb_url: str = WANDB_URL
    trusted_origins: frozenset[str] = frozenset()
    trusted_proxies: tuple[str, ...] = ()
    introspection: bool = True
    query_seconds: int = 30
    request_seconds: int = 20
    max_upload_bytes: int = DEFAULT_UPLOAD_GB << 30
    upload_days: int = 7
    examples: Path
    client: Path
    environment: Mapping[str, str]
    config_variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> Path:
        return self.workspace / "runs"

    @property
    def datasets(self) -> Path:
        """Where folders of pictures are made and uploaded to, if nobody says otherwise."""
        return self.workspace / "datasets"

    @property
    def uploads(self) -> Path:
        """What is being received."""
        return self.workspace / "uploads"

    @property
    def scans(self) -> Path:
        """What is known of the pictures of datasets; may be deleted at any time."""
        return self.workspace / "scans"

    @property
    def thumbnails(self) -> Path:
        """Small copies of pictures; may be deleted at any time."""
        return self.workspace / "thumbnails"

    @property
    def cache(self) -> Path:
        """Of encodings, shared by all runs."""
        return self.workspace / "cache"

    @property
    def allowed_paths(self) -> tuple[Path, ...]:
        """The folders that everybody who may write a configuration can name in it."""
        return (self.datasets, self.workspace / "models", self.examples, *self.shared_paths)

    @property
    def certificates(self) -> Path:
        return self.workspace / "ssl"

    @property
    def is_loopback(self) -> bool:
        """Only this machine can reach the service."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.ssl else 'http'}://{host}:{self.port}"


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """From the variables that begin with SIMPLETUNER_. Raises SettingsError."""
    workspace = Path(environment.get("SIMPLETUNER_WORKSPACE") or "~/.simpletuner").expanduser().absolute()
    try:
        workspace.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(
            f"the workspace {workspace} cannot be made: {error.strerror}; set SIMPLETUNER_WORKSPACE to a folder of yours"
        ) from error
    if not os.access(workspace, os.W_OK):
        raise SettingsError(
            f"the workspace {workspace} is not writable; set SIMPLETUNER_WORKSPACE to a folder of yours"
        )
    return Settings(
        workspace=workspace,
        database_url=_database_url(environment, workspace),
        max_running=_positive(environment, "SIMPLETUNER_MAX_RUNNING", default=1),
        cache_bytes=_positive(environment, "SIMPLETUNER_CACHE_GB", default=DEFAULT_CACHE_GB) * GB,
        shared_paths=_paths(environment, "SIMPLETUNER_SHARED_PATHS"),
        configs=Path(environment.get("SIMPLETUNER_CONFIGS_DIR") or workspace / "configs").expanduser().absolute(),
        audit_key=environment.get("SIMPLETUNER_AUDIT_KEY") or None,
        secret_key=environment.get("SIMPLETUNER_SECRET_KEY") or None,
        hub_url=(environment.get("HF_ENDPOINT") or HUB_URL).rstrip("/"),
        wandb_url=(environment.get("WANDB_BASE_URL") or WANDB_URL).rstrip("/"),
        trusted_origins=_origins(environment, "SIMPLETUNER_TRUSTED_ORIGINS"),
        trusted_proxies=_networks(environment, "SIMPLETUNER_TRUSTED_PROXIES"),
        introspection=_switch(environment, "SIMPLETUNER_INTROSPECTION", default=True),
        query_seconds=_positive(environment, "SIMPLETUNER_QUERY_SECONDS", default=30),
        request_seconds=_positive(environment, "SIMPLETUNER_REQUEST_SECONDS", default=20),
        max_upload_bytes=_positive(environment, "SIMPLETUNER_MAX_UPLOAD_GB", default=DEFAULT_UPLOAD_GB) << 30,
        upload_days=_positive(environment, "SIMPLETUNER_UPLOAD_DAYS", default=7),
        examples=_shipped("examples", repository=Path("examples")),
        client=_shipped("client", repository=Path("web/dist")),
        environment=dict(environment),
        config_variables=_config_variables(environment),
    )


def _config_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Only what the operator opens: whoever may write a prompt could read every other variable in it."""
    opened = {*HARMLESS_VARIABLES, *_listed(environment, "SIMPLETUNER_CONFIG_VARIABLES")}
    return {name: environment[name] for name in sorted(opened) if name in environment}


def _database_url(environment: Mapping[str, str], workspace: Path) -> str:
    url = environment.get("SIMPLETUNER_DATABASE_URL") or f"sqlite:///{workspace / 'simpletuner.sqlite3'}"
    if urlsplit(url).scheme.partition("+")[0] not in ("sqlite", "postgresql"):
        raise SettingsError(
            "SIMPLETUNER_DATABASE_URL must begin with sqlite:// or postgresql://, "
            "for example postgresql://user:password@host/database"
        )
    return url


def _paths(environment: Mapping[str, str], name: str) -> tuple[Path, ...]:
    """Folders with a colon between them. Raises SettingsError for one that is not absolute."""
    written = [each for each in environment.get(name, "").split(os.pathsep) if each]
    for each in written:
        if not Path(each).is_absolute():
            raise SettingsError(f"{name} names {each!r}, which is not absolute; write it from / on")
    return tuple(Path(each) for each in written)


def _positive(environment: Mapping[str, str], name: str, *, default: int) -> int:
    written = environment.get(name) or str(default)
    if not written.isdecimal() or int(written) < 1:
        raise SettingsError(f"{name} is {written!r} but must be a whole number from 1")
    return int(written)


def _switch(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    written = environment.get(name) or ("on" if default else "off")
    if written not in ("on", "off"):
        raise SettingsError(f"{name} is {written!r} but must be on or off")
    return written == "on"


def _origins(environment: Mapping[str, str], name: str) -> frozenset[str]:
    origins = frozenset(each.lower() for each in _listed(environment, name))
    for origin in origins:
        scheme, separator, host = origin.partition("://")
        if scheme not in ("http", "https") or not separator or not host or set("/?#@*") & set(host):
            raise SettingsError(f"{name} holds {origin!r} but must hold origins such as https://tuner.example.org")
    return origins


def _networks(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    networks = _listed(environment, name)
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise SettingsError(
                f"{name} holds {network!r} but must hold addresses or networks such as 10.0.0.7, 10.0.0.0/24"
            ) from error
    return networks


def _listed(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in (environment.get(name) or "").split(",") if each.strip())


def _shipped(name: str, *, repository: Path) -> Path:
    """A folder that stands inside the installed package, or in the repository when it runs from there."""
    installed = PACKAGE / name
    return installed if installed.exists() else PACKAGE.parent / repository
