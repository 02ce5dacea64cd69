"""
The daemon against test/fakeaws: how often shards are read, and who waits for whom when there is more to read and to write than
can be had at once. What is counted is requests: the time that they take depends on the machine.
"""
import harness
from conformance import Case


class Pace(Case):
    def test_an_idle_shard_is_read_once_each_poll_interval(self):
        table = self.fake.new_table(shards=3)
        daemon = self.start(table, ready=True, quick={"poll_interval": "500ms"}, baseline="off")
        def reads(shard):
            return [r["real_ms"] for r in self.reads(shard)]
        # By then the pace has slowed down.
        daemon.wait(lambda: all(len(reads(shard)) >= 10 for shard in self.ids(table)), 60, "ten reads of each shard")
        for shard in self.ids(table):
            last = reads(shard)[-5:]
            # A busy machine may see the first of them late; at a pace twice as fast they would take 1 s.
            self.assertGreater(last[-1] - last[0], 1600, f"5 reads of {shard} at {last}")

    def test_a_record_comes_with_the_next_read_of_an_idle_shard(self):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True, quick={"poll_interval": "500ms"}, baseline="off")
        shard = self.ids(table)[0]
        daemon.wait(lambda: len(self.reads(shard)) >= 7, 60, "seven reads of the shard")
        before = len(self.reads(shard))
        self.fake.put(table, "one")
        self.backed_up(daemon, table)
        # One may have been answered between the two calls.
        self.assertIn(1, [r["records"] for r in self.reads(shard)[before:before + 2]])


if __name__ == "__main__":
    harness.main()
