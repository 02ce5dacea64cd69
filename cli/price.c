#include "price.h"

/* Amazon S3 pricing, "Requests & data retrievals"; Amazon DynamoDB pricing for on-demand capacity. Dollars. */
#define PER_LIST (0.005 / 1000) /* and PUT, COPY, POST */
#define PER_GET (0.0004 / 1000)
#define PER_WRITE_UNIT (0.625 / 1e6)
#define PER_READ_UNIT (0.125 / 1e6)
#define PER_IMPORT_GIB 0.15

double price_dollars(const struct price_requests *r)
{
	return (double)(r->lists + r->puts) * PER_LIST + (double)r->gets * PER_GET +
	       (double)r->write_units * PER_WRITE_UNIT + (double)r->read_units * PER_READ_UNIT +
	       (double)r->import_bytes / (1 << 30) * PER_IMPORT_GIB;
}
