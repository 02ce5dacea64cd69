"""
The daemon against test/fakeaws: each test is a case of how a stream is found and read, with the case's name. What counts
is in the server: /_verify, and the order of requests.
"""
import time

import harness
from conformance import Case


class Discovery(Case):
    def test_250_shards_over_3_pages_found_once(self):
        table = self.fake.new_table(shards=250)
        self.fake.write(table, 800, keys=400)
        daemon = self.start(table)
        self.backed_up(daemon, table, 60)
        daemon.wait(lambda: all(self.iterators(i) for i in self.ids(table)), 60, "every shard was read")
        again = [i for i in self.ids(table) if len(self.iterators(i)) != 1]
        self.assertEqual(again, [])

    def wrong_cursor(self, cursor):
        table = self.fake.new_table(shards=5, describe_page=2, cursor=cursor)
        self.fake.write(table, 50)
        daemon = self.start(table)
        daemon.wait(lambda: self.fake.count("streams DescribeStream") >= 2, 20, "the stream was described")
        time.sleep(3)
        self.assertLess(self.fake.count("streams DescribeStream"), 40)
        self.assertEqual(self.fake.count("streams GetRecords"), 0)
        self.assertTrue(daemon.logged("level=warn") or daemon.logged("level=error"))
        self.fake.options(table, cursor="right")
        self.backed_up(daemon, table)

    def test_an_empty_page_cursor_stops_with_an_error(self):
        self.wrong_cursor("empty")

    def test_a_repeated_page_cursor_stops_with_an_error(self):
        self.wrong_cursor("repeat")

    def test_page_cursors_that_go_round_stop_with_an_error(self):
        self.wrong_cursor("round")

    def test_an_error_in_the_middle_of_paging_uses_no_partial_graph(self):
        table = self.fake.new_table(describe_page=2, order="child_first")
        self.fake.write(table, 50)
        self.fake.do("split", table=table)
        self.fake.do("split", table=table, all=True)
        self.fake.write(table, 50)
        # Of the first page, only children: their parents are not listed on it, which must not look like trimmed.
        rule = self.fake.fault(op="DescribeStream", skip=1, status=500, code="InternalServerError", count=6)
        daemon = self.start(table)
        daemon.wait(lambda: self.fake.hits(rule) >= 2, 20, "paging failed twice")
        self.assertEqual(self.fake.count("streams GetRecords"), 0)
        self.fake.do("clear_faults")
        self.backed_up(daemon, table)
        self.assertGreater(self.check_lineage(table), 0)

    def test_child_listed_before_parent(self):
        table = self.fake.new_table(order="child_first", shards=2)
        for _ in range(3):
            self.fake.write(table, 60)
            self.fake.do("split", table=table, all=True)
        self.fake.write(table, 60)
        daemon = self.start(table)
        self.backed_up(daemon, table)
        self.assertGreater(self.check_lineage(table), 0)

    def test_stream_enabling_waits(self):
        table = self.fake.new_table()
        self.fake.do("stream", table=table, status="ENABLING")
        self.fake.write(table, 20)
        daemon = self.start(table)
        time.sleep(2)
        self.assertIsNone(daemon.process.poll())
        self.fake.do("stream", table=table, status="ENABLED")
        self.backed_up(daemon, table)

    def test_disabled_drains_closed_leaves_and_idles(self):
        table = self.fake.new_table(shards=3)
        self.fake.write(table, 60)
        daemon = self.start(table, ready=True)
        self.backed_up(daemon, table)
        self.fake.write(table, 60)
        self.fake.set_stream(table, False)
        self.backed_up(daemon, table)
        daemon.wait(lambda: self.calls(2) == 0, 30, "the shards were read no more")
        self.assertIsNone(daemon.process.poll())

    def calls(self, seconds):
        before = self.fake.count("streams GetRecords")
        time.sleep(seconds)
        return self.fake.count("streams GetRecords") - before

    def test_parent_and_child_both_open_parent_first(self):
        table = self.fake.new_table()
        self.fake.write(table, 30)
        parent = self.ids(table)[0]
        child = self.fake.do("child_of_open", table=table, shard=parent)["id"]
        self.fake.write(table, 30)
        daemon = self.start(table)
        daemon.wait(lambda: self.reads(parent), 20, "the parent was read")
        self.quiet(lambda: not self.iterators(child))
        self.fake.do("shard", table=table, shard=parent, close=True)
        self.backed_up(daemon, table)
        self.check_lineage(table)

    def test_parent_trimmed_away_child_starts(self):
        table = self.fake.new_table()
        self.fake.write(table, 10)
        self.fake.do("rotate", table=table)
        self.fake.do("trim", table=table, shard=0, gone=True)
        self.fake.write(table, 10)
        daemon = self.start(table)
        self.backed_up(daemon, table, allow_trimmed=1)

    def test_child_of_two_merged_parents_waits_for_both(self):
        table = self.fake.new_table(shards=2, adjacent=True)
        self.fake.write(table, 100)
        first, second = self.ids(table)
        child = self.fake.do("merge", table=table, shard=first, **{"with": second})["id"]
        self.fake.write(table, 100)
        # The second parent is slow.
        self.fake.fault(op="GetRecords", shard=second, status=500, code="InternalServerError", count=4)
        daemon = self.start(table)
        self.backed_up(daemon, table)
        self.assertGreater(self.iterators(child)[0]["id"], max(r["id"] for r in self.reads(first) + self.reads(second)))

    def test_a_chain_of_six_generations_after_20_hours_down_is_read_in_order(self):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        self.fake.write(table, 20)
        self.backed_up(daemon, table)
        daemon.stop()
        for _ in range(6):
            self.fake.write(table, 50, keys=10, deletes=0.2)
            self.fake.advance(20 * 3600 / 6)
            self.fake.do("rotate", table=table)
        self.fake.write(table, 20)
        daemon.start(ready=False)
        self.backed_up(daemon, table)
        self.assertEqual(self.check_lineage(table), 6)

    def test_child_shards_empty_three_times_then_one(self):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        self.fake.write(table, 20)
        self.backed_up(daemon, table)
        rule = self.fake.fault(op="GetRecords", status=400, code="ThrottlingException")
        daemon.wait(lambda: self.fake.hits(rule), 20, "reading stopped")
        self.fake.options(table, child_empty=3)
        child = self.fake.do("rotate", table=table)["shards"][0]["id"]
        # Nothing but the filter tells of it.
        self.fake.do("shard", table=table, shard=child, unlisted=True)
        self.fake.do("clear_faults")
        self.fake.write(table, 20)
        daemon.wait(lambda: self.iterators(child), 40, "the child was found")
        # It can be read: sweeps that do not list it do not make it gone.
        looks = self.fake.count("streams DescribeStream")
        daemon.wait(lambda: self.fake.count("streams DescribeStream") >= looks + 5, 30, "the stream was described")
        self.fake.write(table, 20)
        self.backed_up(daemon, table)
        self.fake.do("shard", table=table, shard=child, unlisted=False)
        self.fake.write(table, 20)
        self.backed_up(daemon, table)
        self.assertEqual(self.gaps(daemon), 0)

    def test_child_shards_refused_sweep(self):
        table = self.fake.new_table(child_filter="refuse")
        daemon = self.start(table, ready=True)
        for _ in range(3):
            self.fake.write(table, 20)
            self.fake.do("split", table=table)
        self.fake.write(table, 20)
        self.backed_up(daemon, table)
        self.check_lineage(table)

    def test_child_shards_ignored(self):
        table = self.fake.new_table(child_filter="ignore")
        daemon = self.start(table, ready=True)
        for _ in range(3):
            self.fake.write(table, 20)
            self.fake.do("split", table=table)
        self.fake.write(table, 20)
        self.backed_up(daemon, table)
        self.check_lineage(table)

    def test_a_sweep_finds_a_missed_child(self):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        children = [s["id"] for s in self.fake.do("split", table=table)["shards"]]
        self.fake.do("shard", table=table, shard=children[1], hidden=True)
        self.fake.write(table, 100)
        daemon.wait(lambda: self.iterators(children[0]), 20, "the first child was read")
        self.fake.do("shard", table=table, shard=children[1], hidden=False)
        self.backed_up(daemon, table)

    def test_opaque_ids_with_spaces_and_colons(self):
        table = self.fake.new_table(odd_ids=True, shards=2)
        self.fake.write(table, 50)
        self.fake.do("split", table=table)
        self.fake.write(table, 50)
        daemon = self.start(table, ready=True)
        self.backed_up(daemon, table)
        daemon.stop()
        self.fake.write(table, 50)
        daemon.start(ready=False)
        self.backed_up(daemon, table)


class Reading(Case):
    def test_records_without_a_next_iterator_are_stored_then_the_shard_ends(self):
        table = self.fake.new_table()
        self.fake.write(table, 20)
        self.fake.do("rotate", table=table)
        daemon = self.start(table, ready=True)
        self.backed_up(daemon, table)
        self.assertEqual(len(self.reads(self.ids(table)[0])), 1)

    def test_the_same_with_one_more_empty_page(self):
        table = self.fake.new_table(last_page_empty=True)
        self.fake.write(table, 20)
        self.fake.do("rotate", table=table)
        daemon = self.start(table, ready=True)
        self.backed_up(daemon, table)
        shard = self.ids(table)[0]
        daemon.wait(lambda: len(self.reads(shard)) == 2, 20, "the last page was read")
        self.quiet(lambda: len(self.reads(shard)) == 2, 1)

    def test_50_empty_pages_then_data(self):
        table = self.fake.new_table(empty_pages=50)
        self.fake.write(table, 20)
        self.fake.do("rotate", table=table)
        daemon = self.start(table)
        self.backed_up(daemon, table, 120)
        self.assertEqual(len(self.reads(self.ids(table)[0])), 51)

    def test_the_same_iterator_returned_while_empty(self):
        table = self.fake.new_table(repeated_pages=4)
        daemon = self.start(table, ready=True)
        shard = self.ids(table)[0]
        daemon.wait(lambda: len(self.reads(shard)) > 5, 30, "five pages were read")
        self.fake.write(table, 20)
        self.backed_up(daemon, table)

    def expired(self, table):
        """How often an iterator of the table was refused for its age."""
        return sum(r["code"] == "ExpiredIteratorException" for r in self.fake.requests(op="GetRecords", table=table))

    def expiry_before_the_first_record(self, table, since, latest, **settings):
        daemon = self.start(table, ready=True, **settings)
        shard = self.ids(table)[0]
        daemon.wait(lambda: self.reads(shard), 20, "the shard was read")
        rule = self.fake.fault(op="GetRecords", status=400, code="ThrottlingException")
        daemon.wait(lambda: self.fake.hits(rule), 20, "reading stopped")
        self.fake.write(table, 20, keys=100)
        self.fake.advance(16 * 60)
        self.fake.do("clear_faults")
        self.backed_up(daemon, table, **since)
        self.assertGreaterEqual(self.expired(table), 1)
        self.assertEqual(self.fake.shards(table)[0]["iterators"]["LATEST"], latest)
        self.assertEqual(self.gaps(daemon), 0)

    def test_expiry_before_the_first_record_leaves_no_gap(self):
        self.expiry_before_the_first_record(self.fake.new_table(), {}, 0)

    def test_expiry_before_the_first_record_after_a_start_at_latest_leaves_no_gap(self):
        table = self.fake.new_table()
        self.fake.write(table, 20, keys=100)
        last = self.fake.records(table)[-1]["seq"]
        # What is older than the backup by little is written, too: event times are approximate.
        self.fake.do("clock", real_date=False, advance_ms=600000)
        self.expiry_before_the_first_record(table, {"since": last}, 1, start="latest")

    def test_expiry_in_the_middle_resumes_after_the_last_read(self):
        table = self.fake.new_table(page_records=10)
        daemon = self.start(table, ready=True)
        self.fake.write(table, 200)
        self.fake.fault(op="GetRecords", skip=5, status=400, code="ExpiredIteratorException", count=1)
        self.fake.write(table, 200)
        self.backed_up(daemon, table, 60)
        shard = self.fake.shards(table)[0]
        self.assertGreaterEqual(shard["iterators"]["AFTER_SEQUENCE_NUMBER"], 1)
        self.assertEqual(sum(r["records"] for r in self.reads(shard["id"])), shard["records"])

    def test_expiry_while_s3_stalls_for_16_minutes_loses_nothing(self):
        table = self.fake.new_table(page_records=5)
        daemon = self.start(table, ready=True)
        rule = self.fake.fault(service="s3", op="PutObject", key=table + "/", delay_ms=3000)
        self.fake.write(table, 100, keys=5)
        daemon.wait(lambda: self.fake.hits(rule), 20, "S3 stalled")
        self.fake.advance(16 * 60)
        self.fake.do("clear_faults")
        self.fake.write(table, 20)
        self.backed_up(daemon, table, 60)
        self.assertGreaterEqual(self.expired(table), 1)

    def test_trimmed_data_in_get_shard_iterator(self):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        self.fake.write(table, 20, keys=50)
        self.backed_up(daemon, table)
        daemon.stop()
        self.fake.write(table, 40, keys=50)
        self.fake.do("trim", table=table, records=40)
        daemon.start(ready=False)
        self.backed_up(daemon, table, allow_trimmed=1)
        daemon.wait(lambda: self.gaps(daemon) >= 1, 20, "the gap was counted")
        self.assertTrue(daemon.logged("trim"))

    def test_trimmed_data_in_get_records(self):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        self.fake.write(table, 20, keys=50)
        self.backed_up(daemon, table)
        rule = self.fake.fault(op="GetRecords", status=400, code="ThrottlingException")
        daemon.wait(lambda: self.fake.hits(rule), 20, "reading stopped")
        self.fake.write(table, 40, keys=50)
        self.fake.do("trim", table=table, records=40)
        self.fake.do("clear_faults")
        self.backed_up(daemon, table, allow_trimmed=1)
        daemon.wait(lambda: self.gaps(daemon) >= 1, 20, "the gap was counted")

    def test_shard_not_found_children_go_on(self):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        self.fake.write(table, 20)
        self.backed_up(daemon, table)
        daemon.stop()
        self.fake.write(table, 20)
        self.fake.do("rotate", table=table)
        self.fake.do("trim", table=table, shard=0, gone=True)
        self.fake.write(table, 20)
        daemon.start(ready=False)
        self.backed_up(daemon, table, allow_trimmed=1)
        daemon.wait(lambda: self.gaps(daemon) >= 1, 20, "the gap was counted")

    def test_stream_not_found_with_a_new_arn_switch(self):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        self.fake.write(table, 20)
        self.backed_up(daemon, table)
        old = self.fake.stream_arn(table)
        self.fake.set_stream(table, False)
        self.fake.do("stream", stream=old, gone=True)
        self.fake.set_stream(table, True)
        self.fake.write(table, 20)
        self.backed_up(daemon, table)

    def test_disabled_and_enabled_again_with_old_data_left_old_first(self):
        table = self.fake.new_table()
        self.fake.write(table, 50, keys=10, deletes=0.3)
        old = self.ids(table)[0]
        self.fake.set_stream(table, False)
        self.fake.set_stream(table, True)
        self.fake.write(table, 50, keys=10, deletes=0.3)
        daemon = self.start(table)
        self.backed_up(daemon, table)
        new = self.ids(table)[0]
        self.assertGreater(self.iterators(new)[0]["id"], max(r["id"] for r in self.reads(old)))

    def old_stream(self, **fault):
        """A stream that was turned off and still has data, whose DescribeStream fails for a while; nothing of it is lost."""
        table = self.fake.new_table(shards=3, describe_page=1)
        self.fake.write(table, 50, keys=10, deletes=0.3)
        self.fake.set_stream(table, False)
        self.fake.set_stream(table, True)
        self.fake.write(table, 50, keys=10, deletes=0.3)
        rule = self.fake.fault(op="DescribeStream", status=400, code="ResourceNotFoundException", **fault)
        daemon = self.start(table)
        self.backed_up(daemon, table)
        self.assertGreater(self.fake.hits(rule), 0)
        self.assertEqual(self.gaps(daemon), 0)

    def test_an_old_stream_that_is_not_found_twice_is_not_given_up(self):
        self.old_stream(count=2)

    def test_an_old_stream_whose_page_cursor_was_trimmed_is_not_given_up(self):
        """What is not found then is the shard that the page was to begin behind."""
        self.old_stream(skip=1, nth=2, count=1)

    def throttled(self, code):
        table = self.fake.new_table(shards=2)
        one, other = self.ids(table)
        daemon = self.start(table, ready=True)
        rule = self.fake.fault(op="GetRecords", shard=one, status=400, code=code)
        daemon.wait(lambda: self.fake.hits(rule), 20, "a read was refused")
        before, hits = len(self.reads(other)), self.fake.hits(rule)
        time.sleep(5)
        self.assertGreaterEqual(len(self.reads(other)) - before, 2)
        self.assertLess(self.fake.hits(rule) - hits, 15)
        self.fake.write(table, 40)
        self.fake.do("clear_faults")
        self.backed_up(daemon, table, 60)

    def test_throttling_exception_backs_off_one_shard(self):
        self.throttled("ThrottlingException")

    def test_limit_exceeded_exception_backs_off_one_shard(self):
        self.throttled("LimitExceededException")

    def test_provisioned_throughput_exceeded_exception_backs_off_one_shard(self):
        self.throttled("ProvisionedThroughputExceededException")

    def broken_answers(self, options=None, **fault):
        table = self.fake.new_table(page_records=20, **(options or {}))
        rule = self.fake.fault(op="GetRecords", skip=1, count=3, **fault)
        self.fake.write(table, 200, keys=30, deletes=0.2)
        daemon = self.start(table)
        self.backed_up(daemon, table, 60)
        self.assertEqual(self.fake.hits(rule), 3)

    def test_a_500_skips_nothing(self):
        self.broken_answers(status=500, code="InternalServerError")

    def test_a_reset_in_the_middle_of_a_body_skips_nothing(self):
        self.broken_answers(truncate=1000)

    def test_a_reset_before_the_answer_skips_nothing(self):
        self.broken_answers(reset="after")

    def test_garbage_skips_nothing(self):
        self.broken_answers(garbage=True)

    def test_wrong_crc_retried(self):
        self.broken_answers(crc="wrong")

    def test_absent_crc_accepted(self):
        table = self.fake.new_table(crc="absent")
        self.fake.write(table, 100)
        self.backed_up(self.start(table), table)

    def test_right_crc_with_gzip(self):
        """Of the bytes on the wire. The daemon asks for none, and takes what comes."""
        table = self.fake.new_table(gzip_unasked=True)
        self.fake.write(table, 100, bytes=1500)
        self.backed_up(self.start(table), table)

    def test_wrong_crc_with_gzip_retried(self):
        self.broken_answers({"gzip_unasked": True}, crc="wrong")

    def test_a_cut_off_body_with_gzip_skips_nothing(self):
        self.broken_answers({"gzip_unasked": True, "crc": "absent"}, truncate=300)

    def test_start_latest_skips_old_data_at_the_first_start_only(self):
        table = self.fake.new_table()
        self.fake.write(table, 20, keys=100)
        last = self.fake.records(table)[-1]["seq"]
        daemon = self.start(table, start="latest", ready=True)
        shard = self.ids(table)[0]
        daemon.wait(lambda: self.reads(shard), 20, "the shard was read")
        self.fake.write(table, 20, keys=100)
        self.backed_up(daemon, table, since=last)
        daemon.stop()
        self.fake.write(table, 20, keys=100)
        self.fake.do("rotate", table=table)
        self.fake.write(table, 20, keys=100)
        daemon.start(ready=False)
        self.backed_up(daemon, table, since=last)

    def test_a_restart_resumes(self):
        table = self.fake.new_table(shards=3)
        daemon = self.start(table, ready=True)
        for end in (daemon.stop, daemon.kill, daemon.stop):
            self.fake.write(table, 60, keys=20, deletes=0.2)
            self.backed_up(daemon, table)
            end()
            self.fake.write(table, 60, keys=20, deletes=0.2)
            daemon.start(ready=False)
        self.backed_up(daemon, table)
        for shard in self.fake.shards(table):
            self.assertGreaterEqual(shard["iterators"]["AFTER_SEQUENCE_NUMBER"], 2)

    def test_after_excludes_what_was_read_before_a_restart(self):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        shard = self.ids(table)[0]
        for _ in range(3):
            self.fake.write(table, 20)
            self.backed_up(daemon, table)
            self.wait_saved(daemon, table)
            daemon.stop()
            daemon.start(ready=True)
        self.fake.write(table, 20)
        self.backed_up(daemon, table)
        found = self.fake.shards(table)[0]
        self.assertEqual(sum(r["records"] for r in self.reads(shard)), found["records"])
        self.assertEqual(found["iterators"]["AFTER_SEQUENCE_NUMBER"], 3)

    def test_at_includes_and_after_excludes(self):
        """As the server has it that the daemon is held against: it never asks AT, which would read a record twice."""
        table = self.fake.new_table()
        self.fake.write(table, 3, keys=3, bytes=10)
        seqs = [r["seq"] for r in self.fake.records(table)]
        found = {}
        for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
            iterator = self.fake.streams.get_shard_iterator(
                StreamArn=self.fake.stream_arn(table), ShardId=self.ids(table)[0], ShardIteratorType=kind,
                SequenceNumber=seqs[1])["ShardIterator"]
            page = self.fake.streams.get_records(ShardIterator=iterator)
            found[kind] = [r["dynamodb"]["SequenceNumber"] for r in page["Records"]]
        self.assertEqual(found, {"AT_SEQUENCE_NUMBER": seqs[1:], "AFTER_SEQUENCE_NUMBER": seqs[2:]})
        daemon = self.start(table, ready=True)
        self.backed_up(daemon, table)
        daemon.kill()
        daemon.start(ready=True)
        self.fake.write(table, 3)
        self.backed_up(daemon, table)
        self.assertEqual(self.fake.shards(table)[0]["iterators"]["AT_SEQUENCE_NUMBER"], 1)

    def reset_emulator(self, table):
        """What a restart of an emulator does: streams and items are gone, and the table is made anew."""
        old = self.fake.stream_arn(table)
        self.fake.dynamodb.delete_table(TableName=table)
        self.fake.do("trim", stream=old)
        self.fake.do("stream", stream=old, gone=True)
        self.fake.new_table(table)

    def emulator_reset(self, end, back_s=0):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True)
        self.fake.write(table, 20, keys=50)
        self.backed_up(daemon, table)
        if end:
            self.wait_saved(daemon, table)
            getattr(daemon, end)()
        if back_s:
            self.fake.advance(-back_s)
        self.reset_emulator(table)
        self.fake.write(table, 20, keys=50)
        if end:
            daemon.start(ready=False)
        self.backed_up(daemon, table, allow_trimmed=1)
        daemon.wait(lambda: self.gaps(daemon) >= 1, 20, "the gap was counted")
        self.assertTrue(daemon.logged("recreated"))
        daemon.stop()
        self.fake.write(table, 20, keys=50)
        daemon.start(ready=False)
        self.backed_up(daemon, table, allow_trimmed=1)

    def test_an_emulator_that_was_reset_under_a_checkpoint_is_detected(self):
        self.emulator_reset("stop")

    def test_an_emulator_that_was_reset_after_a_crash_is_detected(self):
        self.emulator_reset("kill")

    def test_an_emulator_that_is_reset_under_a_running_daemon_is_detected(self):
        self.emulator_reset(None)

    def test_an_emulator_whose_clock_went_back_is_detected(self):
        self.emulator_reset("stop", 3600)

    def test_an_emulator_whose_clock_goes_back_under_a_running_daemon_is_detected(self):
        self.emulator_reset(None, 3600)


if __name__ == "__main__":
    harness.main()
