"""OpenLDAP's slapd as a process of its own, with people and groups, on free ports of this machine."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

START_SECONDS = 10
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/lib/openldap:/usr/libexec"

SEARCH_DN = "cn=search,dc=example,dc=org"
SEARCH_PASSWORD = "search secret"

CONFIG = """
include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
security simple_bind=71
localSSF 0
database mdb
maxsize 10485760
directory {folder}/data
suffix dc=example,dc=org
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=search,dc=example,dc=org" read by self read by * none
"""

PEOPLE = """
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: cn=search,dc=example,dc=org
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: search
userPassword: search secret

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=guests,dc=example,dc=org
objectClass: organizationalUnit
ou: guests

dn: uid=mia,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: mia
cn: Mia
sn: M
mail: mia@example.org
userPassword: mia secret

dn: uid=noah,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: noah
cn: Noah
sn: N
mail: noah@example.org
userPassword: noah secret

dn: cn=Weird\\2C (Name)\\2A,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: w*(e)\\ird
cn: Weird, (Name)*
sn: W
mail: weird@example.org
userPassword: weird secret

dn: uid=twin,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: twin
cn: Twin
sn: T
userPassword: twin secret

dn: uid=twin,ou=guests,dc=example,dc=org
objectClass: inetOrgPerson
uid: twin
cn: Twin
sn: T
userPassword: twin secret

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: cn=trainers,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: trainers
member: uid=mia,ou=people,dc=example,dc=org
member: cn=Weird\\2C (Name)\\2A,ou=people,dc=example,dc=org

dn: cn=admins,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: admins
member: uid=mia,ou=people,dc=example,dc=org
"""


@dataclass(frozen=True)
class Directory:
    """It refuses passwords that come in the clear. ca_file: with which its certificate is trusted."""

    plain_port: int
    tls_port: int
    ca_file: str

    @property
    def ldap_url(self) -> str:
        return f"ldap://127.0.0.1:{self.plain_port}"

    @property
    def ldaps_url(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls_port}"


@contextmanager
def slapd(folder: Path) -> Iterator[Directory]:
    (folder / "data").mkdir()
    write_certificate(folder)
    schema = next(path for path in map(Path, ("/etc/ldap/schema", "/etc/openldap/schema")) if path.is_dir())
    config = folder / "slapd.conf"
    config.write_text(CONFIG.format(folder=folder, schema=schema).lstrip())
    (folder / "people.ldif").write_text(PEOPLE.lstrip())
    subprocess.run([program("slapadd"), "-q", "-f", config, "-l", folder / "people.ldif"], check=True)
    directory = Directory(free_port(), free_port(), str(folder / "server.pem"))
    log = (folder / "slapd.log").open("wb")
    addresses = f"{directory.ldap_url}/ {directory.ldaps_url}/"
    process = subprocess.Popen([program("slapd"), "-d", "0", "-f", config, "-h", addresses], stdout=log, stderr=log)
    try:
        wait_for(process, directory.tls_port, folder / "slapd.log")
        yield directory
    finally:
        process.kill()
        process.wait(timeout=10)
        log.close()


def wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise AssertionError(f"slapd did not start in {START_SECONDS} s: {log.read_text()}")


def program(name: str) -> str:
    found = shutil.which(name, path=PATH)
    assert found, f"{name} is missing; make test installs it"
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def write_certificate(folder: Path) -> None:
    """server.pem and server.key, self-signed, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "directory of the tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "server.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
