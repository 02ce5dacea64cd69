#include "notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#define STATUS_SIZE 512

static char last_status[STATUS_SIZE];

/* A message is lines of KEY=VALUE: a line feed inside a reason would end it and start another key. */
static void one_line(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = ' ';
}

static void status_text(const struct view *v, char out[STATUS_SIZE])
{
	char lag[VIEW_DURATION_SIZE];
	size_t stuck = 0;
	int n;

	if (view_not_ready(v, out, STATUS_SIZE)) {
		one_line(out);
		return;
	}
	for (size_t i = 0; i < v->ntables; i++)
		stuck += v->tables[i].stuck;
	n = snprintf(out, STATUS_SIZE, "%zu table%s, lag %s", v->ntables, v->ntables == 1 ? "" : "s",
		     view_duration(lag, view_lag_ms(v)));
	if (stuck > 0 && n > 0)
		snprintf(out + n, STATUS_SIZE - (size_t)n, ", %zu item%s stuck", stuck, stuck == 1 ? "" : "s");
}

void notify_ready(const struct view *v)
{
	status_text(v, last_status);
	sd_notifyf(0, "READY=1\nSTATUS=%s", last_status);
}

void notify_status(const struct view *v)
{
	char text[STATUS_SIZE];

	status_text(v, text);
	if (strcmp(text, last_status) == 0)
		return;
	memcpy(last_status, text, sizeof(text));
	sd_notifyf(0, "STATUS=%s", text);
}

void notify_stopping(void)
{
	snprintf(last_status, sizeof(last_status), "stopping");
	sd_notify(0, "STOPPING=1\nSTATUS=stopping");
}

void notify_extend_timeout(int64_t ms)
{
	if (ms <= 0 || ms > INT64_MAX / 1000)
		return;
	sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRId64, ms * 1000);
}

int64_t notify_watchdog_interval_ms(void)
{
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	/* A limit of under 2 ms is no sensible one, but 0 would say that the watchdog is off. */
	return usec < 2000 ? 1 : (int64_t)(usec / 2000);
}

void notify_watchdog(void)
{
	sd_notify(0, "WATCHDOG=1");
}
