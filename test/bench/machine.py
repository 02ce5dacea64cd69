"""
The two sides of a measurement: the servers (bench_sink) and what it takes to start a client beside them. The client has
the first processor to itself as far as can be had, the sink the second one.
"""
import json
import os
import shutil
import signal
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REGION, ACCESS_KEY, SECRET_KEY = "us-east-1", "AKIABENCHBENCHBENCH0", "bench/bench/bench/bench/bench/bench/ben0"
RUN_TIMEOUT_S = 120


def pinned(cpu):
    """For preexec_fn: on one processor, or with None on all, ahead of others where that is allowed."""
    cpus = sorted(os.sched_getaffinity(0))

    def apply():
        os.sched_setaffinity(0, set(cpus) if cpu is None else {cpus[cpu % len(cpus)]})
        try:
            # Where sessions share the processor (sched_autogroup), only a session's own priority counts.
            os.setsid()
            os.setpriority(os.PRIO_PROCESS, 0, -20)
            with open("/proc/self/autogroup", "w", encoding="ascii") as f:
                f.write("-20")
        except OSError:
            pass
    return apply


class Sink:
    """bench_sink, for one run."""

    def __init__(self, bench, *options, tls=False):
        command = [bench.program("bench_sink"), *map(str, options)]
        if tls:
            command += ["-t", bench.certificate()]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=pinned(1))
        port = self.process.stdout.readline().strip()
        if not port:
            raise SystemExit("bench: the sink did not start; what it said is above")
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def result(self, client):
        """What it saw, once the last item has come."""
        until = time.monotonic() + RUN_TIMEOUT_S
        os.set_blocking(self.process.stdout.fileno(), False)
        while time.monotonic() < until:
            line = self.process.stdout.readline()
            if line:
                return json.loads(line)
            if client.poll() not in (None, 0):
                raise SystemExit(f"bench: the client ended with status {client.returncode}; what it said is above")
            time.sleep(0.01)
        raise SystemExit(f"bench: no end after {RUN_TIMEOUT_S} s")


class Bench:
    def __init__(self, build, folder, pairs):
        self.build, self.folder, self.pairs = os.path.abspath(build), folder, pairs
        self.env = {"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                    "no_proxy": "*", "HOME": folder}

    def program(self, name):
        return os.path.join(self.build, "test", "bench", name)

    def certificate(self):
        """A key and a certificate of its own, in one file."""
        path = os.path.join(self.folder, "tls.pem")
        if not os.path.exists(path):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                            "-nodes", "-keyout", path + ".key", "-out", path + ".crt", "-days", "2", "-subj",
                            "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True,
                           stderr=subprocess.DEVNULL)
            with open(path, "w", encoding="ascii") as out:
                for part in (".key", ".crt"):
                    with open(path + part, encoding="ascii") as f:
                        out.write(f.read())
        return path

    def configuration(self, url, daemon="", baseline="off"):
        return (f"[daemon]\nstate_dir = {os.path.join(self.folder, 'state')}\n{daemon}"
                f"[aws]\nregion = {REGION}\nendpoint_url = {url}\n"
                + (f"ca_bundle = {self.certificate()}\n" if url.startswith("https") else "")
                + f"[s3]\nbucket = bench\n[table \"items\"]\nbaseline = {baseline}\n")

    def daemon(self, url, workers=64, memory="64MiB", env=(), more="", under=()):
        """Starts ddb-streamd without a state. `more`: lines of the section [daemon]; `under`: what runs it, with arguments."""
        shutil.rmtree(os.path.join(self.folder, "state"), ignore_errors=True)
        conf = os.path.join(self.folder, "conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write(self.configuration(url, f"log_level = warn\nworkers = {workers}\nmemory_limit = {memory}\n"
                                            + (more or "listen = off\n")))
        return subprocess.Popen([*under, os.path.join(self.build, "ddb-streamd"), "-c", conf], preexec_fn=pinned(0),
                                env={**self.env, **dict(env)})


def peak_kib(pid):
    """Peak resident size. (What wait4 tells has a peak of this process in it, from between fork and exec.)"""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("VmHWM:")).split()[1])


def ended(client):
    """Ends the daemon as an operator does: (processor seconds, peak resident KiB until then)."""
    rss_kib = peak_kib(client.pid)
    client.send_signal(signal.SIGTERM)
    _, status, usage = os.wait4(client.pid, 0)
    client.returncode = os.waitstatus_to_exitcode(status)
    if client.returncode != 0:
        raise SystemExit(f"bench: ddb-streamd ended with {client.returncode}")
    return usage.ru_utime + usage.ru_stime, rss_kib
