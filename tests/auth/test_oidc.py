"""Tests for mailtwist.auth.checkers.oidc, with real keys and signatures."""

import json
from base64 import b64decode
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone

from mailtwist.auth.checkers.oidc import REST_S, Provider
from mailtwist.config.vouching import Oidc
from mailtwist.errors import AuthFailed, AuthUnavailable
from mailtwist.secret import Secret

ISSUER, AUDIENCE = "https://id.test", "mail"
NOW = 2_000_000_000  # of claims that are checked with the clock of the machine
KEYS = {kid: rsa.generate_private_key(65537, 2048) for kid in ("one", "two")}
ENDS = 4_000_000_000


def jwks(*kids):
    keys = []
    for kid in kids:
        public = KEYS[kid].public_key()
        keys.append(jwt.algorithms.RSAAlgorithm.to_jwk(public, as_dict=True))
        keys[-1] |= {"kid": kid, "alg": "RS256", "use": "sig"}
    return {"keys": keys}


def token(kid="one", key=None, algorithm="RS256", **claims):
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": ENDS,
        "email": "ann@example.test",
        **claims,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    made = jwt.encode(claims, key or KEYS[kid], algorithm, headers={"kid": kid})
    return Secret(made.encode())


class Response:
    def __init__(self, code, octets):
        self.code, self._octets = code, octets

    def deliverBody(self, reader):
        reader.dataReceived(self._octets)
        reader.connectionLost(Failure(ResponseDone()))


class Web:
    """An agent whose answers are set: by URL, an object, or an exception."""

    def __init__(self, answers):
        self.answers, self.asked, self.waiting = answers, [], None

    def request(self, method, url, headers, body):
        said = []
        if body is not None:
            body.startProducing(
                type("To", (), {"write": lambda _, d: said.append(d)})()
            )
        self.asked.append((method, url.decode(), headers, said))
        found = self.answers[url.decode()]
        if isinstance(found, Exception):
            return fail(found)
        if self.waiting is not None:
            self.waiting.append(Deferred())
            return self.waiting[-1]
        return succeed(Response(200, json.dumps(found).encode()))


class ProviderTests(SynchronousTestCase):
    def provider(self, **options):
        options = {"issuer": ISSUER, "audience": (AUDIENCE,), **options}
        self.web = Web(
            {
                f"{ISSUER}/.well-known/openid-configuration": {
                    "issuer": ISSUER,
                    "jwks_uri": f"{ISSUER}/keys",
                },
                f"{ISSUER}/keys": jwks("one"),
            }
        )
        self.clock = Clock()
        made = Provider(
            self.clock, self.web, Oidc(**options), Secret(b"se:cret"), lambda: NOW
        )
        self.clock.advance(1000)
        return made

    def judge(self, provider, one):
        return self.successResultOf(Deferred.fromCoroutine(provider.judge(one)))

    def refuse(self, provider, one, fault=AuthFailed):
        wait = Deferred.fromCoroutine(provider.judge(one))
        return self.failureResultOf(wait, fault).value

    def test_a_token_that_the_provider_signed_names_its_bearer(self):
        provider = self.provider()
        self.assertEqual(self.judge(provider, token()), ("ann@example.test",))
        self.assertEqual(self.judge(provider, token()), ("ann@example.test",))
        self.assertEqual(len(self.web.asked), 2, "the keys were kept")

    def test_every_other_token_is_refused(self):
        stranger = rsa.generate_private_key(65537, 2048)
        public = b"-" * 40
        for one, why in [
            (token(exp=1), "expired"),
            (token(exp=None), "never ends"),
            (token(nbf=ENDS - 1), "not yet"),
            (token(iss="https://evil.test"), "another issuer"),
            (token(iss=None), "no issuer"),
            (token(aud="web"), "for another audience"),
            (token(aud=None), "for nobody"),
            (token(key=stranger), "signed by a stranger under a known name"),
            (token(key=public, algorithm="HS256"), "a public key as a password"),
            (Secret(jwt.encode({}, None, "none").encode()), "not signed"),
            (token(algorithm="RS512"), "an algorithm that is not on the list"),
            (token(email=None), "no name"),
            (token(email=["ann@example.test"]), "a name that is no text"),
            (token(email_verified=False), "an address that nobody verified"),
            (Secret(b"abc"), "no JWT"),
            (Secret(b"a.b.c"), "hardly a JWT"),
        ]:
            with self.subTest(why):
                provider = self.provider()
                self.refuse(provider, one)

    def test_a_scope_may_be_demanded(self):
        provider = self.provider(scope="mail")
        self.refuse(provider, token(scope="web mailbox"))
        self.judge(provider, token(scope="web mail"))
        self.judge(provider, token(scp=["mail"]))

    def test_a_new_key_is_fetched_when_a_token_names_it(self):
        provider = self.provider()
        self.judge(provider, token())
        self.web.answers[f"{ISSUER}/keys"] = jwks("one", "two")
        self.refuse(provider, token("two")), "asked a moment ago"
        self.clock.advance(REST_S)
        self.judge(provider, token("two"))
        asked = len(self.web.asked)
        self.refuse(provider, token("none", KEYS["one"]))
        self.refuse(provider, token("none", KEYS["one"]))
        self.assertEqual(len(self.web.asked), asked, "no flood for invented names")

    def test_a_key_that_was_taken_back_counts_no_more(self):
        provider = self.provider(keys_s=60.0)
        self.judge(provider, token())
        self.web.answers[f"{ISSUER}/keys"] = jwks("two")
        self.clock.advance(60)
        self.refuse(provider, token())

    def test_while_the_provider_is_down_old_keys_count_and_new_ones_wait(self):
        provider = self.provider(keys_s=60.0)
        self.judge(provider, token())
        self.web.answers[f"{ISSUER}/keys"] = ConnectionRefusedError()
        self.clock.advance(60)
        self.judge(provider, token())
        self.refuse(provider, token("two"), AuthUnavailable)

    def test_down_from_the_start_is_no_refusal(self):
        provider = self.provider()
        for wrong in (ConnectionRefusedError(), {"keys": []}, {"keys": 1}, []):
            self.clock.advance(REST_S)
            self.web.answers[f"{ISSUER}/keys"] = wrong
            self.refuse(provider, token(), AuthUnavailable)

    def test_a_provider_that_calls_itself_otherwise_is_not_believed(self):
        provider = self.provider()
        place = f"{ISSUER}/.well-known/openid-configuration"
        self.web.answers[place]["issuer"] = "https://evil.test"
        self.refuse(provider, token(), AuthUnavailable)

    def test_one_request_serves_all_who_wait_and_none_may_end_it(self):
        provider = self.provider(keys=f"{ISSUER}/keys")
        self.web.waiting = []
        first, second = (
            Deferred.fromCoroutine(provider.judge(token())) for _ in range(2)
        )
        first.cancel()
        self.failureResultOf(first)
        (request,) = self.web.waiting
        request.callback(Response(200, json.dumps(jwks("one")).encode()))
        self.assertEqual(self.successResultOf(second), ("ann@example.test",))

    def test_silence_ends_in_time(self):
        provider = self.provider(keys=f"{ISSUER}/keys", timeout_s=5.0)
        self.web.waiting = []
        wait = Deferred.fromCoroutine(provider.judge(token()))
        self.clock.advance(4.9)
        self.assertNoResult(wait)
        self.clock.advance(0.2)
        self.failureResultOf(wait, AuthUnavailable)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_introspection_asks_with_our_name_and_believes_only_active_tokens(self):
        url = f"{ISSUER}/introspect"
        provider = self.provider(introspection=url, client_id="m x")
        good = {"active": True, "aud": [AUDIENCE], "email": "ann@example.test"}
        self.web.answers[url] = good
        self.assertEqual(self.judge(provider, Secret(b"opaque")), ("ann@example.test",))
        ((method, _, headers, said),) = self.web.asked
        self.assertEqual(method, b"POST")
        self.assertEqual(parse_qs(b"".join(said).decode())["token"], ["opaque"])
        login = headers.getRawHeaders("authorization")[0].removeprefix("Basic ")
        self.assertEqual(b64decode(login), b"m%20x:se%3Acret")
        for told, fault in [
            (good | {"active": False}, AuthFailed),
            (good | {"active": "true"}, AuthFailed),
            (good | {"exp": NOW - 60}, AuthFailed),
            (good | {"aud": "web"}, AuthFailed),
            (good | {"iss": "https://evil.test"}, AuthFailed),
            (good | {"exp": "soon"}, AuthUnavailable),
            ([], AuthUnavailable),
            (ConnectionRefusedError(), AuthUnavailable),
        ]:
            with self.subTest(told):
                self.web.answers[url] = told
                self.refuse(provider, Secret(b"opaque"), fault)
