"""The STUN and TURN servers of one session, with credentials that run out."""

import base64
import hashlib
import hmac

from server.config.webrtc import IceServer, TurnSettings, WebRtcSettings


def ice_servers_for(settings: WebRtcSettings, user: str, now_s: float) -> list[IceServer]:
    """Those of the settings, and the TURN server with credentials for ``user``.

    ``now_s`` is seconds since 1970: the TURN server compares with its own clock.
    """
    if settings.turn is None:
        return settings.ice_servers
    return [*settings.ice_servers, turn_server(settings.turn, user, now_s)]


def turn_server(turn: TurnSettings, user: str, now_s: float) -> IceServer:
    """Credentials after coturn's REST convention: the user name tells when they run out.

    The TURN server, which knows the secret, computes the same password from it.
    """
    username = f"{int(now_s) + turn.lifetime_s}:{user}"
    secret = turn.shared_secret.get_secret_value().encode()
    digest = hmac.new(secret, username.encode(), hashlib.sha1).digest()
    return IceServer(
        urls=turn.urls, username=username, credential=base64.b64encode(digest).decode()
    )
