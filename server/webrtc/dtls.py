"""Lets peers with an RSA certificate in: GStreamer has one.

aiortc offers ECDSA suites only. A client of TLS that talks to a server with an RSA key needs a
suite with RSA in its name, so these peers failed whenever they took the server's part.
"""

from aiortc.rtcdtlstransport import RTCCertificate, SRTPProtectionProfile
from OpenSSL import SSL

_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
    b":ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    b":ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
)
_create_ssl_context = RTCCertificate._create_ssl_context


def _context_with_rsa(
    certificate: RTCCertificate, srtp_profiles: list[SRTPProtectionProfile]
) -> SSL.Context:
    context: SSL.Context = _create_ssl_context(certificate, srtp_profiles)
    context.set_cipher_list(_CIPHERS)
    return context


def accept_rsa_peers() -> None:
    """For all connections made from now on."""
    RTCCertificate._create_ssl_context = _context_with_rsa
