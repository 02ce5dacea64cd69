"""
Control of test/fakeaws for tests: one private server a test, boto3 clients of it, its control and audit. A Fake can
stand wherever harness.Daemon and harness.Bucket expect a harness.Servers.
"""
import http.client
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import urllib.parse
import xml.etree.ElementTree

import boto3
import botocore.config

import harness

KEY_ID, SECRET = "fake", "fakesecret"


class Refused(Exception):
    """What control or audit said no to."""


class Fake:
    def __init__(self, seed=1):
        self.folder = tempfile.mkdtemp(prefix="ddb-streamd-fake.")
        self.process = subprocess.Popen(
            [os.path.join(harness.BUILD, "fakeaws"), "-d", self.folder, "-s", str(seed), "-k", f"{KEY_ID}:{SECRET}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.strip():
            raise RuntimeError("fakeaws did not start; what it said is above")
        self.port = int(line)
        self.s3_url = self.url = f"http://127.0.0.1:{self.port}"
        self.env = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1",
                    "AWS_ENDPOINT_URL": self.url}
        self.s3 = self.client("s3")
        self.dynamodb = self.client("dynamodb")
        self.streams = self.client("dynamodbstreams")
        self.sts = self.client("sts")
        self.listing_tags = []
        self.s3.meta.events.register("after-call.s3.ListObjectVersions", self._note_tags)

    def _note_tags(self, http_response, **_):
        root = xml.etree.ElementTree.fromstring(http_response.content)
        names = [element.tag.rpartition("}")[2] for element in root]
        self.listing_tags += [name for name in names if name in ("Version", "DeleteMarker")]

    def client(self, service, key_id=KEY_ID, secret=SECRET, token=None, attempts=1):
        config = botocore.config.Config(retries={"total_max_attempts": attempts, "mode": "standard"},
                                        s3={"addressing_style": "path"}, read_timeout=30, max_pool_connections=16)
        return boto3.session.Session().client(
            service, endpoint_url=self.url, region_name="us-east-1", config=config, aws_access_key_id=key_id,
            aws_secret_access_key=secret, aws_session_token=token)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.process.returncode

    # Control and audit

    def _ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        value = json.loads(text)
        if answer.status != 200:
            raise Refused(value.get("error", f"status {answer.status}"))
        return value

    def do(self, command, **members):
        return self._ask("POST", "/_control", json.dumps({"do": command, **members}))

    def ask(self, path, **query):
        return self._ask("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""))

    def options(self, table=None, **options):
        return self.do("options", set=options, **({"table": table} if table else {}))

    def s3_options(self, **options):
        return self.do("s3", set=options)

    def fault(self, **rule):
        """The number of the rule."""
        return self.do("fault", **rule)["id"]

    def hits(self, rule):
        return next(f["hits"] for f in self.do("faults")["faults"] if f["id"] == rule)

    def held(self, rule=0):
        """How many requests the rule holds."""
        return self.do("held", id=rule)["held"]

    def release(self, rule=0):
        """Lets them go on."""
        return self.do("release", id=rule)["released"]

    def advance(self, seconds):
        return self.do("clock", advance_ms=int(seconds * 1000))["now_ms"]

    def now_ms(self):
        return self.do("clock")["now_ms"]

    def shards(self, table, **which):
        return self.do("shards", table=table, **which)["shards"]

    def write(self, table, count=1, **options):
        """How many records `count` random changes gave."""
        return self.do("write", table=table, count=count, **options)["records"]

    def requests(self, **query):
        return self.ask("/_audit/requests", **query)["requests"]

    def counts(self):
        return self.ask("/_audit/counts")

    def count(self, name):
        """Of "s3 PutObject", say."""
        return self.counts().get(name, {}).get("n", 0)

    def writes(self, **query):
        """Every write to S3 in order."""
        found = []
        while True:
            page = self.ask("/_audit/writes", **{"from": found[-1]["number"] + 1 if found else 0, **query})["writes"]
            found += page
            if len(page) < 10000:
                return found

    def records(self, table):
        """Every record of the table in order of sequence numbers."""
        return sorted(self.ask("/_audit/records", table=table)["records"], key=lambda r: int(r["seq"]))

    def items(self, table, after=None):
        return self.ask("/_audit/items", table=table, **({"after": after} if after else {}))["items"]

    def verify(self, table, bucket, **options):
        return self.ask("/_verify", table=table, bucket=bucket, **options)

    # Histories in S3, as they are told

    def version(self, bucket, key, **members):
        """The id of a new version or (marker=True) delete marker; members as control's "version"."""
        return self.do("version", bucket=bucket, key=key, **members)["version_id"]

    def versions(self, bucket, all_of_them):
        """Ids of many at once: a dict of members each, the key among them."""
        return self.do("version", bucket=bucket, versions=all_of_them)["version_ids"]

    def expire(self, bucket, key, version_id):
        """One version goes for good, as by a lifecycle rule."""
        self.do("expire_version", bucket=bucket, key=key, version_id=version_id)

    def change(self, bucket, key, **members):
        """Changes a version in its place; members as control's "change_version"."""
        return self.do("change_version", bucket=bucket, key=key, **members)["version_id"]

    def swap(self, bucket, key, version_id, other):
        """Two versions exchange what they hold."""
        self.do("swap_versions", bucket=bucket, key=key, version_id=version_id, **{"with": other})

    def uploads(self):
        """Multipart uploads that are neither completed nor aborted."""
        return self.ask("/_audit/uploads")["uploads"]

    # Tables and buckets

    def new_bucket(self, versioning="Enabled"):
        name = "b-" + secrets.token_hex(6)
        self.s3.create_bucket(Bucket=name)
        if versioning:
            self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": versioning})
        return name

    def new_table(self, name=None, shards=1, hash_type="S", range_type=None, view="NEW_AND_OLD_IMAGES", **options):
        name = name or "t-" + secrets.token_hex(6)
        self.options(name, shards=shards, **options)
        keys = [("id", hash_type, "HASH")] + ([("range", range_type, "RANGE")] if range_type else [])
        stream = {"StreamEnabled": True, "StreamViewType": view}
        self.dynamodb.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": n, "KeyType": k} for n, _, k in keys],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t, _ in keys],
            **({"StreamSpecification": stream} if view else {}))
        return name

    def stream_arn(self, table):
        return self.dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]

    def set_stream(self, table, enabled):
        spec = {"StreamEnabled": enabled, **({"StreamViewType": "NEW_AND_OLD_IMAGES"} if enabled else {})}
        self.dynamodb.update_table(TableName=table, StreamSpecification=spec)

    def put(self, table, key, **attributes):
        self.dynamodb.put_item(TableName=table, Item={"id": {"S": key}, **attributes})

    def delete(self, table, key):
        self.dynamodb.delete_item(TableName=table, Key={"id": {"S": key}})


class TestCase(harness.TestCase):
    """A test with a fake of its own, as self.fake; its end must be clean, too (a sanitizer tells at the end)."""

    @classmethod
    def setUpClass(cls):
        cls.servers = None

    def setUp(self):
        self.fake = Fake()
        self.addCleanup(self._stop_fake)

    def _stop_fake(self):
        running = self.fake.process.poll() is None
        status = self.fake.stop()
        if not running or status != 0:
            raise AssertionError(f"fakeaws ended with status {status}")

    def daemon(self, bucket, tables, **options):
        return super().daemon(bucket, tables, servers=self.fake, **options)

    def wait_backed_up(self, daemon, table, bucket, seconds=30, **options):
        """Waits until nothing is missing; then nothing at all may differ."""
        def complete():
            missing = self.fake.verify(table, bucket, bodies="0", **options)["kinds"].get("missing", 0)
            assert not missing, f"{missing} versions are missing"
            return True
        daemon.wait(complete, seconds, f"the backup of {table} was complete")
        self.check_backup(table, bucket, **options)

    def check_state(self, table, bucket, **options):
        """The latest versions are the table as it is."""
        found = self.fake.verify(table, bucket, state=1, **options)
        self.assertEqual((found["kinds"], found["differences"]), ({}, []))
        return found

    def check_backup(self, table, bucket, **options):
        found = self.fake.verify(table, bucket, **options)
        self.assertEqual((found["kinds"], found["differences"]), ({}, []))
        return found
