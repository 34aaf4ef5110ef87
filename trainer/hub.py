"""What the Hugging Face Hub means when it does not hand out a model, or says nothing at all, and what to do about it."""

from collections.abc import Iterator
from typing import Any

from httpx2 import Client, HTTPError, Request, Response, TimeoutException
from huggingface_hub import constants, get_session, get_token, set_client_factory
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

SERVER_ERROR = 500
STORE = "store a token as HF_TOKEN (under Secrets, or with simpletuner secret set HF_TOKEN)"
TRIES = 3
"""How often a question is asked that nobody answers."""


class HubIsSilent(OfflineModeIsEnabled):
    """It takes connections, or nobody refuses them, but nothing comes. Its kind is what the libraries know as a reason to look for
    a copy on this machine."""


class HubClient(Client):
    """Waits for each byte as long as HF_HUB_ETAG_TIMEOUT or HF_HUB_DOWNLOAD_TIMEOUT say, where huggingface_hub would wait
    for ever or six times a minute; once nothing came at all, it asks no more."""

    is_silent = False

    def send(self, request: Request, **options: Any) -> Response:
        """Raises HubIsSilent. A download that goes on is not cut, for each of its bytes is waited for anew."""
        if request.method not in ("GET", "HEAD"):
            return super().send(request, **options)
        seconds = _patience(request)
        allowed = request.extensions.get("timeout", {})
        request.extensions["timeout"] = {
            part: min(seconds, allowed.get(part) or seconds) for part in ("connect", "read", "write", "pool")
        }
        for _ in range(TRIES):
            if self.is_silent:
                break
            try:
                return super().send(request, **options)
            except TimeoutException:
                continue
        self.is_silent = True
        raise HubIsSilent(f"{request.url.host} sent nothing for {TRIES * seconds:g} s")


def be_impatient() -> None:
    """From now on, with whatever this process asks of the Hub."""
    hooks = get_session().event_hooks
    set_client_factory(lambda: HubClient(event_hooks=hooks, follow_redirects=True))


def is_silent() -> bool:
    """Whether it was asked, and nothing came."""
    session = get_session()
    return isinstance(session, HubClient) and session.is_silent


def explain_refusal(error: BaseException, source: str) -> str | None:
    """source: owner/name. None when it was not the Hub that refused."""
    kinds = (HTTPError, OfflineModeIsEnabled)
    refusal = next((each for each in _causes(error) if isinstance(each, kinds)), None)
    page = f"{constants.ENDPOINT}/{source}"
    match refusal:
        case HubIsSilent() | TimeoutException():
            return (
                f"{source} is not whole on this machine, and {constants.ENDPOINT} takes connections but sends nothing "
                f"({refusal}): try again later, mend the network or HF_ENDPOINT, give it more seconds in HF_HUB_ETAG_TIMEOUT "
                "and HF_HUB_DOWNLOAD_TIMEOUT, or set pretrained_model_name_or_path to a folder"
            )
        case OfflineModeIsEnabled():
            return (
                f"{source} is not whole on this machine, and HF_HUB_OFFLINE keeps it from being fetched: start once "
                "without it, or set pretrained_model_name_or_path to a folder"
            )
        case GatedRepoError() if get_token() is None:
            return (
                f"the Hub gives {source} to nobody without a token: accept its terms at {page}, {STORE} and start again"
            )
        case GatedRepoError():
            return (
                f"the Hub does not give {source} to the account of your token: accept its terms at {page} with that "
                "account, wait until its authors approve it where they do, and start again; a fine-grained token also "
                "has to be allowed to read gated repositories"
            )
        case RepositoryNotFoundError() if get_token() is None:
            return f"the Hub has no {source}, or not for everybody: correct the name, or {STORE} and start again"
        case RepositoryNotFoundError():
            return (
                f"the Hub has no {source} that your token may read: correct the name, or store a token as HF_TOKEN "
                "that is valid and may read it, and start again"
            )
        case HfHubHTTPError() if refusal.response.status_code in (401, 403):
            return f"the Hub does not accept your token for {source}: {STORE} that is valid, and start again"
        case HfHubHTTPError() if refusal.response.status_code >= SERVER_ERROR:
            return f"the Hub answers {refusal.response.status_code} when it is asked for {source}: try again later"
        case HTTPError() if not isinstance(refusal, HfHubHTTPError):
            return (
                f"{constants.ENDPOINT} cannot be reached for {source} ({type(refusal).__name__}): mend the network or "
                "HF_ENDPOINT, or set pretrained_model_name_or_path to a folder"
            )
    return None


def _patience(request: Request) -> float:
    """Seconds without a byte."""
    return constants.HF_HUB_ETAG_TIMEOUT if request.method == "HEAD" else constants.HF_HUB_DOWNLOAD_TIMEOUT


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, innermost last."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
