"""Tests for mailtwist.store.maildir.extracting: text of attachments in the index."""

import zipfile
from base64 import encodebytes
from email.message import EmailMessage
from io import BytesIO

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from mailtwist.config.searching import Search
from mailtwist.mailbox.search import search
from mailtwist.search_key import Body, Fuzzy, Header, Not, Text

from .test_indexing import World, no_pause

PDFTOTEXT = ("pdftotext", "-enc", "UTF-8", "-", "-")
ODT = "application/vnd.oasis.opendocument.text"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
DOCX2TXT = ("docx2txt", "-", "-")
ODT2TXT = ("odt2txt", "--encoding=UTF-8", "/dev/stdin")


def pdf(words):
    """A page with these words."""
    drawn = f"BT /F 12 Tf 72 720 Td ({words}) Tj ET".encode()
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    made, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(made)
    made += b"xref\n0 6\n0000000000 65535 f \n"
    made += b"".join(b"%010d 00000 n \n" % at for at in places)
    made += b"trailer\n<< /Root 1 0 R /Size 6 >>\nstartxref\n%d\n%%%%EOF\n" % start
    return bytes(made)


def odt(words):
    text = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
    office = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
    content = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<o:document-content xmlns:o="{office}" xmlns:text="{text}"><o:body><o:text>'
        f"<text:p>{words}</text:p></o:text></o:body></o:document-content>"
    )
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("mimetype", ODT)
        archive.writestr("content.xml", content)
    return made.getvalue()


def docx(words):
    kind = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    content = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<w:document xmlns:w="{kind}"><w:body><w:p><w:r><w:t>{words}</w:t></w:r></w:p>'
        "</w:body></w:document>"
    )
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/_rels/document.xml.rels", "<Relationships/>")
        archive.writestr("word/document.xml", content)
    return made.getvalue()


def mail(body, *attached):
    """A message with parts (media type, octets)."""
    message = EmailMessage()
    message["Subject"] = "with something"
    message.set_content(body)
    for kind, octets in attached:
        main, _, sub = kind.partition("/")
        message.add_attachment(octets, maintype=main, subtype=sub)
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def search_of(**commands):
    """`pdf`, `x` and so on for application/..."""
    extract = {f"application/{kind}": words for kind, words in commands.items()}
    return Search(index="manual", extract=extract, extract_timeout_s=10.0)


class Extracting(World, TestCase):
    timeout = 60
    how = search_of(pdf=PDFTOTEXT)

    def setUp(self):
        self.told = []
        globalLogPublisher.addObserver(self.told.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.told.append)
        return super().setUp()

    def faults(self):
        return [
            formatEvent(event).rpartition("UID ")[2]
            for event in self.told
            if "no text of" in str(event.get("log_format"))
        ]

    async def finds(self, key):
        mailbox = await self.open()
        uids = (await mailbox.rows()).uids
        return await search(mailbox, key, uids, recent=(), pause=no_pause)

    async def extracts(self, *uids):
        return await (await self.open()).text_extracts(uids)


class WhatIsFoundTests(Extracting):
    async def test_fuzzy_searches_find_the_text_of_a_pdf(self):
        await self.put(octets=mail("see there", ("application/pdf", pdf("Lighthouse"))))
        await self.put(octets=mail("nothing"))
        self.assertEqual((await self.index()).added, 2)
        for key, want in [
            (Body("lighthouse"), [1]),
            (Text("lighthouse"), [1]),
            (Text("lighthuose"), [1]),
            (Body("lighthouse there"), [1]),
            (Header("subject", "lighthouse"), []),
            (Body("elsewhere"), []),
        ]:
            self.assertEqual(await self.finds(Fuzzy(key)), want, key)

    async def test_exact_searches_find_the_same_with_and_without_it(self):
        await self.put(octets=mail("see there", ("application/pdf", pdf("Lighthouse"))))
        await self.put(octets=mail("lighthouse"))
        keys = (Body("lighthouse"), Text("LIGHT"), Not(Body("lighthouse")))
        before = [await self.finds(key) for key in keys]
        self.assertEqual(before, [[2], [2], [1]])
        await self.index()
        self.assertEqual([await self.finds(key) for key in keys], before)

    async def test_in_a_large_mailbox_the_index_names_them(self):
        for number in range(120):
            await self.put(octets=mail(f"number {number}"))
        await self.put(octets=mail("see there", ("application/pdf", pdf("Lighthouse"))))
        await self.index()
        self.assertEqual(await self.finds(Fuzzy(Body("lighthuose"))), [121])
        self.assertEqual(await self.finds(Body("lighthouse")), [])

    async def test_it_goes_with_its_message(self):
        await self.put(octets=mail("one", ("application/pdf", pdf("Lighthouse"))))
        await self.put(octets=mail("two", ("application/pdf", pdf("Lantern"))))
        await self.index()
        mailbox = await self.open()
        await mailbox.expunge([1])
        await self.index()
        self.assertEqual(await self.extracts(1, 2), [None, "lantern\n\n\f"])

    async def test_parts_of_parts_and_their_number(self):
        self.store.indexer._extractor._config = search_of(x=("cat",))
        many = [("application/x", f"word{number} ".encode()) for number in range(12)]
        inner = EmailMessage()
        inner["Subject"] = "inside"
        inner.set_content("x")
        inner.add_attachment(b"deep", maintype="application", subtype="x")
        outer = EmailMessage()
        outer.set_content("y")
        outer.add_attachment(inner)
        await self.put(octets=mail("many", *many))
        await self.put(octets=outer.as_bytes().replace(b"\n", b"\r\n"))
        await self.index()
        first, second = await self.extracts(1, 2)
        self.assertEqual(first.split("\uffff"), [f"word{n} " for n in range(8)])
        self.assertEqual(second, "deep")

    async def test_nothing_is_run_for_other_types_and_large_parts(self):
        how = search_of(x=("sh", "-c", "echo run"))
        self.store.indexer._extractor._config = Search(
            index="manual", extract=how.extract, extract_part_octets=1024
        )
        await self.put(octets=mail("a", ("application/y", b"1")))
        await self.put(octets=mail("b", ("application/x", b"1" * 4000)))
        await self.put(octets=mail("c", ("application/x", b"1")))
        await self.index()
        self.assertEqual(await self.extracts(1, 2, 3), [None, None, "run\n"])


class OfficeTests(Extracting):
    how = Search(index="manual", extract={ODT: ODT2TXT, DOCX: DOCX2TXT})

    async def test_programs_that_need_a_file(self):
        await self.put(octets=mail("see", (ODT, odt("Leuchtt\xfcrme"))))
        await self.put(octets=mail("see", (DOCX, docx("R\xfcckw\xe4rts"))))
        await self.index()
        self.assertEqual(await self.finds(Fuzzy(Body("LEUCHTT\xdcRME"))), [1])
        self.assertEqual(await self.finds(Fuzzy(Body("r\xfcckw\xe4rts"))), [2])
        self.assertEqual(self.faults(), [])


class FaultTests(Extracting):
    async def with_command(self, script, *, timeout_s=10.0, parts=1):
        """How a message with such parts is indexed."""
        self.store.indexer._extractor._config = Search(
            index="manual",
            extract={"application/x": ("sh", "-c", script)},
            extract_timeout_s=timeout_s,
            extract_octets=1024,
        )
        await self.put(octets=mail("apple", *[("application/x", b"abc")] * parts))
        return await self.index()

    async def test_a_message_counts_as_indexed_without_it(self):
        for uid, (script, timeout_s, want) in enumerate(
            [
                ("exit 3", 10.0, "it ended with status 3"),
                ("kill -SEGV $$", 10.0, "it was ended by signal 11"),
                ("sleep 1000", 1.0, "it took longer than 1 s"),
                ("f() { f | f & }; f; sleep 1000", 1.0, "it took longer than 1 s"),
            ],
            1,
        ):
            done = await self.with_command(script, timeout_s=timeout_s, parts=3)
            self.assertEqual(done.added, 1, script)
            fault = f"{uid}: no text of application/x: {want}"
            self.assertEqual(self.faults(), [fault], "told once for a message")
            self.assertEqual(await self.extracts(uid), [None], script)
            self.assertEqual((await self.found("apple"))[0], list(range(1, uid + 1)))
            self.told.clear()
            self.assertEqual((await self.index()).added, 0, "it is not tried again")
            self.assertEqual(self.faults(), [])

    async def test_of_a_flood_the_beginning_counts(self):
        await self.with_command("yes", parts=2)
        self.assertEqual(await self.extracts(1), ["y\n" * 512])
        self.assertEqual(self.faults(), [])

    async def test_octets_that_are_no_text(self):
        await self.with_command(r"printf 'a\000b\377c'")
        self.assertEqual(await self.extracts(1), ["a\uffffb\ufffdc"])
        self.assertEqual(await self.finds(Fuzzy(Body("apple"))), [1])

    async def test_a_pdf_that_is_none(self):
        self.store.indexer._extractor._config = search_of(pdf=PDFTOTEXT)
        await self.put(octets=mail("apple", ("application/pdf", b"%PDF-1.4 garbage")))
        self.assertEqual((await self.index()).added, 1)
        (fault,) = self.faults()
        self.assertIn("no text of application/pdf: it ended with status 1", fault)

    async def test_base64_that_is_none(self):
        octets = mail("apple", ("application/x", b"abc"))
        self.store.indexer._extractor._config = search_of(x=("cat",))
        await self.put(octets=octets.replace(encodebytes(b"abc").strip(), b"!a=b\xff"))
        self.assertEqual((await self.index()).added, 1)
        self.assertEqual(await self.finds(Fuzzy(Body("apple"))), [1])


class StoppingTests(Extracting):
    how = Search(
        index="background",
        extract={"application/x": ("sh", "-c", "sleep 1000")},
    )

    async def test_a_server_that_stops_waits_for_no_command(self):
        await self.put(octets=mail("apple", ("application/x", b"abc")))
        await self.open()
        extractor = self.store.indexer._extractor
        for _ in range(500):
            if extractor._running is not None:
                break
            await deferLater(reactor, 0.01, lambda: None)
        since = reactor.seconds()
        await self.store.close()
        self.assertLess(reactor.seconds() - since, 5)
        self.assertEqual(self.faults(), [])
        self.how = search_of(x=("cat",))
        self.store = self.another_store()
        self.tree = self.mailboxes(self.account)
        self.assertEqual((await self.index()).added, 1, "it is indexed later")
        self.assertEqual(await self.extracts(1), ["abc"])
