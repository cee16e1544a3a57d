"""The client's half of DIGEST-MD5 (RFC 2831), as another implementation has it."""

import re
from hashlib import md5


def answer(challenge, user, password, uri, *, realm=None, utf8=True, authzid=b""):
    """The response to `challenge`; `realm` b"" leaves it out, None is the offered."""
    nonce = re.search(rb'nonce="([^"]*)"', challenge)[1]
    if realm is None:
        realm = re.search(rb'realm="([^"]*)"', challenge)[1]
    try:
        hashed = user.encode("latin-1"), password.encode("latin-1")
    except UnicodeEncodeError:
        hashed = user.encode(), password.encode()
    secret = md5(hashed[0] + b":" + realm + b":" + hashed[1]).digest()
    tail = b":" + authzid if authzid else b""
    a1 = md5(secret + b":" + nonce + b":cn" + tail).hexdigest().encode()
    a2 = md5(b"AUTHENTICATE:" + uri.encode()).hexdigest().encode()
    proof = md5(b":".join((a1, nonce, b"00000001", b"cn", b"auth", a2))).hexdigest()
    said = user.encode("utf-8" if utf8 else "latin-1")
    return b",".join(
        [
            b'username="%b"' % said.replace(b"\\", b"\\\\").replace(b'"', b'\\"'),
            b'nonce="%b",cnonce="cn",nc=00000001,qop=auth' % nonce,
            b'digest-uri="%b",response=%b' % (uri.encode(), proof.encode()),
            *([b"charset=utf-8"] if utf8 else []),
            *([b'realm="%b"' % realm] if realm else []),
            *([b'authzid="%b"' % authzid] if authzid else []),
        ]
    )
