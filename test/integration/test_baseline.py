#!/usr/bin/python3 -B
"""The baseline against fakeaws: a table that is older than its stream, a table that lost changes, and what a run costs."""
import conformance
import harness


class Baseline(conformance.Case):
    def old_table(self, count, **options):
        """A table with `count` items that no stream tells of."""
        table = self.fake.new_table(view=None, **options)
        for i in range(count):
            self.fake.put(table, f"item-{i}", n={"N": str(i)})
        self.fake.set_stream(table, True)
        return table

    def begin(self, table, quick=None, **settings):
        return self.start(table, quick=quick, baseline="auto", **settings)

    def state(self, daemon, table):
        position = conformance.read_checkpoint(daemon, table)
        return (position or {}).get("position", {}).get("baseline")

    def done(self, daemon, table, seconds=40, after=None):
        """Waits for the end of a run (a later one than `after`), and returns what it says of itself."""
        def ended():
            b = self.state(daemon, table)
            assert b and b["state"] == "done" and b.get("ended") != after, f"baseline: {b}"
            return b
        return daemon.wait(ended, seconds, "the baseline was done")

    def bodies(self, table):
        """Key -> body of everything that is there now."""
        found, token = {}, {}
        while True:
            page = self.fake.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"{table}/", **token)
            for o in page.get("Contents", []):
                found[o["Key"].partition("/")[2]] = self.fake.s3.get_object(Bucket=self.bucket, Key=o["Key"])["Body"].read()
            if not page["IsTruncated"]:
                return found
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def test_items_older_than_the_stream(self):
        table = self.old_table(300)
        daemon = self.begin(table)
        b = self.done(daemon, table)
        self.assertEqual((b["items"], b["written"], b["reason"]), (300, 300, "first"))
        self.assertEqual(b["complete_since"], b["ended"])
        self.assertEqual(len(self.bodies(table)), 300)
        daemon.wait(daemon.is_ready, 20, "ready")
        daemon.stop()


if __name__ == "__main__":
    harness.main()
