"""A MariaDB and a slapd of a test's own, on loopback, that may be killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from .daemon import free_port
from .programs import run

READY_S = 30.0
MARIADBD, SLAPD = "/usr/sbin/mariadbd", "/usr/sbin/slapd"


class Server:
    """A program in the foreground with a folder and a port."""

    owner = ""  # the system user it runs as, if we are root

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        self.port = free_port()
        self.process = None

    def give(self):
        if self.owner and os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, self.owner)

    def start(self):
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.words(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + READY_S
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / "log").read_text()[-3000:])
            time.sleep(0.02)

    def ready(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def signal(self, number):
        """Behind SIGSTOP it has stopped, with all of its threads."""
        self.process.send_signal(number)
        if number == signal.SIGSTOP:
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(READY_S)

    def remove(self):
        self.kill()
        shutil.rmtree(self.folder)


class MariaDb(Server):
    """Login `mail` with a password, database `mail`; TLS by `certificate` and `key`."""

    owner = "mysql"
    password = "s3cret'pass"

    def __init__(self, certificate, key, ca):
        super().__init__()
        for name, pem in (("cert", certificate), ("key", key), ("ca", ca)):
            (self.folder / name).write_bytes(pem)
        (self.folder / "data").mkdir()
        self.give()
        user = ["--user=mysql"] if os.geteuid() == 0 else []
        run(
            "mariadb-install-db",
            "--no-defaults",
            *user,
            f"--datadir={self.folder}/data",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        )
        self.start()
        quoted = self.password.replace("'", "''")
        self.sql(
            "CREATE DATABASE mail CHARACTER SET utf8mb4;"
            f"CREATE USER mail@'%' IDENTIFIED BY '{quoted}';"
            "GRANT SELECT ON mail.* TO mail@'%'; USE mail;"
            "CREATE TABLE alias (address VARCHAR(200), goto TEXT);"
        )

    def words(self):
        user = ["--user=mysql"] if os.geteuid() == 0 else []
        folder = self.folder
        return [
            MARIADBD,
            "--no-defaults",
            *user,
            f"--datadir={folder}/data",
            f"--socket={folder}/sock",
            f"--pid-file={folder}/pid",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            f"--ssl-cert={folder}/cert",
            f"--ssl-key={folder}/key",
            f"--ssl-ca={folder}/ca",
            "--innodb-buffer-pool-size=16M",
            "--skip-log-bin",
            "--skip-name-resolve",
        ]

    def sql(self, text):
        run(
            "mariadb",
            "--no-defaults",
            "-S",
            self.folder / "sock",
            "-uroot",
            "--default-character-set=utf8mb4",
            said=text,
        )


SLAPD_CONF = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
TLSCertificateFile {folder}/cert
TLSCertificateKeyFile {folder}/key
TLSCACertificateFile {folder}/ca
database mdb
maxsize 67108864
dbnosync
suffix "dc=test"
rootdn "cn=admin,dc=test"
rootpw {password}
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by dn="cn=reader,dc=test" read by anonymous auth by * none
"""
# A database shaped like Active Directory's: what its own schema has, made searchable.
AD_SCHEMA = """
attributetype ( 1.3.6.1.4.1.32473.1.1 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch
 SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.2 NAME 'userPrincipalName'
 EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.3 NAME 'userAccountControl' EQUALITY integerMatch
 SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.4 NAME 'accountExpires' EQUALITY integerMatch
 SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.32473.1.5 NAME 'memberOf'
 EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )
attributetype ( 1.3.6.1.4.1.32473.1.6 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch
 SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
objectclass ( 1.3.6.1.4.1.32473.2.1 NAME 'user' SUP inetOrgPerson STRUCTURAL
 MUST ( sAMAccountName $ userAccountControl )
 MAY ( userPrincipalName $ accountExpires $ memberOf $ proxyAddresses ) )
"""
AD_DATABASE = """
database mdb
maxsize 67108864
dbnosync
suffix "dc=ad"
rootdn "cn=admin,dc=ad"
directory {folder}/ad
access to attrs=userPassword by anonymous auth by * none
access to * by dn="cn=reader,dc=test" read by anonymous auth by * none
"""
AD_TREE = """
dn: dc=ad
objectClass: dcObject
objectClass: organization
dc: ad
o: ad
"""
TREE = """
dn: dc=test
objectClass: dcObject
objectClass: organization
dc: test
o: test

dn: cn=reader,dc=test
objectClass: person
cn: reader
sn: reader
userPassword: {password}
"""


class Slapd(Server):
    """Login `cn=reader,dc=test` reads everything below `dc=test`, and `dc=ad` if there
    are entries for that."""

    password = "s3cret pass"

    def __init__(self, certificate, key, ca, entries, ad_entries=""):
        super().__init__()
        self.tls_port = free_port()
        for name, pem in (("cert", certificate), ("key", key), ("ca", ca)):
            (self.folder / name).write_bytes(pem)
        (self.folder / "data").mkdir()
        self.conf = self.folder / "slapd.conf"
        conf = SLAPD_CONF.format(folder=self.folder, password=f'"{self.password}"')
        trees = {"dc=test": TREE.format(password=self.password) + entries}
        if ad_entries:
            (self.folder / "ad").mkdir()
            (self.folder / "ad.schema").write_text(AD_SCHEMA)
            conf = conf.replace(
                "modulepath", f"include {self.folder}/ad.schema\nmodulepath", 1
            ) + AD_DATABASE.format(folder=self.folder)
            trees["dc=ad"] = AD_TREE + ad_entries
        self.conf.write_text(conf)
        for suffix, text in trees.items():
            tree = self.folder / "tree.ldif"
            tree.write_text(text)
            add = ("/usr/sbin/slapadd", "-q", "-f", self.conf, "-b", suffix)
            run(*add, "-l", tree)
        self.start()

    def words(self):
        urls = " ".join(
            (
                f"ldap://127.0.0.1:{self.port}",
                f"ldaps://127.0.0.1:{self.tls_port}",
                self.unix_url(),
            )
        )
        return [SLAPD, "-f", str(self.conf), "-d", "0", "-h", urls]

    def unix_url(self):
        return "ldapi://" + quote(f"{self.folder}/ldapi", safe="")
