"""
What the tests of verify and drill share: a table on a fake, its backup told to a bucket as the daemon writes it, and a list
of ways to corrupt it.
"""
import json
import time

from ctl import EX_DATAERR, FakeCtl, Story, T0, TABLE, iso  # noqa: F401
from harness import canonical

META = f".ddb-streamd/{TABLE}/"


def item(name, **more):
    return {"id": {"S": name}, **more}


class Backed(FakeCtl):
    """Items i0 to i39: each changed once; i30 to i39 removed again, and i35 to i39 put back."""

    ITEMS = 40

    def setUp(self):
        super().setUp()
        self.fake.new_table(TABLE)
        self.schema()
        self.complete()
        self.story = self.make_story()
        self.fill(TABLE, self.story.now.values())
        self.bodies = {}

    def make_story(self, **options):
        s = Story(self, **options)
        names = [f"i{n}" for n in range(self.ITEMS)]
        for n, name in enumerate(names):
            s.put(n, item(name, n={"N": "1"}))
        for n, name in enumerate(names):
            s.put(100 + n, item(name, n={"N": "2"}, s={"SS": ["a", "b"]}))
        for n in range(30, 40):
            s.remove(200 + n, item(f"i{n}", n={"N": "2"}, s={"SS": ["a", "b"]}))
        for n in range(35, 40):
            s.put(300 + n, item(f"i{n}", n={"N": "3"}))
        s.tell()
        return s

    def complete(self, ahead_s=3600, saved_s=0, gaps=(), **more):
        """The watermark of a daemon that is complete through so many seconds from now on."""
        now = int(time.time() * 1000)
        self.fake.s3.put_object(Bucket=self.bucket, Key=META + "watermark.json", Body=json.dumps(
            {"version": 1, "table": TABLE, "since": iso(T0 - 10**6), "complete_through": iso(now + ahead_s * 1000),
             "saved": iso(now - saved_s * 1000), "host": "h", "instance": "i", "data_path": f"{TABLE}/", "streams": [],
             "gap_count": len(gaps), "gaps": list(gaps), **more}))

    # What lies in the bucket of one item, and ways to change it

    def versions(self, name, folder=f"{TABLE}/"):
        """Of the object, oldest first, as control tells of them."""
        return [w for w in self.fake.writes(bucket=self.bucket, key=folder + name)]

    def read(self, name, version_id, folder=f"{TABLE}/"):
        answer = self.fake.s3.get_object(Bucket=self.bucket, Key=folder + name, VersionId=version_id)
        return answer["Body"].read(), answer["Metadata"], answer["LastModified"]

    def told(self, name, seq, at_s, event="MODIFY", body=None, **more):
        """One more version on top, with metadata that a daemon might have written."""
        meta = {"ddb-event": event, "ddb-seq": str(seq), "ddb-time": iso(T0 + at_s * 1000), "ddb-stream": "s",
                "ddb-shard": "x"}
        return self.fake.version(self.bucket, f"{TABLE}/{name}", modified_ms=T0 + at_s * 1000 + 500, meta=meta,
                                 **({"body": body.decode()} if body is not None else {}), **more)

    def drop(self, name, which=-1, folder=f"{TABLE}/"):
        """One version or marker is not there any more."""
        self.fake.expire(self.bucket, folder + name, self.versions(name, folder)[which]["version"])


def flipped_byte(t):
    """The latest image of an item with one byte changed."""
    body = bytearray(canonical(item("i3", n={"N": "2"}, s={"SS": ["a", "b"]})))
    body[body.index(b'"2"') + 1] ^= 1
    t.told("i3", 2000, 400, body=bytes(body))
    return "i3", {"different"}


def dropped_version(t):
    """The last change of an item is not there."""
    t.drop("i4")
    return "i4", {"different"}


def swapped_versions(t):
    """An item's two versions lie in the wrong order."""
    first, second = (t.read("i5", w["version"]) for w in t.versions("i5"))
    t.drop("i5", 0)
    t.drop("i5", 1)
    for n, (body, meta, _) in enumerate((second, first)):
        t.fake.version(t.bucket, f"{TABLE}/i5", body=body.decode(), meta=meta, modified_ms=T0 + 400_000 + n * 1000)
    return "i5", {"different", "misordered"}


def forged_marker(t):
    """A delete marker that no removal made."""
    t.fake.version(t.bucket, f"{TABLE}/i6", marker=True, modified_ms=T0 + 400_000)
    return "i6", {"missing", "stray marker"}


def wrong_key(t):
    """Under an item's name lies the image of another one."""
    t.told("i7", 2000, 400, body=canonical(item("i8", n={"N": "2"}, s={"SS": ["a", "b"]})))
    return "i7", {"foreign"}


def stale_item(t):
    """A change of the table never came into the backup."""
    t.fake.dynamodb.put_item(TableName=TABLE, Item=item("i9", n={"N": "9"}))
    return "i9", {"different"}


def resurrected_item(t):
    """The delete marker of a removed item is not there."""
    t.drop("i31")
    return "i31", {"extra", "stray removal"}


CORRUPTIONS = (flipped_byte, dropped_version, swapped_versions, forged_marker, wrong_key, stale_item, resurrected_item)
