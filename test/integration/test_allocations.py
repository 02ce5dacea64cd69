"""
What the daemon's own code allocates while records pass through it: something for each answer of GetRecords, nothing for each
record. (libcurl and libcrypto allocate for themselves.) The program is ddb-streamd, linked so that it counts; see
test/counted.
"""
import os

import harness
from conformance import Case

# An answer has a thousand records, and takes some twenty allocations; questions of this test to the daemon take a few.
PER_RECORD_MAX = 0.2
WARM_UP, RECORDS = 3000, 6000


class Allocations(Case):
    def setUp(self):
        super().setUp()
        self.table = self.fake.new_table(shards=2)
        self.daemon_under_test = self.make(self.table)
        self.path = os.path.join(self.daemon_under_test.folder, "allocations")
        self.daemon_under_test.env["ALLOCATIONS"] = self.path

    def count(self):
        with open(self.path, "rb") as f:
            return int.from_bytes(f.read(8), "little")

    def pass_through(self, changes, **kinds):
        """How many records so many changes gave, and what was allocated until all of them were in the bucket."""
        before = self.count()
        records = self.fake.write(self.table, changes, **kinds)
        self.backed_up(self.daemon_under_test, self.table)
        return records, self.count() - before

    def check_none_per_record(self, **kinds):
        self.daemon_under_test.start(ready=True, program="ddb-streamd-counted")
        # Buffers grow to what they need.
        self.pass_through(WARM_UP, **kinds)
        records, allocations = self.pass_through(RECORDS, **kinds)
        self.assertGreater(records, RECORDS / 2)
        # What this says is worth something only when it counts at all.
        self.assertGreater(allocations, 0)
        self.assertLess(allocations / records, PER_RECORD_MAX, f"{allocations} allocations for {records} records")

    def test_of_changes_of_many_items(self):
        self.check_none_per_record(keys=5000)

    def test_of_few_items_and_deletes(self):
        self.check_none_per_record(keys=300, deletes=0.3)


if __name__ == "__main__":
    harness.main()
