"""The daemon against test/fakeaws: each test is a case of what a record may look like, with the case's name."""
import harness
from conformance import QUICK, Case


class Records(Case):
    def versions(self, table, key):
        """What was written of an item: event names, and "marker" for a delete marker."""
        return ["marker" if w["marker"] else w["meta"]["ddb-event"] for w in self.item_writes(table, key)]

    def test_insert_modify_remove_in_one_batch_for_one_item(self):
        table = self.fake.new_table()
        self.fake.put(table, "a", n={"N": "1"})
        self.fake.put(table, "a", n={"N": "2"})
        self.fake.delete(table, "a")
        daemon = self.start(table)
        self.backed_up(daemon, table)
        self.assertEqual(self.versions(table, "a"), ["INSERT", "MODIFY", "marker"])
        self.assertEqual([r["records"] for r in self.reads(self.ids(table)[0])][0], 3)

    def test_remove_then_insert_again(self):
        table = self.fake.new_table()
        self.fake.put(table, "a", n={"N": "1"})
        for n in ("2", "3"):
            self.fake.delete(table, "a")
            self.fake.put(table, "a", n={"N": n})
        daemon = self.start(table)
        self.backed_up(daemon, table)
        self.assertEqual(self.versions(table, "a"), ["INSERT", "marker", "INSERT", "marker", "INSERT"])

    def test_remove_then_insert_again_over_lost_answers(self):
        table = self.fake.new_table()
        for n in range(6):
            self.fake.put(table, "a", n={"N": str(n)})
            self.fake.delete(table, "a")
        self.fake.put(table, "a", n={"N": "7"})
        rules = [self.fake.fault(service="s3", op=op, key=table + "/", reset="after", p=0.5, seed=n)
                 for n, op in enumerate(("PutObject", "DeleteObject"))]
        daemon = self.start(table)
        self.backed_up(daemon, table, 60)
        self.assertTrue(all(self.fake.hits(rule) for rule in rules))
        self.assertEqual(self.versions(table, "a"), ["INSERT", "marker"] * 6 + ["INSERT"])

    def test_image_that_is_only_the_keys(self):
        table = self.fake.new_table(range_type="N")
        key = {"id": {"S": "a"}, "range": {"N": "1"}}
        self.fake.dynamodb.put_item(TableName=table, Item=key)
        daemon = self.start(table)
        self.backed_up(daemon, table)
        body = self.fake.s3.get_object(Bucket=self.bucket, Key=f"{table}/a/1")["Body"].read()
        self.assertEqual(body, harness.canonical(key))
        self.fake.dynamodb.delete_item(TableName=table, Key=key)
        self.backed_up(daemon, table)

    def timed(self, **options):
        table = self.fake.new_table(**options)
        self.fake.write(table, 60, keys=20, deletes=0.2)
        daemon = self.start(table, ready=True)
        self.backed_up(daemon, table)
        # The horizon is held against event times: a crash must not be dearer or worse with this spelling.
        daemon.kill()
        self.fake.write(table, 60, keys=20, deletes=0.2)
        daemon.start(ready=True)
        self.backed_up(daemon, table)
        return table

    def test_event_time_as_an_exponent(self):
        self.timed(time="exponent")

    def test_event_time_as_an_integer(self):
        self.timed(time="seconds")

    def test_event_time_as_a_fraction(self):
        self.timed(time="fraction")

    def test_event_time_absent(self):
        table = self.timed(time="absent")
        for w in self.item_writes(table):
            self.assertNotIn("ddb-time", w["meta"])

    def test_sequence_numbers_of_21_and_29_digits_in_order(self):
        table = self.fake.new_table(seq_digits=21)
        self.fake.write(table, 40, keys=4, deletes=0.2)
        self.fake.options(table, seq_digits=29)
        self.fake.write(table, 40, keys=4, deletes=0.2)
        self.assertEqual({len(r["seq"]) for r in self.fake.records(table)}, {21, 29})
        # Lost answers make the daemon compare what it finds with what it has, over the change of width too.
        rule = self.fake.fault(service="s3", op="PutObject", key=table + "/", reset="after", p=0.3, seed=7)
        daemon = self.start(table)
        self.backed_up(daemon, table, 60)
        self.assertGreater(self.fake.hits(rule), 0)
        daemon.stop()
        self.fake.write(table, 10, keys=4)
        daemon.start(ready=False)
        self.backed_up(daemon, table)

    def ttl_deletes(self, identity):
        table = self.fake.new_table(identity=identity)
        self.fake.put(table, "expired")
        self.fake.put(table, "deleted")
        self.fake.do("ttl_delete", table=table, key={"id": {"S": "expired"}})
        self.fake.delete(table, "deleted")
        daemon = self.start(table, ready=True)
        self.backed_up(daemon, table)
        by = {key: self.fake.s3.head_object(
            Bucket=self.bucket, Key=harness.deletes_key(table, key))["Metadata"].get("ddb-by")
            for key in ("expired", "deleted")}
        self.assertEqual(by, {"expired": "ttl", "deleted": None})
        self.assertEqual(self.metric(daemon, "records_ttl_total"), 1)

    def test_ttl_deletes_with_principal_id_in_lower_case(self):
        self.ttl_deletes("lower")

    def test_ttl_deletes_with_principal_id_in_upper_case(self):
        self.ttl_deletes("upper")

    def test_unknown_fields_and_versions_tolerated(self):
        table = self.fake.new_table(unknown_fields=True)
        self.fake.write(table, 100, keys=20, deletes=0.2)
        daemon = self.start(table)
        self.backed_up(daemon, table)

    def test_a_batch_with_1000_records_of_one_item(self):
        table = self.fake.new_table()
        self.fake.write(table, 1000, keys=1, bytes=50)
        daemon = self.start(table)
        self.backed_up(daemon, table, 60)
        self.assertEqual(self.reads(self.ids(table)[0])[0]["records"], 1000)
        (key,) = {w["key"] for w in self.item_writes(table)}
        seqs = [int(w["meta"]["ddb-seq"]) for w in self.item_writes(table)]
        self.assertEqual((len(seqs), seqs), (1000, sorted(seqs)), key)

    def two_large_images(self, others=(), **quick):
        table = self.fake.new_table(page_bytes=4 << 20)
        for n in range(3):
            self.fake.put(table, "big", n={"N": str(n)}, filler={"S": "x" * 399000})
        self.fake.put(table, "small")
        daemon = self.daemon(self.bucket, {t: {"start": "trim_horizon"} for t in (table, *others)},
                             daemon={**QUICK, **quick}).start(ready=False)
        self.backed_up(daemon, table, 60)
        return table

    def test_a_single_answer_over_1_mb_with_two_400_kb_images(self):
        table = self.two_large_images()
        self.assertEqual(self.reads(self.ids(table)[0])[0]["records"], 4)

    def test_the_same_with_the_least_memory(self):
        # It is split evenly over the tables, so that this one has 2 MiB.
        self.two_large_images([self.fake.new_table() for _ in range(7)], memory_limit="16MiB")

    def test_old_global_table_attributes_kept_as_they_are(self):
        table = self.fake.new_table()
        attributes = {"aws:rep:deleting": {"BOOL": False}, "aws:rep:updatetime": {"N": "1464806460.123001"},
                      "aws:rep:updateregion": {"S": "us-west-2"}}
        self.fake.put(table, "a", **attributes)
        daemon = self.start(table)
        self.backed_up(daemon, table)
        body = self.fake.s3.get_object(Bucket=self.bucket, Key=f"{table}/a")["Body"].read()
        self.assertEqual(body, harness.canonical({"id": {"S": "a"}, **attributes}))


if __name__ == "__main__":
    harness.main()
