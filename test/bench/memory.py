"""The rows of memory: how much of it the daemon has at most."""
import rows
import throughput

RUNS = 3


def behind(bench):
    """With a backlog that is always ahead of the workers."""
    for name, limit in (("rss-64w-MiB", "16MiB"), ("rss-64w-default-MiB", "64MiB")):
        load = throughput.Load(tls=False, memory=limit)
        yield rows.alone(name, "MiB", [throughput.ours(bench, load)[2] / 1024 for _ in range(RUNS)])


def groups():
    return {"rss-64w-MiB": behind}
