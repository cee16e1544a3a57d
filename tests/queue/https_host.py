"""An HTTPS host on loopback that says what it is told."""

from twisted.internet import reactor
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

NOTHING = object()  # to be answered with silence


class Told(Resource):
    """`pages` has (status, media type, body), or NOTHING, by path; `posted` what came
    as (path, media type, octets)."""

    isLeaf = True

    def __init__(self, pages=()):
        super().__init__()
        self.pages, self.asked, self.posted = dict(pages), [], []

    def render(self, request):
        path = request.path.decode()
        self.asked.append(path)
        if request.method == b"POST":
            kind = request.getHeader("content-type")
            self.posted.append((path, kind, request.content.read()))
        found = self.pages.get(path, (404, "text/plain", b"no"))
        if found is NOTHING:
            return NOT_DONE_YET
        status, kind, body = found
        request.setResponseCode(status)
        request.setHeader("content-type", kind)
        if status in (301, 302):
            request.setHeader("location", body)
        return body


async def serve(case, pages, options):
    """(the host, its port), for a test case; `options` are those of its TLS."""
    told = Told(pages)
    site = Site(told)
    site.noisy = False
    endpoint = SSL4ServerEndpoint(reactor, 0, options, interface="127.0.0.1")
    port = await endpoint.listen(site)
    case.addCleanup(port.stopListening)
    return told, port.getHost().port
