"""What stands behind signing in elsewhere, on both databases and with several at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from domain.access import PERMISSIONS, Actor
from domain.application import SimpleTuner
from domain.errors import InvalidInput, NotFound
from domain.sign_in import ExternalIdentity, check_provider
from service.access.accounts import complete_setup
from service.access.external import NotLetIn, sign_in
from service.access.given_providers import add_given_providers
from service.access.identities import identities
from service.access.provider_settings import (
    change_provider,
    create_provider,
    find_known_provider,
    remove_provider,
)
from service.access.providers import ProviderTrouble
from service.access.sign_in_attempts import OpenAttempt, begin_attempt, end_attempt, sign_in_attempts
from service.access.viewer import Credential, view
from service.database import Database
from service.read_models.policy import list_providers
from service.read_models.user import num_users
from service.secrets.key import KEY_FILE, KeyRing
from service.secrets.vault import Vault, sealed_values
from tests.service.conftest import ADMIN

CONSOLE = Actor(user_id=None, via="command line")
ALL = frozenset(PERMISSIONS)
NUM_AT_ONCE = 8
CONFIG = {"name": "Example", "issuer": "https://id.example.org", "client_id": "tuner"}
ATTEMPT = OpenAttempt(nonce="nonce", verifier="verifier", redirect_uri="http://127.0.0.1/callback")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(KeyRing(tmp_path / KEY_FILE, None))


@pytest.fixture
def provider_id(application: SimpleTuner, database: Database, vault: Vault) -> UUID:
    """Of a service that has its first administrator."""
    complete_setup(application, database, **ADMIN, address="127.0.0.1")
    return create_provider(application, vault, CONSOLE, kind="oidc", config=CONFIG, secret="very secret", reach=ALL)


def come_in(
    application: SimpleTuner, database: Database, vault: Vault, provider_id: UUID, *, subject: str, name: str
) -> str:
    with database.reading() as session:
        known = find_known_provider(session, vault, provider_id)
    identity = ExternalIdentity(
        subject=subject, email=f"{subject}@example.org", is_email_verified=True, username=name, groups=frozenset()
    )
    return sign_in(application, database, known, identity, user_agent="tests", address="127.0.0.1")


def test_one_person_at_once_gets_one_account(
    application: SimpleTuner, database: Database, vault: Vault, provider_id: UUID
) -> None:
    barrier = Barrier(NUM_AT_ONCE)

    def work(_: int) -> str:
        barrier.wait()
        return come_in(application, database, vault, provider_id, subject="mia", name="mia")

    with ThreadPoolExecutor(NUM_AT_ONCE) as threads:
        tokens = set(threads.map(work, range(NUM_AT_ONCE)))
    with database.reading() as session:
        assert (len(tokens), num_users(session)) == (NUM_AT_ONCE, 1 + 1)


def test_several_people_of_one_name_at_once_get_names_of_their_own(
    application: SimpleTuner, database: Database, vault: Vault, provider_id: UUID
) -> None:
    with ThreadPoolExecutor(NUM_AT_ONCE) as threads:
        list(
            threads.map(
                lambda number: come_in(application, database, vault, provider_id, subject=f"s{number}", name="Mia"),
                range(NUM_AT_ONCE),
            )
        )
    with database.reading() as session:
        assert num_users(session) == NUM_AT_ONCE + 1


def test_attempt_ends_once_where_it_was_begun(database: Database) -> None:
    provider_id = uuid4()
    with database.writing() as session:
        begin_attempt(session, ATTEMPT, provider_id=provider_id, state="state", browser="browser")
    for wrong in ({"state": "other"}, {"browser": "other"}, {"provider_id": uuid4()}):
        with database.writing() as session:
            given = {"provider_id": provider_id, "state": "state", "browser": "browser"} | wrong
            assert end_attempt(session, **given) is None  # type: ignore[arg-type]
    ended = []
    for _ in range(2):
        with database.writing() as session:
            ended.append(end_attempt(session, provider_id=provider_id, state="state", browser="browser"))
    assert ended == [ATTEMPT, None]


def test_attempt_that_is_too_old_does_not_count(database: Database) -> None:
    provider_id = uuid4()
    with database.writing() as session:
        begin_attempt(session, ATTEMPT, provider_id=provider_id, state="state", browser="browser")
        session.execute(update(sign_in_attempts).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    with database.writing() as session:
        assert end_attempt(session, provider_id=provider_id, state="state", browser="browser") is None


def test_secret_is_kept_until_it_is_replaced_or_its_provider_removed(
    application: SimpleTuner, database: Database, vault: Vault, provider_id: UUID
) -> None:
    def change(secret: str | None) -> str:
        change_provider(
            application,
            database,
            vault,
            CONSOLE,
            provider_id,
            changed={"enabled": False},
            unset=(),
            secret=secret,
            expected_revision=None,
            reach=ALL,
        )
        with database.reading() as session:
            return find_known_provider(session, vault, provider_id).secret

    assert [change(None), change("new"), change("")] == ["very secret", "new", ""]
    come_in(application, database, vault, provider_id, subject="mia", name="mia")
    change("again")
    remove_provider(application, vault, CONSOLE, provider_id)
    with database.reading() as session:
        left = [session.scalar(select(func.count()).select_from(table)) for table in (sealed_values, identities)]
        assert left == [0, 0]
    with pytest.raises(NotFound):
        change("for nobody")


VARIABLES = {
    "SIMPLETUNER_OIDC_ISSUER": "https://id.example.org",
    "SIMPLETUNER_OIDC_CLIENT_ID": "tuner",
    "SIMPLETUNER_OIDC_CLIENT_SECRET": "very secret",
    "SIMPLETUNER_OIDC_SCOPES": "openid email",
    "SIMPLETUNER_LDAP_SERVER": "ldaps://ldap.example.org",
    "SIMPLETUNER_LDAP_BASE_DN": "dc=example,dc=org",
    "SIMPLETUNER_LDAP_BIND_DN": "cn=tuner",
    "SIMPLETUNER_LDAP_BIND_PASSWORD": "secret too",
    "SIMPLETUNER_LDAP_USER_FILTER": "(mail={username})",
}


def test_providers_of_the_environment_are_added_once(
    application: SimpleTuner, database: Database, vault: Vault
) -> None:
    for _ in range(2):
        add_given_providers(application, vault, VARIABLES)
    with database.reading() as session:
        found = [find_known_provider(session, vault, row.id) for row in list_providers(session)]
    assert [(each.row.kind, each.secret) for each in found] == [("oidc", "very secret"), ("ldap", "secret too")]
    oidc, ldap = (each.row.config for each in found)
    assert (oidc["issuer"], oidc["scopes"]) == ("https://id.example.org", ["openid", "email"])
    assert (ldap["name"], ldap["base_dn"], ldap["user_search_filter"]) == (
        "LDAP",
        "dc=example,dc=org",
        "(mail={username})",
    )


def test_provider_of_the_environment_that_cannot_be_is_said(
    application: SimpleTuner, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    variables = {**VARIABLES, "SIMPLETUNER_OIDC_ISSUER": "http://id.example.org", "SIMPLETUNER_LDAP_SERVER": ""}
    add_given_providers(application, vault, variables)
    assert application.policy().providers == {}
    (record,) = caplog.records
    assert "SIMPLETUNER_OIDC_* names was not added: issuer is 'http://id.example.org'" in record.getMessage()
    assert "very secret" not in record.getMessage()


def test_nobody_comes_in_through_a_provider_before_the_first_administrator(
    application: SimpleTuner, database: Database, vault: Vault
) -> None:
    provider_id = create_provider(application, vault, CONSOLE, kind="oidc", config=CONFIG, secret=None, reach=ALL)
    with pytest.raises(NotLetIn):
        come_in(application, database, vault, provider_id, subject="mia", name="mia")
    complete_setup(application, database, **ADMIN, address="127.0.0.1")
    assert come_in(application, database, vault, provider_id, subject="mia", name="mia")


def test_removing_a_provider_ends_the_sessions_of_who_came_in_through_it(
    application: SimpleTuner, database: Database, vault: Vault, provider_id: UUID
) -> None:
    other = create_provider(
        application, vault, CONSOLE, kind="oidc", config={**CONFIG, "name": "Other"}, secret=None, reach=ALL
    )
    mia = come_in(application, database, vault, provider_id, subject="mia", name="mia")
    noah = come_in(application, database, vault, other, subject="noah", name="noah")
    remove_provider(application, vault, CONSOLE, provider_id)
    viewers = [view(database, Credential("session", token, "127.0.0.1")) for token in (mia, noah)]
    assert [viewer.user.username if viewer else None for viewer in viewers] == [None, "noah"]


def test_secret_that_cannot_be_read_is_the_providers_trouble_and_can_be_written_anew(
    application: SimpleTuner, database: Database, vault: Vault, provider_id: UUID
) -> None:
    vault.ring.path.unlink()
    with database.reading() as session, pytest.raises(ProviderTrouble, match="was sealed with another key"):
        find_known_provider(session, vault, provider_id)
    change_provider(
        application,
        database,
        vault,
        CONSOLE,
        provider_id,
        changed={},
        unset=(),
        secret="written anew",
        expected_revision=None,
        reach=ALL,
    )
    with database.reading() as session:
        assert find_known_provider(session, vault, provider_id).secret == "written anew"


def test_secret_is_in_no_event_and_no_text(
    application: SimpleTuner, database: Database, vault: Vault, provider_id: UUID
) -> None:
    events = list(application.recorder.select_notifications(start=None, limit=100))
    assert all(b"very secret" not in bytes(event.state) for event in events)
    with database.reading() as session:
        assert "very secret" not in repr(find_known_provider(session, vault, provider_id))


@pytest.mark.parametrize(
    ("domain", "kept"),
    [("@Example.org", "example.org"), ("sub.example.org", "sub.example.org"), ("example", None), ("a b.org", None)],
)
def test_domains_are_written_plainly(domain: str, kept: str | None) -> None:
    written = CONFIG | {"allowed_domains": [domain]}
    if kept is None:
        with pytest.raises(InvalidInput, match="no domain of e-mail addresses"):
            check_provider("oidc", written)
    else:
        assert check_provider("oidc", written).allowed_domains == (kept,)
