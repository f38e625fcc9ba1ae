// A condition that cannot be false unless this program is wrong: checked in production too, and nothing is written after it.
#pragma once

#include <cstdio>
#include <cstdlib>

#define JOURNAL_CHECK(condition)                                                                                 \
  do {                                                                                                           \
    if (!(condition)) {                                                                                          \
      std::fprintf(stderr, "seguro journal: %s:%d: it does not hold that %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                                              \
    }                                                                                                            \
  } while (0)
