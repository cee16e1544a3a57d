"""Tests for mailtwist.directory.userdb, hashes and key_file, on real files."""

import hashlib
import os
import sqlite3
import stat
import time
from base64 import b64encode
from importlib import resources
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.config.model import Auth, Server
from mailtwist.directory.app_passwords import (
    SEEN_NS,
    AppPasswordExists,
    NoSuchAppPassword,
)
from mailtwist.directory.hashes import Hashes
from mailtwist.directory.hashes_crypt import crypt
from mailtwist.directory.key_file import KeyFile
from mailtwist.directory.user_directory import offers
from mailtwist.directory.user_rows import OFFERS, Imported
from mailtwist.directory.userdb import AccountExists, NoSuchAccount, UserDb
from mailtwist.errors import AuthFailed, BadAddress, BadParameter, ConfigError
from mailtwist.secret import Secret
from tests.auth.rooms import FAST, configured

ANN = Address("ann", "example.test")
PASSWORD = b"s3cret"


class UserDbTestCase(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.config = configured(self.folder)
        self.db = self.opened()

    def opened(self, config=None, **more):
        db = UserDb(config or self.config, **more)
        self.addCleanup(db.close)
        return db

    def configured(self, **auth):
        return evolve(self.config, auth=Auth(**{**FAST, **auth}))


class AccountTests(UserDbTestCase):
    def test_an_account_is_found_again(self):
        made = self.db.add(
            ANN, PASSWORD, storage_limit_octets=9, send_as=["b@x.test", "a@x.test"]
        )
        self.assertEqual(made.name, "ann@example.test")
        self.assertEqual(made.home, str(self.folder / "mail/example.test/ann"))
        for name in ("ann@example.test", "ANN@Example.Test", "ann"):
            self.assertEqual(self.opened().account(name).account, made, name)
        self.assertIsNone(self.db.account("bob@example.test"))

    def test_odd_addresses(self):
        for text, home in [
            ('"odd name"@example.test', "mail/example.test/odd%20name"),
            ("J\u00fcrgen@b\u00fccher.test", "mail/xn--bcher-kva.test/j%C3%BCrgen"),
            ('".."@example.test', "mail/example.test/%2E."),
            ('"a/b"@example.test', "mail/example.test/a%2Fb"),
        ]:
            made = self.db.add(Address.parse(text), PASSWORD)
            self.assertEqual(made.home, str(self.folder / home))
            self.assertEqual(self.db.account(text.upper()).account, made)

    def test_two_accounts_of_one_name(self):
        self.db.add(ANN, PASSWORD)
        for text in ("ann@example.test", "ANN@EXAMPLE.TEST"):
            self.assertRaises(AccountExists, self.db.add, Address.parse(text), b"other")
        self.assertIsNotNone(self.db.verify("ann", PASSWORD))

    def test_a_name_without_domain_is_known_only_if_unique(self):
        self.db.add(ANN, PASSWORD)
        self.db.add(Address("ann@x", "example.test"), PASSWORD)
        self.assertEqual(self.db.account("ann").account.name, "ann@example.test")
        self.db.add(Address("ann", "b\u00fccher.test"), PASSWORD)
        self.assertIsNone(self.db.account("ann"))

    def test_what_is_no_account(self):
        self.assertRaises(BadAddress, self.db.add, Address("ann"), PASSWORD)
        for password in (b"", b"x" * 1025):
            self.assertRaises(AuthFailed, self.db.add, ANN, password)
        self.assertEqual(self.db.accounts(), [])

    def test_change_and_remove(self):
        made = self.db.add(ANN, PASSWORD)
        wanted = evolve(
            made, storage_limit_octets=5, enabled=False, send_as=frozenset({"@x.test"})
        )
        self.db.change(wanted)
        self.assertEqual(self.db.account("ann").account, wanted)
        self.assertEqual(self.db.remove("ANN@example.test"), wanted)
        for change in [
            lambda: self.db.remove("ann"),
            lambda: self.db.change(made),
            lambda: self.db.set_password("ann", b"new"),
        ]:
            self.assertRaises(NoSuchAccount, change)
        self.assertIsNone(self.db.scram_keys("ann", "SCRAM-SHA-256"))

    def test_the_first_account_is_the_one_made_first(self):
        self.assertIsNone(self.db.first_account())
        zoe = self.db.add(Address("zoe", "example.test"), PASSWORD)
        self.db.add(ANN, PASSWORD)
        self.assertEqual(self.db.first_account(), zoe)
        self.db.change(evolve(zoe, enabled=False))
        self.assertEqual(self.db.first_account().name, "ann@example.test")

    def test_a_moved_data_folder_moves_the_homes(self):
        self.db.add(ANN, PASSWORD)
        self.db.close()
        moved = self.folder.with_name("moved")
        self.folder.rename(moved)
        row = self.opened(configured(moved)).account("ann")
        self.assertEqual(row.account.home, str(moved / "mail/example.test/ann"))


class PasswordTests(UserDbTestCase):
    def test_right_and_wrong(self):
        self.db.add(ANN, PASSWORD)
        self.assertEqual(self.db.verify("Ann", PASSWORD).name, "ann@example.test")
        self.assertFalse(self.db.verify("ann", PASSWORD).stale)
        self.assertIsNone(self.db.verify("ann", b"S3cret"))
        self.assertIsNone(self.db.verify("bob", PASSWORD))

    def test_spellings_of_one_password(self):
        self.db.add(ANN, "caf\u00e9\u00a0".encode())
        self.assertIsNotNone(self.db.verify("ann", "cafe\u0301 ".encode()))

    def test_a_disabled_account(self):
        made = self.db.add(ANN, PASSWORD, keep_secret=True)
        self.db.change(evolve(made, enabled=False))
        self.assertIsNone(self.db.verify("ann", PASSWORD))
        self.assertIsNone(self.db.scram_keys("ann", "SCRAM-SHA-256"))
        self.assertIsNone(self.db.secret("ann")[0])

    def test_one_hash_is_computed_whoever_is_asked_for(self):
        made = self.db.add(ANN, PASSWORD)
        self.db.change(evolve(made, enabled=False))
        computed = []
        fits = self.db._hashes.fits
        self.patch(
            self.db._hashes,
            "fits",
            lambda hashed, password: computed.append(hashed) or fits(hashed, password),
        )
        for name in ("ann", "nobody", "nobody@example.test", "no address <"):
            self.assertIsNone(self.db.verify(name, PASSWORD))
        parameters = {hashed.rsplit("$", 2)[0] for hashed in computed}
        self.assertEqual((len(computed), len(parameters)), (4, 1))

    def test_nothing_can_be_read_from_the_database(self):
        self.db.add(ANN, b"hunter2-unique", keep_secret=True)
        self.db.close()
        for path in self.folder.glob("*"):
            self.assertNotIn(b"hunter2-unique", path.read_bytes(), path)

    def test_reprs_show_no_hash(self):
        self.db.add(ANN, PASSWORD, keep_secret=True)
        shown = f"{self.db.account('ann')} {self.db.verify('ann', PASSWORD)}"
        self.assertNotIn("argon2", shown)

    def test_a_new_password(self):
        self.db.add(ANN, PASSWORD, keep_secret=True)
        self.db.set_password("ann", b"new")
        self.assertIsNone(self.db.verify("ann", PASSWORD))
        self.assertIsNotNone(self.db.verify("ann", b"new"))
        self.assertEqual(self.db.secret("ann"), ("ann@example.test", b"new"))
        self.db.set_password("ann", b"newer", keep_secret=False)
        self.assertFalse(self.db.account("ann").keeps_secret)
        self.assertFalse(offers(str(self.db.path)).keeps_secrets)
        self.db.set_password("ann", b"newest", keep_secret=True)
        self.assertTrue(offers(str(self.db.path)).keeps_secrets)


class RenewTests(UserDbTestCase):
    def test_other_parameters_make_hash_and_keys_stale_until_renewed(self):
        self.db.add(ANN, PASSWORD, keep_secret=True)
        for auth in (
            {"argon2_passes": 2},
            {"argon2_memory_kib": 9000},
            {"scram_iterations": 100_001},
            {"scram_sha1": True},
            {"scram_sha1": False},
        ):
            db = self.opened(self.configured(**auth))
            verified = db.verify("ann", PASSWORD)
            self.assertTrue(verified.stale, auth)
            self.assertTrue(db.renew(verified, PASSWORD))
            self.assertFalse(db.verify("ann", PASSWORD).stale, auth)
            self.assertEqual(db.secret("ann"), ("ann@example.test", PASSWORD))
            sha1 = db.scram_keys("ann", "SCRAM-SHA-1")
            self.assertEqual(sha1 is not None, auth.get("scram_sha1", False))
            keys = db.scram_keys("ann", "SCRAM-SHA-256")[1]
            self.assertEqual(keys.iterations, auth.get("scram_iterations", 100_000))

    def test_a_password_changed_meanwhile_is_not_undone(self):
        self.db.add(ANN, PASSWORD)
        old = self.db.verify("ann", PASSWORD)
        self.db.set_password("ann", b"new")
        self.assertFalse(self.db.renew(old, PASSWORD))
        self.assertIsNotNone(self.db.verify("ann", b"new"))
        self.db.remove("ann")
        self.assertFalse(self.db.renew(old, PASSWORD))


class SettingsTests(UserDbTestCase):
    def test_everything_that_may_be_set_is_found_again(self):
        made = self.db.add(
            ANN, PASSWORD, uses=frozenset(), message_limit=7, login_until_s=1.5
        )
        self.assertEqual(self.db.account("ann").account, made)
        wanted = evolve(
            made,
            uses=frozenset({"pop3", "receive"}),
            message_limit=None,
            login_until_s=None,
            mailbox="M/",
            uid=1001,
            gid=100,
            groups=frozenset({"team", "sales"}),
        )
        self.db.change(wanted)
        self.assertEqual(self.db.account("ann").account, wanted)

    def test_a_file_of_schema_1_is_upgraded_with_all_it_has(self):
        made = self.db.add(ANN, PASSWORD, keep_secret=True, storage_limit_octets=9)
        self.db.close()
        raw = sqlite3.connect(self.db.path, isolation_level=None)
        first = resources.files("mailtwist.directory") / "schema/001.sql"
        rows = {
            table: raw.execute(f"SELECT {columns} FROM {table}").fetchall()
            for table, columns in [
                (
                    "accounts",
                    "key, name, home, hash, secret, storage_limit, enabled, send_as,"
                    " made_at_ns",
                ),
                ("scram", "*"),
            ]
        }
        raw.execute("PRAGMA foreign_keys=OFF")
        for table in ("app_passwords", "scram", "accounts"):
            raw.execute(f"DROP TABLE {table}")
        raw.executescript(first.read_text())
        for table, found in rows.items():
            marks = ", ".join("?" * len(found[0]))
            raw.executemany(f"INSERT INTO {table} VALUES ({marks})", found)
        raw.execute("PRAGMA user_version=1")
        raw.close()
        db = self.opened()
        self.assertEqual(db.account("ann").account, made)
        self.assertFalse(db.verify("ann", PASSWORD).stale)
        self.assertEqual(db.secret("ann"), ("ann@example.test", PASSWORD))
        self.assertEqual(db.app_passwords("ann"), [])


class AppPasswordTests(UserDbTestCase):
    def setUp(self):
        super().setUp()
        self.db.add(ANN, PASSWORD)

    def test_it_lets_in_as_typed_and_the_password_still_does(self):
        shown = self.db.add_app_password("Ann", "phone")
        self.assertRegex(shown, "^([a-z2-9]{4}-){5}[a-z2-9]{4}$")
        for typed in (shown, shown.replace("-", ""), shown.upper().replace("-", " ")):
            verified = self.db.verify("ann", typed.encode(), "imap4")
            self.assertEqual((verified.app.name, verified.stale), ("phone", False))
        self.assertIsNone(self.db.verify("ann", PASSWORD).app)

    def test_it_is_good_for_its_own_protocols_and_its_own_account(self):
        shown = self.db.add_app_password("ann", "tv", frozenset({"imap4"})).encode()
        self.db.add(Address("bob", "example.test"), PASSWORD)
        for name, protocol, right in [
            ("ann", "imap4", True),
            ("ann", "pop3", False),
            ("ann", "submission", False),
            ("ann", "", False),
            ("bob", "imap4", False),
            ("nobody", "imap4", False),
        ]:
            verified = self.db.verify(name, shown, protocol)
            self.assertEqual(verified is not None, right, (name, protocol))

    def test_use_is_noted(self):
        shown = self.db.add_app_password("ann", "phone").encode()
        app = self.db.verify("ann", shown).app
        self.assertTrue(app.unseen(time.time_ns()))
        self.db.note_use(app)
        [app] = self.db.app_passwords("ann")
        self.assertFalse(app.unseen(app.used_at_ns + SEEN_NS - 1))
        self.assertTrue(app.unseen(app.used_at_ns + SEEN_NS))

    def test_a_revoked_one_lets_nobody_in(self):
        shown = self.db.add_app_password("ann", "phone").encode()
        other = self.db.add_app_password("ann", "desk").encode()
        self.db.remove_app_password("ann", "phone")
        self.assertIsNone(self.db.verify("ann", shown))
        self.assertIsNotNone(self.db.verify("ann", other))
        self.assertRaises(
            NoSuchAppPassword, self.db.remove_app_password, "ann", "phone"
        )
        self.db.remove("ann")
        self.db.add(ANN, PASSWORD)
        self.assertIsNone(self.db.verify("ann", other))

    def test_a_disabled_account_has_none_that_work(self):
        shown = self.db.add_app_password("ann", "phone").encode()
        self.db.change(evolve(self.db.account("ann").account, enabled=False))
        self.assertIsNone(self.db.verify("ann", shown))

    def test_what_cannot_be_added(self):
        self.db.add_app_password("ann", "phone")
        for name, called, fault in [
            ("ann", "phone", AppPasswordExists),
            ("ann", "", BadParameter),
            ("ann", "a\nb", BadParameter),
            ("ann", "x" * 65, BadParameter),
            ("bob", "phone", NoSuchAccount),
        ]:
            self.assertRaises(fault, self.db.add_app_password, name, called)

    def test_it_cannot_be_read_from_the_files_nor_moved_to_another_account(self):
        shown = self.db.add_app_password("ann", "phone")
        self.db.add(Address("bob", "example.test"), PASSWORD)
        with self.db._change() as raw:
            raw.execute("UPDATE app_passwords SET key = 'bob@example.test'")
        self.assertIsNone(self.db.verify("bob", shown.encode()))
        self.db.close()
        for path in self.folder.glob("*"):
            for text in (shown, shown.replace("-", "")):
                self.assertNotIn(text.encode(), path.read_bytes(), path)

    def test_SCRAM_would_lock_out_who_has_one(self):
        path = str(self.db.path)
        self.assertFalse(offers(path).lacks_keys)
        self.db.add_app_password("ann", "phone")
        self.assertTrue(offers(path).lacks_keys)
        self.assertTrue(offers(path).has_keys)
        self.db.change(evolve(self.db.account("ann").account, enabled=False))
        self.assertFalse(offers(path).lacks_keys)
        self.assertFalse(offers(path).has_keys)


class ImportTests(UserDbTestCase):
    def imported(self, name, hashed="", password=None):
        account = self.db.account_of(Address(name, "example.test"))
        return Imported(account, hashed, password)

    def test_hashes_of_others_fit_until_a_login_renews_them(self):
        ssha = b64encode(hashlib.sha1(PASSWORD + b"salt").digest() + b"salt").decode()
        hashes = [
            f"{{SSHA}}{ssha}",
            f"{{ARGON2ID}}{Hashes(self.config.auth).made(PASSWORD)}",
            crypt(PASSWORD, b"$6$saltsalt$").decode(),
            crypt(PASSWORD, b"$2b$04$" + b"a" * 22).decode(),
        ]
        self.db.import_accounts(
            [self.imported(f"u{at}", text) for at, text in enumerate(hashes)]
        )
        self.assertTrue(offers(str(self.db.path)).lacks_keys)
        self.assertFalse(offers(str(self.db.path)).has_keys)
        for at, text in enumerate(hashes):
            self.assertIsNone(self.db.verify(f"u{at}", b"wrong"), text)
            verified = self.db.verify(f"u{at}", PASSWORD)
            self.assertTrue(verified.stale, text)
            self.assertTrue(self.db.renew(verified, PASSWORD))
            self.assertFalse(self.db.verify(f"u{at}", PASSWORD).stale)
            self.assertIsNotNone(self.db.scram_keys(f"u{at}", "SCRAM-SHA-256"))
        self.assertFalse(offers(str(self.db.path)).lacks_keys)
        self.assertTrue(offers(str(self.db.path)).has_keys)

    def test_what_capabilities_depend_on_is_found_without_a_look_at_all_accounts(self):
        plan = self.db._connection().execute(f"EXPLAIN QUERY PLAN {OFFERS}").fetchall()
        scanned = [row[3] for row in plan if row[3].startswith("SCAN")]
        self.assertNotIn("SCAN accounts", scanned)
        self.assertIn("kept_secrets", f"{plan}")
        self.assertIn("foreign_hashes", f"{plan}")

    def test_passwords_in_clear_are_hashed_at_once(self):
        self.db.import_accounts([self.imported("bob", password=Secret(PASSWORD))])
        self.assertFalse(self.db.verify("bob", PASSWORD).stale)

    def test_all_or_none(self):
        self.db.add(ANN, PASSWORD)
        both = [self.imported("bob", "x"), self.imported("ann", "x")]
        self.assertRaises(AccountExists, self.db.import_accounts, both)
        self.assertIsNone(self.db.account("bob"))

    def test_a_hash_that_cannot_be_judged_is_no_wrong_password(self):
        self.db.import_accounts([self.imported("bob", "{NO-SUCH}x")])
        self.assertRaises(ConfigError, self.db.verify, "bob", PASSWORD)
        # What names our own kind may come from elsewhere too.
        absurd = "$argon2id$v=19$m=8388608,t=1,p=1$c2FsdHNhbHQ$YWJj"
        self.db.import_accounts([self.imported("eve", absurd)])
        self.assertRaises(ConfigError, self.db.verify, "eve", PASSWORD)

    def test_who_has_no_password_cannot_log_in(self):
        self.db.import_accounts([self.imported("bob")])
        self.assertIsNone(self.db.verify("bob", PASSWORD))
        self.assertFalse(offers(str(self.db.path)).lacks_keys)


class FileTests(UserDbTestCase):
    def test_files_are_for_their_owner_only(self):
        self.db.add(ANN, PASSWORD, keep_secret=True)
        for name in ("userdb.sqlite", "userdb.sqlite-wal", "userdb.key"):
            mode = (self.folder / name).stat().st_mode
            self.assertEqual(stat.S_IMODE(mode), 0o600, name)

    def test_the_data_folder_is_made(self):
        db = self.opened(
            evolve(self.config, server=Server(data=str(self.folder / "a/b")))
        )
        db.add(ANN, PASSWORD, keep_secret=True)
        self.assertEqual((self.folder / "a/b").stat().st_mode & 0o777, 0o700)

    def test_what_root_makes_belongs_to_the_owner_of_the_folder(self):
        if os.geteuid() == 0:
            os.chown(self.folder, 65534, 65534)
        self.db.add(ANN, PASSWORD, keep_secret=True)
        made = list(self.folder.iterdir())
        owners = {(path.stat().st_uid, path.stat().st_gid) for path in made}
        seen = self.folder.stat()
        self.assertEqual(owners, {(seen.st_uid, seen.st_gid)})
        self.assertEqual(len(made), 4, "database, -wal, -shm, key")

    def test_a_file_that_vanishes_is_a_fault_and_not_an_empty_database(self):
        self.db.add(ANN, PASSWORD)
        self.db.path.rename(self.folder / "moved")
        self.assertRaises(OSError, self.db.account, "ann")
        self.assertRaises(OSError, self.opened(create=False).account, "ann")
        (self.folder / "moved").rename(self.db.path)
        self.assertIsNotNone(self.db.account("ann"))

    def test_a_restored_file_is_opened_anew(self):
        self.db.add(ANN, PASSWORD)
        self.db.close()
        copy = self.db.path.read_bytes()
        self.db.add(Address("bob", "example.test"), PASSWORD)
        self.db.close()
        other = self.opened()
        self.assertIsNotNone(other.account("bob"))
        other.close()
        self.assertIsNotNone(self.db.account("bob"))
        restored = self.folder / "restored"
        restored.write_bytes(copy)
        for name in ("userdb.sqlite-wal", "userdb.sqlite-shm"):
            (self.folder / name).unlink()
        restored.rename(self.db.path)
        self.assertIsNone(self.db.account("bob"))
        self.assertIsNotNone(self.db.account("ann"))

    def test_a_database_of_a_newer_program_is_refused(self):
        self.db.open()
        self.db.close()
        raw = sqlite3.connect(self.db.path)
        raw.execute("PRAGMA user_version=999")
        raw.close()
        self.assertRaises(ConfigError, self.opened().open)

    def test_a_fault_in_the_middle_changes_nothing(self):
        self.db.add(ANN, PASSWORD)
        self.db._connection().execute(
            "CREATE TRIGGER no BEFORE INSERT ON scram BEGIN SELECT RAISE(FAIL, 'no');"
            " END"
        )
        self.assertRaises(sqlite3.Error, self.db.set_password, "ann", b"new")
        self.assertRaises(
            sqlite3.Error, self.db.add, Address("bob", "example.test"), b"new"
        )
        self.assertIsNotNone(self.db.verify("ann", PASSWORD))
        self.assertIsNone(self.db.account("bob"))


class HashTests(SynchronousTestCase):
    def test_nobody_has_a_hash_that_costs_the_same_and_fits_nothing(self):
        hashes = Hashes(Auth(**FAST))
        self.assertFalse(hashes.stale(hashes.nobody))
        self.assertFalse(hashes.fits(hashes.nobody, b""))
        self.assertEqual(len(hashes.made(b"x")), len(hashes.nobody))

    def test_a_broken_hash_fits_nothing(self):
        hashes = Hashes(Auth(**FAST))
        for broken in ("", "x", "$argon2id$v=19$m=1"):
            self.assertFalse(hashes.fits(broken, b"x"))


class KeyFileTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.file = KeyFile(self.folder / "key")

    def test_it_is_made_once_for_its_owner_only(self):
        first = self.file.derived(b"x").reveal()
        self.assertEqual(self.file.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(KeyFile(self.file.path).derived(b"x").reveal(), first)
        self.assertNotEqual(self.file.derived(b"y").reveal(), first)
        self.assertEqual([p.name for p in self.folder.iterdir()], ["key"])

    def test_who_comes_second_takes_the_key_of_the_first(self):
        other = KeyFile(self.file.path)
        made = other._made()
        self.assertEqual(self.file._made(), made)
        self.assertEqual(self.file.path.read_bytes(), made)

    def test_what_is_sealed_opens_for_that_account_only(self):
        sealed = self.file.sealed("ann", b"secret")
        self.assertNotIn(b"secret", sealed)
        self.assertEqual(self.file.opened("ann", sealed), b"secret")
        for name, octets in [
            ("bob", sealed),
            ("ann", sealed[:-1] + bytes([sealed[-1] ^ 1])),
            ("ann", sealed[:5]),
            ("ann", b""),
        ]:
            self.assertRaises(ConfigError, self.file.opened, name, octets)
        self.assertNotEqual(self.file.sealed("ann", b"secret"), sealed)

    def test_what_is_no_key(self):
        self.file.path.write_bytes(b"short")
        self.assertRaises(ConfigError, self.file.load)
