"""A host that has lost its state goes on from watermark.json in the bucket, and adds nothing twice."""
import json
import os
import shutil

import harness
from harness import Bucket, wait_until


class Watermark(harness.TestCase):
    def setUp(self):
        self.bucket = Bucket(self.servers, self.servers.new_bucket())
        self.table = self.servers.new_table()
        self.key = f".ddb-streamd/{self.table}/watermark.json"

    def put(self, *names):
        for name in names:
            self.servers.dynamodb.put_item(TableName=self.table, Item={"id": {"S": name}, "n": {"N": "1"}})

    def counts(self):
        return {k: len(v) for k, v in self.bucket.list(self.table + "/").items()}

    def wait_keys(self, daemon, count):
        daemon.wait(lambda: len(self.bucket.keys(self.table + "/")) >= count, 30, f"{count} items in the bucket")

    def forget(self, daemon):
        shutil.rmtree(daemon.state_dir)
        os.mkdir(daemon.state_dir, 0o700)

    def test_resumes_after_a_clean_stop(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        self.put(*(f"a{n}" for n in range(20)))
        self.wait_keys(daemon, 20)
        daemon.stop()
        mark = json.loads(self.bucket.versions(self.key)[-1].body)
        self.assertIn(self.table, json.dumps(mark) + self.key)
        self.forget(daemon)
        self.put("b")
        daemon.start()
        self.wait_keys(daemon, 21)
        daemon.stop()
        self.assertEqual(set(self.counts().values()), {1})

    def test_resumes_after_a_kill(self):
        """The watermark is older than what was written: S3 is asked, and nothing comes twice."""
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        self.put(*(f"a{n}" for n in range(20)))
        self.wait_keys(daemon, 20)
        self.servers.dynamodb.delete_item(TableName=self.table, Key={"id": {"S": "a0"}})
        daemon.wait(lambda: self.counts()[f"{self.table}/a0"] == 2, 15, "the marker")
        daemon.kill()
        self.forget(daemon)
        self.put("b")
        daemon.start()
        self.wait_keys(daemon, 21)
        daemon.stop()
        counts = self.counts()
        self.assertEqual(counts.pop(f"{self.table}/a0"), 2)
        self.assertEqual(set(counts.values()), {1})
        self.assertEqual(len(self.bucket.versions(harness.deletes_key(self.table, "a0"))), 1)

    def test_another_host(self):
        first = self.daemon(self.bucket.name, [self.table]).start()
        self.put("one")
        self.wait_keys(first, 1)
        first.stop()
        second = self.daemon(self.bucket.name, [self.table]).start()
        self.put("two")
        self.wait_keys(second, 2)
        second.stop()
        self.assertEqual(set(self.counts().values()), {1})

    def test_damaged_state_is_refused_and_kept(self):
        daemon = self.daemon(self.bucket.name, [self.table]).start()
        self.put("one")
        self.wait_keys(daemon, 1)
        daemon.stop()
        paths = [os.path.join(d, f) for d, _, fs in os.walk(daemon.state_dir) for f in fs]
        self.assertTrue(paths)
        path = max(paths, key=os.path.getsize)
        with open(path, "r+b") as f:
            f.seek(os.path.getsize(path) // 2)
            old = f.read(1)
            f.seek(-1, 1)
            f.write(bytes([old[0] ^ 1]))
        with open(path, "rb") as f:
            damaged = f.read()
        daemon.start(ready=False)
        name = os.path.basename(path)
        wait_until(lambda: daemon.process.poll() is not None or daemon.logged(name), 30, "the complaint")
        if daemon.process.poll() is None:
            daemon.kill()
        else:
            self.assertNotEqual(daemon.ended(), 0)
        self.assertIn(name, daemon.log())
        with open(path, "rb") as f:
            self.assertEqual(f.read(), damaged)


if __name__ == "__main__":
    harness.main()
