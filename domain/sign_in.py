"""How people sign in through others: what an administrator can say about a provider of identities, and which levels follow.

A client secret or the password of a search account is never a part of this.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from domain.errors import InvalidInput, Problem

MAX_TEXT = 500
DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")

ProviderKind = Literal["oidc", "ldap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalIdentity:
    """Somebody as a provider knows them; subject: what never changes. email: empty when there is none."""

    subject: str
    email: str
    is_email_verified: bool
    username: str
    groups: frozenset[str]


class Provider(BaseModel):
    """What both kinds have."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: str = Field(
        min_length=1, max_length=60, description="What people know it by, for example Example University."
    )
    enabled: bool = Field(True, description="People can sign in with it.")
    auto_create_users: bool = Field(True, description="Who signs in for the first time gets an account.")
    default_levels: tuple[str, ...] = Field(
        ("researcher",), min_length=1, max_length=20, description="The levels of new accounts."
    )
    level_mapping: dict[str, tuple[str, ...]] = Field(
        {}, max_length=500, description="Which levels a group brings; at each sign-in they are given and taken."
    )
    allowed_domains: tuple[str, ...] = Field(
        (), max_length=100, description="Only verified e-mail addresses at these domains; empty for any."
    )
    verify_tls: bool = Field(True, description="Whether the certificate must be trusted; only off for a trial.")
    ca_file: str | None = Field(
        None, max_length=MAX_TEXT, description="A file on the server with the certificates to trust, in PEM."
    )

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not name.isprintable():
            raise ValueError("name must be one line of printable characters")
        return name

    @field_validator("allowed_domains")
    @classmethod
    def _check_domains(cls, domains: tuple[str, ...]) -> tuple[str, ...]:
        cleaned = tuple(dict.fromkeys(domain.removeprefix("@").casefold() for domain in domains))
        for domain in cleaned:
            if not DOMAIN.fullmatch(domain):
                raise ValueError(f"{domain!r} is no domain of e-mail addresses; write it like example.org")
        return cleaned

    def check_secret_kept(self, before: "Provider") -> None:
        """A secret goes where it was meant for: who sends it elsewhere must know it. Raises InvalidInput."""
        for field in self.bound_to_secret():
            if getattr(self, field) != getattr(before, field):
                raise InvalidInput(
                    f"{field} says to whom the secret is shown; write the secret again to change it",
                    path=("config", field),
                )

    @classmethod
    def bound_to_secret(cls) -> tuple[str, ...]:
        """The fields that decide who gets to see the secret."""
        return ("verify_tls", "ca_file")

    def named_levels(self) -> frozenset[str]:
        return frozenset(self.default_levels) | self.managed_levels()

    def managed_levels(self) -> frozenset[str]:
        """Those that follow the groups: given to who is in a group, taken from who is in none any more."""
        return frozenset(level for levels in self.level_mapping.values() for level in levels)

    def mapped_levels(self, groups: Collection[str]) -> frozenset[str]:
        return frozenset(level for group in groups for level in self.level_mapping.get(group, ()))


class OidcProvider(Provider):
    issuer: str = Field(
        max_length=MAX_TEXT, description="The issuer's address; its discovery document must name the same."
    )
    client_id: str = Field(
        min_length=1, max_length=MAX_TEXT, description="As the provider has registered this service."
    )
    scopes: tuple[str, ...] = Field(
        ("openid", "email", "profile"), max_length=30, description="What is asked for; openid belongs to it."
    )
    groups_claim: str = Field("groups", max_length=100, description="The claim that lists groups.")
    roles_claim: str = Field("roles", max_length=100, description="The claim that lists roles; they count as groups.")
    username_claim: str = Field("preferred_username", max_length=100, description="The claim for the username.")

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, issuer: str) -> str:
        parts = urlsplit(issuer)
        if not is_private_address(issuer, secure_scheme="https", plain_scheme="http"):
            raise ValueError(f"issuer is {issuer!r:.100} but must begin with https:// (http:// only for this machine)")
        if parts.query or parts.fragment or parts.username:
            raise ValueError("issuer is an address without a user, ? and #")
        return issuer

    @field_validator("scopes")
    @classmethod
    def _check_scopes(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        for scope in scopes:
            if not re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+", scope):
                raise ValueError(f"{scope!r} is no scope; it has neither spaces nor quotes")
        if "openid" not in scopes:
            raise ValueError("scopes must contain openid, or the provider does not say who somebody is")
        return scopes

    @classmethod
    def bound_to_secret(cls) -> tuple[str, ...]:
        return (*super().bound_to_secret(), "issuer")


class LdapProvider(Provider):
    server: str = Field(
        max_length=MAX_TEXT, description="ldaps://host, or ldap://host with start_tls; a port may follow."
    )
    start_tls: bool = Field(True, description="With ldap://, encrypt before anything is said.")
    allow_plaintext: bool = Field(
        False, description="With ldap:// and without start_tls, send passwords readable for the network between."
    )
    base_dn: str = Field(
        min_length=1, max_length=MAX_TEXT, description="Where people are searched, for example dc=example,dc=org."
    )
    bind_dn: str = Field("", max_length=MAX_TEXT, description="The account that searches; empty to search as nobody.")
    user_dn_template: str = Field(
        "",
        max_length=MAX_TEXT,
        description="Signs in without a search before, for example uid={username},ou=people,dc=example,dc=org.",
    )
    user_search_filter: str = Field("(uid={username})", max_length=MAX_TEXT, description="Finds exactly one person.")
    user_search_base: str = Field("", max_length=MAX_TEXT, description="Where to search instead of base_dn.")
    group_search_filter: str = Field(
        "(member={user_dn})", max_length=MAX_TEXT, description="Finds a person's groups; empty: no groups."
    )
    group_search_base: str = Field("", max_length=MAX_TEXT, description="Where to search groups instead of base_dn.")
    subject_attribute: str = Field(
        "entryUUID", description="What never changes of a person; objectGUID in Active Directory."
    )
    email_attribute: str = Field("mail", description="The attribute with the address.")
    username_attribute: str = Field("uid", description="The attribute with the username.")
    group_name_attribute: str = Field("cn", description="The attribute with the name of a group.")
    trust_email: bool = Field(
        False, description="People cannot change their own address in the directory, so it proves who they are."
    )

    @field_validator("server")
    @classmethod
    def _check_server(cls, server: str) -> str:
        parts = urlsplit(server)
        is_address = parts.scheme in ("ldap", "ldaps") and parts.hostname and _has_port_or_none(server)
        if not is_address or parts.path not in ("", "/") or parts.query or parts.username:
            raise ValueError(
                f"server is {server!r:.100} but must look like ldaps://ldap.example.org or ldap://host:389"
            )
        return server

    @field_validator("subject_attribute", "email_attribute", "username_attribute", "group_name_attribute")
    @classmethod
    def _check_attribute(cls, attribute: str) -> str:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,99}|[0-9]+(\.[0-9]+)*", attribute):
            raise ValueError(f"{attribute!r:.100} is no name of an attribute")
        return attribute

    @field_validator("user_search_filter", "group_search_filter", "user_dn_template")
    @classmethod
    def _check_template(cls, template: str) -> str:
        unknown = set(re.findall(r"\{[^}]*\}?", template)) - {"{username}", "{user_dn}"}
        if unknown:
            raise ValueError(f"{min(unknown)} cannot be filled in; there are {{username}} and {{user_dn}}")
        return template

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if "{username}" not in (self.user_dn_template or self.user_search_filter):
            raise ValueError("user_search_filter must contain {username}, for example (uid={username})")
        if self.user_dn_template and "{user_dn}" in self.user_dn_template:
            raise ValueError("user_dn_template makes the user_dn, so it can only contain {username}")
        if not (
            self.is_encrypted
            or self.allow_plaintext
            or is_private_address(self.server, secure_scheme="ldaps", plain_scheme="ldap")
        ):
            raise ValueError("passwords would be sent in the clear; use ldaps://, or start_tls, or say allow_plaintext")
        return self

    @property
    def is_encrypted(self) -> bool:
        return self.start_tls or urlsplit(self.server).scheme == "ldaps"

    @classmethod
    def bound_to_secret(cls) -> tuple[str, ...]:
        return (*super().bound_to_secret(), "server", "start_tls", "allow_plaintext")


PROVIDERS: Mapping[ProviderKind, type[OidcProvider] | type[LdapProvider]] = {"oidc": OidcProvider, "ldap": LdapProvider}


def check_provider(kind: ProviderKind, written: Mapping[str, Any]) -> OidcProvider | LdapProvider:
    """Raises InvalidInput with one problem for each field that cannot be."""
    model = PROVIDERS[kind]
    try:
        return model.model_validate(dict(written))
    except ValidationError as error:
        raise InvalidInput.from_problems([_explain(model, each) for each in error.errors()]) from error


def is_private_address(url: str, *, secure_scheme: str, plain_scheme: str) -> bool:
    """Nobody between can read what is sent there: it is encrypted, or does not leave this machine."""
    parts = urlsplit(url)
    if not parts.hostname or not _has_port_or_none(url):
        return False
    return parts.scheme == secure_scheme or (parts.scheme == plain_scheme and _is_loopback(parts.hostname))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _has_port_or_none(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _explain(model: type[BaseModel], error: Any) -> Problem:
    path = tuple(str(part) for part in error["loc"])
    key = path[0] if path else ""
    if error["type"] == "extra_forbidden":
        message = f"there is no field named {key!r:.80}"
    elif error["type"] == "missing":
        message = f"{key} is missing: {model.model_fields[key].description}"
    elif error["type"] == "value_error":
        message = str(error["ctx"]["error"])
    else:
        requirement = error["msg"].removeprefix("Input ").replace("valid ", "")
        message = f"{'.'.join(path)} is {error['input']!r:.80} but {requirement}"
    return Problem(message, ("config", *path))
