"""
What the integration tests share: the servers, fresh tables and buckets, the daemon under test, and an independent
reader (boto3) of what it wrote.

A file runs alone (`/usr/bin/python3 test/integration/test_basic.py [Class.test]`) and then starts servers of its own;
under test/run.py all files share one pair, told by DDB_TEST_SERVERS. DDB_STREAMD_BUILD names the folder of the
programs, build/ by default. main() prints TAP.
"""
import atexit
import base64
import hashlib
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import unittest
import urllib.parse
import xml.etree.ElementTree

import boto3
import botocore.config

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "test", "servers"))
import serverlib  # noqa: E402

BUILD = os.path.abspath(os.environ.get("DDB_STREAMD_BUILD", os.path.join(ROOT, "build")))
EX_NOINPUT, EX_UNAVAILABLE, EX_NOPERM, EX_CONFIG = 66, 69, 77, 78

_no_proxy = {"no_proxy": "*", "NO_PROXY": "*"}
os.environ.update(_no_proxy)


def wait_until(condition, seconds=30.0, what="the condition", alive=None):
    """
    The first true value of condition(); fails when the time is up, or when `alive` (a Daemon) ends.
    The last assertion that condition() raised tells what was still wrong.
    """
    until = time.monotonic() + seconds
    last = ""
    pause = 0.02
    while True:
        try:
            value = condition()
            if value:
                return value
        except AssertionError as e:
            last = f": {e}"
        if alive is not None and alive.process.poll() is not None:
            raise AssertionError(f"the daemon ended with status {alive.process.returncode} before {what}")
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not come about within {seconds:g} s{last}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)


class Servers:
    """A pair of servers, and boto3 clients of them."""

    _shared = None

    def __init__(self, folder, owned):
        self.folder, self.owned = folder, owned
        if owned:
            os.environ.setdefault(serverlib.OWNER, f"{os.getpid()}:{serverlib.start_time(os.getpid())}")
            atexit.register(self.stop)
            starts = [subprocess.Popen([os.path.join(ROOT, "test", "servers", n), "start", os.path.join(folder, n)])
                      for n in ("rgw", "dynamodb-local")]
            if any([p.wait() for p in starts]):
                raise RuntimeError("a server did not start; what it said is above")
        self.env = {}
        for name in ("rgw", "dynamodb-local"):
            with open(os.path.join(folder, name, "env"), encoding="ascii") as f:
                for line in f:
                    key, _, value = line[len("export "):].strip().partition("=")
                    self.env[key] = value
        self.s3_url = self.env["AWS_ENDPOINT_URL_S3"]
        config = botocore.config.Config(retries={"max_attempts": 5}, s3={"addressing_style": "path"}, read_timeout=60,
                                        max_pool_connections=16)
        def client(service, url):
            return boto3.session.Session().client(
                service, endpoint_url=url, region_name="us-east-1", config=config,
                aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"])
        self.s3 = client("s3", self.s3_url)
        self.dynamodb = client("dynamodb", self.env["AWS_ENDPOINT_URL_DYNAMODB"])
        self.streams = client("dynamodbstreams", self.env["AWS_ENDPOINT_URL_DYNAMODB_STREAMS"])
        self.listing_tags = []
        self.s3.meta.events.register("after-call.s3.ListObjectVersions", self._note_tags)

    def _note_tags(self, http_response, **_):
        root = xml.etree.ElementTree.fromstring(http_response.content)
        names = [element.tag.rpartition("}")[2] for element in root]
        self.listing_tags += [name for name in names if name in ("Version", "DeleteMarker")]

    @classmethod
    def shared(cls):
        """Those of the test run, or one pair for this file."""
        if cls._shared is None:
            folder = os.environ.get("DDB_TEST_SERVERS")
            cls._shared = cls(folder, False) if folder else cls.private()
        return cls._shared

    @classmethod
    def private(cls):
        """A pair that the caller may stop, freeze and break; ends with the process at the latest."""
        return cls(tempfile.mkdtemp(prefix="ddb-streamd-test."), True)

    def stop(self):
        if self.folder:
            for name in ("rgw", "dynamodb-local"):
                subprocess.run([os.path.join(ROOT, "test", "servers", name), "stop", os.path.join(self.folder, name)],
                               check=False)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    def freeze_s3(self, frozen=True):
        """Lets every write hang (the gateway still accepts connections), or go on. Only on private servers."""
        assert self.owned
        pid = serverlib.read_pid(os.path.join(self.folder, "rgw"), "osd")
        os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def new_bucket(self, versioning="Enabled", public=False):
        """`public` lets fill_meta_public() read without signing, for tests with thousands of versions."""
        name = "b-" + secrets.token_hex(6)
        self.s3.create_bucket(Bucket=name)
        if versioning:
            self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": versioning})
        if public:
            self.s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                "Resource": [f"arn:aws:s3:::{name}/*"]}]}))
        return name

    def new_table(self, hash_type="S", range_type=None, view="NEW_AND_OLD_IMAGES", hash_name="id", range_name="range"):
        name = "t-" + secrets.token_hex(6)
        keys = [(hash_name, hash_type, "HASH")] + ([(range_name, range_type, "RANGE")] if range_type else [])
        stream = {"StreamEnabled": True, "StreamViewType": view} if view else {"StreamEnabled": False}
        self.dynamodb.create_table(
            TableName=name, KeySchema=[{"AttributeName": n, "KeyType": k} for n, _, k in keys],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t, _ in keys],
            BillingMode="PAY_PER_REQUEST",
            **({"StreamSpecification": stream} if view else {}))
        return name

    def stream_arn(self, table):
        return self.dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]

    def stream_records(self, table):
        """Every record of the table's stream, in order, as boto3 gives it (with "shard" added)."""
        arn = self.stream_arn(table)
        shards, start = [], {}
        while True:
            page = self.streams.describe_stream(StreamArn=arn, **start)["StreamDescription"]
            shards += page["Shards"]
            if not page.get("LastEvaluatedShardId"):
                break
            start = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}
        records = []
        for shard in shards:
            iterator = self.streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            empty = 0
            while iterator and empty < 2:  # an open shard never says that it is at its end
                page = self.streams.get_records(ShardIterator=iterator)
                empty = 0 if page["Records"] else empty + 1
                records += [dict(r, shard=shard["ShardId"]) for r in page["Records"]]
                iterator = page.get("NextShardIterator")
        return sorted(records, key=lambda r: int(r["dynamodb"]["SequenceNumber"]))


class Version:
    """One version or delete marker of a key."""

    def __init__(self, bucket, raw, marker):
        self.bucket, self.marker = bucket, marker
        self.key, self.id, self.latest = raw["Key"], raw["VersionId"], raw["IsLatest"]
        self.etag = raw.get("ETag", "").strip('"')
        self.meta, self.body, self.content_type = {}, None, None

    def __repr__(self):
        return f"<{'marker' if self.marker else 'version'} of {self.key!r} {self.meta}>"


class Bucket:
    """What lies in a bucket, read by boto3."""

    def __init__(self, servers, name):
        self.servers, self.name = servers, name

    def list(self, prefix=""):
        """{key: [its versions and markers, oldest first]}, without bodies and metadata."""
        # boto3 gives versions and markers in two lists and loses how they were mixed; the answer's own text tells.
        tags = self.servers.listing_tags
        found, start = {}, {}
        while True:
            tags.clear()
            page = self.servers.s3.list_object_versions(Bucket=self.name, Prefix=prefix, **start)
            rest = {kind: iter(page.get(kind + "s", [])) for kind in ("Version", "DeleteMarker")}
            for kind in tags:
                raw = next(rest[kind])
                found.setdefault(raw["Key"], []).insert(0, Version(self.name, raw, kind == "DeleteMarker"))
            if not page["IsTruncated"]:
                return found
            # The gateway encodes keys and not NextKeyMarker, which boto3 decodes all the same: take the last entry.
            start = {"KeyMarker": raw["Key"], "VersionIdMarker": raw["VersionId"]}

    def keys(self, prefix=""):
        return sorted(self.list(prefix))

    def versions(self, key, full=True):
        """The versions of exactly this key, oldest first, with bodies and metadata when `full`."""
        versions = self.list(key).get(key, [])
        for v in versions if full else []:
            self.fill(v)
        return versions

    def fill(self, v):
        if not v.marker:
            answer = self.servers.s3.get_object(Bucket=self.name, Key=v.key, VersionId=v.id)
            v.body, v.meta, v.content_type = answer["Body"].read(), answer["Metadata"], answer["ContentType"]
        return v

    def fill_meta_public(self, versions):
        """
        Metadata of many, without signing: for a bucket made with public=True. By HEAD, which is 40 ms faster each than
        GET, whose body the gateway sends in a packet of its own; the ETag of the listing is the MD5 of the body.
        """
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.servers.s3_url).netloc, timeout=60)
        for v in versions:
            if v.marker:
                continue
            connection.request("HEAD", f"/{self.name}/{urllib.parse.quote(v.key, safe='/')}?versionId={v.id}")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, f"HEAD of {v} says {answer.status}"
            v.content_type = answer.getheader("Content-Type")
            v.meta = {k.lower()[len("x-amz-meta-"):]: x for k, x in answer.getheaders()
                      if k.lower().startswith("x-amz-meta-")}
        connection.close()


_LOGFMT = re.compile(r'([a-z_.]+)=("(?:[^"\\]|\\.)*"|\S*)')


def parse_log(text):
    """The fields of each line of logfmt."""
    lines = []
    for line in text.splitlines():
        fields = {}
        for key, value in _LOGFMT.findall(line):
            if value.startswith('"'):
                try:
                    value = json.loads(value)
                except ValueError:
                    value = value[1:-1]
            fields[key] = value
        lines.append(fields)
    return lines


class Daemon:
    """
    One ddb-streamd with a configuration and a state folder of its own. `tables` is a list of names, or a dict of name to
    settings of its section; daemon, aws and s3 are further settings of those sections. start() may be called again
    after stop() or kill(): the state stays.
    """

    running = []

    def __init__(self, servers, bucket, tables, daemon=None, aws=None, s3=None, env=None):
        self.servers, self.bucket = servers, bucket
        self.folder = tempfile.mkdtemp(prefix="daemon.", dir=servers.folder)
        self.state_dir = os.path.join(self.folder, "state")
        self.config = os.path.join(self.folder, "ddb-streamd.conf")
        self.log_path = os.path.join(self.folder, "log")
        self.process = None
        self.starts = []  # offsets in the log
        self.address = None
        os.mkdir(self.state_dir, 0o700)
        if not isinstance(tables, dict):
            tables = {t: {"start": "trim_horizon"} for t in tables}
        # What is tested is the stream's way, unless a test asks for baselines.
        tables = {t: {"baseline": "off", **settings} for t, settings in tables.items()}
        sections = {"daemon": {"state_dir": self.state_dir, "listen": "127.0.0.1:0", **(daemon or {})},
                    "aws": aws or {}, "s3": {"bucket": bucket, **(s3 or {})},
                    **{f'table "{t}"': s for t, s in tables.items()}}
        self.write_config(sections)
        self.env = {"PATH": os.environ["PATH"], "HOME": self.folder, "AWS_ENDPOINT_URL_STS": servers.s3_url,
                    **_no_proxy, **servers.env, **(env or {})}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", serverlib.OWNER):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.env[serverlib.MARK] = self.folder
        self.env = {k: v for k, v in self.env.items() if v is not None}

    def write_config(self, sections):
        self.sections = sections
        with open(self.config, "w", encoding="utf-8") as f:
            for name, keys in sections.items():
                f.write(f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()) + "\n")

    def start(self, ready=True, seconds=60.0, under=(), program="ddb-streamd"):
        """Starts it, and waits until it is ready. `under` is a command to run it under (strace, say)."""
        assert self.process is None
        env = dict(self.env)
        if under:  # a traced process cannot look for leaks (LeakSanitizer says so, and ends it with an error)
            env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        with open(self.log_path, "ab") as log:
            self.starts.append(log.tell())
            self.process = subprocess.Popen([*under, os.path.join(BUILD, program), "-c", self.config],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd="/")
        Daemon.running.append(self)
        self.address = None
        if ready:
            self.wait(self.is_ready, seconds, "the daemon was ready")
        return self

    def run(self, seconds=30.0):
        """Starts it and waits for its end: for configurations that it must refuse. Returns the exit status."""
        self.start(ready=False)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon still runs after {seconds:g} s") from None
        return self.ended()

    def test_config(self):
        """`ddb-streamd -t`: (exit status, output)."""
        done = subprocess.run([os.path.join(BUILD, "ddb-streamd"), "-t", "-c", self.config], env=self.env, timeout=30,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def ended(self):
        status, self.process = self.process.returncode, None
        Daemon.running.remove(self)
        return status

    def stop(self, seconds=30.0, expect=0):
        """SIGTERM; it must drain and end with status 0. A sanitizer's report makes the status another."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon did not stop within {seconds:g} s of SIGTERM") from None
        status = self.ended()
        if status != expect:
            raise AssertionError(f"the daemon ended with status {status} after SIGTERM, expected {expect}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.ended()

    def remove(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    # What it says

    def log(self, last_start=True):
        with open(self.log_path, "rb") as f:
            f.seek(self.starts[-1] if last_start and self.starts else 0)
            return f.read().decode("utf-8", "replace")

    def lines(self, last_start=True):
        return parse_log(self.log(last_start))

    def logged(self, text):
        """Log lines in which this text stands."""
        return [line for line in self.log().splitlines() if text in line]

    def wait(self, condition, seconds=30.0, what="the condition"):
        return wait_until(condition, seconds, what, self)

    def find_address(self):
        for line in self.lines():
            if line.get("msg") == "health endpoint listening":
                self.address = line["address"]
        return self.address

    def get(self, path, method="GET", headers=None):
        """(status, headers, body) of its health endpoint."""
        if not self.address:
            self.wait(self.find_address, 30, "the health endpoint listened")
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode("utf-8")
        finally:
            connection.close()

    def is_ready(self):
        if not (self.address or self.find_address()):
            return False
        try:
            status, _, body = self.get("/readyz")
        except OSError as e:
            raise AssertionError(f"/readyz: {e}") from None
        assert status == 200, f"/readyz says {status} {body.strip()}"
        return True

    def status(self):
        return json.loads(self.get("/status")[2])

    def metrics(self):
        """{(name, labels as a sorted tuple): value}."""
        return parse_metrics(self.get("/metrics")[2])[0]


_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"'
_SAMPLE = re.compile(rf"^({_NAME})(?:\{{((?:{_LABEL})(?:,{_LABEL})*,?)?\}})? (\S+)(?: -?\d+)?$")


def parse_metrics(text):
    """
    A strict reader of the Prometheus text format 0.0.4: (samples, types). Fails on what the format forbids: a sample
    without HELP and TYPE before it, a family in two places, a sample twice, a histogram that is not whole.
    """
    samples, types, helps, order = {}, {}, {}, []
    assert text.endswith("\n"), "the last line must end in a line feed"
    for number, line in enumerate(text.split("\n")[:-1], 1):
        where = f"line {number}: {line!r}"
        if line.startswith("# HELP "):
            name, _, rest = line[7:].partition(" ")
            assert name not in helps and rest, where
            helps[name] = rest
        elif line.startswith("# TYPE "):
            name, _, kind = line[7:].partition(" ")
            assert name not in types and kind in ("counter", "gauge", "histogram", "summary", "untyped"), where
            types[name] = kind
            order.append(name)
        elif line and not line.startswith("#"):
            match = _SAMPLE.match(line)
            assert match, where
            name, labels = match.group(1), dict(re.findall(_LABEL, match.group(2) or ""))
            family = name
            for suffix in ("_bucket", "_sum", "_count"):
                if name.endswith(suffix) and types.get(name[:-len(suffix)]) == "histogram":
                    family = name[:-len(suffix)]
            assert family in types and family in helps, f"no HELP and TYPE before {where}"
            assert order[-1] == family, f"samples of a family must stand together: {where}"
            value = float(match.group(match.lastindex).replace("Inf", "inf").replace("NaN", "nan"))
            entry = (name, tuple(sorted(labels.items())))
            assert entry not in samples, f"twice: {where}"
            if types[family] in ("counter", "histogram"):
                assert value >= 0 or name.endswith("_sum"), where
            samples[entry] = value
    for name, kind in types.items():
        if kind == "histogram":
            check_histogram(name, samples)
    return samples, types


def check_histogram(name, samples):
    series = {}
    for (sample, labels), value in samples.items():
        if sample == name + "_bucket":
            rest = tuple(x for x in labels if x[0] != "le")
            bound = dict(labels)["le"]
            series.setdefault(rest, []).append((float(bound.replace("+Inf", "inf")), value))
    for labels, buckets in series.items():
        buckets.sort()
        counts = [v for _, v in buckets]
        assert counts == sorted(counts), f"{name}{labels}: buckets must not fall"
        assert buckets[-1][0] == float("inf"), f"{name}{labels}: no +Inf bucket"
        assert samples[(name + "_count", labels)] == counts[-1], f"{name}{labels}: _count is not the +Inf bucket"
        assert (name + "_sum", labels) in samples, f"{name}{labels}: no _sum"


# DynamoDB JSON, and the names of items, computed here a second time from the documentation.

def wire(value):
    """An attribute value of boto3 (bytes in B, BS) as DynamoDB's JSON has it, sets ordered by value."""
    ((kind, inner),) = value.items()
    if kind == "B":
        inner = base64.b64encode(inner).decode()
    elif kind == "BS":
        inner = sorted(base64.b64encode(b).decode() for b in inner)
    elif kind in ("SS", "NS"):
        inner = sorted(inner, key=lambda s: s.encode("utf-8"))
    elif kind == "L":
        inner = [wire(v) for v in inner]
    elif kind == "M":
        inner = wire_item(inner)
    return {kind: inner}


def wire_item(item):
    return {name: wire(item[name]) for name in sorted(item, key=lambda s: s.encode("utf-8"))}


def canonical(item):
    """The bytes that an item of boto3 must have in the bucket (I7)."""
    return json.dumps(wire_item(item), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _component(text):
    encoded = urllib.parse.quote(text, safe="-._~")
    if text in (".", "..") or text.startswith("~"):
        encoded = f"%{ord(text[0]):02X}" + urllib.parse.quote(text[1:], safe="-._~")
    return encoded


def path_component(value):
    """(text, is it to be encoded) of a key's value in a path."""
    ((kind, inner),) = value.items()
    if kind == "B":
        return base64.urlsafe_b64encode(inner).decode().rstrip("=")
    return _component(inner)


def item_key(key, key_format="path", hash_name="id", range_name="range", tenant=None, room=1024):
    """The S3 key of an item below its table. `room` is what the deletes path leaves of 1,024 bytes; no tenant: None."""
    canon = canonical(key)
    folder = "" if tenant is None else (tenant + "/")
    room -= len(folder)
    if key_format == "path":
        parts = [path_component(key[hash_name])] + ([path_component(key[range_name])] if range_name in key else [])
        while len("/".join(parts)) > room:
            longest = 0 if len(parts) == 1 or len(parts[0]) >= len(parts[1]) else 1
            parts[longest] = "~" + hashlib.sha256(canon).hexdigest()
        return folder + "/".join(parts)
    if key_format in ("md5", "sha256"):
        return folder + hashlib.new(key_format, canon).hexdigest()
    assert key_format == "plain"
    values = []
    for name in sorted(key, key=lambda s: s.encode("utf-8")):
        ((kind, inner),) = key[name].items()
        values.append(base64.b64encode(inner).decode() if kind == "B" else inner)
    text = " | ".join(values)
    if len(text.encode("utf-8")) > room:
        text = "~" + hashlib.sha256(canon).hexdigest()
    return folder + text


def deletes_key(table, key, prefix=""):
    return f"{prefix}.ddb-streamd/{table}/deletes/{key}"


def deletes_room(table, prefix=""):
    return 1024 - len(deletes_key(table, "", prefix).encode("utf-8"))


class TestCase(unittest.TestCase):
    """A test with the shared servers, which shows the daemon's log when it fails, and leaves nothing behind."""

    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.servers = Servers.shared()

    def daemon(self, bucket, tables, **options):
        daemon = Daemon(options.pop("servers", self.servers), bucket, tables, **options)
        self.addCleanup(self._finish, daemon)
        return daemon

    def _finish(self, daemon):
        if self._outcome_failed():
            log = daemon.log(last_start=False) if os.path.exists(daemon.log_path) else ""
            print(f"# log of the daemon of {self.id()} (its last 60 lines):")
            for line in log.splitlines()[-60:]:
                print("#   " + line)
        daemon.remove()

    def _outcome_failed(self):
        result = getattr(self._outcome, "result", None)
        mine = [t for t, _ in (result.failures + result.errors)] if result else []
        errors = getattr(self._outcome, "errors", None)  # before Python 3.11
        return self in mine or any(e for _, e in errors or [] if e) or not self._outcome.success


class _Tap(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.number = 0
        self.began = 0.0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def tell(self, word, test, note=""):
        self.number += 1
        name = test.id().replace("__main__.", "")
        print(f"{word} {self.number} - {name} ({time.monotonic() - self.began:.1f} s){note}", flush=True)

    def addSuccess(self, test):
        self.tell("ok", test)

    def explain(self, test, err):
        self.tell("not ok", test)
        for line in "".join(traceback.format_exception(*err)).splitlines():
            print("# " + line)
        sys.stdout.flush()

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.explain(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.explain(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.explain(subtest, err)

    def addSkip(self, test, reason):
        self.tell("not ok", test, f" # SKIP {reason}")
        self.failures.append((test, "skipped"))


def main():
    """Runs the tests of the file that was started, or those named on its command line, and prints TAP."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    loader = unittest.defaultTestLoader
    module = sys.modules["__main__"]
    suite = loader.loadTestsFromNames(sys.argv[1:], module) if sys.argv[1:] else loader.loadTestsFromModule(module)
    result = _Tap()
    try:
        suite.run(result)
    finally:
        for daemon in list(Daemon.running):
            daemon.remove()
    print(f"1..{result.number}", flush=True)
    sys.exit(0 if result.wasSuccessful() and result.number else 1)
