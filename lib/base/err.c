#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Messages quote what servers and files say, and one event must stay one line. */
static void fold_controls(char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c < 0x20 || c == 0x7f)
			*s = ' ';
	}
}

/* Marks a message that did not fit, without leaving half a UTF-8 character. */
static void mark_cut(char *s, size_t size)
{
	size_t end = size - sizeof("...");
	while (end > 0 && ((unsigned char)s[end] & 0xc0) == 0x80)
		end--;
	memcpy(s + end, "...", sizeof("..."));
}

/* Formats apart from the target, since arguments may point into the struct that is being filled. */
__attribute__((format(printf, 2, 0))) static void format_message(char out[static sizeof(((struct err *)0)->message)],
								 const char *fmt, va_list ap)
{
	const size_t size = sizeof(((struct err *)0)->message);
	int n = vsnprintf(out, size, fmt, ap);
	if (n < 0)
		out[0] = '\0';
	else if ((size_t)n >= size)
		mark_cut(out, size);
	fold_controls(out);
}

static int fill(struct err *e, enum err_class class, int sys_errno, const char *message)
{
	*e = (struct err){.class = class, .sys_errno = sys_errno};
	memcpy(e->message, message, strlen(message) + 1);
	return -(int)class;
}

int err_set(struct err *e, enum err_class class, const char *fmt, ...)
{
	if (!e)
		return -(int)class;
	char message[sizeof(e->message)];
	va_list ap;
	va_start(ap, fmt);
	format_message(message, fmt, ap);
	va_end(ap);
	return fill(e, class, 0, message);
}

__attribute__((format(printf, 3, 4))) static void join(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(out, size, fmt, ap);
	va_end(ap);
	if (n < 0)
		out[0] = '\0';
	else if ((size_t)n >= size)
		mark_cut(out, size);
}

int err_errno(struct err *e, int errnum, const char *fmt, ...)
{
	if (!e)
		return -(int)ERR_SYSTEM;
	char context[sizeof(e->message)], message[sizeof(e->message)], reason[128];
	va_list ap;
	va_start(ap, fmt);
	format_message(context, fmt, ap);
	va_end(ap);
	join(message, sizeof(message), "%s: %s", context, strerror_r(errnum, reason, sizeof(reason)));
	return fill(e, ERR_SYSTEM, errnum, message);
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	if (!e)
		return -(int)ERR_INVALID;
	char context[sizeof(e->message)], message[sizeof(e->message)];
	va_list ap;
	va_start(ap, fmt);
	format_message(context, fmt, ap);
	va_end(ap);
	join(message, sizeof(message), "%s: %s", context, e->message);
	memcpy(e->message, message, strlen(message) + 1);
	return -(int)e->class;
}

const char *err_class_name(int class)
{
	static const char *const names[ERR_CLASSES] = {
		[ERR_NONE] = "none",	     [ERR_RETRY] = "retry",	    [ERR_THROTTLE] = "throttle",
		[ERR_AUTH] = "auth",	     [ERR_DENIED] = "denied",	    [ERR_NOT_FOUND] = "not_found",
		[ERR_CONFLICT] = "conflict", [ERR_EXPIRED] = "expired",	    [ERR_TRIMMED] = "trimmed",
		[ERR_INVALID] = "invalid",   [ERR_CORRUPT] = "corrupt",	    [ERR_LIMIT] = "limit",
		[ERR_SYSTEM] = "system",     [ERR_CANCELLED] = "cancelled",
	};
	if (class > -ERR_CLASSES && class < 0)
		class = -class;
	return class >= 0 && class < ERR_CLASSES ? names[class] : "unknown";
}
