"""How long a client of the bench takes, from its start to its end."""
import os
import subprocess
import tempfile
import time


def run(command, pin, env):
    """Runs it to its end: (seconds, processor seconds, peak resident KiB, what it printed). `pin` is called in the new process."""
    began = time.monotonic()
    # Files, since what they say may be more than a pipe holds.
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr, \
            subprocess.Popen(command, stdout=stdout, stderr=stderr, preexec_fn=pin, env=env) as client:
        try:
            _, status, usage = os.wait4(client.pid, 0)
            seconds = time.monotonic() - began
            client.returncode = os.waitstatus_to_exitcode(status)
            stdout.seek(0)
            stderr.seek(0)
            out, said = stdout.read(), stderr.read()
        finally:
            client.kill()
    if client.returncode != 0:
        raise SystemExit(f"bench: {os.path.basename(command[0])} ended with {client.returncode}: {said.strip()[-2000:]}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, out
