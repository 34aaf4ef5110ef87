"""What the Hugging Face Hub means when it does not hand out a model, and what to do about it."""

from collections.abc import Iterator

from httpx2 import HTTPError
from huggingface_hub import constants, get_token
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

SERVER_ERROR = 500
STORE = "store a token as HF_TOKEN (under Secrets, or with simpletuner secret set HF_TOKEN)"


def explain_refusal(error: BaseException, source: str) -> str | None:
    """source: owner/name. None when it was not the Hub that refused."""
    kinds = (HTTPError, OfflineModeIsEnabled)
    refusal = next((each for each in _causes(error) if isinstance(each, kinds)), None)
    page = f"{constants.ENDPOINT}/{source}"
    match refusal:
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


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, innermost last."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
