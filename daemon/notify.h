/*
 * notify: what the service manager is told (sd_notify(3)). Everything here does nothing without NOTIFY_SOCKET, and a
 * failure to tell is no reason to stop a backup: nothing returns an error.
 */
#ifndef DDB_NOTIFY_H
#define DDB_NOTIFY_H

#include <stdint.h>

#include "view.h"

/* READY=1 with the status text. Call it once, when the start-up checks have passed. */
void notify_ready(const struct view *v);
/*
 * STATUS=, for `systemctl status`: "3 tables, lag 2.1s", "starting: ...", "orders: lag 41m over rpo 30m". Meant to be
 * called each second; sends only when the text has changed.
 */
void notify_status(const struct view *v);
/* STOPPING=1, before draining. */
void notify_stopping(void);
/* EXTEND_TIMEOUT_USEC: the present start or stop needs so long from now on. */
void notify_extend_timeout(int64_t ms);
/* How often to call notify_watchdog: half of what the manager allows (sd_watchdog_enabled(3)); 0 when it is off. */
int64_t notify_watchdog_interval_ms(void);
/* WATCHDOG=1. Call it from a timer of the loop and from nowhere else: its absence is how a hung loop is noticed. */
void notify_watchdog(void);

#endif
