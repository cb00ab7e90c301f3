/* gate.h: an alias' gate (backends/backend.h) in the story: whether people must be asked before the backend
 * is. Loop thread. */
#pragma once

#include "enroll/enrolment.h"

/* Asks the gate, once per enrolment. NEXT; FAIL for a request without its challenge that nobody holds. */
enum step_result gate_ask(struct enrolment *e, const struct backend_request *request);
/* Adds to e->request (begin) what the gate said: to be created as held, or within a limit. */
void gate_fill_begin(struct enrolment *e);
/* The limit is reached: e->admission now holds the request, and begin is to be asked again. */
void gate_limit_reached(struct enrolment *e);
/* Begin has created a request that is held. */
bool gate_holds(const struct enrolment *e, const struct transaction_record *begun);
