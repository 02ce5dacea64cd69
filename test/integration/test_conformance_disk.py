"""The daemon against test/fakeaws: what happens to its checkpoint file and the disk below. Mounting needs root."""
import errno
import os
import shutil
import subprocess
import time

import harness
from conformance import Case, checkpoint_path, read_checkpoint

EX_DATAERR, EX_OSERR, EX_IOERR = 65, 71, 74


class Disk(Case):
    """A state folder on a file system of its own that can fill up or become read-only."""

    def on_tmpfs(self, table):
        daemon = self.make(table, {"stop_timeout": "2s"})
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "ddb-streamd-test", daemon.state_dir],
                       check=True)
        # Before the folder goes: cleanups run in reverse order.
        self.addCleanup(self.unmount, daemon)
        return daemon

    def unmount(self, daemon):
        if daemon.process is not None:
            daemon.kill()
        subprocess.run(["umount", daemon.state_dir], check=True)

    def read_only(self, daemon):
        """A second mount over the first: the running daemon's lock file would keep the first from a remount."""
        subprocess.run(["mount", "--bind", daemon.state_dir, daemon.state_dir], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", daemon.state_dir], check=True)
        self.addCleanup(self.writable, daemon, None)

    def writable(self, daemon, _):
        if os.statvfs(daemon.state_dir).f_flag & os.ST_RDONLY:
            subprocess.run(["umount", daemon.state_dir], check=True)

    def fill(self, daemon):
        path = os.path.join(daemon.state_dir, "filler")
        with open(path, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError as e:
                self.assertEqual(e.errno, errno.ENOSPC)
        return path

    def errors(self, daemon, more=0):
        """Waits until more checkpoints could not be saved; gives how many that are in all."""
        return daemon.wait(lambda: self.metric(daemon, "checkpoint_errors_total") > more and
                           self.metric(daemon, "checkpoint_errors_total"), 30, "a checkpoint could not be saved")

    def out_of_order(self, break_it, mend_it, text):
        table = self.fake.new_table(shards=2)
        daemon = self.on_tmpfs(table).start()
        self.fake.write(table, 60, keys=20, deletes=0.2)
        self.backed_up(daemon, table)
        self.wait_saved(daemon, table)
        good = read_checkpoint(daemon, table)
        broken = break_it(daemon)
        self.fake.write(table, 60, keys=20, deletes=0.2)
        failed = self.errors(daemon)
        self.errors(daemon, failed)
        # It says so, and what the last good save told still holds.
        self.assertIn(text, daemon.status()["tables"][0]["checkpoint_problem"])
        self.assertTrue(daemon.logged(text))
        self.assertIsNone(daemon.process.poll())
        self.assertEqual(read_checkpoint(daemon, table), good)
        mend_it(daemon, broken)
        daemon.wait(lambda: not daemon.status()["tables"][0]["checkpoint_problem"], 30, "the problem was over")
        self.backed_up(daemon, table)
        self.wait_saved(daemon, table)

        # A kill while it lasts: the old checkpoint is behind, and nothing is written twice.
        broken = break_it(daemon)
        self.fake.write(table, 60, keys=20, deletes=0.2)
        self.errors(daemon, self.errors(daemon))
        daemon.kill()
        mend_it(daemon, broken)
        daemon.start(ready=False)
        self.backed_up(daemon, table)

        # A stop while it lasts cannot be a clean one, and says so.
        self.wait_saved(daemon, table)
        broken = break_it(daemon)
        self.fake.write(table, 60, keys=20, deletes=0.2)
        self.errors(daemon)
        daemon.stop(expect=EX_IOERR)
        mend_it(daemon, broken)
        self.assertFalse(read_checkpoint(daemon, table)["clean"])
        daemon.start(ready=True)
        self.backed_up(daemon, table)
        daemon.stop()
        self.assertEqual(os.listdir(daemon.state_dir).count(f"{table}.checkpoint.new"), 0)

    def test_disk_full(self):
        self.out_of_order(self.fill, lambda daemon, path: os.unlink(path), os.strerror(errno.ENOSPC))

    def test_read_only(self):
        self.out_of_order(self.read_only, self.writable, os.strerror(errno.EROFS))

    def test_a_start_on_a_full_disk_is_refused_or_waits(self):
        table = self.fake.new_table()
        self.fake.write(table, 20)
        daemon = self.on_tmpfs(table)
        path = self.fill(daemon)
        self.assertEqual(daemon.run(), EX_OSERR)
        self.assertTrue(daemon.logged("state_dir cannot be written"))
        # Room for the small files only.
        os.truncate(path, os.path.getsize(path) - 4096)
        daemon.start(ready=False)
        self.errors(daemon)
        self.assertEqual(self.item_writes(table), [])
        os.unlink(path)
        self.backed_up(daemon, table)

    def test_a_start_on_a_read_only_disk_is_refused(self):
        table = self.fake.new_table()
        daemon = self.on_tmpfs(table)
        self.read_only(daemon)
        self.assertEqual(daemon.run(), EX_OSERR)
        self.assertTrue(daemon.logged("state_dir"))


class Hung(Case):
    """A disk that does not answer: opening a FIFO that nobody reads does not come back either."""

    def hang(self, path):
        """A save may be under way."""
        def made():
            try:
                os.mkfifo(path)
            except FileExistsError:
                return False
            return True
        harness.wait_until(made, 10, "the next save hung")

    def test_a_stop_does_not_wait_for_it(self):
        table = self.fake.new_table()
        daemon = self.start(table, ready=True, quick={"stop_timeout": "1s"})
        self.fake.write(table, 20, keys=10)
        self.backed_up(daemon, table)
        self.wait_saved(daemon, table)
        new = checkpoint_path(daemon, table) + ".new"
        self.hang(new)
        self.fake.write(table, 20, keys=10, deletes=0.2)
        self.backed_up(daemon, table)
        began = time.monotonic()
        daemon.stop(expect=EX_IOERR)
        self.assertLess(time.monotonic() - began, 15)
        self.assertTrue(daemon.logged("does not answer"))
        self.assertFalse(read_checkpoint(daemon, table)["clean"])
        os.unlink(new)
        daemon.start(ready=True)
        self.backed_up(daemon, table)


class Fsync(Case):
    """A failing fsync: strace makes the kernel's answer, everything else is as it is."""

    def under(self, *inject):
        """-D: the daemon stays this test's child, and gets its signals."""
        options = [word for i in inject for word in ("-e", "inject=" + i)]
        return ["strace", "-D", "-f", "-qq", "-o", os.path.join(self.fake.folder, "strace"), "-e",
                "trace=fsync,fdatasync,rename", *options]

    def first_run(self):
        """A daemon that has a checkpoint and is stopped; more records wait for it."""
        table = self.fake.new_table()
        daemon = self.make(table, {"stop_timeout": "2s"}).start()
        # strace counts each thread's calls by themselves.
        daemon.env["UV_THREADPOOL_SIZE"] = "1"
        self.fake.write(table, 40, keys=10)
        self.backed_up(daemon, table)
        self.wait_saved(daemon, table)
        daemon.stop()
        self.fake.write(table, 40, keys=10, deletes=0.2)
        return table, daemon

    def traced(self, call):
        with open(os.path.join(self.fake.folder, "strace"), encoding="ascii") as f:
            return [line for line in f if f" {call}(" in line]

    def passing(self, call, nth):
        table, daemon = self.first_run()
        daemon.start(ready=False, under=self.under(f"{call}:error=EIO:when={nth}"))
        self.backed_up(daemon, table)
        self.wait_saved(daemon, table)
        for _ in range(nth):
            self.fake.write(table, 10, keys=10)
            self.backed_up(daemon, table)
            self.wait_saved(daemon, table)
        self.assertEqual(self.metric(daemon, "checkpoint_errors_total"), 1)
        self.assertTrue(daemon.logged(os.strerror(errno.EIO)))
        self.assertTrue([line for line in self.traced(call) if "INJECTED" in line])
        daemon.stop()
        self.assertTrue(read_checkpoint(daemon, table)["clean"])

    def test_the_first_fsync_of_the_file_fails(self):
        self.passing("fsync", 1)

    def test_the_fsync_of_the_folder_fails(self):
        self.passing("fsync", 2)

    def test_a_later_fsync_fails(self):
        self.passing("fsync", 5)

    def test_the_rename_fails(self):
        self.passing("rename", 1)

    def test_every_fsync_fails(self):
        table, daemon = self.first_run()
        before = read_checkpoint(daemon, table)
        written = len(self.item_writes(table))
        daemon.start(ready=False, under=self.under("fsync:error=EIO"))
        daemon.wait(lambda: self.metric(daemon, "checkpoint_errors_total") >= 3, 30, "three saves failed")
        # Without a horizon on disk nothing may be written (I4): a kill now would leave versions that nobody asks about.
        self.assertEqual(len(self.item_writes(table)), written)
        self.assertIn(os.strerror(errno.EIO), daemon.status()["tables"][0]["checkpoint_problem"])
        daemon.kill()
        self.assertEqual(read_checkpoint(daemon, table), before)
        daemon.start(ready=False)
        self.backed_up(daemon, table)


class Damaged(Case):
    def first_run(self):
        table = self.fake.new_table(shards=2)
        daemon = self.start(table, ready=True)
        self.fake.write(table, 60, keys=20, deletes=0.2)
        self.backed_up(daemon, table)
        self.wait_saved(daemon, table)
        daemon.stop()
        self.fake.write(table, 60, keys=20, deletes=0.2)
        return table, daemon

    def refused(self, damage, text):
        """The daemon refuses the file, and names it and the remedy; which then works."""
        table, daemon = self.first_run()
        path = checkpoint_path(daemon, table)
        with open(path, "rb") as f:
            good = f.read()
        with open(path, "wb") as f:
            f.write(damage(good))
        written = len(self.fake.writes(bucket=self.bucket))
        self.assertEqual(daemon.run(), EX_DATAERR)
        for part in (path, text, "move the file away"):
            self.assertTrue([line for line in daemon.logged("cannot start") if part in line], part)
        self.assertEqual(len(self.fake.writes(bucket=self.bucket)), written)
        shutil.move(path, path + ".damaged")
        daemon.start(ready=False)
        self.backed_up(daemon, table)
        self.assertTrue(daemon.logged("resuming from the bucket's watermark"))
        self.assertEqual(self.gaps(daemon), 0)

    def test_a_checkpoint_with_one_bit_flipped(self):
        self.refused(lambda b: b[:200] + bytes([b[200] ^ 1]) + b[201:], "damaged")

    def test_a_checkpoint_that_is_cut_off(self):
        self.refused(lambda b: b[:len(b) // 2], "damaged")

    def test_a_checkpoint_that_is_empty(self):
        self.refused(lambda b: b"", "not a checkpoint")

    def test_a_checkpoint_of_zeroes(self):
        self.refused(lambda b: bytes(len(b)), "not a checkpoint")

    def test_a_checkpoint_with_a_second_copy_behind_it(self):
        self.refused(lambda b: b + b, "damaged")

    def test_a_left_over_new_file_is_not_believed(self):
        table, daemon = self.first_run()
        with open(checkpoint_path(daemon, table) + ".new", "wb") as f:
            f.write(b"half a check")
        daemon.start(ready=False)
        self.backed_up(daemon, table)
        self.wait_saved(daemon, table)

    def test_a_damaged_watermark_beside_a_good_checkpoint(self):
        table, daemon = self.first_run()
        self.fake.s3.put_object(Bucket=self.bucket, Key=f".ddb-streamd/{table}/watermark.json", Body=b"{")
        daemon.start(ready=False)
        self.backed_up(daemon, table)
        self.assertTrue(daemon.logged("watermark.json in the bucket is damaged"))
        daemon.wait(lambda: self.watermark(table)["table"] == table, 20, "it was written anew")

    def test_a_damaged_watermark_and_no_checkpoint(self):
        table, daemon = self.first_run()
        self.fake.s3.put_object(Bucket=self.bucket, Key=f".ddb-streamd/{table}/watermark.json", Body=b"{")
        os.unlink(checkpoint_path(daemon, table))
        written = len(self.item_writes(table))
        self.assertEqual(daemon.run(), EX_DATAERR)
        self.assertTrue(daemon.logged("watermark.json is damaged"))
        self.assertEqual(len(self.item_writes(table)), written)

    def test_an_answer_that_there_is_no_watermark_is_damaged_on_its_way(self):
        table = self.fake.new_table()
        rule = self.fake.fault(service="s3", op="GetObject", key="watermark.json", garbage=True, count=3)
        self.fake.write(table, 20, keys=20)
        daemon = self.start(table, ready=True)
        self.assertEqual(self.fake.hits(rule), 3)
        self.backed_up(daemon, table)

    def test_a_watermark_that_is_damaged_on_its_way_and_no_checkpoint(self):
        table, daemon = self.first_run()
        os.unlink(checkpoint_path(daemon, table))
        rule = self.fake.fault(service="s3", op="GetObject", key="watermark.json", garbage=True, count=3)
        daemon.start(ready=True)
        self.assertEqual(self.fake.hits(rule), 3)
        self.fake.write(table, 20, keys=20)
        self.backed_up(daemon, table)

    def test_a_checkpoint_from_an_older_copy_of_the_disk(self):
        """A snapshot of the state folder, restored: it says clean, and yet the bucket is ahead of it."""
        table, daemon = self.first_run()
        path = checkpoint_path(daemon, table)
        shutil.copy(path, path + ".old")
        daemon.start(ready=True)
        self.backed_up(daemon, table)
        daemon.stop()
        os.replace(path + ".old", path)
        daemon.start(ready=True)
        self.fake.write(table, 20, keys=20)
        self.backed_up(daemon, table)
        self.assertTrue(daemon.logged("older than the bucket's watermark"))


if __name__ == "__main__":
    harness.main()
