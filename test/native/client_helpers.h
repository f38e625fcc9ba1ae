/* What the client's tests share: handles on the test sidecar, events, and the comparison of its log. */
#ifndef SEGURO_TEST_CLIENT_HELPERS_H
#define SEGURO_TEST_CLIENT_HELPERS_H

#include "fake_server.h"
#include "seguro.h"

seguro_options writer_options(void);
seguro *open_with(fake_server *server, const seguro_options *options);
seguro *open_writer(fake_server *server);
seguro *open_reader(fake_server *server);
/* fake_payload(id, length) as event id. */
void append_event(seguro *handle, uint64_t id, uint64_t length_bytes);
/* Puts such events straight into the log; event i has (i * factor) % modulus bytes. */
void fill_log(fake_server *server, uint64_t first_id, uint64_t last_id, uint64_t factor, uint64_t modulus);
/* The log holds exactly first_id..last_id, each with its fake_payload. */
void check_log(fake_server *server, uint64_t first_id, uint64_t last_id);
void check_event(const seguro_event *event, uint64_t id);
/* Lets the handle send until the test sidecar, which acknowledges nothing, has stored so many events; the last of them is id. */
void wait_until_stored(fake_server *server, seguro *handle, uint64_t id, uint64_t count);
/* Sleeps as an event loop would. */
void wait_for_handle(seguro *handle);

#endif
