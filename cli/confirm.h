/* confirm: a person's word before something that cannot be taken back. */
#ifndef DDB_CLI_CONFIRM_H
#define DDB_CLI_CONFIRM_H

#include "session.h"

/*
 * Asks on standard error that `word`, which is the `what` ("table's name"), be typed on standard input. Returns 0 when it
 * was, else the exit code after saying why: another word, or standard input is no terminal. A signal ends the waiting.
 */
int confirm_word(struct session *s, const char *what, const char *word);

#endif
