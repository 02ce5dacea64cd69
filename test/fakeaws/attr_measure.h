/* attr_measure: how large items are, as DynamoDB counts them, and which of two keys comes first. */
#ifndef FAKEAWS_ATTR_MEASURE_H
#define FAKEAWS_ATTR_MEASURE_H

#include <jansson.h>

/* Bytes of an attribute map that attr_check found good (Developer Guide, "DynamoDB item sizes and formats"). */
size_t attr_size(const json_t *attributes);
/* Of one value, {"S":"x"}. */
size_t attr_value_bytes(const json_t *v);
/* NULL, or why DynamoDB does not keep this number (Developer Guide, "Data types": 38 digits, 1E-130 to 9.99E+125). */
const char *attr_number_check(const char *s);
/* Order of two values of type 'S' (UTF-8 bytes), 'N' (value) or 'B' (unsigned bytes), as text: <0, 0, >0. */
int attr_compare(char type, const char *a, const char *b);

#endif
