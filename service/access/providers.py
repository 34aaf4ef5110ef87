"""What asking an OIDC or LDAP provider has in common: trust, trouble, and the steps of a diagnosis."""

import ssl
from dataclasses import dataclass

from domain.sign_in import LdapProvider, OidcProvider

TIMEOUT_SECONDS = 10


class ProviderTrouble(Exception):
    """A provider cannot be reached, or does not do what it should.

    The message is for administrators and the log: it names hosts and what they said, which is not for visitors.
    """


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a diagnosis; detail: in words that a person can act on."""

    name: str
    ok: bool
    detail: str


def tls_context(provider: OidcProvider | LdapProvider) -> ssl.SSLContext:
    """Raises ProviderTrouble when the file of certificates cannot be used."""
    try:
        context = ssl.create_default_context(cafile=provider.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ProviderTrouble(
            f"the certificates in ca_file {provider.ca_file} cannot be read: {error.strerror or error}"
        ) from error
    if not provider.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def explain_connection(error: BaseException) -> str:
    """The innermost reason why there is no connection, in words."""
    reason = error
    while (inner := reason.__cause__ or reason.__context__) is not None:
        reason = inner
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"TLS: its certificate is not trusted: {reason.verify_message}; set ca_file when it is signed by your own"
        )
    if isinstance(reason, ssl.SSLError):
        return f"TLS: {reason.reason or reason}"
    if isinstance(reason, TimeoutError):
        return f"no answer within {TIMEOUT_SECONDS} seconds"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return str(reason) or str(error) or type(error).__name__
