/* Opening and closing a handle, and what it says of itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define BUFFER_BYTES_DEFAULT (64u * 1024u * 1024u)
#define WINDOW_BYTES_DEFAULT (4u * 1024u * 1024u)
#define WINDOW_BYTES_MIN 64u
#define WINDOW_BYTES_MAX (UINT64_C(1) << 40)
#define OPEN_TIMEOUT_MS_DEFAULT 10000
#define SPIN_US_DEFAULT 5
#define SPIN_US_MAX 10000
/* The struct as it was before ring_bytes and spin_us. */
#define OPTIONS_BYTES_MIN offsetof(seguro_options, ring_bytes)

const char *seguro_version(void) { return SEGURO_VERSION; }

/* Room for every name: the longest, a comet's, has 56 letters and dashes. Whether it is a ship, the sidecar decides. */
static bool is_ship_name(const char *ship) {
  if (ship == NULL || ship[0] != '~' || ship[1] == 0 || strlen(ship) > SEGURO_SHIP_BYTES_MAX) {
    return false;
  }
  for (const char *at = ship + 1; *at != 0; at++) {
    if ((*at < 'a' || *at > 'z') && *at != '-') {
      return false;
    }
  }
  return true;
}

/* A caller built against a later header may set options that this library does not know: then it must be told. */
static bool has_unknown_options(const seguro_options *options) {
  const uint8_t *bytes = (const uint8_t *)options;
  for (size_t i = sizeof(seguro_options); i < options->size_bytes; i++) {
    if (bytes[i] != 0) {
      return true;
    }
  }
  return false;
}

static int refuse(seguro *handle, const char *text) { return seguro_error_set(handle, SEGURO_ERR_ARGUMENT, 0, "%s", text); }

static int take_options(seguro *handle, const seguro_options *options) {
  if (options == NULL || options->size_bytes < OPTIONS_BYTES_MIN) {
    return refuse(handle, "options are missing, or their size_bytes is not set");
  }
  if (has_unknown_options(options)) {
    return seguro_error_set(handle, SEGURO_ERR_UNSUPPORTED, 0, "an option that this version of libseguro does not know");
  }
  size_t known_bytes = options->size_bytes < sizeof handle->options ? options->size_bytes : sizeof handle->options;
  memcpy(&handle->options, options, known_bytes);
  seguro_options *own = &handle->options;
  if (own->role != SEGURO_ROLE_WRITE && own->role != SEGURO_ROLE_READ) {
    return refuse(handle, "the role is neither SEGURO_ROLE_WRITE nor SEGURO_ROLE_READ");
  }
  if (own->kind < SEGURO_KIND_EITHER || own->kind > SEGURO_KIND_FAKE) {
    return refuse(handle, "an unknown kind");
  }
  if (own->log != 0 && own->role == SEGURO_ROLE_WRITE) {
    return refuse(handle, "an earlier log can only be read");
  }
  if (own->transport < SEGURO_TRANSPORT_AUTO || own->transport > SEGURO_TRANSPORT_RING) {
    return refuse(handle, "an unknown transport");
  }
  if (own->ring_bytes > SEGURO_RING_DATA_BYTES_MAX || own->spin_us > SPIN_US_MAX) {
    return refuse(handle, "ring_bytes above 64 MiB, or spin_us above 10,000");
  }
  handle->link.spin_us = own->spin_us == 0 ? SPIN_US_DEFAULT : own->spin_us;
  if (own->last_id > SEGURO_EVENT_ID_MAX) {
    return refuse(handle, "last_id is above 2^63 - 1");
  }
  own->buffer_bytes = own->buffer_bytes == 0 ? BUFFER_BYTES_DEFAULT : own->buffer_bytes;
  uint64_t window_bytes = own->read_window_bytes == 0 ? WINDOW_BYTES_DEFAULT : own->read_window_bytes;
  window_bytes = window_bytes < WINDOW_BYTES_MIN ? WINDOW_BYTES_MIN : window_bytes;
  window_bytes = window_bytes > WINDOW_BYTES_MAX ? WINDOW_BYTES_MAX : window_bytes;
  own->read_window_bytes = seguro_align8(window_bytes);
  own->open_timeout_ms = own->open_timeout_ms == 0 ? OPEN_TIMEOUT_MS_DEFAULT : own->open_timeout_ms;
  own->reconnect_timeout_ms = own->reconnect_timeout_ms == 0 ? SEGURO_FOREVER : own->reconnect_timeout_ms;
  return 0;
}

static int prepare(seguro *handle, const char *path, const char *ship, const seguro_options *options) {
  handle->link.fd = -1;
  handle->link.memory_fd = -1;
  handle->transport = &seguro_transport_stream;
  handle->transport_name = seguro_transport_stream.name;
  handle->random = seguro_random_seed(handle);
  handle->is_drained = true;
  handle->lost_at_ms = seguro_clock_ms();
  if (path == NULL || path[0] == 0 || strlen(path) >= SEGURO_SOCKET_PATH_MAX) {
    return refuse(handle, "the socket's path is empty or longer than 107 bytes");
  }
  if (!is_ship_name(ship)) {
    return refuse(handle, "that is no ship's name; one begins with ~");
  }
  memcpy(handle->path, path, strlen(path) + 1);
  memcpy(handle->ship, ship, strlen(ship) + 1);
  return take_options(handle, options);
}

static int wait_for_opened(seguro *handle) {
  seguro_patience patience;
  seguro_patience_begin(&patience, handle->options.open_timeout_ms, "the session to open", 0);
  while (handle->state != SEGURO_STATE_READY) {
    int code = seguro_patience_step(handle, &patience);
    if (code == SEGURO_ERR_TIMEOUT && handle->state != SEGURO_STATE_READY) {
      /* Why it did not come about says more than that time has passed. */
      return handle->error.code != 0 ? handle->error.code : seguro_error_set(handle, code, 0, "the sidecar did not answer in time");
    }
    if (code < 0 && code != SEGURO_ERR_TIMEOUT) {
      return code;
    }
  }
  memset(&handle->error, 0, sizeof handle->error);
  return 0;
}

int seguro_open(seguro **out, const char *path, const char *ship, const seguro_options *options, seguro_error *error) {
  if (out == NULL) {
    return SEGURO_ERR_ARGUMENT;
  }
  *out = NULL;
  if (error != NULL) {
    memset(error, 0, sizeof *error);
  }
  seguro *handle = calloc(1, sizeof *handle);
  if (handle == NULL) {
    if (error != NULL) {
      error->code = SEGURO_ERR_MEMORY;
      snprintf(error->text, sizeof error->text, "no memory for a handle");
    }
    return SEGURO_ERR_MEMORY;
  }
  int code = prepare(handle, path, ship, options);
  if (code == 0) {
    code = wait_for_opened(handle);
  }
  if (code != 0) {
    if (error != NULL) {
      *error = handle->error;
    }
    seguro_close(handle);
    return code;
  }
  *out = handle;
  return 0;
}

void seguro_close(seguro *handle) {
  if (handle == NULL) {
    return;
  }
  if (handle->link.fd >= 0) {
    handle->transport->close(&handle->link);
  }
  while (handle->readers != NULL) {
    seguro_reader_forget(handle->readers);
  }
  seguro_queue_free(&handle->queue);
  seguro_buffer_free(&handle->control);
  seguro_buffer_free(&handle->receive);
  seguro_buffer_free(&handle->request.body);
  free(handle);
}

void seguro_get_info(const seguro *handle, seguro_info *info) { *info = handle->info; }

const char *seguro_transport_name(const seguro *handle) { return handle->transport_name; }
