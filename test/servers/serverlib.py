"""What the server scripts share: processes that can be found again and ended safely, free ports, waiting.

A server's process carries DDB_TEST_SERVER=<its folder> in its environment, which says whose it is even when its pid
has been given to somebody else meanwhile; and DDB_TEST_OWNER=<pid>:<start time> of the test run that wants it,
if there is one, so that `tidy` finds what an interrupted run left behind.
"""
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

MARK = "DDB_TEST_SERVER"
OWNER = "DDB_TEST_OWNER"


class Failed(Exception):
    """Starting did not work; the message says why."""


def start_time(pid):
    """Clock ticks since boot when `pid` began, or None. With the pid it names a process for good."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            fields = f.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def environment(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            pairs = (entry.partition(b"=") for entry in f.read().split(b"\0"))
            return {os.fsdecode(k): os.fsdecode(v) for k, _, v in pairs}
    except OSError:
        return {}


def is_ours(pid, folder):
    return start_time(pid) is not None and environment(pid).get(MARK) == folder


def spawn(folder, name, argv, env=None, cwd=None):
    """Starts a background process that writes FOLDER/log/NAME.out and FOLDER/NAME.pid, and returns its Popen."""
    os.makedirs(os.path.join(folder, "log"), exist_ok=True)
    full = dict(os.environ if env is None else env)
    full[MARK] = folder
    with open(os.path.join(folder, "log", name + ".out"), "ab") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=full, cwd=cwd,
                                   start_new_session=True)
    write(os.path.join(folder, name + ".pid"), f"{process.pid}\n")
    return process


def write(path, text):
    with open(path + ".tmp", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".tmp", path)


def read_pid(folder, name):
    try:
        with open(os.path.join(folder, name + ".pid"), encoding="ascii") as f:
            return int(f.read())
    except (OSError, ValueError):
        return None


def end(folder, names, seconds=5.0):
    """Ends FOLDER's processes of these names: SIGTERM, then SIGKILL after a while. Their pid files go."""
    pids = {n: read_pid(folder, n) for n in names}
    left = [p for p in pids.values() if p is not None and is_ours(p, folder)]
    for pid in left:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)  # a stopped process does not see SIGTERM
    until = time.monotonic() + seconds
    while left and time.monotonic() < until:
        reap()
        left = [p for p in left if is_ours(p, folder)]
        time.sleep(0.02)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    while any(is_ours(p, folder) for p in left):
        reap()
        time.sleep(0.01)
    for name in names:
        path = os.path.join(folder, name + ".pid")
        if os.path.exists(path):
            os.unlink(path)


def reap():
    """Collects children that have ended, so that they do not count as running."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def free_ports(count):
    """Port numbers on which nothing listens now, below the range from which the kernel takes its own."""
    found = []
    while len(found) < count:
        port = random.randrange(15000, 32000)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def listens(process, port):
    """Is it this process that listens on the port? Somebody else may have been faster."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as f:
                rows = [line.split() for line in f.readlines()[1:]]
        except OSError:
            continue
        inodes.update(r[9] for r in rows if r[3] == "0A" and int(r[1].rpartition(":")[2], 16) == port)
    try:
        for fd in os.scandir(f"/proc/{process.pid}/fd"):
            target = os.readlink(fd.path)
            if target.startswith("socket:[") and target[8:-1] in inodes:
                return True
    except OSError:
        pass
    return False


def wait_for(what, condition, processes, seconds):
    """Waits until condition(); Failed when a process ends or the time is up."""
    until = time.monotonic() + seconds
    while not condition():
        for name, process in processes.items():
            if process.poll() is not None:
                raise Failed(f"{name} ended with status {process.returncode} before {what}")
        if time.monotonic() > until:
            raise Failed(f"{what} did not come about within {seconds:.0f} s")
        time.sleep(0.02)


def show_logs(folder, lines=15):
    logs = os.path.join(folder, "log")
    for name in sorted(os.listdir(logs) if os.path.isdir(logs) else []):
        with open(os.path.join(logs, name), encoding="utf-8", errors="replace") as f:
            tail = f.readlines()[-lines:]
        if tail:
            print(f"--- end of {name}", file=sys.stderr)
            sys.stderr.writelines(tail)


def start(folder, attempt, stop, tries=4):
    """
    Runs attempt(folder) in a new folder until it works. A failure may be a port that was taken between choosing and
    using it, so it is tried again on others. On the last one the logs are shown and the exit status is 69.
    """
    if os.path.exists(folder) and os.listdir(folder):
        print(f"{folder} exists and is not empty: stop what runs there, or name another folder", file=sys.stderr)
        sys.exit(73)
    for left in range(tries - 1, -1, -1):
        os.makedirs(folder, exist_ok=True)
        try:
            attempt(folder)
            return
        except Failed as e:
            print(f"{os.path.basename(sys.argv[0])}: {e}" + ("; trying again" if left else ""), file=sys.stderr)
            if not left:
                show_logs(folder)
                stop(folder)
                sys.exit(69)
        except BaseException:
            stop(folder)
            raise
        stop(folder)


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            print(f"{program} is not installed: make deps", file=sys.stderr)
            sys.exit(69)
