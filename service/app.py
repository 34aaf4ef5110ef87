"""The composition root: the only place that wires parts together."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.access import Actor
from domain.errors import Refusal
from service import idempotency  # noqa: F401  its table belongs to the metadata
from service.access import identities, passwords  # noqa: F401  their tables belong to the metadata
from service.access.given_providers import add_given_providers
from service.access.plain_secrets import seal_plain_secrets
from service.audit.key import ensure_audit_key
from service.audit.route import audit_export
from service.audit.verification import is_newest_fitting
from service.captions import history  # noqa: F401  its tables belong to the metadata
from service.cursors import read_store_id
from service.database import Database
from service.downloads import CONFIG_PATH, ZIP_PATH, config_file, folder_as_zip
from service.headers import KnownHosts, SecurityHeaders
from service.live.bell import Bell
from service.mirror.mirror import EnvironmentMirror
from service.outage import FAILURES
from service.parts import Parts
from service.preflight import known_sizes  # noqa: F401  its table belongs to the metadata
from service.read_models.environment import find_default_environment, find_environment_named
from service.read_models.projection import make_current, project
from service.read_models.training_run import num_runs_of
from service.routes import client_files, health, not_found, run_file, run_pipeline, training_status
from service.run_files import PIPELINE_ARCHIVE
from service.scans.maker import PictureMaker
from service.scans.route import dataset_picture
from service.scans.supervisor import ScanSupervisor
from service.secrets.key import KeyRing, KeyTrouble
from service.secrets.vault import Vault
from service.settings import Settings
from service.sign_in_routes import CALLBACK_PATH, START_PATH, OpenIdRoutes
from service.store import on_commit, open_application
from service.supervisor import Supervisor
from service.uploads.reception import Reception
from service.uploads.route import UPLOADS_PATH, TusEndpoint

log = logging.getLogger(__name__)

COMMAND_LINE = Actor(user_id=None, via="command line")


def create_app(settings: Settings, database: Database) -> Starlette:
    """The whole service on a database that has its tables; starting it takes up the runs that have not ended."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        parts = await asyncio.to_thread(open_parts, settings, database, Bell())
        app.state.parts = parts
        supervisor = Supervisor(
            application=parts.application,
            database=parts.database,
            bell=parts.bell,
            runs=settings.runs,
            cache=settings.cache,
            open_folders=settings.allowed_paths,
            cache_bytes=settings.cache_bytes,
            max_running=settings.max_running,
            environment=settings.environment,
            variables=settings.config_variables,
            vault=parts.vault,
        )
        scans = ScanSupervisor(
            database=parts.database,
            bell=parts.bell,
            scans=settings.scans,
            thumbnails=settings.thumbnails,
            environment=settings.environment,
            vault=parts.vault,
        )
        async with asyncio.TaskGroup() as tasks:
            app.state.graphql = tasks.create_task(asyncio.to_thread(load_graphql, database))
            mirror = EnvironmentMirror(application=parts.application, database=parts.database, configs=settings.configs)
            if settings.start_environment is not None:
                with suppress(OSError):  # said by the mirror when it runs
                    await asyncio.to_thread(mirror.look)
                await asyncio.to_thread(start_environment, parts, settings.start_environment)
            following = [
                tasks.create_task(supervisor.run(), name="the supervisor"),
                tasks.create_task(mirror.run(), name="the mirror of environments"),
                tasks.create_task(parts.uploads.run(), name="the reception of uploads"),
                tasks.create_task(scans.run(), name="the supervisor of scans"),
                tasks.create_task(parts.pictures.run(), name="the end of idle processes"),
            ]
            for task in following:
                task.add_done_callback(take_down_service)
            yield
            for task in following:
                task.cancel()
            await asyncio.wait(following)

    return Starlette(
        routes=routes(settings.client),
        middleware=[Middleware(SecurityHeaders), Middleware(KnownHosts, settings=settings)],
        exception_handlers=FAILURES,
        lifespan=lifespan,
    )


def routes(client: Path) -> list[Route | WebSocketRoute]:
    """In the order in which they are tried; a test says of each who may have what it answers with."""
    openid = OpenIdRoutes()
    return [
        Route("/graphql", GraphQLEndpoint()),
        WebSocketRoute("/graphql", GraphQLEndpoint()),
        Route("/api/training/status", training_status),
        Route("/api/audit/export", audit_export),
        Route(CONFIG_PATH, config_file),
        Route(ZIP_PATH, folder_as_zip),
        Route(UPLOADS_PATH, TusEndpoint()),
        Route(UPLOADS_PATH + "/{upload_id}", TusEndpoint()),
        Route("/media/runs/{run_id}/" + PIPELINE_ARCHIVE, run_pipeline),
        Route("/media/runs/{run_id}/{path:path}", run_file),
        Route("/media/datasets/{dataset_id}/{key}/{kind}", dataset_picture),
        Route(START_PATH, openid.start),
        Route(CALLBACK_PATH, openid.callback),
        Route("/healthz", health),
        Route("/api/{path:path}", not_found),
        Route("/auth/{path:path}", not_found),
        Route("/media/{path:path}", not_found),
        Route("/{path:path}", client_files(client)),
    ]


def take_down_service(task: "asyncio.Task[None]") -> None:
    """A service that does not follow its runs or its files must not go on as if it did; whoever restarts it finds all as it was."""
    if not task.cancelled() and task.exception() is not None:
        log.critical("%s died; the service ends", task.get_name(), exc_info=task.exception())
        signal.raise_signal(signal.SIGTERM)


class GraphQLEndpoint:
    """Loading the schema takes half of a start: the first pages are answered meanwhile, and the first query waits."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint: ASGIApp = await asyncio.shield(scope["app"].state.graphql)
        await endpoint(scope, receive, send)


def load_graphql(database: Database) -> ASGIApp:
    from service.graphql.http import Endpoint  # noqa: PLC0415  slow import

    return Endpoint(database)


def open_parts(settings: Settings, database: Database, bell: Bell) -> Parts:
    audit_key = ensure_audit_key(settings)
    application = open_application(database, project=project, audit_key=audit_key)
    make_current(application, database)
    if not is_newest_fitting(application, database, key=audit_key):
        log.error("the newest event does not fit its link: another audit key, or altered; run simpletuner audit verify")
    on_commit(application, bell.ring)
    vault = Vault(KeyRing.of(settings))
    seal_what_is_plain(database, vault)
    add_given_providers(application, vault, settings.environment)
    pictures = PictureMaker(environment=settings.environment)
    return Parts(
        settings=settings,
        database=database,
        application=application,
        bell=bell,
        vault=vault,
        uploads=Reception(settings, database, application, videos=pictures),
        pictures=pictures,
        store_id=read_store_id(database),
    )


def seal_what_is_plain(database: Database, vault: Vault) -> None:
    """A key that is missing or wrong is said, and keeps nobody from what needs no secret."""
    try:
        seal_plain_secrets(database, vault)
        with database.reading() as session:
            vault.check(session)
    except KeyTrouble as trouble:
        log.error("secrets: %s", trouble)


def start_environment(parts: Parts, name: str) -> None:
    """Ask for a run of an environment by name; a refusal is said and does not keep the service from starting."""
    with parts.database.reading() as session:
        environment = find_environment_named(session, name)
        number = num_runs_of(session, environment.id) + 1 if environment else 0
        default = find_default_environment(session)
    if environment is None:
        log.error("environment=%s there is no such environment; nothing was started", name)
        return
    from service.preflight import findings, preflight  # noqa: PLC0415  slow import

    try:
        findings.raise_errors(preflight.look(parts, environment, devices=(), user_id=None).findings)
        parts.application.request_run(
            COMMAND_LINE,
            environment_id=environment.id,
            name=f"{environment.name}-{number}",
            default_environment_id=default.id if default else None,
        )
    except Refusal as refusal:
        log.error("environment=%s was not started: %s", name, refusal)
