#include "cli.h"

#include <stdarg.h>
#include <stdio.h>

static void say(const char *fmt, va_list ap)
{
	fputs("ddb-streamctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void cli_say(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

int cli_usage(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	fputs("Try 'ddb-streamctl --help'.\n", stderr);
	return EX_USAGE;
}

int cli_fail(const struct err *e)
{
	static const int codes[ERR_CLASSES] = {
		[ERR_NONE] = EX_SOFTWARE,     [ERR_RETRY] = EX_UNAVAILABLE,  [ERR_THROTTLE] = EX_UNAVAILABLE,
		[ERR_AUTH] = EX_NOPERM,	      [ERR_DENIED] = EX_NOPERM,	     [ERR_NOT_FOUND] = EX_NOINPUT,
		[ERR_CONFLICT] = EX_SOFTWARE, [ERR_EXPIRED] = EX_SOFTWARE,   [ERR_TRIMMED] = EX_SOFTWARE,
		[ERR_INVALID] = EX_CONFIG,    [ERR_CORRUPT] = EX_DATAERR,    [ERR_LIMIT] = EX_DATAERR,
		[ERR_SYSTEM] = EX_OSERR,      [ERR_CANCELLED] = EX_TEMPFAIL,
	};
	cli_say("%s", e->message);
	return codes[e->class];
}
