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

static void on_timer(uv_timer_t *t)
{
	struct progress *p = t->data;
	double s = seconds(p);
	char text[PROGRESS_AMOUNT_SIZE];
	const char *before = p->terminal ? "\r\033[K" : "ddb-streamctl: ", *after = p->terminal ? "" : "\n";
	if (p->line[0] != '\0')
		fprintf(stderr, "%s%s%s", before, p->line, after);
	else
		fprintf(stderr, "%s%llu items of %llu keys, %s, %.0f items/s%s", before, (unsigned long long)p->items,
			(unsigned long long)p->seen, progress_amount(text, p->bytes), s > 0 ? (double)p->items / s : 0,
			after);
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
