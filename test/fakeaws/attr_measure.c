#include "attr_measure.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"

#define DIGITS_MAX 38
#define NUMBER_BYTES_MAX 21

/* 0.DIGITS times ten to the power of `exponent`. */
struct number {
	int sign;		     /* -1, 0, 1 */
	char digits[DIGITS_MAX + 1]; /* neither the first nor the last is 0 */
	size_t n;		     /* of all digits; those past the 38th are not kept */
	long exponent;
};

static void number_read(struct number *x, const char *s)
{
	size_t zeros = 0; /* that count if another digit follows */
	bool point = false;

	*x = (struct number){.sign = *s == '-' ? -1 : 1};
	for (s += *s == '-' || *s == '+'; (*s >= '0' && *s <= '9') || *s == '.'; s++) {
		if (*s == '.') {
			point = true;
			continue;
		}
		if (x->n || *s != '0')
			x->exponent += !point;
		else
			x->exponent -= point;
		if (*s == '0') {
			zeros += x->n != 0;
			continue;
		}
		for (; zeros; zeros--, x->n++)
			if (x->n < DIGITS_MAX)
				x->digits[x->n] = '0';
		if (x->n < DIGITS_MAX)
			x->digits[x->n] = *s;
		x->n++;
	}
	if (*s == 'e' || *s == 'E')
		x->exponent += strtol(s + 1, NULL, 10);
	if (x->n == 0)
		*x = (struct number){0};
}

const char *attr_number_check(const char *s)
{
	struct number x;

	number_read(&x, s);
	if (x.n > DIGITS_MAX)
		return "Attempting to store more than 38 significant digits in a Number";
	if (x.exponent > 126)
		return "Number overflow. Attempting to store a number with magnitude larger than supported range";
	if (x.sign && x.exponent < -129)
		return "Number underflow. Attempting to store a number with magnitude smaller than supported range";
	return NULL;
}

static int number_compare(const char *a, const char *b)
{
	struct number x, y;

	number_read(&x, a);
	number_read(&y, b);
	if (x.sign != y.sign)
		return x.sign - y.sign;
	if (x.exponent != y.exponent)
		return (x.exponent < y.exponent ? -1 : 1) * x.sign;
	return strcmp(x.digits, y.digits) * x.sign;
}

int attr_compare(char type, const char *a, const char *b)
{
	unsigned char *x, *y;
	size_t n = 0, m = 0;
	int order;

	if (type == 'N')
		return number_compare(a, b);
	if (type == 'S')
		return strcmp(a, b);
	x = digest_base64_decode(a, &n);
	y = digest_base64_decode(b, &m);
	order = x && y ? memcmp(x, y, n < m ? n : m) : 0;
	if (order == 0)
		order = n < m ? -1 : n > m;
	free(x);
	free(y);
	return order;
}

/* One byte for two significant digits, and one more. */
static size_t number_size(const char *s)
{
	struct number x;
	size_t bytes;

	number_read(&x, s);
	bytes = (x.n + 1) / 2 + 1;
	return bytes < NUMBER_BYTES_MAX ? bytes : NUMBER_BYTES_MAX;
}

static size_t scalar_size(char type, const json_t *v)
{
	size_t n = json_string_length(v);
	const char *s = json_string_value(v);

	if (type == 'N')
		return number_size(s);
	if (type == 'B' && n)
		return n / 4 * 3 - (s[n - 1] == '=') - (n > 1 && s[n - 2] == '=');
	return n;
}

size_t attr_value_bytes(const json_t *v)
{
	const char *type = json_object_iter_key(json_object_iter((json_t *)v));
	const json_t *inner = json_object_get(v, type);
	json_t *member;
	size_t i, bytes = 0;

	if (json_is_boolean(inner))
		return 1;
	if (json_is_string(inner))
		return scalar_size(*type, inner);
	if (strcmp(type, "M") == 0)
		return 3 + json_object_size(inner) + attr_size(inner);
	json_array_foreach(inner, i, member) bytes +=
		*type == 'L' ? 1 + attr_value_bytes(member) : scalar_size(*type, member);
	return *type == 'L' ? 3 + bytes : bytes;
}

size_t attr_size(const json_t *attributes)
{
	const char *name;
	json_t *value;
	size_t bytes = 0;

	json_object_foreach((json_t *)attributes, name, value) bytes += strlen(name) + attr_value_bytes(value);
	return bytes;
}
