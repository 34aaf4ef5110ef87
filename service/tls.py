"""A self-signed certificate for `--ssl`, made once and used again."""

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIFETIME = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)


def ensure_certificate(folder: Path, *, host: str) -> tuple[Path, Path]:
    """Paths of server.crt and server.key, made anew when there are none, when they expire, or for another host."""
    certificate_path, key_path = folder / "server.crt", folder / "server.key"
    if not (key_path.is_file() and _is_good(certificate_path, host)):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make(certificate_path, key_path, host)
    return certificate_path, key_path


def _is_good(path: Path, host: str) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    is_fresh = certificate.not_valid_after_utc > datetime.now(UTC) + RENEW_BEFORE
    return is_fresh and _name(host) in list(names)


def _make(certificate_path: Path, key_path: Path, host: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "SimpleTuner")])
    names = dict.fromkeys([_name("localhost"), _name("127.0.0.1"), _name("::1"), _name(host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with os.fdopen(os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
