"""The rotation of the Redis token with stand-ins for AWS: its steps, again after a failure, and that no token is ever told."""

import importlib.util
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "terraform/modules/security/rotation"


def load(name):
    specification = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


rotate = load("rotate")


class Secrets:
    class exceptions:
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self):
        self.stages = {"old": ["AWSCURRENT"], "new": ["AWSPENDING"]}
        self.values = {"old": "old-token"}
        self.made = 0

    def describe_secret(self, SecretId):
        return {"VersionIdsToStages": {version: list(labels) for version, labels in self.stages.items()}}

    def get_random_password(self, PasswordLength, ExcludePunctuation):
        assert PasswordLength == 64 and ExcludePunctuation, "ElastiCache takes 16 to 128 characters and few signs"
        self.made += 1
        return {"RandomPassword": f"token-{self.made}"}

    def put_secret_value(self, SecretId, ClientRequestToken, SecretString, VersionStages):
        self.values[ClientRequestToken] = SecretString

    def get_secret_value(self, SecretId, VersionId, VersionStage):
        if VersionId not in self.values:
            raise self.exceptions.ResourceNotFoundException
        return {"SecretString": self.values[VersionId]}

    def update_secret_version_stage(self, SecretId, VersionStage, MoveToVersionId, RemoveFromVersionId):
        self.stages[RemoveFromVersionId].remove(VersionStage)
        self.stages[MoveToVersionId].append(VersionStage)


class Cache:
    def __init__(self, statuses=()):
        self.statuses = list(statuses)
        self.changes = []

    def describe_replication_groups(self, ReplicationGroupId):
        return {"ReplicationGroups": [{"Status": self.statuses.pop(0) if self.statuses else "available"}]}

    def modify_replication_group(self, **change):
        self.changes.append(change)


class Rotation(unittest.TestCase):
    def setUp(self):
        os.environ.update(REPLICATION_GROUP_ID="group", REDIS_HOST="redis", REDIS_PORT="6379")
        self.secrets, self.cache, self.tried, self.slept = Secrets(), Cache(), [], []

    def step(self, name, version="new"):
        rotate.handler(
            {"SecretId": "secret", "ClientRequestToken": version, "Step": name}, None, self.secrets, self.cache,
            lambda *arguments: self.tried.append(arguments), self.slept.append, lambda: sum(self.slept),
        )

    def test_whole(self):
        for name in ("createSecret", "setSecret", "testSecret", "finishSecret"):
            self.step(name)
        self.assertEqual(self.cache.changes, [{"ReplicationGroupId": "group", "AuthToken": "token-1", "AuthTokenUpdateStrategy": "ROTATE", "ApplyImmediately": True}])
        self.assertEqual(self.tried, [("redis", 6379, "token-1")])
        self.assertEqual(self.secrets.stages, {"old": [], "new": ["AWSPENDING", "AWSCURRENT"]})

    def test_a_repeated_step_makes_no_second_token(self):
        self.step("createSecret")
        self.step("createSecret")
        self.assertEqual((self.secrets.made, self.secrets.values["new"]), (1, "token-1"))

    def test_a_finished_version_is_left_alone(self):
        self.secrets.stages = {"new": ["AWSCURRENT"]}
        self.step("setSecret")
        self.assertEqual(self.cache.changes, [])

    def test_it_waits_for_the_group(self):
        self.step("createSecret")
        self.cache.statuses = ["modifying", "available", "modifying", "modifying", "available"]
        self.step("setSecret")
        self.assertEqual(self.slept, [10, 10, 10])

    def test_a_group_that_never_gets_ready_is_an_error_within_the_time_of_the_function(self):
        self.step("createSecret")
        self.cache.statuses = ["modifying"] * 1000
        with self.assertRaises(TimeoutError):
            self.step("setSecret")
        self.assertLess(sum(self.slept), 900)

    def test_unknown_versions_and_steps_are_errors(self):
        for name, version in (("createSecret", "other"), ("polish", "new")):
            with self.assertRaises(ValueError):
                self.step(name, version)
        self.secrets.stages["old"] = []
        with self.assertRaises(ValueError):
            self.step("createSecret", "old")


class Ping(unittest.TestCase):
    """Against a TLS server of our own on loopback."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.pem = str(pathlib.Path(cls.folder.name) / "server.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", cls.pem, "-out", cls.pem + ".crt"],
            check=True, capture_output=True,
        )

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def ping(self, token, answer, trusted=True):
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(self.pem + ".crt", self.pem)
        heard = []

        def serve():
            try:
                with listener.accept()[0] as plain, server.wrap_socket(plain, server_side=True) as connection:
                    heard.append(connection.recv(4096))
                    connection.sendall(answer)
            except OSError:
                pass

        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve)
            thread.start()
            original = ssl.create_default_context
            if trusted:
                rotate.ssl.create_default_context = lambda: original(cafile=self.pem + ".crt")
            try:
                rotate.ping("localhost", listener.getsockname()[1], token)
            finally:
                rotate.ssl.create_default_context = original
                thread.join()
        return heard

    def test_signs_in_and_asks(self):
        self.assertEqual(self.ping("secret", b"+OK\r\n+PONG\r\n"), [b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*1\r\n$4\r\nPING\r\n"])

    def test_a_refused_token_is_an_error_that_does_not_tell_it(self):
        with self.assertRaises(RuntimeError) as caught:
            self.ping("secret", b"-WRONGPASS invalid\r\n-NOAUTH\r\n")
        self.assertNotIn("secret", str(caught.exception))

    def test_a_connection_that_is_cut_is_an_error(self):
        with self.assertRaises(RuntimeError):
            self.ping("secret", b"+OK\r\n")

    def test_a_certificate_that_nobody_vouches_for_is_refused(self):
        with self.assertRaises(ssl.SSLError):
            self.ping("secret", b"+OK\r\n+PONG\r\n", trusted=False)


class Package(unittest.TestCase):
    def test_the_same_bytes_every_time(self):
        package = load("package").package
        with tempfile.TemporaryDirectory() as folder:
            one, two = pathlib.Path(folder, "one.zip"), pathlib.Path(folder, "two.zip")
            package(one)
            package(two)
            self.assertEqual(one.read_bytes(), two.read_bytes())


if __name__ == "__main__":
    unittest.main()
