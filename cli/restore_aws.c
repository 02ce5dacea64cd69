#include "restore_aws.h"

#include "cli.h"

int restore_aws_open(struct restore_aws *ra, const struct restore_plan *p)
{
	struct session *s = p->session;
	struct err e;
	*ra = (struct restore_aws){.aws = &s->aws};
	if (p->options->to_region == NULL)
		return 0;
	struct config there = *s->conf;
	there.region = p->options->to_region;
	if (aws_init(&ra->other, &s->loop, &there, SESSION_SLOTS, &e) < 0) {
		uv_run(&s->loop, UV_RUN_NOWAIT);
		return cli_fail(&e);
	}
	ra->aws = &ra->other;
	return 0;
}

void restore_aws_close(struct restore_aws *ra, const struct restore_plan *p)
{
	uv_run(&p->session->loop, UV_RUN_NOWAIT);
	if (ra->aws == &ra->other)
		aws_fini(&ra->other);
	uv_run(&p->session->loop, UV_RUN_NOWAIT);
}
