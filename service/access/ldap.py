"""LDAP: who somebody is by the name and password that a directory knows.

Either the person's own name is bound at once (user_dn_template), or an account searches them first. Everything here blocks.
"""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from ldap3 import BASE, NONE, SUBTREE, SYNC, Connection, Server, Tls
from ldap3.core.exceptions import (
    LDAPException,
    LDAPInvalidCredentialsResult,
    LDAPInvalidDNSyntaxResult,
    LDAPNoSuchObjectResult,
)
from ldap3.core.results import RESULT_TIME_LIMIT_EXCEEDED

from domain.errors import WrongCredentials
from domain.sign_in import ExternalIdentity, LdapProvider
from service.access.providers import TIMEOUT_SECONDS, ProviderTrouble, Step, explain_connection, tls_context

MAX_LOGIN = 200
MAX_PASSWORD = 1000
MAX_GROUPS = 1000
ANYTHING = "(objectClass=*)"

Entry = Mapping[str, Any]


class CheckedTls(Tls):  # type: ignore[misc]
    """TLS as Python checks it, host name or address included; ldap3 has only a check of its own, from before that.

    failure: why it did not come about; ldap3 passes on no more than its text.
    """

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        super().__init__()
        self.context, self.host = context, host
        self.failure: OSError | None = None

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        try:
            connection.socket = self.context.wrap_socket(connection.socket, server_hostname=self.host)
        except OSError as error:
            self.failure = error
            raise


def identify(provider: LdapProvider, secret: str, *, login: str, password: str) -> ExternalIdentity:
    """secret: the password of bind_dn. Raises WrongCredentials, ProviderTrouble.

    A bind without a password succeeds at many directories and proves nothing (RFC 4513, section 5.1.2), so there is none.
    """
    login = login.strip()
    if not 1 <= len(login) <= MAX_LOGIN or not 1 <= len(password) <= MAX_PASSWORD or "\0" in password:
        raise wrong_credentials()
    if provider.user_dn_template:
        user_dn = fill(provider.user_dn_template, username=login)
        with bound(provider, user_dn, password) as connection:
            found = search(connection, user_dn, ANYTHING, person_attributes(provider), scope=BASE, limit=1)
            if not found:
                raise ProviderTrouble(f"{user_dn} could sign in but cannot read their own entry")
            return identity_from(provider, found[0], find_groups(provider, connection, found[0]))
    with searching(provider, secret) as connection:
        person = find_person(provider, connection, login)
        with bound(provider, person["dn"] if person else nobody(provider), password):
            if person is None:
                raise wrong_credentials()
        return identity_from(provider, person, find_groups(provider, connection, person))


def wrong_credentials() -> WrongCredentials:
    return WrongCredentials("that name or password is wrong", path=("password",))


def nobody(provider: LdapProvider) -> str:
    """Somebody who is not there: binding as them takes the time that a wrong password takes."""
    return f"cn=nobody-of-that-name,{provider.base_dn}"


# ---- connections


@contextmanager
def connected(provider: LdapProvider) -> Iterator[Connection]:
    """Encrypted as the provider says, and not bound yet. Raises ProviderTrouble."""
    host = urlsplit(provider.server).hostname or ""
    tls = CheckedTls(tls_context(provider), host)
    server = Server(provider.server.rstrip("/"), get_info=NONE, tls=tls, connect_timeout=TIMEOUT_SECONDS)
    connection = Connection(
        server,
        client_strategy=SYNC,
        auto_referrals=False,
        check_names=False,
        raise_exceptions=True,
        receive_timeout=TIMEOUT_SECONDS,
        auto_escape=False,
        read_only=True,
    )
    try:
        connection.open()
        if provider.start_tls and not server.ssl:
            connection.start_tls()
    except (LDAPException, OSError) as error:
        connection.strategy.close()
        reason = explain_connection(tls.failure) if tls.failure is not None else said(error)
        raise ProviderTrouble(f"{provider.server} cannot be reached: {reason}") from error
    try:
        yield connection
    except (LDAPException, OSError) as error:
        raise ProviderTrouble(f"{provider.server} failed: {said(error)}") from error
    finally:
        connection.strategy.close()


@contextmanager
def bound(provider: LdapProvider, user_dn: str, password: str) -> Iterator[Connection]:
    """As a person. Raises WrongCredentials, ProviderTrouble."""
    with connected(provider) as connection:
        try:
            rebind(connection, user_dn, password)
        except (LDAPInvalidCredentialsResult, LDAPInvalidDNSyntaxResult, LDAPNoSuchObjectResult) as error:
            raise wrong_credentials() from error
        yield connection


@contextmanager
def searching(provider: LdapProvider, secret: str) -> Iterator[Connection]:
    """As the account that searches, or as nobody. Raises ProviderTrouble."""
    with connected(provider) as connection:
        if provider.bind_dn and not secret:
            raise ProviderTrouble(f"there is no password for bind_dn {provider.bind_dn}; write it as the secret")
        if provider.bind_dn:
            try:
                rebind(connection, provider.bind_dn, secret)
            except LDAPException as error:
                raise ProviderTrouble(f"bind as {provider.bind_dn} was refused: {said(error)}") from error
        yield connection


def rebind(connection: Connection, user_dn: str, password: str) -> None:
    assert user_dn
    assert password
    connection.rebind(user=user_dn, password=password)


# ---- searches


def find_person(provider: LdapProvider, connection: Connection, login: str) -> Entry | None:
    """Raises ProviderTrouble for several."""
    query = fill(provider.user_search_filter, username=login)
    found = search(
        connection, provider.user_search_base or provider.base_dn, query, person_attributes(provider), limit=2
    )
    if len(found) > 1:
        raise ProviderTrouble(f"user_search_filter {provider.user_search_filter} finds several people for one name")
    return found[0] if found else None


def find_groups(provider: LdapProvider, connection: Connection, person: Entry) -> frozenset[str]:
    if not provider.group_search_filter:
        return frozenset()
    query = fill(
        provider.group_search_filter, username=text_of(person, provider.username_attribute), user_dn=person["dn"]
    )
    name, below = provider.group_name_attribute, provider.group_search_base or provider.base_dn
    try:
        found = search(connection, below, query, [name], limit=MAX_GROUPS)
    except LDAPException as error:
        raise ProviderTrouble(
            f"groups cannot be searched below {below}: {said(error)}; check group_search_base, or empty group_search_filter"
        ) from error
    return frozenset(text_of(group, name) for group in found) - {""}


def search(
    connection: Connection, base: str, query: str, attributes: list[str], *, scope: str = SUBTREE, limit: int
) -> list[Entry]:
    """At most `limit` entries; referrals to other servers are left out. Raises LDAPException, ProviderTrouble."""
    connection.search(
        base, query, search_scope=scope, attributes=attributes, size_limit=limit, time_limit=TIMEOUT_SECONDS
    )
    if connection.result["result"] == RESULT_TIME_LIMIT_EXCEEDED:
        raise ProviderTrouble(f"the search below {base} took longer than {TIMEOUT_SECONDS} seconds")
    return [entry for entry in connection.response if entry["type"] == "searchResEntry"][:limit]


def fill(template: str, *, username: str, user_dn: str = "") -> str:
    """A filter or DN with values in it, in which no sign means anything but itself."""
    return template.replace("{username}", escape(username)).replace("{user_dn}", escape(user_dn))


def escape(value: str) -> str:
    r"""Every byte but ASCII letters and digits as \xx, which means the byte in filters (RFC 4515) and DNs (RFC 4514)."""
    return "".join(
        sign if sign.isascii() and sign.isalnum() else "".join(f"\\{byte:02x}" for byte in sign.encode())
        for sign in value
    )


# ---- what entries say


def person_attributes(provider: LdapProvider) -> list[str]:
    return [provider.subject_attribute, provider.email_attribute, provider.username_attribute]


def identity_from(provider: LdapProvider, person: Entry, groups: frozenset[str]) -> ExternalIdentity:
    subject = text_of(person, provider.subject_attribute)
    if not subject:
        raise ProviderTrouble(
            f"{person['dn']} has no readable attribute {provider.subject_attribute}; set subject_attribute to what never "
            "changes of a person (entryUUID; objectGUID in Active Directory)"
        )
    email = text_of(person, provider.email_attribute)
    return ExternalIdentity(
        subject=subject,
        email=email,
        is_email_verified=bool(email) and provider.trust_email,
        username=text_of(person, provider.username_attribute),
        groups=groups,
    )


def text_of(entry: Entry, attribute: str) -> str:
    """The first value, in hexadecimal when it is no text; empty when there is none."""
    by_name = {name.casefold(): values for name, values in entry["raw_attributes"].items()}
    values = by_name.get(attribute.casefold())
    if not values:
        return ""
    raw: bytes = values[0]
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return raw.hex()
    return text.strip() if text.isprintable() else raw.hex()


# ---- diagnosis


def diagnose(provider: LdapProvider, secret: str) -> list[Step]:
    """What a sign-in would meet, as far as it goes without a person's password."""
    try:
        with connected(provider):
            encrypted = "encrypted" if provider.is_encrypted else "not encrypted"
            steps = [Step("connection", True, f"{provider.server} answers, {encrypted}")]
    except ProviderTrouble as trouble:
        return [Step("connection", False, str(trouble))]
    if provider.user_dn_template:
        return [*steps, Step("bind", True, f"people are bound as {provider.user_dn_template}; only they can try it")]
    as_whom = provider.bind_dn or "nobody"
    try:
        with searching(provider, secret) as connection:
            steps.append(Step("bind", True, f"bound as {as_whom}"))
            return [*steps, *_diagnose_searches(provider, connection)]
    except ProviderTrouble as trouble:
        return [*steps, Step("search" if len(steps) > 1 else "bind", False, str(trouble))]


def _diagnose_searches(provider: LdapProvider, connection: Connection) -> Iterator[Step]:
    base = provider.user_search_base or provider.base_dn
    query = provider.user_search_filter.replace("{username}", "*")
    try:
        people = search(connection, base, query, person_attributes(provider), limit=1)
    except LDAPNoSuchObjectResult:
        yield Step("user search", False, f"there is nothing at {base}; check base_dn and user_search_base")
        return
    if not people:
        yield Step("user search", False, f"{query} found 0 entries below {base}")
        return
    yield Step("user search", True, f"{query} finds people below {base}")
    person = people[0]
    lacking = [name for name in person_attributes(provider) if not text_of(person, name)]
    said_lacking = f"{person['dn']} has no readable {', '.join(lacking)}"
    yield Step("attributes", not lacking, said_lacking if lacking else f"{person['dn']} has all that is needed")
    groups = find_groups(provider, connection, person)
    yield Step("groups", True, f"{person['dn']} is in {len(groups)} groups")


def said(error: BaseException) -> str:
    """What ldap3 says, without its wrapping."""
    description = getattr(error, "description", None)
    return " ".join(filter(None, (description, getattr(error, "message", None)))) or explain_connection(error)
