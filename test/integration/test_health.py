"""The health endpoint: what it says, to whom, and that it turns when the backup falls behind."""
import harness
from harness import Bucket


class Health(harness.TestCase):
    def setUp(self):
        self.bucket = Bucket(self.servers, self.servers.new_bucket())
        self.table = self.servers.new_table()

    def put(self, name, servers=None):
        (servers or self.servers).dynamodb.put_item(TableName=self.table, Item={"id": {"S": name}})

    def back_up_one(self, daemon):
        self.put("x")
        daemon.wait(lambda: f"{self.table}/x" in self.bucket.keys(), 15, "the item in the bucket")

    def test_endpoints(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        self.assertEqual(daemon.get("/healthz")[0], 200)
        self.assertEqual(daemon.get("/readyz")[0], 200)
        status, headers, _ = daemon.get("/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"), headers)
        status, headers, _ = daemon.get("/status")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("application/json"), headers)
        self.assertEqual(daemon.get("/nothing")[0], 404)
        self.assertEqual(daemon.get("/metrics", "POST")[0], 405)
        self.assertIn(daemon.get("/healthz", "HEAD")[0], (200,))
        daemon.stop()

    def test_status(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        self.back_up_one(daemon)
        status = daemon.status()
        text = daemon.get("/status")[2]
        daemon.stop()
        self.assertIsInstance(status, dict)
        self.assertIn(self.table, text)
        self.assertIn(self.bucket.name, text)
        self.assertNotIn(self.servers.env["AWS_SECRET_ACCESS_KEY"], text)

    def test_metrics(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        self.back_up_one(daemon)

        def counted():
            samples = daemon.metrics()
            found = {(n, l): v for (n, l), v in samples.items()
                     if n.startswith("ddb_streamd_") and "record" in n and ("table", self.table) in l and v == 1
                     and any(value.upper() == "INSERT" for _, value in l)}
            assert found, "no counter of records tells of one INSERT"
            return samples
        samples = daemon.wait(counted, 10, "the metrics of one record")
        names = {n for n, _ in samples}
        daemon.stop()
        self.assertFalse([n for n in names if not n.startswith(("ddb_streamd_", "process_"))])
        for part in ("lag", "duration_seconds_bucket", "requests_total", "retries", "in_flight", "buffered", "shards"):
            self.assertTrue([n for n in names if part in n], f"no metric of {part} in {sorted(names)}")
        self.assertTrue({"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"} <= names)

    def test_counters_never_fall(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        before, types = harness.parse_metrics(daemon.get("/metrics")[2])
        for n in range(50):
            self.put(f"n{n}")
        daemon.wait(lambda: len(self.bucket.keys(self.table + "/")) == 50, 30, "fifty items")
        after = daemon.metrics()
        daemon.stop()
        for (name, labels), value in before.items():
            if types.get(name) == "counter":
                self.assertGreaterEqual(after.get((name, labels), 0), value, name)

    def test_labels_of_odd_table_names(self):
        """A table's name may hold a dot, a dash and an underscore; the text format must stay whole."""
        daemon = self.daemon(self.bucket.name, {self.table: {"start": "latest"}, "a.b-c_d": {}}).start(ready=False)
        daemon.wait(lambda: daemon.get("/metrics")[0] == 200, 15, "metrics")
        self.assertIn("a.b-c_d", {v for _, labels in daemon.metrics() for k, v in labels if k == "table"})
        daemon.stop()

    def test_listen_off(self):
        daemon = self.daemon(self.bucket.name, [self.table], daemon={"listen": "off"}).start(ready=False)
        self.back_up_one(daemon)
        self.assertFalse(daemon.logged("health endpoint listening"))
        daemon.stop()

    def test_port_in_use(self):
        first = self.daemon(self.bucket.name, [self.table]).start()
        second = self.daemon(self.bucket.name, [self.table], daemon={"listen": first.address})
        self.assertNotEqual(second.run(), 0)
        self.assertTrue(second.logged(first.address.rpartition(":")[2]))
        first.stop()


class Behind(harness.TestCase):
    """With an S3 of its own, which it may freeze."""

    def setUp(self):
        self.mine = harness.Servers.private()
        self.addCleanup(self.mine.stop)

    def check_one_change(self, bucket, key):
        """
        A gateway that thaws carries out the PUTs it had been sent, whose connections are long gone, in no order with what
        it is asked now: so a version may be there twice (README, "What it promises"), but then as the same change.
        """
        versions = bucket.versions(key)
        self.assertEqual(len({(v.meta["ddb-seq"], v.meta["ddb-event"], v.body) for v in versions}), 1, versions)

    def test_not_ready_while_s3_hangs(self):
        """
        The least rpo is a minute, and the lag grows from the last time that all was known to be stored: so 60 s and a
        little after S3 froze /readyz must say 503 and why, and 200 again soon after it thaws. /healthz stays.
        """
        table, bucket = self.mine.new_table(), Bucket(self.mine, self.mine.new_bucket())
        daemon = self.daemon(bucket.name, [table], servers=self.mine, daemon={"rpo": "1m"}).start()
        self.mine.freeze_s3()
        try:
            self.mine.dynamodb.put_item(TableName=table, Item={"id": {"S": "x"}})
            daemon.wait(lambda: daemon.get("/readyz")[0] == 503, 130, "/readyz turned")
            status, _, body = daemon.get("/readyz")
            self.assertEqual(daemon.get("/healthz")[0], 200)
        finally:
            self.mine.freeze_s3(False)
        self.assertEqual(status, 503)
        self.assertIn(table, body)
        daemon.wait(daemon.is_ready, 90, "ready again")
        daemon.wait(lambda: f"{table}/x" in bucket.keys(), 10, "the item in the bucket")
        self.check_one_change(bucket, f"{table}/x")
        daemon.stop()

    def test_stop_is_bounded_while_s3_hangs(self):
        table, bucket = self.mine.new_table(), Bucket(self.mine, self.mine.new_bucket())
        daemon = self.daemon(bucket.name, [table], servers=self.mine, daemon={"stop_timeout": "2s"}).start()
        self.mine.freeze_s3()
        try:
            self.mine.dynamodb.put_item(TableName=table, Item={"id": {"S": "x"}})
            daemon.wait(lambda: any(v for (n, _), v in daemon.metrics().items() if "in_flight" in n), 20, "a write in flight")
            daemon.process.terminate()
            daemon.process.wait(12)
            daemon.ended()
        finally:
            self.mine.freeze_s3(False)
        daemon.start()
        daemon.wait(lambda: f"{table}/x" in bucket.keys(), 30, "the item in the bucket")
        daemon.stop()
        self.check_one_change(bucket, f"{table}/x")


if __name__ == "__main__":
    harness.main()
