"""
One round of chaos: a fake AWS, a daemon that lives and dies many times under faults while writers change the tables, then
calm, and the comparison of the bucket with the truth.
"""
import functools
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time

import fake
import harness
import storms

MEMORY_LIMIT = 16 << 20
# Beyond the buffer of records: the program and its libraries, what curl keeps for each connection, 20 bytes an item in lanes.
MEMORY_OVERHEAD = 48 << 20
# AddressSanitizer keeps 256 MiB of what was freed, and a shadow of everything.
SANITIZER_OVERHEAD = 640 << 20
# Without a further record in S3 after that long it is a stall: a request that is never answered is given up after 30 s.
DRAIN_SECONDS = 75
DRAIN_SECONDS_MAX = 900
STOP_SECONDS = 40
# Sockets that are no connections to AWS: the listener of the health endpoint, and what asks it; pairs of libraries.
OTHER_SOCKETS = 12
READY_LAG_S = 30

EX_SECOND_SIGNAL = 128 + signal.SIGTERM


class Failure(Exception):
    pass


@functools.cache
def sanitized():
    with open(os.path.join(harness.BUILD, "ddb-streamd"), "rb") as f:
        return b"__asan_init" in f.read()


class Round:
    """run() raises Failure. `figures` is a collections.Counter that all rounds add to."""

    def __init__(self, seed, figures, lives=10, kind=None, debug=False):
        self.seed, self.figures, self.lives = seed, figures, lives
        self.rng = random.Random(seed)
        self.kind = kind or ("storm", "calls")[seed % 2]
        self.debug = debug
        self.began = time.monotonic()
        self.events, self.mounted, self.filler = [], None, None
        self.recreated = False
        self.server = self.daemon = self.writers = None

    def note(self, what, **more):
        self.events.append({"at_s": round(time.monotonic() - self.began, 3), "what": what, **more})

    def run(self, keep):
        """`keep`: the folder for what is left of a failed round."""
        self.server = fake.Fake(seed=self.seed & 0x7fffffff)
        try:
            self.set_up()
            if self.rng.random() < 0.3:
                self.clean_restart()
            self.writers.start()
            for number in range(self.lives):
                self.live(number)
            self.end()
        except (Failure, AssertionError, OSError, fake.Refused) as e:
            self.keep(keep, e)
            raise Failure(f"{type(e).__name__}: {e}") from e
        finally:
            self.tear_down()

    # Before

    def set_up(self):
        rng, server = self.rng, self.server
        server.keys_of = {}
        self.bucket = server.new_bucket()
        self.tables = []
        for number in range(rng.choice((1, 1, 2, 3))):
            options = storms.stream_options(rng)
            hash_type, range_type = rng.choice((("S", None), ("N", None), ("B", None), ("S", "N")))
            name = server.new_table(f"table-{number}", shards=rng.choice((1, 2, 5)), hash_type=hash_type,
                                    range_type=range_type, **options)
            server.keys_of[name] = (hash_type, range_type)
            self.tables.append(name)
            self.note("table", name=name, key=(hash_type, range_type), **options)
        s3 = storms.s3_options(rng)
        server.s3_options(**s3)
        skew_ms = rng.choice((0, 0, -120000, 120000, rng.randint(-120000, 120000)))
        for service in ("dynamodb", "streams", "s3", "sts"):
            server.do("skew", service=service, ms=skew_ms)
        settings = {
            "memory_limit": f"{MEMORY_LIMIT}B", "workers": rng.choice((1, 4, 64, 64, 256)),
            "checkpoint_interval": rng.choice(("100ms", "300ms", "1s")),
            "watermark_interval": rng.choice(("1s", "5s", "1m")), "discovery_interval": "1s",
            "poll_interval": "250ms", "stop_timeout": rng.choice(("1s", "5s")),
            "log_level": "debug" if self.debug else "info",
        }
        baseline = "auto" if self.seed % 2 else "off"
        self.note("set up", kind=self.kind, s3=s3, skew_ms=skew_ms, settings=settings, baseline=baseline)
        tables = {t: {"start": "trim_horizon", "baseline": baseline} for t in self.tables}
        self.daemon = harness.Daemon(server, self.bucket, tables, daemon=settings)
        if os.geteuid() == 0 and rng.random() < 0.2:
            self.mount()
        # Some thousand changes a second, in bursts.
        self.writers = storms.Writers(server, self.tables, rng.randrange(1 << 31), pace=0.12)

    def mount(self):
        """A small file system of its own for the state, so that it can be full."""
        where = self.daemon.state_dir
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "ddb-streamd-chaos", where],
                              check=False, capture_output=True)
        if done.returncode == 0:
            self.mounted, self.filler = where, os.path.join(where, "filler")
            self.note("small file system")

    def tear_down(self):
        if self.writers:
            self.writers.done.set()
            if self.writers.is_alive():
                self.writers.join(30)
        if self.daemon and self.daemon.process is not None:
            self.daemon.process.send_signal(signal.SIGCONT)
            self.daemon.kill()
        if self.mounted:
            subprocess.run(["umount", "-l", self.mounted], check=False)
        self.server.stop()

    # One life

    def clean_restart(self):
        """After a clean stop S3 is asked nothing."""
        for _ in range(2):
            self.daemon.start()
            for table in self.tables:
                self.server.write(table, count=300, keys=50, deletes=0.2, seed=self.rng.randrange(1 << 31))
            self.drain()
            self.terminate((0,))
            self.check_checkpoints(clean=True)
        asked = [r["key"] for r in self.server.requests(op="HeadObject", limit=50000) if self.is_of_item(r["key"])]
        if asked:
            raise Failure(f"{len(asked)} questions were asked after a clean stop, the first about {asked[0]}")
        self.figures["clean restarts that asked nothing"] += 1

    def is_of_item(self, key):
        return any(key.startswith((f"{t}/", f".ddb-streamd/{t}/deletes/")) for t in self.tables)

    def live(self, number):
        rng, daemon = self.rng, self.daemon
        turn = self.seed // 2 * self.lives + number
        under, traced = (), None
        if self.kind == "calls":
            call, which = storms.kill_at(turn)
            traced = f"{call}:signal=KILL:when={which}"
        elif rng.random() < 0.12:
            traced = storms.fail_at(rng)
        if traced:
            call = traced.partition(":")[0]
            under = ("strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={traced}")
        early = rng.randint(0, 2) if self.kind == "storm" else rng.choice((0, 0, 0, 1))
        for _ in range(early):
            self.add_fault()
        self.note("start", traced=traced)
        daemon.start(ready=False, under=under)
        self.figures["starts"] += 1
        seconds = rng.choice((rng.uniform(0, 0.1), rng.uniform(0.1, 0.5), rng.uniform(0.3, 1.5)))
        if self.kind == "calls":
            seconds = 1.2 + turn % 3
        elif traced:
            seconds += 0.7
        how = rng.choices(("kill", "term", "twice", "term and kill"), (60, 15, 15, 10))[0]
        self.suffer(seconds)
        self.finish(how, traced)
        self.after_death()

    def add_fault(self):
        rule = storms.fault(self.rng)
        self.note("fault", id=self.server.fault(**rule), **rule)

    def suffer(self, seconds):
        """Faults come and go until the time is up, or the daemon has ended."""
        rng, until = self.rng, time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            if left <= 0:
                return
            try:
                self.daemon.process.wait(min(left, rng.uniform(0.05, 0.5)))
                return
            except subprocess.TimeoutExpired:
                pass
            self.mischief()

    def mischief(self):
        rng, chance = self.rng, self.rng.random()
        if self.kind == "storm" and chance < 0.35:
            self.add_fault()
        elif chance < 0.5:
            self.clear_faults()
        elif chance < 0.6 and self.mounted:
            self.fill_disk(not os.path.exists(self.filler))
        elif chance < 0.61 and self.kind == "storm" and not self.recreated:
            self.recreate_stream()
        elif chance < 0.65:
            self.empty_pages()
        elif chance < 0.67:
            self.wrong_cursor()

    def empty_pages(self):
        """Some pages of a shard have no records, though more follow."""
        table = self.rng.choice(self.tables)
        shards = [s["id"] for s in self.server.shards(table)]
        self.server.do("shard", table=table, shard=self.rng.choice(shards), empty_pages=self.rng.choice((1, 5, 10)))
        self.figures["empty pages in the middle"] += 1

    def wrong_cursor(self):
        """Until faults are cleared."""
        cursor = self.rng.choice(("empty", "repeat", "round"))
        self.server.options(self.rng.choice(self.tables), cursor=cursor)
        self.figures["wrong page cursors"] += 1
        self.note("wrong cursor", cursor=cursor)

    def clear_faults(self):
        self.figures["faults"] += sum(f["hits"] for f in self.server.do("faults")["faults"])
        self.server.do("clear_faults")
        for table in self.tables:
            self.server.options(table, cursor="right")
        self.note("no faults")

    def fill_disk(self, full):
        if full:
            with open(self.filler, "wb", buffering=0) as f:
                try:
                    while f.write(bytes(4096)):
                        pass
                except OSError:
                    pass
            self.figures["full disks"] += 1
        elif self.filler and os.path.exists(self.filler):
            os.unlink(self.filler)
        self.note("disk", full=full)

    def recreate_stream(self):
        """Off and on again: the old stream is to be read to its end, then the new one."""
        self.recreated = True
        table = self.rng.choice(self.tables)
        self.writers.pause(table)
        self.server.set_stream(table, False)
        self.server.set_stream(table, True)
        self.writers.pause()
        self.figures["recreated streams"] += 1
        self.note("recreated stream", table=table)

    def finish(self, how, traced):
        process = self.daemon.process
        killing = traced is not None and ":signal=KILL" in traced
        allowed = set()
        if process.poll() is None:
            self.check_memory()
            self.note("end", how=how)
            if how == "kill" or killing:
                self.figures["SIGKILL"] += 1
                process.kill()
                allowed = {-signal.SIGKILL}
            else:
                self.figures["SIGTERM"] += 1
                allowed = self.terminate_how(how)
                # A position that cannot be saved is not a clean stop.
                if (traced and ":error=" in traced) or (self.filler and os.path.exists(self.filler)):
                    allowed |= {os.EX_IOERR}
        elif killing and process.returncode == -signal.SIGKILL:
            self.figures["SIGKILL at a system call"] += 1
            self.figures["at " + traced.partition(":")[0]] += 1
            allowed = {-signal.SIGKILL}
        try:
            status = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"still there {STOP_SECONDS} s after {how}") from None
        self.note("ended", status=status)
        self.daemon.ended()
        if status == -signal.SIGTERM and self.has_no_handler():
            return
        if status == os.EX_NOPERM and any(e.get("code") == "AccessDenied" for e in self.events):
            self.figures["refused at the start"] += 1
            return
        if status not in allowed:
            raise Failure(f"ended with status {status} after {how if allowed else 'nothing'} (traced: {traced})")

    def has_no_handler(self):
        """Before it says "starting" and after it says "stopped" a signal ends it as it ends every program."""
        return not self.daemon.logged("msg=starting") or bool(self.daemon.logged("msg=stopped"))

    def terminate_how(self, how):
        process, rng = self.daemon.process, self.rng
        process.terminate()
        if how == "twice":
            time.sleep(rng.choice((0, rng.uniform(0, 0.2))))
            process.terminate()
            self.figures["SIGTERM twice"] += 1
            return {0, EX_SECOND_SIGNAL}
        if how == "term and kill":
            time.sleep(rng.uniform(0, 0.2))
            if process.poll() is None:
                process.kill()
                self.figures["SIGKILL"] += 1
            return {0, -signal.SIGKILL}
        return {0}

    def terminate(self, allowed):
        self.daemon.process.terminate()
        try:
            status = self.daemon.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"still there {STOP_SECONDS} s after SIGTERM") from None
        self.daemon.ended()
        self.figures["SIGTERM"] += 1
        if status not in allowed:
            raise Failure(f"ended with status {status} after SIGTERM in calm weather")

    def after_death(self):
        self.check_checkpoints()
        if self.filler and self.rng.random() < 0.7:
            self.fill_disk(False)
        if self.rng.random() < 0.08 and self.has_state():
            self.lose_state()
        if self.rng.random() < 0.3:
            self.clear_faults()
        if self.rng.random() < 0.1:
            self.pass_time()
        time.sleep(storms.LATE_MS / 1000 + 0.03)

    def pass_time(self):
        """The daemon was away for long, by the clock of records and iterators."""
        self.server.do("clock", advance_ms=self.rng.choice((90000, 600000)))
        self.figures["times away"] += 1
        self.note("time passes")

    def has_state(self):
        return any(n.endswith(".checkpoint") for n in os.listdir(self.daemon.state_dir))

    def lose_state(self):
        for name in os.listdir(self.daemon.state_dir):
            os.unlink(os.path.join(self.daemon.state_dir, name))
        self.figures["lost state folders"] += 1
        self.note("state lost")

    # After

    def end(self):
        """Calm; then a second storm for the same process, and calm again: nothing may have leaked."""
        rng = self.rng
        self.fill_disk(False)
        self.clear_faults()
        self.note("the last life")
        self.daemon.start(ready=False)
        self.figures["starts"] += 1
        time.sleep(0.3)
        if self.kind == "storm" and rng.random() < 0.5:
            # Small pages may never catch up with writers.
            self.writers.pause(*self.tables)
            self.daemon.wait(self.is_ready, DRAIN_SECONDS_MAX, "/readyz said 200")
            before = self.descriptors()
            self.writers.pause()
            for _ in range(3):
                self.add_fault()
            self.suffer(rng.uniform(0.5, 2))
            self.fill_disk(False)
            self.clear_faults()
            self.writers.stop()
            self.drain()
            self.check_descriptors(before)
        else:
            self.writers.stop()
            self.drain()
            self.check_descriptors(self.descriptors())
        self.verify()
        self.check_memory()
        self.check_gaps()
        self.terminate((0,))
        self.check_checkpoints()

    def is_ready(self):
        """As /readyz says; an open gap, which check_gaps looks at, is its last reason when all else is well."""
        status, _, reason = self.daemon.get("/readyz")
        if status != 200 and "in the history" not in reason:
            raise AssertionError(f"/readyz says {status} {reason}")
        return True

    def drain(self):
        """Waits until the daemon says that it has everything in S3 and reads at the tip."""
        def calm():
            assert self.is_ready()
            samples = self.daemon.metrics()
            for table in self.tables:
                def of(name, table=table):
                    return samples["ddb_streamd_" + name, (("table", table),)]
                assert of("lag_known") == 1, f"{table}: its lag is not known"
                assert of("lag_seconds") < READY_LAG_S, f"{table}: its lag is {of('lag_seconds')} s"
                assert of("buffered_records") == 0, f"{table}: {of('buffered_records')} records wait"
                assert of("stuck_items") == 0, f"{table}: stuck items"
                assert of("baseline_running") == 0, f"{table}: a baseline is under way"
                missing = self.server.verify(table, self.bucket, bodies="0")["kinds"].get("missing", 0)
                assert not missing, f"{table}: {missing} versions are missing"
            return True
        # A long backlog in short pages takes its time, at four pages a second for a shard. What counts is that it goes on.
        until, stored = time.monotonic() + DRAIN_SECONDS_MAX, -1
        while True:
            before, stored = stored, sum(v for (name, _), v in self.daemon.metrics().items()
                                         if name in ("ddb_streamd_records_total", "ddb_streamd_records_skipped_total"))
            try:
                self.daemon.wait(calm, DRAIN_SECONDS, "everything was in S3")
                return
            except AssertionError:
                if before == stored or time.monotonic() > until:
                    raise

    def verify(self):
        for table in self.tables:
            found = self.server.verify(table, self.bucket)
            self.figures["records"] += found["records"]
            self.figures["versions and markers"] += found["versions"]
            self.figures["items"] += found["items"]
            if not found["ok"]:
                raise Failure(f"{table}: {found['kinds']}, the first: {found['differences'][:3]}")
        self.figures["reshards"] += self.writers.reshards
        self.figures["of these merges"] += self.writers.merges

    def descriptors(self):
        """How many, without sockets: the least of some looks, since a checkpoint that is being saved has two for a moment."""
        least = None
        for _ in range(20):
            others = self.descriptors_now()
            least = others if least is None else min(least, others)
            time.sleep(0.01)
        return least

    def descriptors_now(self):
        folder, others = f"/proc/{self.daemon.process.pid}/fd", 0
        for name in os.listdir(folder):
            try:
                others += not os.readlink(os.path.join(folder, name)).startswith("socket:")
            except FileNotFoundError:
                continue
        return others

    def check_descriptors(self, before):
        samples = self.daemon.metrics()
        now, limit = self.descriptors(), int(samples["ddb_streamd_http_connections", ()]) + OTHER_SOCKETS
        sockets = len(os.listdir(f"/proc/{self.daemon.process.pid}/fd")) - now
        if now != before:
            raise Failure(f"{now} descriptors are open beside sockets, {before} at the start of this process")
        if sockets > limit:
            raise Failure(f"{sockets} sockets are open, at most {limit} are explained")

    def check_memory(self):
        try:
            with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as f:
                lines = [line for line in f if line.startswith("VmHWM:")]
        except (FileNotFoundError, ProcessLookupError):
            return
        if not lines:
            return
        high = int(lines[0].split()[1]) << 10
        self.figures["highest memory in KiB"] = max(self.figures["highest memory in KiB"], high >> 10)
        if high > MEMORY_LIMIT + (SANITIZER_OVERHEAD if sanitized() else MEMORY_OVERHEAD):
            raise Failure(f"{high >> 10} KiB were in use, the limit for records is {MEMORY_LIMIT >> 10} KiB")

    def check_gaps(self):
        samples = self.daemon.metrics()
        for table in self.tables:
            gaps = samples["ddb_streamd_gaps_total", (("table", table),)]
            if gaps and not self.recreated:
                raise Failure(f"{table}: {gaps:g} gaps, and nothing was trimmed")

    def check_checkpoints(self, clean=None):
        """Readable whenever the daemon has died: whole, of this table, and its sum right."""
        for table in self.tables:
            path = os.path.join(self.daemon.state_dir, table + ".checkpoint")
            try:
                with open(path, "rb") as f:
                    first, second, third, rest = f.read().split(b"\n")
            except FileNotFoundError:
                continue
            except ValueError:
                raise Failure(f"{path} has not three lines") from None
            if rest or third != b"sha256 " + hashlib.sha256(first + b"\n" + second + b"\n").hexdigest().encode():
                raise Failure(f"{path} is damaged")
            content = json.loads(second)
            if content["position"]["table"] != table:
                raise Failure(f"{path} is of {content['position']['table']}")
            if clean is not None and content["clean"] != clean:
                raise Failure(f"{path}: clean is {content['clean']}")

    # When it failed

    def keep(self, folder, error):
        """All that is needed to understand: logs, state, what happened when, and what the bucket has of the items."""
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.writers.done.set()
        if self.daemon:
            self.dump(folder, "status.txt", lambda: self.daemon.get("/status")[2])
            self.dump(folder, "metrics.txt", lambda: self.daemon.get("/metrics")[2])
            shutil.copytree(self.daemon.folder, os.path.join(folder, "daemon"), dirs_exist_ok=True)
        self.dump(folder, "error", lambda: repr(error))
        self.dump(folder, "events.json", lambda: "\n".join(json.dumps(e) for e in self.events))
        self.dump(folder, "faults.json", lambda: json.dumps(self.server.do("faults"), indent=1))
        self.dump(folder, "requests.json", lambda: "\n".join(json.dumps(r) for r in self.server.requests(limit=50000)))
        for table in self.tables:
            self.dump(folder, table + ".json", lambda table=table: self.evidence(table))

    def evidence(self, table):
        found = self.server.verify(table, self.bucket)
        keys = list(dict.fromkeys(d["key"] for d in found["differences"]))[:5]
        found["writes"] = {key: self.server.writes(bucket=self.bucket, key=key) for key in keys}
        seqs = {d["seq"] for d in found["differences"]}
        found["records"] = [r for r in self.server.records(table) if r["seq"] in seqs]
        found["shards"] = self.server.shards(table)
        return json.dumps(found, indent=1)

    @staticmethod
    def dump(folder, name, make):
        try:
            text = make()
        except Exception as e:  # one piece less of evidence
            text = f"not to be had: {e!r}"
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(text + "\n")
