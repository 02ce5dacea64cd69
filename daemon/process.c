#include "process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define WINDOW_NS ((uint64_t)60 * 1000 * 1000 * 1000)

struct process {
	uv_prepare_t turn; /* runs once a turn, after the callbacks of the one before and before the wait */
	uint64_t last_ns;
	uint64_t last_idle_ns;
	uint64_t busy_ns;
	uint64_t window_start_ns;
	uint64_t max_ns;      /* of the window that runs */
	uint64_t last_max_ns; /* of the one before */
};

static void turn(uv_prepare_t *handle)
{
	struct process *p = handle->data;
	uint64_t now = uv_hrtime();
	uint64_t idle = uv_metrics_idle_time(handle->loop);
	uint64_t elapsed = now - p->last_ns, waited = idle - p->last_idle_ns;
	uint64_t busy = elapsed > waited ? elapsed - waited : 0;

	p->last_ns = now;
	p->last_idle_ns = idle;
	p->busy_ns += busy;
	if (now - p->window_start_ns >= WINDOW_NS) {
		p->last_max_ns = now - p->window_start_ns < 2 * WINDOW_NS ? p->max_ns : 0;
		p->max_ns = 0;
		p->window_start_ns = now;
	}
	if (busy > p->max_ns)
		p->max_ns = busy;
}

struct process *process_new(uv_loop_t *loop, struct err *e)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p) {
		err_set(e, ERR_SYSTEM, "no memory to watch the event loop");
		return NULL;
	}
	/* Fails only when it was asked for before, by whoever made the loop. */
	uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
	uv_prepare_init(loop, &p->turn);
	p->turn.data = p;
	p->last_ns = uv_hrtime();
	p->last_idle_ns = uv_metrics_idle_time(loop);
	p->window_start_ns = p->last_ns;
	uv_prepare_start(&p->turn, turn);
	uv_unref((uv_handle_t *)&p->turn);
	return p;
}

static void closed(uv_handle_t *handle)
{
	free(handle->data);
}

void process_free(struct process *p)
{
	if (p)
		uv_close((uv_handle_t *)&p->turn, closed);
}

uint64_t process_loop_busy_us(const struct process *p)
{
	return p->busy_ns / 1000;
}

uint64_t process_loop_stall_max_us(const struct process *p)
{
	return (p->max_ns > p->last_max_ns ? p->max_ns : p->last_max_ns) / 1000;
}

/* The whole of a small file as a string. */
static bool read_file(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		return false;
	n = fread(out, 1, size - 1, f);
	out[n] = '\0';
	fclose(f);
	return n > 0;
}

/*
 * Not from btime of /proc/stat, which a unit with ProcSubset=pid cannot read. Taken once: a value that follows the
 * steps of the wall clock would look like restarts.
 */
static double start_time_seconds(double after_boot)
{
	static double start = -1;
	struct timespec wall, boot;

	if (start >= 0)
		return start;
	if (clock_gettime(CLOCK_REALTIME, &wall) != 0 || clock_gettime(CLOCK_BOOTTIME, &boot) != 0)
		return -1;
	start = (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) / 1e9 + after_boot;
	return start;
}

/* proc(5): utime 14, stime 15, starttime 22, vsize 23, rss 24, counted from 1. */
static void usage_stat(struct process_usage *u)
{
	char text[1024];
	const char *p;
	uint64_t utime, stime, start, vsize;
	int64_t rss;
	double ticks = (double)sysconf(_SC_CLK_TCK);

	if (!read_file("/proc/self/stat", text, sizeof(text)))
		return;
	/* The second field is the program's name in brackets, which may hold blanks and brackets itself. */
	p = strrchr(text, ')');
	if (!p || sscanf(p + 1,
			 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %*d %*d %*d %*d %*d %*d"
			 " %" SCNu64 " %" SCNu64 " %" SCNd64,
			 &utime, &stime, &start, &vsize, &rss) != 5)
		return;
	u->cpu_seconds = (double)(utime + stime) / ticks;
	u->virtual_bytes = (int64_t)vsize;
	u->resident_bytes = rss * sysconf(_SC_PAGESIZE);
	u->start_time_seconds = start_time_seconds((double)start / ticks);
}

static int64_t count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *entry;
	int64_t n = -1; /* the folder's own descriptor does not count */

	if (!d)
		return -1;
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.')
			n++;
	closedir(d);
	return n;
}

void process_usage(struct process_usage *u)
{
	struct rlimit limit;

	*u = (struct process_usage){-1, -1, -1, -1, -1, -1};
	usage_stat(u);
	u->open_fds = count_fds();
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		u->max_fds = limit.rlim_cur == RLIM_INFINITY ? INT64_MAX : (int64_t)limit.rlim_cur;
}
