/* A tiny harness: CHECK ends the program with the place and the expression; a test is a function that returns. */
#ifndef SEGURO_TEST_CHECK_H
#define SEGURO_TEST_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "%s:%d: CHECK failed: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                      \
    }                                                                               \
  } while (0)

#define CHECK_EQUAL(actual, expected)                                                                                   \
  do {                                                                                                                  \
    long long actual_value = (long long)(actual);                                                                       \
    long long expected_value = (long long)(expected);                                                                   \
    if (actual_value != expected_value) {                                                                               \
      fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #actual, actual_value, expected_value); \
      abort();                                                                                                          \
    }                                                                                                                   \
  } while (0)

#define RUN(test)                     \
  do {                                \
    fprintf(stderr, "  %s\n", #test); \
    test();                           \
  } while (0)

#endif
