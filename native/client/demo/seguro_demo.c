/* seguro-demo: a client of libseguro for the project's demo and tests; appends deterministic events, or replays a log.
 *
 *   seguro-demo SOCKET SHIP [--fake] [--transport auto|stream|ring] append COUNT BYTES [--echo]
 *   seguro-demo SOCKET SHIP [--fake] [--transport auto|stream|ring] replay [FROM] [--quiet]
 *
 * append writes COUNT new events of BYTES bytes each after the log's height, without waiting in between, and prints one
 * line of JSON. With --echo each acknowledged event goes to stdout as u64 id, u64 length, payload (little-endian), and
 * the JSON to stderr: the record, kept outside the sidecar, of what it acknowledged. replay writes every event to
 * stdout in the same form (not with --quiet), and its JSON to stderr. Exit codes: 0 done, 1 an error (said on stderr),
 * 2 wrong usage. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "seguro.h"

typedef struct arguments {
  const char *path;
  const char *ship;
  const char *verb;
  const char *numbers[2];
  int number_count;
  int transport; /* SEGURO_TRANSPORT_* */
  bool is_transport_next;
  bool is_fake;
  bool is_echo;
  bool is_quiet;
} arguments;

typedef struct totals {
  uint64_t first_id;
  uint64_t last_id;
  uint64_t events;
  uint64_t bytes;
} totals;

/* The handle that on_height belongs to, and how far the echo has come. */
typedef struct echo {
  uint8_t *payload;
  uint64_t payload_bytes;
  uint64_t next_id;
  bool is_failed;
} echo;

static double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int usage(void) {
  fprintf(stderr,
          "usage: seguro-demo SOCKET SHIP [--fake] [--transport auto|stream|ring] append COUNT BYTES [--echo]\n"
          "       seguro-demo SOCKET SHIP [--fake] [--transport auto|stream|ring] replay [FROM] [--quiet]\n");
  return 2;
}

static bool take_transport(arguments *into, const char *name) {
  static const char *const names[] = {"auto", "stream", "ring"}; /* by SEGURO_TRANSPORT_* */
  for (int transport = 0; transport < 3; transport++) {
    if (strcmp(name, names[transport]) == 0) {
      into->transport = transport;
      return true;
    }
  }
  fprintf(stderr, "seguro-demo: --transport is auto, stream or ring\n");
  return false;
}

static bool take_argument(arguments *into, int position, const char *argument) {
  if (into->is_transport_next) {
    into->is_transport_next = false;
    return take_transport(into, argument);
  }
  if (strcmp(argument, "--transport") == 0) {
    into->is_transport_next = true;
  } else if (strcmp(argument, "--fake") == 0) {
    into->is_fake = true;
  } else if (strcmp(argument, "--echo") == 0) {
    into->is_echo = true;
  } else if (strcmp(argument, "--quiet") == 0) {
    into->is_quiet = true;
  } else if (into->path == NULL) {
    into->path = argument;
  } else if (into->ship == NULL) {
    into->ship = argument;
  } else if (into->verb == NULL) {
    into->verb = argument;
  } else if (into->number_count < 2) {
    into->numbers[into->number_count++] = argument;
  } else {
    fprintf(stderr, "seguro-demo: argument %d, %s, is one too many\n", position, argument);
    return false;
  }
  return true;
}

static bool parse_number(const char *text, uint64_t *number) {
  char *end;
  *number = strtoull(text, &end, 10);
  return *text >= '0' && *text <= '9' && *end == 0;
}

/* The payload of event `id`, the same in every run: xorshift64 seeded by the id. */
static void fill_payload(uint8_t *payload, uint64_t payload_bytes, uint64_t id) {
  uint64_t x = id * 0x9e3779b97f4a7c15u + 1;
  for (uint64_t at = 0; at < payload_bytes; at += 8) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    memcpy(payload + at, &x, payload_bytes - at < 8 ? (size_t)(payload_bytes - at) : 8);
  }
}

static bool write_event(uint64_t id, const void *bytes, uint64_t length_bytes) {
  return fwrite(&id, sizeof id, 1, stdout) == 1 && fwrite(&length_bytes, sizeof length_bytes, 1, stdout) == 1 &&
         (length_bytes == 0 || fwrite(bytes, (size_t)length_bytes, 1, stdout) == 1);
}

static void echo_height(void *context, uint64_t height) {
  echo *to = context;
  while (to->payload != NULL && to->next_id <= height) {
    fill_payload(to->payload, to->payload_bytes, to->next_id);
    to->is_failed = to->is_failed || !write_event(to->next_id, to->payload, to->payload_bytes);
    to->next_id++;
  }
  /* What was acknowledged is on record before the next event is sent, even if this process is killed. */
  if (to->payload != NULL && fflush(stdout) != 0) {
    to->is_failed = true;
  }
}

static void say_stall(void *context, const seguro_stall *stall) {
  (void)context;
  fprintf(stderr, "seguro-demo: waiting %" PRIu64 " s for %s %" PRIu64 "%s%s\n", stall->waited_ms / 1000, stall->waiting_for, stall->id,
          stall->is_connected ? "" : "; ", stall->is_connected ? "" : stall->cause->text);
}

static int say_error(const seguro_error *error, int code) {
  fprintf(stderr, "seguro-demo: %s", seguro_strerror(code));
  if (error != NULL && error->text[0] != 0) {
    fprintf(stderr, ": %s", error->text);
  }
  if (error != NULL && error->hint[0] != 0) {
    fprintf(stderr, " (%s)", error->hint);
  }
  fprintf(stderr, "\n");
  return 1;
}

static void print_totals(FILE *to, const totals *sum, double seconds, const char *transport) {
  fprintf(to,
          "{\"first\": %" PRIu64 ", \"last\": %" PRIu64 ", \"events\": %" PRIu64 ", \"bytes\": %" PRIu64
          ", \"seconds\": %.6f, \"transport\": \"%s\"}\n",
          sum->first_id, sum->last_id, sum->events, sum->bytes, seconds, transport);
}

static int append(seguro *handle, uint64_t count, uint64_t payload_bytes, echo *to, totals *sum) {
  uint8_t *payload = malloc(payload_bytes == 0 ? 1 : (size_t)payload_bytes);
  if (payload == NULL) {
    return SEGURO_ERR_MEMORY;
  }
  uint64_t next_id = seguro_next_id(handle);
  sum->first_id = next_id == 0 ? 1 : next_id;
  to->next_id = sum->first_id;
  int code = 0;
  for (uint64_t i = 0; i < count && code == 0; i++) {
    uint64_t id = sum->first_id + i;
    fill_payload(payload, payload_bytes, id);
    code = seguro_append(handle, id, payload, payload_bytes, SEGURO_FOREVER);
    sum->last_id = id;
    sum->events++;
    sum->bytes += payload_bytes;
  }
  free(payload);
  return code == 0 && count > 0 ? seguro_wait(handle, sum->last_id, SEGURO_FOREVER) : code;
}

static int replay(seguro *handle, uint64_t from_id, bool is_quiet, totals *sum) {
  seguro_reader *reader;
  int code = seguro_reader_open(&reader, handle, from_id, 0, 0);
  if (code != 0) {
    return code;
  }
  seguro_event event;
  while ((code = seguro_reader_next(reader, &event, SEGURO_FOREVER)) == 1) {
    sum->first_id = sum->events == 0 ? event.id : sum->first_id;
    sum->last_id = event.id;
    sum->events++;
    sum->bytes += event.length_bytes;
    if (!is_quiet && !write_event(event.id, event.bytes, event.length_bytes)) {
      perror("seguro-demo: stdout");
      exit(1);
    }
  }
  seguro_reader_close(reader);
  return code;
}

static int run(const arguments *from, const uint64_t numbers[2], bool is_append) {
  echo to = {0};
  if (from->is_echo) {
    to.payload_bytes = numbers[1];
    to.payload = malloc((size_t)numbers[1] + 1);
    if (to.payload == NULL) {
      return say_error(NULL, SEGURO_ERR_MEMORY);
    }
  }
  seguro_options options = {.size_bytes = sizeof options,
                            .role = is_append ? SEGURO_ROLE_WRITE : SEGURO_ROLE_READ,
                            .kind = from->is_fake ? SEGURO_KIND_FAKE : SEGURO_KIND_EITHER,
                            .transport = from->transport,
                            .on_height = echo_height,
                            .on_stall = say_stall,
                            .context = &to};
  seguro *handle;
  seguro_error error;
  int code = seguro_open(&handle, from->path, from->ship, &options, &error);
  if (code != 0) {
    free(to.payload);
    return say_error(&error, code);
  }
  totals sum = {0};
  double begun = now_seconds();
  code = is_append ? append(handle, numbers[0], numbers[1], &to, &sum) : replay(handle, numbers[0], from->is_quiet, &sum);
  double seconds = now_seconds() - begun;
  if (code == 0 && (fflush(stdout) != 0 || to.is_failed)) {
    perror("seguro-demo: stdout");
    code = 1;
  } else if (code != 0) {
    say_error(seguro_last_error(handle), code);
  } else {
    print_totals(is_append && !from->is_echo ? stdout : stderr, &sum, seconds, seguro_transport_name(handle));
  }
  seguro_close(handle);
  free(to.payload);
  return code == 0 ? 0 : 1;
}

int main(int count, char **values) {
  arguments from = {0};
  for (int i = 1; i < count; i++) {
    if (!take_argument(&from, i, values[i])) {
      return usage();
    }
  }
  if (from.verb == NULL || from.is_transport_next) {
    return usage();
  }
  bool is_append = strcmp(from.verb, "append") == 0;
  uint64_t numbers[2] = {1, 0};
  bool is_valid =
      is_append ? from.number_count == 2 && !from.is_quiet : strcmp(from.verb, "replay") == 0 && from.number_count <= 1 && !from.is_echo;
  for (int i = 0; i < from.number_count && is_valid; i++) {
    is_valid = parse_number(from.numbers[i], &numbers[i]);
  }
  return is_valid ? run(&from, numbers, is_append) : usage();
}
