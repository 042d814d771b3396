"""A DTLS peer with an RSA certificate, as GStreamer's: its ciphers are RSA's alone."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aiortc.rtcdtlstransport import RTCCertificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

_CIPHERS = b"ECDHE-RSA-AES128-GCM-SHA256"


@cache
def _made() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "rsa peer")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
    )
    return key, builder.sign(key, hashes.SHA256())


def rsa_pem() -> tuple[bytes, bytes]:
    """Key and certificate."""
    key, certificate = _made()
    plain = serialization.NoEncryption()
    return (
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain
        ),
        certificate.public_bytes(serialization.Encoding.PEM),
    )


class RsaCertificate(RTCCertificate):  # type: ignore[misc]
    """For an aiortc peer."""

    def __init__(self) -> None:
        super().__init__(*_made())

    def _create_ssl_context(self, srtp_profiles: list[Any]) -> SSL.Context:
        context: SSL.Context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(_CIPHERS)
        return context
