"""
The daemon against test/fakeaws: how often shards are read, and who waits for whom when there is more to read and to write than
can be had at once. What is counted is requests: the time that they take depends on the machine.
"""
import harness
from conformance import Case


class Pace(Case):
    def put_into(self, table, shard):
        """A new item whose record goes to this shard: its name. Others may have gone to another one before."""
        for n in range(100):
            name = f"new-{n}"
            self.fake.put(table, name)
            if self.fake.records(table)[-1]["shard"] == shard:
                return name
        raise AssertionError(f"no item of {shard}")

    def let_go(self):
        self.fake.do("clear_faults")
        self.fake.release()

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

    def test_a_shard_without_a_backlog_does_not_wait_for_one_that_has_one(self):
        table = self.fake.new_table(shards=2)
        self.fake.write(table, 8000, keys=8000, deletes=0)
        behind, fresh = self.ids(table)
        self.fake.do("trim", table=table, shard=fresh)
        held = self.fake.fault(service="s3", op="PutObject", key=f"{table}/item-", hold="before")
        daemon = self.make(table, quick={"workers": "4"}, baseline="off").start(ready=False)
        # Reading stops ahead of the workers, but not for those who have nothing to wait behind.
        daemon.wait(lambda: self.fake.held(held) == 4, 30, "all workers were busy")
        daemon.wait(lambda: sum(r["records"] for r in self.reads(behind)) >= 2000, 30, "two pages of the backlog")
        name = self.put_into(table, fresh)
        daemon.wait(lambda: any(r["records"] for r in self.reads(fresh)), 30, "the new record was read")
        self.let_go()
        self.backed_up(daemon, table, allow_trimmed=1)
        written = [w["key"].rpartition("/")[2] for w in self.item_writes(table)]
        self.assertLess(written.index(name), 4 + 2 * 3, "it waited for more than those in flight, and its turn")

    def test_an_item_with_many_changes_leaves_memory_to_others(self):
        table = self.fake.new_table(shards=2)
        # Of one item, and more than the memory holds, since each has an old and a new image.
        self.fake.write(table, 1500, keys=1, bytes=8000, deletes=0)
        hot = self.fake.records(table)[0]["shard"]
        other = next(shard for shard in self.ids(table) if shard != hot)
        self.fake.fault(service="s3", op="PutObject", key=f"{table}/item-", hold="before", count=1)
        daemon = self.make(table, quick={"memory_limit": "16MiB"}, baseline="off").start(ready=False)
        daemon.wait(lambda: self.fake.held() == 1, 30, "its first change was on its way")

        def rests():
            """Four reads of the other shard, and none of this one between them."""
            reads = [r["shard"] for r in self.fake.requests(op="GetRecords") if r["status"] == 200]
            return len(reads) >= 20 and set(reads[-4:]) == {other}
        daemon.wait(rests, 60, "its shard was read no further, and the other one was")
        name = self.put_into(table, other)
        daemon.wait(lambda: self.item_writes(table, name), 30, "the other item was written")
        self.assertEqual(self.fake.held(), 1)
        self.let_go()
        self.backed_up(daemon, table)


if __name__ == "__main__":
    harness.main()
