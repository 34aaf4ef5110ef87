"""Where a browser leaves for an OpenID provider, and where it comes back."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse

from domain.errors import NotFound, Refusal
from service.access.sessions import COOKIE, LIFETIME
from service.access.sign_in_attempts import LIFETIME as ATTEMPT_LIFETIME
from service.parts import Parts
from service.settings import Settings

if TYPE_CHECKING:
    from service.access.sign_in_elsewhere import OpenIdFlow

log = logging.getLogger(__name__)

Done = TypeVar("Done")

PATH = "/auth/oidc"
START_PATH = PATH + "/{provider_id}/start"
CALLBACK_PATH = PATH + "/{provider_id}/callback"
BROWSER_COOKIE = "simpletuner_sign_in"
MAX_ASKED_AT_ONCE = 4
MAX_WAITING = 32


class OpenIdRoutes:
    """Providers are asked in threads of their own: while one does not answer, all else goes on."""

    def __init__(self) -> None:
        self._flow: OpenIdFlow | None = None
        self._threads = ThreadPoolExecutor(MAX_ASKED_AT_ONCE, thread_name_prefix="openid")
        self._num_waiting = 0

    async def start(self, request: Request) -> RedirectResponse:
        parts: Parts = request.app.state.parts

        def work(flow: "OpenIdFlow", provider_id: UUID) -> RedirectResponse:
            redirect_uri = callback_url(request, parts.settings, provider_id)
            begun = flow.begin(parts, provider_id, redirect_uri=redirect_uri)
            answer = redirect(begun.url)
            answer.set_cookie(
                BROWSER_COOKIE,
                begun.browser,
                path=PATH,
                max_age=int(ATTEMPT_LIFETIME.total_seconds()),
                httponly=True,
                samesite="lax",
                secure=request.url.scheme == "https",
            )
            return answer

        return await self._answer(request, work)

    async def callback(self, request: Request) -> RedirectResponse:
        parts: Parts = request.app.state.parts

        def work(flow: "OpenIdFlow", provider_id: UUID) -> RedirectResponse:
            token = flow.finish(
                parts,
                provider_id,
                dict(request.query_params),
                browser=request.cookies.get(BROWSER_COOKIE, ""),
                user_agent=request.headers.get("user-agent", ""),
                address=request.client.host if request.client else "",
            )
            answer = redirect("/")
            answer.set_cookie(
                COOKIE,
                token,
                max_age=int(LIFETIME.total_seconds()),
                httponly=True,
                samesite="lax",
                secure=request.url.scheme == "https",
            )
            return answer

        answer = await self._answer(request, work)
        answer.delete_cookie(BROWSER_COOKIE, path=PATH)
        return answer

    async def _answer(
        self, request: Request, work: Callable[["OpenIdFlow", UUID], RedirectResponse]
    ) -> RedirectResponse:
        """What goes wrong leads to the sign-in page, with a word for why."""
        try:
            provider_id = UUID(request.path_params["provider_id"])
        except ValueError:
            return sign_in_page("unknown-provider")
        if self._num_waiting >= MAX_WAITING:
            return sign_in_page("busy")
        self._num_waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._try, work, provider_id)
        finally:
            self._num_waiting -= 1

    def _try(self, work: Callable[["OpenIdFlow", UUID], RedirectResponse], provider_id: UUID) -> RedirectResponse:
        from service.access import external, oidc, providers, sign_in_elsewhere  # noqa: PLC0415  slow import

        if self._flow is None:
            self._flow = sign_in_elsewhere.OpenIdFlow()
        try:
            return work(self._flow, provider_id)
        except NotFound:
            return sign_in_page("unknown-provider")
        except sign_in_elsewhere.NotBegunHere:
            return sign_in_page("expired")
        except oidc.DeniedByProvider as denied:
            log.info("provider=%s said %s", provider_id, denied.code)
            return sign_in_page("denied")
        except providers.ProviderTrouble as trouble:
            sign_in_elsewhere.log_trouble(provider_id, trouble)
            return sign_in_page("provider")
        except external.NotLetIn as refusal:
            return sign_in_page(refusal.reason)
        except Refusal as refusal:
            log.warning("provider=%s sign-in refused: %s", provider_id, refusal)
            return sign_in_page("busy")


def sign_in_page(error: str) -> RedirectResponse:
    return redirect(f"/sign-in?error={error}")


def redirect(url: str) -> RedirectResponse:
    return RedirectResponse(url, status_code=302, headers={"cache-control": "no-store"})


def callback_url(connection: HTTPConnection, settings: Settings, provider_id: UUID) -> str:
    """As the browser sees it; must be registered with the provider, which refuses any other."""
    host = connection.headers.get("host", "").lower()
    known = [origin for origin in settings.trusted_origins if urlsplit(origin).netloc == host]
    scheme = "https" if connection.url.scheme in ("https", "wss") else "http"
    origin = known[0] if known else f"{scheme}://{host}"
    return origin + CALLBACK_PATH.format(provider_id=provider_id)
