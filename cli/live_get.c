#include "live_get.h"

#include "aws/items.h"
#include "session.h"

/* An item has 400 KB, of which every byte may take six as JSON. */
#define ITEM_BYTES_MAX ((size_t)4 << 20)

static void start(struct live_get_slot *slot);

int live_get_init(struct live_get *g, struct aws *a, const char *table, struct err *e)
{
	*g = (struct live_get){.table = table, .canon = canon_new(ITEM_BYTES_MAX)};
	STAILQ_INIT(&g->queue);
	if (g->canon == NULL)
		return err_set(e, ERR_SYSTEM, "out of memory");
	for (size_t i = 0; i < LIVE_GET_SLOTS; i++) {
		struct live_get_slot *slot = &g->slots[i];
		int rc = aws_op_init(&slot->op, a, ITEM_BYTES_MAX, e);
		if (rc < 0)
			return rc;
		slot->get = g;
		uv_timer_init(a->loop, &slot->timer);
		slot->timer.data = slot;
		g->nslots++;
	}
	return 0;
}

static void give_up(struct live_get_job *j)
{
	struct err e;
	int rc = err_set(&e, ERR_CANCELLED, "given up");
	j->done(j, rc, &e, (struct span){0});
}

void live_get_fini(struct live_get *g)
{
	struct live_get_job *j;
	size_t n = g->nslots;
	/* A completion may not begin anything new. */
	g->nslots = 0;
	for (size_t i = 0; i < n; i++) {
		struct live_get_slot *slot = &g->slots[i];
		aws_op_fini(&slot->op, NULL);
		uv_close((uv_handle_t *)&slot->timer, NULL);
		if (slot->job != NULL)
			give_up(slot->job);
		slot->job = NULL;
	}
	while (n > 0 && (j = STAILQ_FIRST(&g->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&g->queue, link);
		give_up(j);
	}
	canon_free(g->canon);
	g->canon = NULL;
}

static void on_timer(uv_timer_t *t)
{
	start(t->data);
}

static void next(struct live_get *g, struct live_get_slot *slot)
{
	struct live_get_job *j = STAILQ_FIRST(&g->queue);
	if (j == NULL)
		return;
	STAILQ_REMOVE_HEAD(&g->queue, link);
	slot->job = j;
	start(slot);
}

static void on_answer(struct aws_op *op, int rc, void *arg)
{
	struct live_get_slot *slot = arg;
	struct live_get *g = slot->get;
	struct live_get_job *j = slot->job;
	struct span item = {0};
	struct err e = op->err;
	if (rc == 0 && slot->item.len > 0)
		rc = canon_item(g->canon, slot->item, &item, &e);
	int wait_ms = rc < 0 ? session_retry_ms(&e, ++j->attempts) : -1;
	if (wait_ms >= 0) {
		uv_timer_start(&slot->timer, on_timer, (uint64_t)wait_ms, 0);
		return;
	}
	j->done(j, rc, &e, item);
	slot->job = NULL;
	if (g->nslots > 0)
		next(g, slot);
}

static void start(struct live_get_slot *slot)
{
	items_get(&slot->op, slot->get->table, slot->job->keys, &slot->item, on_answer, slot);
}

void live_get_add(struct live_get *g, struct live_get_job *j)
{
	STAILQ_INSERT_TAIL(&g->queue, j, link);
	for (size_t i = 0; i < g->nslots; i++) {
		if (g->slots[i].job == NULL) {
			next(g, &g->slots[i]);
			return;
		}
	}
}
