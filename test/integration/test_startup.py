"""What is wrong at the start is said in one message with its remedy, and the exit status tells the kind of fault."""
import os

import harness
from harness import EX_CONFIG, EX_NOPERM, EX_UNAVAILABLE, Bucket


class Refusals(harness.TestCase):
    """One table that cannot be backed up: the daemon must not look as if it did."""

    def refused(self, daemon, status, *words):
        got = daemon.run(60)
        log = daemon.log()
        self.assertEqual(got, status, log)
        for word in words:
            self.assertIn(word, log)
        self.assertNotIn(self.servers.env["AWS_SECRET_ACCESS_KEY"], log)
        return log

    def test_wrong_secret(self):
        daemon = self.daemon(self.servers.new_bucket(), [self.servers.new_table()],
                             env={"AWS_SECRET_ACCESS_KEY": "wrong" * 8})
        log = self.refused(daemon, EX_NOPERM, "SignatureDoesNotMatch")
        self.assertNotIn("wrongwrong", log)

    def test_unknown_access_key(self):
        daemon = self.daemon(self.servers.new_bucket(), [self.servers.new_table()],
                             env={"AWS_ACCESS_KEY_ID": "AKIAUNKNOWNUNKNOWN00"})
        self.refused(daemon, EX_NOPERM, "InvalidAccessKeyId")

    def test_no_credentials(self):
        daemon = self.daemon(self.servers.new_bucket(), [self.servers.new_table()],
                             env={"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None})
        self.refused(daemon, EX_NOPERM, "AWS_ACCESS_KEY_ID")

    def test_no_bucket(self):
        daemon = self.daemon("no-such-bucket-here", [self.servers.new_table()])
        self.refused(daemon, EX_UNAVAILABLE, "no-such-bucket-here")

    def test_versioning_off(self):
        bucket = self.servers.new_bucket(versioning=None)
        self.refused(self.daemon(bucket, [self.servers.new_table()]), EX_UNAVAILABLE, bucket, "ersioning")

    def test_versioning_suspended(self):
        bucket = self.servers.new_bucket(versioning="Suspended")
        self.refused(self.daemon(bucket, [self.servers.new_table()]), EX_UNAVAILABLE, bucket, "ersioning")

    def test_missing_table(self):
        self.refused(self.daemon(self.servers.new_bucket(), ["no-such-table"]), EX_UNAVAILABLE, "no-such-table")

    def test_stream_off(self):
        table = self.servers.new_table(view=None)
        self.refused(self.daemon(self.servers.new_bucket(), [table]), EX_UNAVAILABLE, table, "enable_stream")

    def test_keys_only(self):
        table = self.servers.new_table(view="KEYS_ONLY")
        self.refused(self.daemon(self.servers.new_bucket(), [table]), EX_UNAVAILABLE, table, "KEYS_ONLY", "NEW_AND_OLD_IMAGES")

    def test_old_image(self):
        table = self.servers.new_table(view="OLD_IMAGE")
        self.refused(self.daemon(self.servers.new_bucket(), [table]), EX_UNAVAILABLE, table, "OLD_IMAGE")

    def test_refused_writes_nothing(self):
        bucket = Bucket(self.servers, self.servers.new_bucket())
        self.refused(self.daemon(bucket.name, [self.servers.new_table(view="KEYS_ONLY")]), EX_UNAVAILABLE)
        self.assertEqual([k for k in bucket.keys() if not k.startswith(".ddb-streamd/")], [])


class Starts(harness.TestCase):
    def put(self, table, name):
        self.servers.dynamodb.put_item(TableName=table, Item={"id": {"S": name}})

    def test_enable_stream(self):
        table = self.servers.new_table(view=None)
        bucket = Bucket(self.servers, self.servers.new_bucket())
        daemon = self.daemon(bucket.name, {table: {"enable_stream": "yes", "start": "trim_horizon"}}).start()
        described = self.servers.dynamodb.describe_table(TableName=table)["Table"]
        self.assertEqual(described["StreamSpecification"],
                         {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
        self.put(table, "x")
        daemon.wait(lambda: f"{table}/x" in bucket.keys(), 15, "the item in the bucket")
        daemon.stop()

    def test_new_image(self):
        table = self.servers.new_table(view="NEW_IMAGE")
        bucket = Bucket(self.servers, self.servers.new_bucket())
        daemon = self.daemon(bucket.name, [table]).start()
        self.put(table, "x")
        self.servers.dynamodb.delete_item(TableName=table, Key={"id": {"S": "x"}})
        daemon.wait(lambda: len(bucket.versions(f"{table}/x", full=False)) == 2, 15, "version and marker")
        daemon.stop()
        (gone,) = bucket.versions(harness.deletes_key(table, "x"))
        self.assertEqual(gone.body, b'{"id":{"S":"x"}}')  # without an old image, the keys

    def test_one_bad_table_does_not_stop_the_other(self):
        good = self.servers.new_table()
        bucket = Bucket(self.servers, self.servers.new_bucket())
        for number, bad in enumerate(("no-such-table", self.servers.new_table(view="KEYS_ONLY"))):
            with self.subTest(bad):
                daemon = self.daemon(bucket.name, [bad, good]).start(ready=False)
                self.put(good, f"x{number}")
                daemon.wait(lambda: f"{good}/x{number}" in bucket.keys(), 30, "the good table's item")
                status, _, body = daemon.get("/readyz")
                self.assertEqual(status, 503)
                self.assertIn(bad, body)
                self.assertTrue(daemon.logged(bad))
                daemon.stop()

    def test_repaired_while_running(self):
        """A table that appears later is taken up without a restart, when another one keeps the daemon running."""
        good, late = self.servers.new_table(), "t-late-" + os.urandom(4).hex()
        bucket = Bucket(self.servers, self.servers.new_bucket())
        daemon = self.daemon(bucket.name, [good, late]).start(ready=False)
        daemon.wait(lambda: daemon.get("/readyz")[0] == 503 and daemon.logged(late), 30, "the complaint")
        self.servers.dynamodb.create_table(
            TableName=late, KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
        self.put(late, "x")
        daemon.wait(lambda: f"{late}/x" in bucket.keys(), 90, "the late table's item")
        daemon.wait(daemon.is_ready, 30, "ready")
        daemon.stop()

    def test_servers_that_come_later(self):
        """Without a server at all it waits: a reboot may start the daemon before the network."""
        daemon = self.daemon(self.servers.new_bucket(), [self.servers.new_table()],
                             env={"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9"}).start(ready=False)
        daemon.wait(lambda: daemon.get("/readyz")[0] == 503, 30, "not ready")
        daemon.stop()


class Configuration(harness.TestCase):
    """Mistakes in the file: exit 78, and a message with file, line and key; -t finds the same."""

    def check(self, change, *words):
        daemon = self.daemon("a-bucket", ["a-table"])
        with open(daemon.config, encoding="utf-8") as f:
            text = f.read()
        with open(daemon.config, "w", encoding="utf-8") as f:
            f.write(change(text))
        status, said = daemon.test_config()
        self.assertEqual(status, EX_CONFIG, said)
        self.assertIn(daemon.config, said)
        for word in words:
            self.assertIn(word, said)
        self.assertEqual(daemon.run(), EX_CONFIG)
        for word in words:
            self.assertIn(word, daemon.log())

    def test_unknown_key(self):
        self.check(lambda t: t.replace("[s3]", "[s3]\nbukket = x"), "bukket")

    def test_unknown_section(self):
        self.check(lambda t: t + "\n[tabel]\n", "tabel")

    def test_bad_value(self):
        self.check(lambda t: t.replace("[daemon]", "[daemon]\nrpo = soon"), "rpo", "soon")

    def test_key_twice(self):
        self.check(lambda t: t.replace("[s3]", "[s3]\nbucket = other"), "bucket")

    def test_no_bucket(self):
        self.check(lambda t: t.replace("bucket = a-bucket", ""), "bucket")

    def test_no_table(self):
        self.check(lambda t: t[:t.index("[table")], "table")

    def test_not_ini(self):
        self.check(lambda t: t + "\nwhat is this\n")

    def test_tables_that_share_a_path(self):
        self.check(lambda t: t + '\n[table "a-table"]\nstart = latest\n', "a-table")

    def test_no_file(self):
        daemon = self.daemon("a-bucket", ["a-table"])
        os.unlink(daemon.config)
        status, said = daemon.test_config()
        self.assertNotEqual(status, 0)
        self.assertIn(daemon.config, said)

    def test_good_file(self):
        daemon = self.daemon("a-bucket", ["a-table"])
        status, said = daemon.test_config()
        self.assertEqual(status, 0, said)


if __name__ == "__main__":
    harness.main()
