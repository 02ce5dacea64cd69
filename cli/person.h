/* person: who runs this, for what an operator's word leaves in the bucket. */
#ifndef DDB_CLI_PERSON_H
#define DDB_CLI_PERSON_H

#define PERSON_SIZE 600

/* "user@host", in printable ASCII only. Returns `out`. */
const char *person_name(char out[static PERSON_SIZE]);

#endif
