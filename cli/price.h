/* price: what AWS charges for requests, for a look ahead. List prices; what an account pays may differ. */
#ifndef DDB_CLI_PRICE_H
#define DDB_CLI_PRICE_H

#include <stdint.h>

/* The list prices that are used, and of when: for messages. */
#define PRICE_BASIS "list prices of us-east-1, November 2026: S3 Standard, DynamoDB on demand"

struct price_requests {
	uint64_t lists;	      /* S3 LIST */
	uint64_t puts;	      /* S3 PUT and POST */
	uint64_t gets;	      /* S3 GET and HEAD */
	uint64_t write_units; /* of DynamoDB */
	uint64_t read_units;
	uint64_t import_bytes; /* by ImportTable */
};

/* In US dollars. */
double price_dollars(const struct price_requests *r);

#endif
