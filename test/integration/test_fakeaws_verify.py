"""test/fakeaws: a backup that the daemon makes through it is right, and /_verify finds what is wrong with one."""
import harness
from fakeaws_case import Case


class Backup(Case):
    def test_eight_shards_with_splits_during_writes(self):
        table, bucket = self.fake.new_table(shards=8, range_type="N"), self.fake.new_bucket()
        daemon = self.daemon(bucket, [table], s3={"prefix": "p/"}).start()
        for step in ("split", "rotate", "split", "rotate"):
            self.fake.write(table, 400, keys=60, deletes=0.25)
            for shard in [s["id"] for s in self.fake.shards(table) if s["open"]][::3]:
                self.fake.do(step, table=table, shard=shard)
        self.fake.write(table, 400, keys=60, deletes=0.25)
        self.wait_backed_up(daemon, table, bucket, 60, prefix="p/")
        daemon.stop()
        found = self.check_backup(table, bucket, prefix="p/")
        self.assertEqual(found["records"], len(self.fake.records(table)))
        self.assertGreater(found["versions"], found["records"])

    def backed_up(self):
        """Keys of a finished backup: `a` was made and changed, `b` was made and removed."""
        self.table, self.bucket = self.fake.new_table(), self.fake.new_bucket()
        daemon = self.daemon(self.bucket, [self.table]).start()
        self.fake.put(self.table, "a", x={"N": "1"})
        self.fake.put(self.table, "a", x={"N": "2"})
        self.fake.put(self.table, "b")
        self.fake.delete(self.table, "b")
        self.wait_backed_up(daemon, self.table, self.bucket)
        daemon.stop()

    def kinds(self):
        return self.fake.verify(self.table, self.bucket)["kinds"]

    def copy(self, key, version, body=None, **meta):
        got = self.fake.s3.get_object(Bucket=self.bucket, Key=key, VersionId=version)
        self.fake.s3.put_object(Bucket=self.bucket, Key=key, Body=body or got["Body"].read(),
                                Metadata={**got["Metadata"], **meta}, ContentType="application/json")

    def test_differences_are_found(self):
        self.backed_up()
        s3, key = self.fake.s3, f"{self.table}/a"
        first = self.fake.writes(bucket=self.bucket, key=key)[0]["version"]
        self.fake.s3_options(allow_version_delete=True)

        def undo():
            last = self.fake.writes(bucket=self.bucket)[-1]
            s3.delete_object(Bucket=self.bucket, Key=last["key"], VersionId=last["version"])
            self.assertEqual(self.kinds(), {})
        self.copy(key, first)
        self.assertEqual(self.kinds(), {"repeated": 1, "top": 1})
        undo()
        self.copy(key, first, **{"ddb-seq": "5"})
        self.assertEqual(self.kinds(), {"unknown": 1, "top": 1})
        undo()
        s3.delete_object(Bucket=self.bucket, Key=key)
        self.assertEqual(self.kinds(), {"marker": 1, "top": 1})
        undo()
        s3.delete_object(Bucket=self.bucket, Key=f"{self.table}/b")
        self.assertEqual(self.kinds(), {"marker": 1})
        undo()
        s3.put_object(Bucket=self.bucket, Key=f"{self.table}/nobody", Body=b"")
        self.assertEqual(self.kinds(), {"stray": 1})
        undo()
        s3.delete_object(Bucket=self.bucket, Key=key, VersionId=first)
        self.assertEqual(self.kinds(), {"missing": 1})

    def test_wrong_contents_are_found(self):
        self.backed_up()
        self.fake.s3_options(allow_version_delete=True)
        key = f"{self.table}/a"
        last = self.fake.writes(bucket=self.bucket, key=key)[-1]["version"]
        self.copy(key, last, b'{"id": {"S":"a"},"x":{"N":"2"}}', **{"ddb-shard": "x"})
        self.fake.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=last)
        self.assertEqual(self.kinds(), {"body": 1, "meta": 1})

    def test_wrong_order_is_found(self):
        self.backed_up()
        self.fake.s3_options(allow_version_delete=True)
        key = f"{self.table}/a"
        first = self.fake.writes(bucket=self.bucket, key=key)[0]["version"]
        self.copy(key, first)
        self.fake.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=first)
        self.assertEqual(self.kinds(), {"order": 1, "top": 1})

    def test_lost_answers_add_nothing(self):
        table, bucket = self.fake.new_table(shards=2), self.fake.new_bucket()
        rules = [self.fake.fault(service="s3", op=op, key=table, p=0.3, reset="after", count=20)
                 for op in ("PutObject", "DeleteObject")]
        daemon = self.daemon(bucket, [table]).start()
        self.fake.write(table, 200, keys=20, deletes=0.3)
        self.wait_backed_up(daemon, table, bucket, 90)
        daemon.stop()
        self.assertTrue(all(self.fake.hits(r) for r in rules))


if __name__ == "__main__":
    harness.main()
