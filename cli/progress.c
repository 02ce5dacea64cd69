#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define TERMINAL_MS 500
#define LOG_MS 60000

const char *progress_amount(char out[static PROGRESS_AMOUNT_SIZE], uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t u = 0;
	for (; value >= 1024 && u < 4; u++)
		value /= 1024;
	snprintf(out, PROGRESS_AMOUNT_SIZE, u == 0 ? "%.0f %s" : "%.1f %s", value, units[u]);
	return out;
}

static double seconds(const struct progress *p)
{
	return (double)(clock_mono_ms() - p->began_mono_ms) / 1000;
}

/* Two units are enough for an estimate. */
static void append_left(char *out, size_t size, double left_s)
{
	unsigned long s = (unsigned long)left_s;
	if (s < 60)
		snprintf(out, size, ", about %lus left", s);
	else if (s < 3600)
		snprintf(out, size, ", about %lum%02lus left", s / 60, s % 60);
	else if (s < 24 * 3600)
		snprintf(out, size, ", about %luh%02lum left", s / 3600, s / 60 % 60);
	else
		snprintf(out, size, ", about %lud%02luh left", s / 86400, s / 3600 % 24);
}

const char *progress_text(char out[static PROGRESS_TEXT_SIZE], const struct progress *p, int64_t elapsed_ms)
{
	char amount[PROGRESS_AMOUNT_SIZE];
	double done = p->items > p->before ? (double)(p->items - p->before) : 0;
	double per_s = elapsed_ms > 0 ? done * 1000 / (double)elapsed_ms : 0;
	int n = snprintf(out, PROGRESS_TEXT_SIZE, "%llu items of %llu keys, %s, %.0f items/s",
			 (unsigned long long)p->items, (unsigned long long)p->seen, progress_amount(amount, p->bytes),
			 per_s);
	uint64_t come = p->by_keys ? p->seen : p->items;
	double way = p->by_keys ? (double)p->seen : done;
	/* An estimate that was passed tells nothing any more. */
	if (p->expected > come && way > 0 && elapsed_ms > 0)
		append_left(out + n, PROGRESS_TEXT_SIZE - (size_t)n,
			    (double)(p->expected - come) / way * (double)elapsed_ms / 1000);
	return out;
}

static void on_timer(uv_timer_t *t)
{
	struct progress *p = t->data;
	char text[PROGRESS_TEXT_SIZE];
	fprintf(stderr, "%s%s%s", p->terminal ? "\r\033[K" : "ddb-streamctl: ",
		p->line[0] != '\0' ? p->line : progress_text(text, p, clock_mono_ms() - p->began_mono_ms),
		p->terminal ? "" : "\n");
	p->drawn = p->terminal;
}

void progress_start(struct progress *p, uv_loop_t *loop)
{
	*p = (struct progress){.terminal = isatty(STDERR_FILENO) == 1, .began_mono_ms = clock_mono_ms()};
	uint64_t every_ms = p->terminal ? TERMINAL_MS : LOG_MS;
	uv_timer_init(loop, &p->timer);
	p->timer.data = p;
	uv_timer_start(&p->timer, on_timer, every_ms, every_ms);
	uv_unref((uv_handle_t *)&p->timer);
	p->started = true;
}

void progress_clear(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}

void progress_end(struct progress *p, const char *what)
{
	char text[PROGRESS_AMOUNT_SIZE];
	if (!p->started)
		return;
	progress_clear(p);
	if (what != NULL)
		fprintf(stderr, "ddb-streamctl: %s: %llu items, %s in %.1f s\n", what, (unsigned long long)p->items,
			progress_amount(text, p->bytes), seconds(p));
	uv_close((uv_handle_t *)&p->timer, NULL);
	p->started = false;
}
