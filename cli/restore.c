#include "restore.h"

struct state_options restore_state_options(const struct restore_plan *p)
{
	return (struct state_options){
		.at = {p->at},
		.ntimes = 1,
		.since_ms = p->since_ms,
		.bodies = true,
		.prefix = p->prefix,
		.exact = p->exact,
	};
}
