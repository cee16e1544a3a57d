"""An OpenID provider on loopback: its description, keys, introspection and tokens.

`refresh` has the account of each refresh token; programs get tokens for them there."""

from __future__ import annotations

import json
import secrets
import ssl
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from mailtwist.service.tls import write_self_signed

AUDIENCE = "mailtwist-test"


class Provider:
    """`certificate` is the CA file that clients must trust; keys may be rotated."""

    def __init__(self, folder: Path) -> None:
        name = f"provider-{secrets.token_hex(4)}"
        self.certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        write_self_signed(self.certificate, key, ["localhost", "127.0.0.1"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.path)
                told = provider.pages().get(self.path)
                self._answer(200 if told is not None else 404, told)

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                form = parse_qs(self.rfile.read(length).decode())
                provider.asked.append(self.path)
                if self.path == "/token":
                    self._answer(*provider.granted(form))
                    return
                name = provider.opaque.get(form["token"][0])
                active = name is not None
                self._answer(200, {"active": active, "email": name, "aud": AUDIENCE})

            def _answer(self, code: int, told: object) -> None:
                octets = json.dumps(told).encode()
                self.send_response(code)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(octets)))
                self.end_headers()
                self.wfile.write(octets)

            def log_message(self, *arguments: object) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.issuer = f"https://localhost:{self.server.server_address[1]}"
        self.asked: list[str] = []
        self.opaque: dict[str, str] = {}
        self.refresh: dict[str, str] = {}
        self.rotate()
        self._thread = Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def rotate(self) -> None:
        """Sign with a new key; the old one is not shown any more."""
        self.kid = f"key{datetime.now(UTC).timestamp()}"
        self.key = rsa.generate_private_key(65537, 2048)

    def pages(self) -> dict[str, object]:
        shown = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        shown |= {"kid": self.kid, "alg": "RS256", "use": "sig"}
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}/keys",
            },
            "/keys": {"keys": [shown]},
        }

    def token(self, email: str, **claims: object) -> str:
        ends = datetime.now(UTC) + timedelta(minutes=5)
        told = {"iss": self.issuer, "aud": AUDIENCE, "exp": ends, "email": email}
        return jwt.encode(told | claims, self.key, "RS256", headers={"kid": self.kid})

    def granted(self, form: dict[str, list[str]]) -> tuple[int, dict[str, object]]:
        """The answer to a refresh token (RFC 6749 §6)."""
        email = self.refresh.get(form.get("refresh_token", [""])[0])
        if form.get("grant_type") != ["refresh_token"] or email is None:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": self.token(email), "expires_in": 300}

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()
