"""What an item may hold and what its key may be: every byte arrives, and every key is where the manual says."""
import json
import urllib.parse

import harness
from harness import Bucket, canonical, deletes_key, deletes_room, item_key

TYPES = {
    "S": {"S": "text with \"quotes\", \\ and \t tab, \u00e9 \u4e16 \U0001f600, \u2028, \x7f and \x01"},
    "N": {"N": "-12345678901234567890123456789012345678"},
    "B": {"B": bytes(range(256))},
    "SS": {"SS": ["b", "a", "\u00e9", "B", "\U0001f600"]},
    "NS": {"NS": ["3", "-1", "22", "1.5"]},
    "BS": {"BS": [b"\xff\x00", b"\x00", b"zz"]},
    "M": {"M": {"z": {"S": "1"}, "a": {"M": {}}, "\u00e9": {"NULL": True}}},
    "L": {"L": [{"S": "x"}, {"N": "1"}, {"L": []}, {"M": {"k": {"BOOL": False}}}]},
    "NULL": {"NULL": True},
    "BOOL": {"BOOL": True},
}

NUMBERS = ["0", "-1", "12345678901234567890123456789012345678", "0.1", "-0.00000000000000000000000000000000000001",
           "9.9999999999999999999999999999999999999E+125", "-9.9999999999999999999999999999999999999E+125",
           "1E-130", "3.1415926535897932384626433832795028841"]

ODD_KEYS = [
    "plain", "with blank", " leading", "trailing ", "a|b", "a | b", "a+b", "100%", "%41", "%2F", "a=b", "a&b?c#d", "a//b",
    "/leading", "trailing/", "/", "//", ".", "..", "...", "../..", "./a", "a/../b", "a/./b", "~", "~user", "a~b", "-", "_",
    "\"quoted\"", "'", "\\", "a\\b", "<xml>&amp;", "{json}", "[x]", "a:b;c,d", "@!$*()", "\t", "a\nb", "a\rb", "\x01",
    "a\x00b", "\x1f\x7f", "\u00e9", "e\u0301", "\u4e16\u754c", "\U0001f600", "\u00df\u0130\u0131", "\u200b", "\u202e",
    "\ufeff", "\ufffd", "\uffff", "\U0010ffff", "_", "deletes", ".ddb-streamd", "x" * 200, "\u4e16" * 300, "%" * 341,
    "y" * 1024, "/" * 500, "~" + "0" * 64,
]


class Values(harness.TestCase):
    """Bodies are the items, canonical, byte for byte."""

    def setUp(self):
        self.bucket = Bucket(self.servers, self.servers.new_bucket())
        self.table = self.servers.new_table()

    def back_up(self, items, check=True):
        """Writes items {id: item}, waits for them, and compares each body with the stream's own image."""
        for item in items.values():
            self.servers.dynamodb.put_item(TableName=self.table, Item=item)
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        daemon.wait(lambda: len(self.bucket.keys(self.table + "/")) >= len(items), 60, f"{len(items)} items in the bucket")
        daemon.stop()
        images = {r["dynamodb"]["Keys"]["id"]["S"]: r["dynamodb"]["NewImage"] for r in
                  self.servers.stream_records(self.table)}
        bodies = {}
        for name in items:
            (version,) = self.bucket.versions(f"{self.table}/{item_key({'id': {'S': name}})}")
            bodies[name] = version.body
            if check:
                self.assertEqual(version.body, canonical(images[name]), name)
        return bodies

    def test_all_ten_types(self):
        items = {f"only-{k}": {"id": {"S": f"only-{k}"}, "v": v} for k, v in TYPES.items()}
        items["all"] = {"id": {"S": "all"}, **TYPES}
        bodies = self.back_up(items)
        for name, item in items.items():
            self.assertEqual(json.loads(bodies[name]), json.loads(canonical(item)), name)

    def test_numbers_stay_text(self):
        items = {f"n{i}": {"id": {"S": f"n{i}"}, "v": {"N": n}} for i, n in enumerate(NUMBERS)}
        bodies = self.back_up(items)
        self.assertIn(b'"12345678901234567890123456789012345678"', bodies["n2"])
        self.assertIn(b'"3.1415926535897932384626433832795028841', bodies["n8"])

    def test_nested_32_levels(self):
        value = {"S": "innermost"}
        for level in range(31):
            value = {"L": [value]} if level % 2 else {"M": {"down": value}}
        self.back_up({"deep": {"id": {"S": "deep"}, "v": value}})

    def test_400_kb_items(self):
        limit = 400 * 1024
        text = {"id": {"S": "text"}, "v": {"S": "x" * (limit - 8)}}
        binary = {"id": {"S": "binary"}, "v": {"B": b"\xfb" * (limit - 10)}}
        escaped = {"id": {"S": "escaped"}, "v": {"S": "\x01" * (limit - 11)}}
        many = {"id": {"S": "many"}, **{f"attribute-{i:05}": {"N": str(i)} for i in range(15000)}}
        bodies = self.back_up({i["id"]["S"]: i for i in (text, binary, escaped, many)})
        self.assertGreater(len(bodies["escaped"]), 6 * (limit - 11))

    def test_attribute_names(self):
        names = ["", "a b", "\"", "\\", "\u00e9", "\U0001f600", "a.b", "a/b", "S", "M", "\x01", "x" * 255, "Z", "z", "_"]
        item = {"id": {"S": "names"}, **{n: {"S": n or "empty"} for n in names if n}}
        self.back_up({"names": item})

    def test_order_of_writing_does_not_matter(self):
        one = {"id": {"S": "one"}, "s": {"SS": ["c", "a", "b"]}, "m": {"M": {"y": {"N": "1"}, "x": {"N": "2"}}}}
        two = {"m": {"M": {"x": {"N": "2"}, "y": {"N": "1"}}}, "s": {"SS": ["b", "c", "a"]}, "id": {"S": "two"}}
        bodies = self.back_up({"one": one, "two": two})
        self.assertEqual(bodies["one"].replace(b'"one"', b'"two"'), bodies["two"])


class Keys(harness.TestCase):
    """Every key of DynamoDB has its place in S3, in each format, for the item, its marker and its deletes object."""

    def life(self, keys, key_format="path", hash_type="S", range_type=None, tenants=None, **settings):
        """Puts an item of every key and deletes it again; then all must be where item_key() says, and nothing else."""
        table = self.servers.new_table(hash_type, range_type)
        bucket = Bucket(self.servers, self.servers.new_bucket())
        daemon = self.daemon(bucket.name, [table], s3={"key_format": key_format, **settings}).start()
        for number, key in enumerate(keys):
            extra = {"customer": tenants[number]} if tenants and tenants[number] else {}
            self.servers.dynamodb.put_item(TableName=table, Item={**key, **extra, "n": {"N": str(number)}})
            self.servers.dynamodb.delete_item(TableName=table, Key=key)
        kept = {r["dynamodb"]["OldImage"]["n"]["N"]: r["dynamodb"]["Keys"] for r in
                self.servers.stream_records(table) if r["eventName"] == "REMOVE"}
        expected = {}
        for number, _ in enumerate(keys):
            tenant = None
            if tenants:
                tenant = harness.path_component(tenants[number]) if tenants[number] else "_"
            # A number comes back from the server in its normal form.
            name = item_key(kept[str(number)], key_format, tenant=tenant, room=deletes_room(table))
            expected[name] = expected.get(name, 0) + 1

        def complete():
            found = bucket.list()
            data = {k[len(table) + 1:]: v for k, v in found.items() if k.startswith(table + "/")}
            missing = [k for k, n in expected.items() if len(data.get(k, [])) < 2 * n]
            assert not missing, f"{len(missing)} of {len(expected)} keys have no version and marker yet: {missing[:3]}"
            return True
        daemon.wait(complete, 60, "every key in the bucket")
        daemon.stop()
        found = bucket.list()
        data = {k[len(table) + 1:]: v for k, v in found.items() if k.startswith(table + "/")}
        self.assertEqual(sorted(data), sorted(expected))
        for name, count in expected.items():
            self.assertEqual([v.marker for v in data[name]], [False, True] * count, name)
            deletes = found.get(deletes_key(table, name))
            self.assertIsNotNone(deletes, f"no deletes object of {name!r}")
            self.assertEqual(len(deletes), count, name)
            self.assertLessEqual(len(deletes_key(table, name).encode("utf-8")), 1024)
        return data

    def odd(self):
        return [{"id": {"S": s}} for s in ODD_KEYS]

    def test_path(self):
        data = self.life(self.odd())
        self.assertEqual(len(data), len(set(ODD_KEYS)))
        for name in data:
            self.assertRegex(name, r"^[A-Za-z0-9._~%-]+$")
        short = [k for k in ODD_KEYS if "%2E" not in item_key({"id": {"S": k}}) and len(k) < 100]
        for key in short:  # reversible
            self.assertIn(key, [urllib.parse.unquote(n) for n in data])

    def test_md5(self):
        self.life(self.odd(), "md5")

    def test_sha256(self):
        self.life(self.odd(), "sha256")

    def test_plain(self):
        # Here the values are the key as they are. The gateway takes all of them but NUL.
        self.life([k for k in self.odd() if "\0" not in k["id"]["S"]], "plain")

    def test_path_with_sort_key(self):
        odd = ODD_KEYS[:40]
        self.life([{"id": {"S": a}, "range": {"S": b}} for a, b in zip(odd, reversed(odd))], range_type="S")

    def test_long_pairs(self):
        pairs = [("a" * 500, "b" * 500), ("a" * 2000, "b" * 10), ("a" * 10, "b" * 1024), ("a" * 2048, "b" * 1024),
                 ("\u4e16" * 300, "\u4e16" * 300), ("/" * 100, "%" * 300)]
        keys = [{"id": {"S": a}, "range": {"S": b}} for a, b in pairs]
        for key_format in ("path", "plain"):
            with self.subTest(key_format):
                self.life(keys, key_format, range_type="S")

    def test_number_keys(self):
        keys = [{"id": {"N": n}, "range": {"N": n}} for n in NUMBERS + ["1.50", "007", "1e3"]]
        for key_format in ("path", "md5", "sha256", "plain"):
            with self.subTest(key_format):
                self.life(keys, key_format, "N", "N")

    def test_binary_keys(self):
        keys = [{"id": {"B": b}, "range": {"B": b[::-1]}} for b in
                (b"\x00", b"\xff", b"\xfb\xff\xfe", b"~", b".", b"..", b"/", bytes(range(256)), b"\x00" * 1000)]
        for key_format in ("path", "md5", "sha256", "plain"):
            with self.subTest(key_format):
                self.life(keys, key_format, "B", "B")

    def test_tenant_folders(self):
        tenants = [{"S": "acme"}, {"S": "a/b"}, {"S": ".."}, {"S": "\u00e9 x"}, {"N": "42"}, {"B": b"\xff\xfe"}, None,
                   {"S": "_"}]
        keys = [{"id": {"S": f"item {i}"}} for i in range(len(tenants))]
        for key_format in ("path", "md5", "sha256", "plain"):
            with self.subTest(key_format):
                self.life(keys, key_format, tenants=tenants, tenant_attribute="customer")

    def test_change_of_tenant(self):
        table = self.servers.new_table()
        bucket = Bucket(self.servers, self.servers.new_bucket())
        daemon = self.daemon(bucket.name, [table], s3={"tenant_attribute": "customer"}).start()
        for customer in ("one", "two"):
            self.servers.dynamodb.put_item(TableName=table, Item={"id": {"S": "x"}, "customer": {"S": customer}})
        daemon.wait(lambda: len(bucket.versions(f"{table}/one/x", full=False)) == 2, 15, "the old folder's marker")
        daemon.wait(lambda: len(bucket.versions(f"{table}/two/x", full=False)) == 1, 15, "the new folder's version")
        daemon.stop()
        self.assertEqual([v.marker for v in bucket.versions(f"{table}/one/x")], [False, True])
        self.assertEqual([v.marker for v in bucket.versions(f"{table}/two/x")], [False])


if __name__ == "__main__":
    harness.main()
