/* fuzz_ra.h: the RA identity that the seeds are encrypted to, and rules that let everything through. */
#pragma once

#include "scep/open.h"

const struct scep_rules *fuzz_rules(void);
