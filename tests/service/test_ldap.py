"""Sign-in with a directory: a real slapd that refuses passwords in the clear."""

from collections.abc import Iterator
from typing import Any

import pytest

from domain.errors import InvalidInput, WrongCredentials
from domain.sign_in import LdapProvider, check_provider
from service.access.ldap import diagnose, escape, identify
from service.access.providers import ProviderTrouble
from tests.providers.directory import SEARCH_DN, SEARCH_PASSWORD, Directory, slapd
from tests.service.conftest import free_port

BELOW = "dc=example,dc=org"
TEMPLATE = "uid={username},ou=people,dc=example,dc=org"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    with slapd(tmp_path_factory.mktemp("slapd")) as running:
        yield running


def provider_of(directory: Directory, **changed: Any) -> LdapProvider:
    written = {
        "name": "Directory",
        "server": directory.ldaps_url,
        "ca_file": directory.ca_file,
        "base_dn": BELOW,
        "bind_dn": SEARCH_DN,
    }
    provider = check_provider("ldap", written | changed)
    assert isinstance(provider, LdapProvider)
    return provider


@pytest.mark.parametrize("encryption", ["ldaps", "start_tls"])
def test_person_is_identified_when_encrypted(directory: Directory, encryption: str) -> None:
    server = directory.ldaps_url if encryption == "ldaps" else directory.ldap_url
    found = identify(provider_of(directory, server=server), SEARCH_PASSWORD, login="mia", password="mia secret")
    assert (found.username, found.email, found.is_email_verified, found.groups) == (
        "mia",
        "mia@example.org",
        False,
        frozenset({"trainers", "admins"}),
    )


def test_subject_stays_and_differs_between_people(directory: Directory) -> None:
    provider = provider_of(directory)
    first, again = (identify(provider, SEARCH_PASSWORD, login="mia", password="mia secret") for _ in range(2))
    other = identify(provider, SEARCH_PASSWORD, login="noah", password="noah secret")
    assert len({first.subject, again.subject, other.subject}) == 2


def test_address_counts_as_verified_when_directory_is_trusted(directory: Directory) -> None:
    found = identify(provider_of(directory, trust_email=True), SEARCH_PASSWORD, login="mia", password="mia secret")
    assert found.is_email_verified


def test_direct_bind_needs_no_search_account(directory: Directory) -> None:
    provider = provider_of(directory, user_dn_template=TEMPLATE, group_search_filter="", bind_dn="")
    found = identify(provider, "", login="noah", password="noah secret")
    assert (found.username, found.email, found.groups) == ("noah", "noah@example.org", frozenset())


def test_groups_that_cannot_be_read_are_no_empty_ones(directory: Directory) -> None:
    provider = provider_of(directory, user_dn_template=TEMPLATE, bind_dn="")
    with pytest.raises(ProviderTrouble, match="groups cannot be searched below dc=example,dc=org: noSuchObject"):
        identify(provider, "", login="noah", password="noah secret")


@pytest.mark.parametrize("template", ["", TEMPLATE])
@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("mia", "noah secret"),
        ("mia", ""),
        ("nobody", "mia secret"),
        ("", "mia secret"),
        ("*", "mia secret"),
        ("mi*", "mia secret"),
        ("mia)(uid=*", "mia secret"),
        ("mia,ou=people,dc=example,dc=org", "mia secret"),
        ("mia\0", "mia secret"),
        ("x" * 201, "mia secret"),
    ],
)
def test_wrong_login_is_refused(directory: Directory, template: str, login: str, password: str) -> None:
    with pytest.raises(WrongCredentials, match="that name or password is wrong"):
        identify(provider_of(directory, user_dn_template=template), SEARCH_PASSWORD, login=login, password=password)


def test_names_full_of_special_signs_work(directory: Directory) -> None:
    found = identify(provider_of(directory), SEARCH_PASSWORD, login="w*(e)\\ird", password="weird secret")
    assert (found.username, found.groups) == ("w*(e)\\ird", frozenset({"trainers"}))


def test_every_sign_is_escaped() -> None:
    assert escape("aZ9 *()\\\0,=+é") == r"aZ9\20\2a\28\29\5c\00\2c\3d\2b\c3\a9"


def test_one_name_of_two_people_is_refused(directory: Directory) -> None:
    with pytest.raises(ProviderTrouble, match="several people"):
        identify(provider_of(directory), SEARCH_PASSWORD, login="twin", password="twin secret")


def test_certificate_of_somebody_else_is_not_trusted(directory: Directory) -> None:
    with pytest.raises(ProviderTrouble, match="TLS: its certificate is not trusted: self-signed certificate"):
        identify(provider_of(directory, ca_file=None), SEARCH_PASSWORD, login="mia", password="mia secret")


def test_certificate_for_another_name_is_not_trusted(directory: Directory) -> None:
    server = directory.ldaps_url.replace("127.0.0.1", "localhost")
    with pytest.raises(ProviderTrouble, match="TLS: its certificate is not trusted: Hostname mismatch"):
        identify(provider_of(directory, server=server), SEARCH_PASSWORD, login="mia", password="mia secret")


def test_certificate_is_not_looked_at_when_told_so(directory: Directory) -> None:
    provider = provider_of(directory, ca_file=None, verify_tls=False)
    assert identify(provider, SEARCH_PASSWORD, login="mia", password="mia secret").username == "mia"


def test_missing_subject_names_what_to_change(directory: Directory) -> None:
    provider = provider_of(directory, subject_attribute="objectGUID")
    with pytest.raises(ProviderTrouble, match="set subject_attribute"):
        identify(provider, SEARCH_PASSWORD, login="mia", password="mia secret")


def test_passwords_in_the_clear_are_for_this_machine_or_on_demand() -> None:
    written = {"name": "D", "server": "ldap://ldap.example.org", "base_dn": BELOW, "start_tls": False}
    with pytest.raises(InvalidInput, match="passwords would be sent in the clear"):
        check_provider("ldap", written)
    assert check_provider("ldap", written | {"allow_plaintext": True})
    assert check_provider("ldap", written | {"server": "ldap://127.0.0.1:3389"})


def test_diagnosis_of_a_good_provider(directory: Directory) -> None:
    steps = diagnose(provider_of(directory), SEARCH_PASSWORD)
    assert [(step.name, step.ok) for step in steps] == [
        ("connection", True),
        ("bind", True),
        ("user search", True),
        ("attributes", True),
        ("groups", True),
    ]
    assert steps[-1].detail == "uid=mia,ou=people,dc=example,dc=org is in 2 groups"


@pytest.mark.parametrize(
    ("changed", "secret", "step", "words"),
    [
        ({"ca_file": None}, SEARCH_PASSWORD, "connection", "certificate is not trusted"),
        ({"ca_file": "/nowhere.pem"}, SEARCH_PASSWORD, "connection", "/nowhere.pem cannot be read"),
        ({}, "wrong", "bind", f"bind as {SEARCH_DN} was refused: invalidCredentials"),
        ({}, "", "bind", "there is no password for bind_dn"),
        ({"base_dn": "dc=else,dc=org"}, SEARCH_PASSWORD, "user search", "there is nothing at dc=else,dc=org"),
        ({"user_search_filter": "(mail={username}x)"}, SEARCH_PASSWORD, "user search", "found 0 entries below"),
        ({"email_attribute": "title"}, SEARCH_PASSWORD, "attributes", "has no readable title"),
    ],
)
def test_diagnosis_says_what_is_wrong(
    directory: Directory, changed: dict[str, Any], secret: str, step: str, words: str
) -> None:
    steps = diagnose(provider_of(directory, **changed), secret)
    wrong = [each for each in steps if not each.ok]
    assert [each.name for each in wrong] == [step]
    assert words in wrong[0].detail


def test_diagnosis_of_nobody_there(directory: Directory) -> None:
    (step,) = diagnose(provider_of(directory, server=f"ldaps://127.0.0.1:{free_port()}"), SEARCH_PASSWORD)
    assert (step.name, step.ok) == ("connection", False)
    assert "Connection refused" in step.detail
