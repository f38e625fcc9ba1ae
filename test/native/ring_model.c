/* Every interleaving of the ring's sleep and wake handshake, for small bounds: no wake-up is lost.
 *
 * Two actors run the steps of ring/ring.h: a producer that puts N units through an area of S, a consumer that takes
 * them; each sleeps when it can do nothing, and each wakes the other. An actor's stores go to a buffer of its own and
 * reach memory at any later time: in order (TSO, as x86), or in order for each variable only (PSO, weaker). A fence
 * waits until the buffer is empty. A doorbell arrives at once, before stores of its sender that are still buffered:
 * worse than any kernel does.
 *
 * A state is bad when nothing can happen any more (apart from a wake-up for no reason) and not everything was taken:
 * then somebody sleeps although there are bytes or there is room. The explorer visits every reachable state. It must
 * find none bad, and it must find a bad one for every mutation of the handshake, in both roles, or the check itself is
 * worth nothing. */
#include <stdint.h>
#include <string.h>

#include "check.h"

/* Shared variables. Each actor's own index is also its identity: 0 the producer's head, 1 the consumer's tail. */
enum { HEAD, TAIL, CONSUMER_SLEEPS, PRODUCER_SLEEPS, VARIABLES };
enum { PRODUCER, CONSUMER, ACTORS };

typedef enum step {
  LOOK,        /* seguro_ring_room / seguro_ring_available: load the peer's index */
  MOVE,        /* put or take one unit, store the own index: seguro_ring_publish / seguro_ring_release */
  WAKE_FENCE,  /* seguro_ring_wakes: the fence */
  WAKE_LOAD,   /* the peer's flag */
  WAKE_TAKE,   /* exchange it to 0, and ring when it was 1 */
  SLEEP_STORE, /* seguro_ring_*_sleep: the own flag = 1 */
  SLEEP_FENCE, /* the sequentially consistent order of that store and the next load */
  SLEEP_LOAD,  /* look once more */
  ASLEEP,      /* in poll */
  DONE
} step;

typedef enum mutation {
  NONE,
  NO_WAKE_FENCE,
  NO_SLEEP_FENCE,
  NO_SECOND_LOOK,
  STORE_FOR_EXCHANGE, /* flag = 0 by a plain store */
  NO_DOORBELL_AT_ALL,
  MUTATIONS
} mutation;

#define BUFFER_MAX 4

typedef struct buffered {
  uint8_t variable;
  uint8_t value;
} buffered;

typedef struct actor {
  uint8_t step;
  uint8_t index;     /* private */
  uint8_t peer;      /* the peer's index as last seen */
  uint8_t surprises; /* wake-ups for no reason that are still allowed */
  uint8_t doorbells; /* on its socket; more than one are as one */
  uint8_t stored;
  buffered buffer[BUFFER_MAX];
} actor;

typedef struct state {
  uint8_t memory[VARIABLES];
  actor actors[ACTORS];
} state;

typedef struct bounds {
  uint8_t units;
  uint8_t size;
  uint8_t surprises;
  int is_pso;
  mutation mutation;
  int mutant; /* the actor whose code is mutated */
} bounds;

/* ---- states seen ---- */

#define SEEN_MAX (1u << 22)
static state *seen;
static uint8_t *is_seen;
static unsigned seen_count;
static state *pending;
static unsigned pending_count;

static uint64_t hash_of(const state *of) {
  const uint8_t *bytes = (const uint8_t *)of;
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < sizeof *of; i++) {
    hash = (hash ^ bytes[i]) * 0x100000001b3u;
  }
  return hash ^ (hash >> 29);
}

static void visit(const state *next) {
  uint64_t at = hash_of(next) % SEEN_MAX;
  while (is_seen[at]) {
    if (memcmp(&seen[at], next, sizeof *next) == 0) {
      return;
    }
    at = (at + 1) % SEEN_MAX;
  }
  is_seen[at] = 1;
  seen[at] = *next;
  seen_count++;
  CHECK(seen_count < SEEN_MAX / 2);
  pending[pending_count++] = *next;
}

/* ---- memory ---- */

static uint8_t load(const state *at, int self, int variable) {
  const actor *who = &at->actors[self];
  for (int i = who->stored - 1; i >= 0; i--) {
    if (who->buffer[i].variable == variable) {
      return who->buffer[i].value;
    }
  }
  return at->memory[variable];
}

static void store(state *at, int self, int variable, uint8_t value) {
  actor *who = &at->actors[self];
  CHECK(who->stored < BUFFER_MAX);
  who->buffer[who->stored++] = (buffered){(uint8_t)variable, value};
}

static void drain(state *at, int self, int entry) {
  actor *who = &at->actors[self];
  at->memory[who->buffer[entry].variable] = who->buffer[entry].value;
  memmove(&who->buffer[entry], &who->buffer[entry + 1], (size_t)(who->stored - entry - 1) * sizeof who->buffer[0]);
  who->stored--;
  who->buffer[who->stored] = (buffered){0, 0};
}

static int is_first_of_its_variable(const actor *who, int entry) {
  for (int i = 0; i < entry; i++) {
    if (who->buffer[i].variable == who->buffer[entry].variable) {
      return 0;
    }
  }
  return 1;
}

/* ---- actors ---- */

static int own_flag(int self) { return self == CONSUMER ? CONSUMER_SLEEPS : PRODUCER_SLEEPS; }

static int can_move(const bounds *of, const actor *who, int self) {
  return self == PRODUCER ? who->index - who->peer < of->size : who->index < who->peer;
}

static void look(const bounds *of, state *at, int self, step otherwise) {
  actor *who = &at->actors[self];
  who->peer = load(at, self, self == PRODUCER ? TAIL : HEAD);
  who->step = can_move(of, who, self) ? MOVE : (uint8_t)otherwise;
}

/* Sets the peer's flag to 0 and rings when it was 1. */
static int take_flag(const bounds *of, state *at, int self) {
  actor *who = &at->actors[self];
  int flag = own_flag(1 - self);
  int is_plain = of->mutant == self && of->mutation == STORE_FOR_EXCHANGE;
  if (is_plain ? who->stored == BUFFER_MAX : who->stored > 0) {
    return 0;
  }
  if (is_plain || at->memory[flag] == 1) {
    at->actors[1 - self].doorbells = 1;
  }
  if (is_plain) {
    store(at, self, flag, 0);
  } else {
    at->memory[flag] = 0;
  }
  who->step = who->index == of->units ? DONE : can_move(of, who, self) ? MOVE : LOOK;
  return 1;
}

/* The next step of an actor; false when it cannot take one now. Leaves the buffer's own progress to the caller. */
static int take_step(const bounds *of, state *at, int self) {
  actor *who = &at->actors[self];
  mutation with = of->mutant == self ? of->mutation : NONE;
  int is_drained = who->stored == 0;
  switch ((step)who->step) {
    case LOOK:
      look(of, at, self, SLEEP_STORE);
      return 1;
    case MOVE:
      if (who->stored == BUFFER_MAX) {
        return 0;
      }
      who->index++;
      store(at, self, self == PRODUCER ? HEAD : TAIL, who->index);
      who->step = WAKE_FENCE;
      return 1;
    case WAKE_FENCE:
      who->step = WAKE_LOAD;
      return is_drained || with == NO_WAKE_FENCE;
    case WAKE_LOAD:
      who->step = load(at, self, own_flag(1 - self)) == 1 && with != NO_DOORBELL_AT_ALL ? WAKE_TAKE
                  : who->index == of->units                                             ? DONE
                  : can_move(of, who, self)                                             ? MOVE
                                                                                        : LOOK;
      return 1;
    case WAKE_TAKE:
      return take_flag(of, at, self);
    case SLEEP_STORE:
      if (who->stored == BUFFER_MAX) {
        return 0;
      }
      store(at, self, own_flag(self), 1);
      who->step = SLEEP_FENCE;
      return 1;
    case SLEEP_FENCE:
      who->step = with == NO_SECOND_LOOK ? ASLEEP : SLEEP_LOAD;
      return is_drained || with == NO_SLEEP_FENCE;
    case SLEEP_LOAD:
      if (who->stored == BUFFER_MAX) {
        return 0;
      }
      look(of, at, self, ASLEEP);
      if (who->step == MOVE) {
        store(at, self, own_flag(self), 0);
      }
      return 1;
    case ASLEEP:
      if (who->doorbells == 0 || who->stored == BUFFER_MAX) {
        return 0;
      }
      who->doorbells = 0;
      store(at, self, own_flag(self), 0); /* seguro_ring_*_awake */
      who->step = LOOK;
      return 1;
    case DONE:
    default:
      return 0;
  }
}

/* The same without seguro_ring_*_awake, which only spares doorbells: it must not be needed either. */
static int wake_without_awake(state *at, int self) {
  actor *who = &at->actors[self];
  if (who->step != ASLEEP || who->doorbells == 0) {
    return 0;
  }
  who->doorbells = 0;
  who->step = LOOK;
  return 1;
}

/* Woken by something else: the other direction's doorbell, a signal, a timeout. */
static int wake_by_surprise(state *at, int self) {
  actor *who = &at->actors[self];
  if (who->step != ASLEEP || who->surprises == 0 || who->stored == BUFFER_MAX) {
    return 0;
  }
  who->surprises--;
  store(at, self, own_flag(self), 0);
  who->step = LOOK;
  return 1;
}

/* Visits what can follow `at`. Returns 1 when anything but a surprise can. */
static int expand(const bounds *of, const state *at) {
  int is_alive = 0;
  for (int self = 0; self < ACTORS; self++) {
    state next = *at;
    if (take_step(of, &next, self)) {
      is_alive = 1;
      visit(&next);
    }
    next = *at;
    if (wake_without_awake(&next, self)) {
      visit(&next);
    }
    next = *at;
    if (wake_by_surprise(&next, self)) {
      visit(&next);
    }
    int entries = of->is_pso ? at->actors[self].stored : at->actors[self].stored > 0;
    for (int entry = 0; entry < entries; entry++) {
      if (is_first_of_its_variable(&at->actors[self], entry)) {
        next = *at;
        drain(&next, self, entry);
        is_alive = 1;
        visit(&next);
      }
    }
  }
  return is_alive;
}

/* Returns 1 when no reachable state is bad. */
static int explore(const bounds *of) {
  memset(is_seen, 0, SEEN_MAX);
  seen_count = 0;
  pending_count = 0;
  state first;
  memset(&first, 0, sizeof first);
  first.actors[PRODUCER].surprises = of->surprises;
  first.actors[CONSUMER].surprises = of->surprises;
  visit(&first);
  while (pending_count > 0) {
    state at = pending[--pending_count];
    int is_finished = at.actors[PRODUCER].step == DONE && at.actors[CONSUMER].step == DONE;
    CHECK((uint8_t)(at.actors[PRODUCER].index - at.actors[CONSUMER].index) <= of->size);
    if (!expand(of, &at) && !is_finished) {
      return 0;
    }
  }
  return 1;
}

int main(void) {
  static const char *const names[MUTATIONS] = {"as it is",       "no fence before waking", "no fence before sleeping",
                                               "no second look", "store for exchange",     "no doorbell"};
  seen = calloc(SEEN_MAX, sizeof *seen);
  is_seen = calloc(SEEN_MAX, 1);
  pending = calloc(SEEN_MAX, sizeof *pending);
  CHECK(seen != NULL && is_seen != NULL && pending != NULL);
  unsigned states = 0;
  for (int is_pso = 0; is_pso < 2; is_pso++) {
    for (uint8_t size = 1; size <= 3; size++) {
      for (uint8_t units = 1; units <= 5; units++) {
        bounds of = {.units = units, .size = size, .surprises = 2, .is_pso = is_pso};
        CHECK(explore(&of));
        states += seen_count;
      }
    }
  }
  fprintf(stderr, "  %u states, none in which a wake-up is lost\n", states);
  for (int mutated = NO_WAKE_FENCE; mutated < MUTATIONS; mutated++) {
    for (int mutant = 0; mutant < ACTORS; mutant++) {
      for (int is_pso = 0; is_pso < 2; is_pso++) {
        bounds of = {.units = 4, .size = 1, .surprises = 0, .is_pso = is_pso, .mutation = (mutation)mutated, .mutant = mutant};
        int is_fine = explore(&of);
        fprintf(stderr, "  %s, %s, %s: %s\n", names[mutated], mutant == PRODUCER ? "producer" : "consumer", is_pso ? "PSO" : "TSO",
                is_fine ? "NOT SEEN" : "seen");
        CHECK(!is_fine);
      }
    }
  }
  free(seen);
  free(is_seen);
  free(pending);
  return 0;
}
