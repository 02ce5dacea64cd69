"""
What the tests of ddb-streamctl share: runs of it, on the real servers or on a fake, and histories that are told to a
bucket as the daemon would have written them.
"""
import base64
import datetime
import json
import os
import pty
import select
import subprocess
import tempfile
import time

import fake
import harness
from harness import Bucket, canonical

EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_CANTCREAT = 64, 65, 66, 69, 73
INCOMPLETE = 3
T0 = 1_750_000_000_000  # an event time, in ms
TABLE = "orders"


def parse(text):
    return datetime.datetime.strptime(text.replace("Z", "+0000"), "%Y-%m-%dT%H:%M:%S.%f%z")


def iso(moment):
    """Of a datetime, or of milliseconds since 1970."""
    if not isinstance(moment, datetime.datetime):
        moment = datetime.datetime.fromtimestamp(moment // 1000, datetime.timezone.utc) + datetime.timedelta(
            milliseconds=moment % 1000)
    return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def unwire(value):
    """An attribute value of DynamoDB's JSON as boto3 has it."""
    ((kind, inner),) = value.items()
    if kind == "B":
        inner = base64.b64decode(inner)
    elif kind == "BS":
        inner = [base64.b64decode(b) for b in inner]
    elif kind == "L":
        inner = [unwire(v) for v in inner]
    elif kind == "M":
        inner = {k: unwire(v) for k, v in inner.items()}
    return {kind: inner}


def items_of(servers, table):
    """The table's items in canonical form, sorted."""
    pages = servers.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return sorted(canonical(item) for page in pages for item in page["Items"])


class Runs:
    """Runs of ddb-streamctl, each test with a home of its own. Beside it: where(), a server's flags, and self.env."""

    def home(self):
        if not hasattr(self, "_home"):
            folder = tempfile.TemporaryDirectory(prefix="ddb-streamctl.")
            self.addCleanup(folder.cleanup)
            self._home = folder.name
        return self._home

    def file(self, name):
        return os.path.join(self.home(), name)

    def command(self, *arguments, config=None):
        return [os.path.join(harness.BUILD, "ddb-streamctl"), *(["-c", config] if config else self.where()), *arguments]

    def environment(self, extra=None):
        env = {"PATH": os.environ["PATH"], "HOME": self.home(), "no_proxy": "*", **self.server().env, **(extra or {})}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                env[name] = os.environ[name]
        return env

    def ctl(self, *arguments, code=0, config=None, extra=None, **options):
        """Runs it: by flags on the test's bucket, or with a configuration. (standard output, standard error)"""
        done = subprocess.run(self.command(*arguments, config=config), env=self.environment(extra), timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False, **options)
        out, err = done.stdout.decode("utf-8"), done.stderr.decode("utf-8", "replace")
        self.assertEqual(done.returncode, code, f"{arguments}: {out[-500:]}{err[-1500:]}")
        return out, err

    def begin(self, *arguments, config=None):
        """A run that goes on beside the test, with its standard error in a file of that name (.said)."""
        with tempfile.NamedTemporaryFile(dir=self.home(), delete=False) as said:
            run = subprocess.Popen(self.command(*arguments, config=config), env=self.environment(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said)
        run.said = said.name
        self.addCleanup(self._end, run)
        return run

    @staticmethod
    def _end(run):
        if run.poll() is None:
            run.kill()
            run.wait()

    def type(self, *arguments, typed=None, number=None):
        """Runs it on a terminal; types, or sends a signal, when it asks. (exit status, what it said)"""
        master, slave = pty.openpty()
        try:
            run = subprocess.Popen(self.command(*arguments), env=self.environment(), stdin=slave,
                                   stdout=subprocess.DEVNULL, stderr=slave)
            self.addCleanup(self._end, run)
            os.close(slave)
            said, asked = b"", False
            until = time.monotonic() + 60
            while True:
                if select.select([master], [], [], 1)[0]:
                    try:
                        said += os.read(master, 4096)
                    except OSError:  # Linux's way to say that the other end is closed
                        break
                self.assertTrue(time.monotonic() < until, f"it neither asks nor ends: {said}")
                if b"to go on: " in said and not asked:
                    asked = True
                    if typed is not None:
                        os.write(master, typed)
                    else:
                        run.send_signal(number)
            return run.wait(60), said.decode()
        finally:
            os.close(master)


class Ctl(Runs, harness.TestCase):
    """On the real servers."""

    def setUp(self):
        self.bucket = Bucket(self.servers, self.servers.new_bucket())
        self.table = self.servers.new_table()

    def server(self):
        return self.servers

    def where(self):
        return ["--bucket", self.bucket.name]

    def restore(self, at, *more, table=None, code=0, force=True):
        force = ["--force"] if force else []
        out, _ = self.ctl("restore", "--table", table or self.table, "--at", at, "--to-file", "-", *force, *more,
                          code=code)
        return [json.loads(line)["Item"] for line in out.splitlines()]

    def put(self, **item):
        self.servers.dynamodb.put_item(TableName=self.table, Item=item)

    def delete(self, name):
        self.servers.dynamodb.delete_item(TableName=self.table, Key={"id": {"S": name}})

    def wait_settled(self, daemon):
        """Until every record of the stream is in the bucket, and the backup says that it is complete through now."""
        now = datetime.datetime.now(datetime.timezone.utc)
        count = len(self.servers.stream_records(self.table))

        def there():
            return sum(v for (name, labels), v in daemon.metrics().items()
                       if name == "ddb_streamd_records_total" and ("table", self.table) in labels) >= count
        daemon.wait(there, 60, f"{count} records in the bucket")
        daemon.wait(lambda: all(parse(t["complete_through"]) > now for t in daemon.status()["tables"]), 30,
                    "the backup was complete")


class Story:
    """Changes of a table that are told to a bucket of a fake, in order; what the table held at each moment."""

    def __init__(self, test, table=TABLE, key_format="path", meta=True, hash_name="id", range_name="range",
                 tenant=None, lag_ms=1000):
        self.test, self.table, self.key_format, self.meta, self.tenant = test, table, key_format, meta, tenant
        self.names, self.lag_ms = (hash_name, range_name), lag_ms
        self.seq = 1000
        self.changes = []  # (ms, seq, key, item or None)
        self.now, self.versions = {}, []

    def key_of(self, item):
        return {n: item[n] for n in self.names if n in item}

    def folder(self, item):
        if self.tenant is None:
            return None
        value = item.get(self.tenant)
        return harness.path_component(value) if value else "_"

    def name(self, item):
        room = harness.deletes_room(self.table)
        return harness.item_key(self.key_of(item), self.key_format, *self.names, tenant=self.folder(item), room=room)

    def _version(self, event, item, ms, **more):
        told = {"ddb-event": event, "ddb-seq": str(self.seq), "ddb-time": iso(ms), "ddb-stream": "s", "ddb-shard": "x"}
        self.versions.append({"body": canonical(item).decode("utf-8"), "modified_ms": ms + self.lag_ms,
                              **({"meta": told} if self.meta else {}), **more})

    def _gone(self, old, ms, event="REMOVE"):
        name = self.name(old)
        if self.meta:
            self._version(event, old, ms, key=f".ddb-streamd/{self.table}/deletes/{name}")
        self.versions.append({"key": f"{self.table}/{name}", "marker": True, "modified_ms": ms + self.lag_ms})

    def put(self, at_s, item, **more):
        ms, key = T0 + int(at_s * 1000), canonical(self.key_of(item))
        old = self.now.get(key)
        self.seq += 1
        self._version("MODIFY" if old else "INSERT", item, ms, key=f"{self.table}/{self.name(item)}", **more)
        if old and self.folder(old) != self.folder(item):
            self._gone(old, ms)
        self.now[key] = item
        self.changes.append((ms, self.seq, key, item))

    def remove(self, at_s, item):
        ms, key = T0 + int(at_s * 1000), canonical(self.key_of(item))
        self.seq += 1
        self._gone(self.now.pop(key), ms)
        self.changes.append((ms, self.seq, key, None))

    def tell(self):
        """To the bucket; the ids of the versions."""
        told, self.versions = self.versions, []
        return self.test.fake.versions(self.test.bucket, told) if told else []

    def at(self, at_s, seq=None):
        """Canonical items at that moment, sorted. `seq`: of that second's changes only those up to it."""
        ms, state = T0 + int(at_s * 1000), {}
        for when, number, key, item in self.changes:
            second, asked = when // 1000, ms // 1000
            if when <= ms if seq is None else second < asked or (second == asked and number <= seq):
                state[key] = item
        return sorted(canonical(i) for i in state.values() if i is not None)


class FakeCtl(Runs, fake.TestCase):
    """On a fake of its own, with a bucket."""

    def setUp(self):
        super().setUp()
        self.bucket = self.fake.new_bucket()

    def server(self):
        return self.fake

    def where(self):
        return ["--bucket", self.bucket]

    def end(self, run, how):
        """Stops a run by that signal, while faults hold it; they are gone afterwards. What it said."""
        run.send_signal(how)
        code = run.wait(60)
        with open(run.said, encoding="utf-8") as f:
            said = f.read()
        self.fake.do("clear_faults")
        self.assertEqual(code, -how, said)
        return said

    def put_object(self, name, body):
        self.fake.version(self.bucket, name, body=body, modified_ms=T0 - 1)

    def watermark(self, since=T0 - 10**9, through=T0 + 10**9, table=TABLE, gaps=()):
        self.put_object(f".ddb-streamd/{table}/watermark.json", json.dumps(
            {"version": 1, "table": table, "since": iso(since), "complete_through": iso(through), "saved": iso(through),
             "host": "h", "instance": "i", "data_path": f"{table}/", "streams": [], "gap_count": len(gaps),
             "gaps": list(gaps)}))

    def schema(self, hash_name="id", range_name=None, hash_type="S", range_type="S", table=TABLE, **more):
        keys = [(hash_name, "HASH", hash_type)] + ([(range_name, "RANGE", range_type)] if range_name else [])
        self.put_object(f".ddb-streamd/{table}/table.json", json.dumps({"Table": {
            "TableName": table, "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "KeySchema": [{"AttributeName": n, "KeyType": k} for n, k, _ in keys],
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, _, t in keys]}, **more}))

    def ready(self, **schema):
        """Table.json and watermark of a backup that is complete."""
        self.schema(**schema)
        self.watermark()

    def restore(self, at_s, *more, code=0, table=TABLE, **options):
        """`at_s` seconds after T0, or a text: (standard output, standard error)."""
        at = at_s if isinstance(at_s, str) else iso(T0 + int(at_s * 1000))
        return self.ctl("restore", "--table", table, "--at", at, *more, code=code, **options)

    def lines(self, at_s, *more, **options):
        """Canonical items by standard output, sorted."""
        out, _ = self.restore(at_s, "--to-file", "-", *more, **options)
        return sorted(canonical({k: unwire(v) for k, v in json.loads(line)["Item"].items()})
                      for line in out.splitlines())

    def items(self, table):
        """The items of a table in canonical form, sorted."""
        return sorted(canonical({k: unwire(v) for k, v in item.items()}) for item in self.fake.items(table))

    def fill(self, table, items):
        for item in items:
            self.fake.dynamodb.put_item(TableName=table, Item=item)

    def written(self):
        """How many requests that write were made."""
        reads = ("Get", "Head", "List", "Describe", "Scan", "Query", "BatchGet")
        return {name: c["n"] for name, c in self.fake.counts().items()
                if not name.split()[-1].startswith(reads) and not name.startswith("imds")}
