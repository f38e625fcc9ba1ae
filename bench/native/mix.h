/* Commits as a ship in use makes them: 72 % have one event, the mean is 1.53; sizes of events as in the fixtures' manifest. The same sequence every time. */
#ifndef SEGURO_BENCH_MIX_H
#define SEGURO_BENCH_MIX_H

#include "bench.h"

/* Of the commits with more than one event the mean is 2.893: two, and one more with this probability each time (0.893 / 1.893). */
#define BENCH_MIX_SINGLE 0.72
#define BENCH_MIX_ANOTHER 0.4717

typedef struct {
  uint64_t state;
  size_t *sizes_bytes;
  size_t count;
  size_t greatest_bytes;
} bench_mix;

/* Reads the second column of a table with tabs, whose first line begins with #. */
static inline bench_mix bench_mix_read(const char *manifest) {
  bench_mix mix = {0x9e3779b97f4a7c15u, NULL, 0, 0};
  FILE *file = fopen(manifest, "r");
  if (file == NULL) {
    bench_fail("%s: %s", manifest, strerror(errno));
  }
  char line[512];
  while (fgets(line, sizeof line, file) != NULL) {
    const char *column = strchr(line, '\t');
    if (line[0] == '#' || column == NULL) {
      continue;
    }
    size_t bytes = strtoull(column + 1, NULL, 10);
    mix.sizes_bytes = realloc(mix.sizes_bytes, (mix.count + 1) * sizeof *mix.sizes_bytes);
    if (mix.sizes_bytes == NULL) {
      bench_fail("no memory");
    }
    mix.sizes_bytes[mix.count++] = bytes;
    mix.greatest_bytes = bytes > mix.greatest_bytes ? bytes : mix.greatest_bytes;
  }
  fclose(file);
  if (mix.greatest_bytes == 0) {
    bench_fail("%s names no events", manifest);
  }
  return mix;
}

static inline uint64_t bench_mix_next(bench_mix *mix) {
  mix->state ^= mix->state << 13;
  mix->state ^= mix->state >> 7;
  mix->state ^= mix->state << 17;
  return mix->state >> 11;
}

/* True with this probability. */
static inline int bench_mix_chance(bench_mix *mix, double probability) {
  return (double)bench_mix_next(mix) < probability * 9007199254740992.0;
}

/* How many events the next commit has. */
static inline uint64_t bench_mix_events(bench_mix *mix) {
  if (bench_mix_chance(mix, BENCH_MIX_SINGLE)) {
    return 1;
  }
  uint64_t events = 2;
  while (bench_mix_chance(mix, BENCH_MIX_ANOTHER)) {
    events++;
  }
  return events;
}

/* The next event's bytes. */
static inline size_t bench_mix_bytes(bench_mix *mix) { return mix->sizes_bytes[bench_mix_next(mix) % mix->count]; }

#endif
