#include "base/clock.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char weekdays[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static int64_t read_ms(clockid_t id)
{
	struct timespec ts = {0};
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

int64_t clock_mono_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

/* False when the year does not fit four digits. */
static bool split(int64_t wall_ms, struct tm *tm, unsigned *ms)
{
	if (wall_ms == CLOCK_UNKNOWN)
		return false;
	int64_t rest = wall_ms % 1000;
	time_t s = (time_t)(wall_ms / 1000);
	if (rest < 0) {
		rest += 1000;
		s--;
	}
	*ms = (unsigned)rest;
	return gmtime_r(&s, tm) && tm->tm_year >= -1900 && tm->tm_year <= 9999 - 1900;
}

/* The last `n` digits of a number, and where the text goes on. (A time is written for each record: printf took longer.) */
static char *put(char *out, int n, unsigned value)
{
	for (int i = n - 1; i >= 0; i--, value /= 10)
		out[i] = (char)('0' + value % 10);
	return out + n;
}

static char *put_char(char *out, char c)
{
	*out = c;
	return out + 1;
}

/* "20261123" with `dash` between the parts, or 0 for nothing. */
static char *put_date(char *out, const struct tm *tm, char dash)
{
	out = put(out, 4, (unsigned)(tm->tm_year + 1900));
	if (dash)
		out = put_char(out, dash);
	out = put(out, 2, (unsigned)(tm->tm_mon + 1));
	if (dash)
		out = put_char(out, dash);
	return put(out, 2, (unsigned)tm->tm_mday);
}

static char *put_time(char *out, const struct tm *tm, char colon)
{
	out = put(out, 2, (unsigned)tm->tm_hour);
	if (colon)
		out = put_char(out, colon);
	out = put(out, 2, (unsigned)tm->tm_min);
	if (colon)
		out = put_char(out, colon);
	return put(out, 2, (unsigned)tm->tm_sec);
}

char *clock_iso(char out[CLOCK_ISO_SIZE], int64_t wall_ms)
{
	struct tm tm;
	unsigned ms;
	out[0] = '\0';
	if (!split(wall_ms, &tm, &ms))
		return out;
	char *p = put_char(put_date(out, &tm, '-'), 'T');
	p = put_char(put_time(p, &tm, ':'), '.');
	p = put_char(put(p, 3, ms), 'Z');
	*p = '\0';
	return out;
}

char *clock_amz(char out[17], int64_t wall_ms)
{
	struct tm tm;
	unsigned ms;
	out[0] = '\0';
	if (!split(wall_ms, &tm, &ms))
		return out;
	char *p = put_char(put_date(out, &tm, 0), 'T');
	p = put_char(put_time(p, &tm, 0), 'Z');
	*p = '\0';
	return out;
}

/* Reads exactly `n` digits and moves on. */
static bool digits(const char **s, int n, int *value)
{
	int v = 0;
	for (int i = 0; i < n; i++) {
		char c = (*s)[i];
		if (c < '0' || c > '9')
			return false;
		v = v * 10 + (c - '0');
	}
	*s += n;
	*value = v;
	return true;
}

static bool literal(const char **s, const char *text)
{
	size_t n = strlen(text);
	if (strncmp(*s, text, n) != 0)
		return false;
	*s += n;
	return true;
}

/* As literal, for one letter of either case (RFC 3339 section 5.6). */
static bool letter(const char **s, char upper)
{
	if (**s != upper && **s != upper - 'A' + 'a')
		return false;
	(*s)++;
	return true;
}

static bool name(const char **s, const char (*names)[4], int n, int *index)
{
	for (int i = 0; i < n; i++)
		if (literal(s, names[i])) {
			*index = i;
			return true;
		}
	return false;
}

static bool hour_minute(const char **s, int *hour, int *minute)
{
	return digits(s, 2, hour) && *hour <= 23 && literal(s, ":") && digits(s, 2, minute) && *minute <= 59;
}

/*
 * Days since 1970 of a day of the Gregorian calendar, false when there is none. In years that begin in March the leap day
 * comes last. timegm takes a lock and looks for the host's zone, and every answer of a server has a date or two.
 */
static bool count_days(int year, int month, int day, int64_t *out)
{
	static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	if (month < 1 || month > 12 || day < 1 || day > lengths[month - 1] + (month == 2 && leap))
		return false;
	const int from_march = (month + 9) % 12;
	const int64_t years = 4800 + year - (month < 3); /* not below 0 */
	*out = years * 365 + years / 4 - years / 100 + years / 400 + (153 * from_march + 2) / 5 + day - 1 - 2472632;
	return true;
}

/*
 * Seconds since 1970 of a time of day that is `offset_s` east of UTC. A day that the month does not have, and a
 * second 60 anywhere but at the end of a UTC day, are refused.
 */
static bool combine(int year, const struct tm *tm, int offset_s, int64_t *out)
{
	int64_t days;
	if (tm->tm_sec > 60 || !count_days(year, tm->tm_mon + 1, tm->tm_mday, &days))
		return false;
	int64_t s = days * 86400 + tm->tm_hour * 3600 + tm->tm_min * 60 + tm->tm_sec - offset_s;
	if (tm->tm_sec == 60 && s % 86400 != 0)
		return false;
	*out = s;
	return true;
}

static bool zone(const char **s, int *offset_s)
{
	if (letter(s, 'Z')) {
		*offset_s = 0;
		return true;
	}
	int hour, minute;
	const int sign = **s == '-' ? -1 : 1;
	if (!literal(s, "+") && !literal(s, "-"))
		return false;
	if (!hour_minute(s, &hour, &minute))
		return false;
	*offset_s = sign * (hour * 3600 + minute * 60);
	return true;
}

/* ".195" and the like, or nothing. */
static bool fraction(const char **s, int *ms)
{
	*ms = 0;
	if (!literal(s, "."))
		return true;
	if (**s < '0' || **s > '9')
		return false;
	for (int weight = 100; **s >= '0' && **s <= '9'; weight /= 10, (*s)++)
		*ms += (**s - '0') * weight;
	return true;
}

bool clock_parse_iso(const char *s, int64_t *wall_ms)
{
	struct tm tm = {0};
	int year, month, ms, offset_s;
	int64_t seconds;
	if (!digits(&s, 4, &year) || !literal(&s, "-") || !digits(&s, 2, &month) || !literal(&s, "-") ||
	    !digits(&s, 2, &tm.tm_mday) || !letter(&s, 'T') || !hour_minute(&s, &tm.tm_hour, &tm.tm_min) ||
	    !literal(&s, ":") || !digits(&s, 2, &tm.tm_sec) || !fraction(&s, &ms) || !zone(&s, &offset_s) || *s)
		return false;
	tm.tm_mon = month - 1;
	if (!combine(year, &tm, offset_s, &seconds))
		return false;
	*wall_ms = seconds * 1000 + ms;
	return true;
}

bool clock_parse_http(const char *s, int64_t *wall_ms)
{
	struct tm tm = {0};
	int year, weekday;
	int64_t seconds, days;
	if (!name(&s, weekdays, 7, &weekday) || !literal(&s, ", ") || !digits(&s, 2, &tm.tm_mday) ||
	    !literal(&s, " ") || !name(&s, months, 12, &tm.tm_mon) || !literal(&s, " ") || !digits(&s, 4, &year) ||
	    !literal(&s, " ") || !hour_minute(&s, &tm.tm_hour, &tm.tm_min) || !literal(&s, ":") ||
	    !digits(&s, 2, &tm.tm_sec) || !literal(&s, " GMT") || *s)
		return false;
	/* Day 0 was a Thursday. */
	if (!combine(year, &tm, 0, &seconds) || !count_days(year, tm.tm_mon + 1, tm.tm_mday, &days) ||
	    ((days + 4) % 7 + 7) % 7 != weekday)
		return false;
	*wall_ms = seconds * 1000;
	return true;
}
