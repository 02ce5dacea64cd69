"""
What may go wrong, drawn from a seed: options of streams and of S3, faults of requests, system calls that fail or at which
the daemon is killed, and writers.
"""
import base64
import random
import threading

import fake

# At each of these the daemon is killed in turn: the first FIRST calls one by one, then every STRIDE-th up to LAST. They are
# counted in each thread for itself, and a call at which it is killed has no effect. (sweep.py leaves none out.)
KILL_AT = (
    # call,         first, stride, last
    ("sendto",         60,     11, 1200),
    ("fsync",          12,      1,   12),
    ("rename",          6,      1,    6),
    ("write",          24,      1,   24),
    ("recvfrom",       60,     11, 1200),
    ("close",          30,      7,  200),
    ("openat",         40,      1,   56),
    ("connect",        30,      7,   80),
    ("epoll_wait",     30,      5,   90),
    ("read",           30,      2,   60),
    ("poll",           60,     11, 1200),
    ("epoll_ctl",      60,      9,  400),
    ("socket",         20,      7,   70),
    ("futex",          20,      5,   50),
    ("mmap",           60,      9,  190),
)

# Calls that fail from the N-th on, or now and then.
FAIL_AT = (
    ("fsync:error=EIO:when={n}+", 3, 12),
    ("fsync:error=ENOSPC:when={n}+3", 3, 6),
    ("rename:error=EIO:when={n}+", 2, 6),
    ("rename:error=EROFS:when={n}+2", 2, 4),
    ("sendto:error=ECONNRESET:when={n}+17", 20, 200),
    ("recvfrom:error=ECONNRESET:when={n}+23", 20, 200),
    ("connect:error=ETIMEDOUT:when={n}+5", 10, 40),
    ("socket:error=EMFILE:when={n}+3", 10, 40),
)

S3_WRITES = ("PutObject", "DeleteObject")
S3_READS = ("HeadObject", "ListObjectVersions", "GetObject", "GetBucketVersioning")
READS = ("GetRecords", "GetRecords", "GetShardIterator", "DescribeStream")

# Requests of a process that is gone may still take effect for so long; the next start waits for that. Nothing without
# conditional writes could guard against one that comes even later.
LATE_MS = 120


def kill_at(turn):
    """(call, which) of the turn-th kill at a system call: every call in turn, each time a little further."""
    call, first, stride, last = KILL_AT[turn % len(KILL_AT)]
    step = turn // len(KILL_AT)
    far = max(0, (last - first) // stride)
    step %= first + far
    return call, step + 1 if step < first else first + (step - first + 1) * stride


def fail_at(rng):
    rule, least, most = rng.choice(FAIL_AT)
    return rule.format(n=rng.randint(least, most))


def stream_options(rng):
    options = {
        "describe_page": rng.choice((1, 2, 3, 100)),
        "child_filter": rng.choice(("honour", "honour", "honour", "refuse", "ignore")),
        "child_empty": rng.choice((0, 0, 1, 2)),
        "order": rng.choice(("age", "child_first")),
        "adjacent": True,
        "odd_ids": rng.random() < 0.2,
        "empty_pages": rng.choice((0, 0, 1, 4)),
        "repeated_pages": rng.choice((0, 0, 0, 2)),
        "last_page_empty": rng.random() < 0.5,
        "page_records": rng.choice((1000, 1000, 300, 100, 37)),
        "page_bytes": rng.choice((1 << 20, 1 << 20, 50000)),
        "iterator_ms": rng.choice((900000, 900000, 3000, 800)),
        "crc": rng.choice(("right", "right", "absent")),
        "gzip_unasked": rng.random() < 0.3,
        "time": rng.choice(("seconds", "seconds", "seconds", "fraction", "exponent", "absent")),
        "identity": rng.choice(("lower", "upper")),
        "unknown_fields": rng.random() < 0.3,
        "seq_digits": rng.choice((21, 21, 29, 38)),
    }
    if options["page_records"] >= 300 and rng.random() < 0.3:
        options["shard_calls_per_s"] = 5
    return options


def s3_options(rng):
    options = {name: rng.random() < 0.3 for name in
               ("ignore_conditions", "plain_next_marker", "marker_get_404", "no_marker_header", "skew_markers")}
    options["list_page"] = rng.choice((1000, 1000, 1, 2, 3))
    return options


def fault(rng):
    """One rule: whom it hits, how often, and what it does."""
    kind = rng.random()
    if kind < 0.6:
        rule = {"service": "s3"}
        if rng.random() < 0.7:
            rule["op"] = rng.choice(S3_WRITES + S3_WRITES + S3_READS)
    elif kind < 0.93:
        rule = {"op": rng.choice(READS)}
    else:
        rule = {"op": "DescribeTable"}
    rule["p"] = rng.choice((0.02, 0.05, 0.1, 0.3, 0.8))
    rule["seed"] = rng.randrange(1 << 31)
    if rule["p"] > 0.2:
        rule["count"] = rng.choice((1, 3, 10, 40))
    rule.update(_effect(rng, rule))
    return rule


def _effect(rng, rule):
    s3 = rule.get("service") == "s3"
    effects = [
        {"status": 500, "code": "InternalError" if s3 else "InternalServerError"},
        {"delay_ms": rng.choice((5, 40, LATE_MS - 20)), "when": rng.choice(("before", "after"))},
        {"reset": "before"},
        {"reset": "after"},
        {"reset": "after"},
        {"truncate": rng.choice((0, 1, 20, 200, 2000))},
        {"garbage": True},
        {"slow_bytes": 200, "slow_ms": 5},
        {"never": rng.choice(("before", "after")), "count": rng.choice((1, 2))},
        {"date_skew_ms": rng.randint(-120000, 120000)},
    ]
    if s3:
        effects += [
            {"status": 503, "code": "SlowDown", **({"retry_after_s": 1} if rng.random() < 0.1 else {})},
            {"status": 503, "code": "ServiceUnavailable"},
            {"status": 409, "code": "OperationAborted"},
            {"status": 403, "code": "AccessDenied"},
        ]
        if rule.get("op") == "PutObject":
            effects.append({"status": 400, "code": "RequestTimeout"})
    else:
        effects += [{"crc": "wrong"}, {"crc": "absent"},
                    {"status": 400, "code": "ThrottlingException"},
                    {"status": 400, "code": "LimitExceededException"},
                    {"status": 400, "code": "ProvisionedThroughputExceededException"},
                    {"status": 503, "code": "ServiceUnavailable"}]
        if rule["op"] != "DescribeTable":  # which is believed at a start
            effects.append({"status": 400, "code": "ResourceNotFoundException", "count": rng.choice((1, 2))})
        if rule["op"] == "GetRecords":
            effects += [{"status": 400, "code": "ExpiredIteratorException"}] * 2
    return rng.choice(effects)


class Writers(threading.Thread):
    """
    Changes the tables until it is stopped: inserts, changes, deletes, recreations; a few hot items beside many; shards that
    split, rotate and merge. The choices are of the seed; when they come is not.
    """

    def __init__(self, server, tables, seed, pace):
        super().__init__(daemon=True)
        self.server, self.tables, self.pace = server, tables, pace
        self.rng = random.Random(seed)
        self.done = threading.Event()
        self.paused = ()  # tables that are left alone
        self.busy = threading.Lock()
        self.records = self.api = self.reshards = self.merges = 0
        self.error = None

    def run(self):
        try:
            while not self.done.wait(self.rng.uniform(0, self.pace)):
                with self.busy:
                    table = self.rng.choice(self.tables)
                    if table not in self.paused:
                        self.step(table)
        except Exception as e:  # told by stop(), in the thread that can fail the round
            self.error = e

    def stop(self):
        self.done.set()
        self.join()
        if self.error:
            raise self.error

    def pause(self, *tables):
        with self.busy:
            self.paused = tables

    def step(self, table):
        rng, what = self.rng, self.rng.random()
        if what < 0.80:
            keys = rng.choice((2, 20, 200, 1000))
            self.records += self.server.write(table, count=rng.choice((1, 10, 40, 120, 400)), keys=keys,
                                              deletes=rng.choice((0, 0.1, 0.5)), bytes=rng.choice((1, 30, 100, 1500)),
                                              seed=rng.randrange(1 << 31))
        elif what < 0.90:
            self.by_api(table)
        else:
            self.reshard(table)

    def by_api(self, table):
        """An item of a life of its own, by DynamoDB's API: made, changed, deleted, made again."""
        rng = self.rng
        hash_type, ranged = self.server.keys_of[table]
        number = str(rng.randrange(50))
        key = {"id": {hash_type: number if hash_type == "N" else f"né {number}/~?".encode() if hash_type == "B" else
                      f"né {number}/~?"}}
        if ranged:
            key["range"] = {"N": number}
        for change in rng.choice(("p", "pp", "pd", "pdp", "d", "pdpd")):
            if change == "p":
                self.server.dynamodb.put_item(TableName=table, Item={
                    **key, "v": {"N": str(rng.randrange(1000))}, "big": {"S": "y" * rng.choice((0, 10, 20000))}})
            else:
                self.server.dynamodb.delete_item(TableName=table, Key=key)
            self.api += 1
        if rng.random() < 0.3:
            self.server.dynamodb.put_item(TableName=table, Item=key)
            self.server.do("ttl_delete", table=table, key={
                n: {t: v if isinstance(v, str) else base64.b64encode(v).decode() for t, v in a.items()}
                for n, a in key.items()})

    def reshard(self, table):
        rng = self.rng
        shards = self.server.shards(table)
        if len(shards) > 40:
            return
        opened = [s["id"] for s in shards if s["open"]]
        what = rng.random()
        if what < 0.35 and len(opened) < 8:
            self.server.do("split", table=table, shard=rng.choice(opened))
        elif what < 0.6 and len(opened) > 1:
            a, b = rng.sample(opened, 2)
            try:
                self.server.do("merge", table=table, shard=a, **{"with": b})
            except fake.Refused:  # they are not neighbours
                return
            self.merges += 1
        else:
            self.server.do("rotate", table=table, shard=rng.choice(opened), times=rng.choice((1, 1, 3)))
        self.reshards += 1
