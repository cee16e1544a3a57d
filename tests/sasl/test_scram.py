"""Tests for mailtwist.sasl.scram, with scramp as the client."""

from base64 import b64decode, b64encode

from hypothesis import given, settings
from hypothesis import strategies as st
from scramp import ScramClient, ScramException
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import AuthFailed, MailError, SyntaxFault
from mailtwist.sasl.scram import HASHES, ScramServer, keys_for

SALT = b"0123456789abcdef"
FAST = 4096  # iterations; the least that scramp takes


def client(password, mechanism="SCRAM-SHA-256", user="ann@example.test"):
    return ScramClient([mechanism], user, password)


def talk(peer, keys, mechanism="SCRAM-SHA-256"):
    """A whole exchange; the user name that the server saw."""
    server = ScramServer(mechanism, b"servernonce")
    user = server.client_first(peer.get_client_first().encode())
    peer.set_server_first(server.server_first(keys).decode())
    peer.set_server_final(
        server.client_final(peer.get_client_final().encode()).decode()
    )
    return user


class ExampleTests(SynchronousTestCase):
    def test_the_examples_of_the_RFCs(self):
        for mechanism, salt, nonces, proof, answer in [
            (
                "SCRAM-SHA-256",  # RFC 7677 §3
                "W22ZaJ0SNY7soEsUEjb6gQ==",
                ("rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"),
                "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
            (
                "SCRAM-SHA-1",  # RFC 5802 §5
                "QSXCR+Q6sek8bf92",
                ("fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j"),
                "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ),
        ]:
            keys = keys_for(mechanism, b"pencil", b64decode(salt), 4096)
            server = ScramServer(mechanism, nonces[1].encode())
            first = f"n,,n=user,r={nonces[0]}".encode()
            self.assertEqual(server.client_first(first), "user")
            nonce = "".join(nonces)
            self.assertEqual(
                server.server_first(keys).decode(), f"r={nonce},s={salt},i=4096"
            )
            final = f"c=biws,r={nonce},p={proof}".encode()
            self.assertEqual(server.client_final(final).decode(), f"v={answer}")


class PeerTests(SynchronousTestCase):
    def test_another_implementation_logs_in(self):
        for mechanism in HASHES:
            keys = keys_for(mechanism, b"s3cret", SALT, FAST)
            self.assertEqual(
                talk(client("s3cret", mechanism), keys, mechanism), "ann@example.test"
            )

    def test_a_wrong_password_fails(self):
        keys = keys_for("SCRAM-SHA-256", b"s3cret", SALT, FAST)
        self.assertRaises(AuthFailed, talk, client("wrong"), keys)

    def test_a_client_sees_a_server_that_does_not_know_the_password(self):
        keys = keys_for("SCRAM-SHA-256", b"s3cret", SALT, FAST)
        peer = client("s3cret")
        server = ScramServer("SCRAM-SHA-256", b"n")
        server.client_first(peer.get_client_first().encode())
        peer.set_server_first(server.server_first(keys).decode())
        peer.get_client_final()
        self.assertRaises(
            ScramException, peer.set_server_final, "v=" + b64encode(SALT * 2).decode()
        )

    @given(
        user=st.text(
            st.sampled_from("an,=@+ \u00e9\u00fc\u4e2d"), min_size=1, max_size=9
        ),
        password=st.text(
            st.sampled_from("pw,=\0 \u00e9\u00a0\u2168\ufb01"), min_size=1, max_size=9
        ),
    )
    @settings(max_examples=25, deadline=None)
    def test_names_and_passwords_cross_as_they_are_prepared(self, user, password):
        try:
            peer = client(password, user=user)
        except ScramException:  # a control character
            return
        keys = keys_for("SCRAM-SHA-256", password.encode(), SALT, FAST)
        self.assertEqual(talk(peer, keys), user)


def first(message):
    return ScramServer("SCRAM-SHA-256", b"n").client_first(message)


class GrammarTests(SynchronousTestCase):
    def test_first_messages(self):
        for message, user in [
            (b"n,,n=ann,r=c", "ann"),
            (b"y,,n=ann,r=c", "ann"),
            (b"n,a=ann,n=ann,r=c", "ann"),
            (b"n,,n=a=2Cb=3Dc,r=c", "a,b=c"),
            (b"n,,n=ann,r=c,x=extension", "ann"),
        ]:
            self.assertEqual(first(message), user, message)

    def test_faults_in_first_messages(self):
        for message, fault, why in [
            (b"", SyntaxFault, "nothing"),
            (b"n,,n=ann", SyntaxFault, "no nonce"),
            (b"n,,n=,r=c", SyntaxFault, "no user"),
            (b"n,,r=c,n=ann", SyntaxFault, "order matters"),
            (b"n,,m=x,n=ann,r=c", SyntaxFault, "a mandatory extension"),
            (b"p=tls-unique,,n=ann,r=c", SyntaxFault, "channel binding, not offered"),
            (b"n,,n=a=b,r=c", SyntaxFault, "= must be =3D"),
            (b"n,,n=a=2cb,r=c", SyntaxFault, "hexadecimal digits in upper case"),
            (b"n,,n=ann,r=a b", SyntaxFault, "a space in the nonce"),
            (b"n,,n=\xff,r=c", SyntaxFault, "not UTF-8"),
            (b"n,a=bob,n=ann,r=c", AuthFailed, "acting for another"),
        ]:
            with self.assertRaises(fault, msg=why):
                first(message)

    def test_faults_in_final_messages(self):
        keys = keys_for("SCRAM-SHA-256", b"pw", SALT, FAST)
        proof = b64encode(bytes(32))
        for message, fault, why in [
            (b"", SyntaxFault, "nothing"),
            (b"c=biws,r=cn", SyntaxFault, "no proof"),
            (b"c=biws,r=cn,p=!", SyntaxFault, "no base64"),
            (b"c=b,r=cn,p=" + proof, SyntaxFault, "bad base64"),
            (b"c=biws,r=cn,p=" + proof + b",x=1", SyntaxFault, "the proof is last"),
            (b"c=eSws,r=cn,p=" + proof, AuthFailed, "the header was n,, and not y,,"),
            (b"c=biws,r=cN,p=" + proof, AuthFailed, "another nonce"),
            (b"c=biws,r=c,p=" + proof, AuthFailed, "only the client's nonce"),
            (b"c=biws,r=cn,p=AAAA", AuthFailed, "a short proof"),
            (b"c=biws,r=cn,p=" + proof, AuthFailed, "a wrong proof"),
        ]:
            server = ScramServer("SCRAM-SHA-256", b"n")
            server.client_first(b"n,,n=ann,r=c")
            server.server_first(keys)
            with self.assertRaises(fault, msg=why):
                server.client_final(message)

    @given(st.binary(max_size=80), st.sampled_from([b"", b"n,,n=", b"c=biws,r=cn,p="]))
    @settings(deadline=None)
    def test_arbitrary_octets_raise_only_MailError(self, octets, start):
        keys = keys_for("SCRAM-SHA-256", b"pw", SALT, 1)
        server = ScramServer("SCRAM-SHA-256", b"n")
        for step in (server.client_first, server.client_final):
            try:
                step(start + octets)
            except MailError:
                server.client_first(b"n,,n=ann,r=c")
            server.server_first(keys)

    def test_no_repr_shows_the_keys(self):
        keys = keys_for("SCRAM-SHA-256", b"pw", SALT, FAST)
        self.assertNotIn(repr(keys.server_key), repr(keys))
        self.assertNotIn(repr(keys.stored_key), repr(keys))


class ChannelBindingTests(SynchronousTestCase):
    """SCRAM-PLUS, and the flag by which a client says what it was told."""

    DATA = b"what only the two ends of this connection know"

    def bindings(self, kind):
        return {"tls-server-end-point": self.DATA}.get(kind)

    def server(self, mechanism="SCRAM-SHA-256-PLUS", offered=True):
        return ScramServer(
            mechanism, b"servernonce", self.bindings if offered else None
        )

    def bound(self, data, **options):
        """A client's whole exchange on a connection with this binding."""
        peer = ScramClient(
            ["SCRAM-SHA-256-PLUS"],
            "ann@example.test",
            "s3cret",
            channel_binding=("tls-server-end-point", data),
        )
        server = self.server(**options)
        server.client_first(peer.get_client_first().encode())
        keys = keys_for("SCRAM-SHA-256", b"s3cret", SALT, FAST)
        peer.set_server_first(server.server_first(keys).decode())
        answer = server.client_final(peer.get_client_final().encode())
        peer.set_server_final(answer.decode())

    def test_another_implementation_binds_its_login_to_the_connection(self):
        self.bound(self.DATA)

    @given(data=st.binary(min_size=1, max_size=64))
    @settings(deadline=None, max_examples=20)
    def test_a_login_that_is_passed_on_from_another_connection_fails(self, data):
        if data != self.DATA:
            self.assertRaises(AuthFailed, self.bound, data)

    def test_what_a_client_may_say_of_channel_binding(self):
        plus, plain = "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"
        for mechanism, offered, flag, fault, reason in [
            (plain, True, "n", None, "a client that knows no binding"),
            (plain, False, "y", None, "it was told of no -PLUS, and there is none"),
            (plain, True, "y", AuthFailed, "somebody took -PLUS off the list"),
            (
                plain,
                True,
                "p=tls-server-end-point",
                SyntaxFault,
                "a binding without -PLUS",
            ),
            (plus, True, "p=tls-server-end-point", None, "as it should be"),
            (plus, True, "n", SyntaxFault, "-PLUS without a binding"),
            (plus, True, "y", SyntaxFault, "-PLUS, and told of none"),
            (plus, True, "p=tls-unique", AuthFailed, "not to be had here"),
            (plus, True, "p=x", AuthFailed, "an unknown type"),
            (plus, True, "p=", SyntaxFault, "no type"),
        ]:
            first = f"{flag},,n=ann,r=cnonce".encode()
            server = self.server(mechanism, offered)
            if fault is None:
                self.assertEqual(server.client_first(first), "ann", reason)
            else:
                self.assertRaises(fault, server.client_first, first)
