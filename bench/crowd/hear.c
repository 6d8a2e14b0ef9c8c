/* What the crowd hears: the answer to its request, frames or a stream, stamps. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "crowd.h"

#define EVENTS 512
#define SHORT_HEAD "HTTP/1.1 101"

uint64_t disorder;
uint64_t heard_at_ns;
static uint8_t buffer[BUFFER_BYTES];

static int reads_stream(const struct conn *conn) {
  return crowd.stream && !conn->only_speaks;
}

static int digit(uint8_t c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Read the first stamp; return where it ends, NULL where there is none. */
const uint8_t *stamp_in(const uint8_t *text, size_t length, uint64_t *stamp) {
  const uint8_t *mark = memchr(text, crowd.mark, length);
  if (mark == NULL || mark + 1 + STAMP > text + length) return NULL;
  *stamp = 0;
  for (int i = 1; i <= STAMP; i++) {
    int value = digit(mark[i]);
    if (value < 0) return NULL;
    *stamp = *stamp << 4 | (uint64_t)value;
  }
  return mark + 1 + STAMP;
}

/* Of several speakers only the positions say in which order they were heard. */
static int is_next(struct conn *conn, uint64_t stamp, const uint8_t *text, size_t length) {
  uint64_t before = conn->offset;
  if (crowd.positions && note_position(conn, text, length) != before + 1) return 0;
  if (crowd.speakers == 1 && stamp <= conn->last_stamp) return 0;
  conn->last_stamp = stamp;
  return 1;
}

/* Count what is stamped; return where the stamp ends, NULL where there is none. */
static const uint8_t *take_stamped(struct conn *conn, const uint8_t *at, size_t length) {
  uint64_t stamp;
  const uint8_t *end = stamp_in(at, length, &stamp);
  if (end == NULL) return NULL;
  if (is_next(conn, stamp, at, length))
    count(&heard, heard_at_ns > stamp ? heard_at_ns - stamp : 0);
  else
    disorder++;
  return end;
}

static void go_on(struct conn *conn) {
  if (!conn->only_speaks && conn->step < crowd.step_count) return;
  conn->state = READY;
  crowd.ready_count++;
}

static void take_step(struct conn *conn, const uint8_t *text, size_t length) {
  const struct pair *step = &crowd.steps[conn->step];
  size_t expected = strlen(step->first);
  if (crowd.stream ? memmem(text, length, step->first, expected) == NULL
                   : length < expected || memcmp(text, step->first, expected) != 0)
    return;
  if (crowd.returning)
    catch_up(conn, text, length);
  else if (crowd.positions)
    note_position(conn, text, length);
  char filled[TEXT];
  size_t more = fill(filled, sizeof filled, step->second, conn->room);
  if (more) say(conn, 1, filled, more);
  conn->step++;
  go_on(conn);
}

static void take_text(struct conn *conn, const uint8_t *text, size_t length) {
  if (conn->only_speaks) {
    take_answer(conn, text, length);
    return;
  }
  if (crowd.value[0]) take_value(text, length);
  if (conn->state == READY && take_stamped(conn, text, length) != NULL) return;
  size_t prompt = strlen(crowd.answer.first);
  if (prompt && length == prompt && memcmp(text, crowd.answer.first, prompt) == 0)
    say(conn, 1, crowd.answer.second, strlen(crowd.answer.second));
  else if (conn->state == STEPPING)
    take_step(conn, text, length);
}

static void take_frame(struct conn *conn, uint8_t first, const uint8_t *payload,
                       size_t length) {
  switch (first) {
    case 0x81: /* text and binary, not fragmented */
    case 0x82:
      take_text(conn, payload, length);
      break;
    case 0x88:
      fail("the server closed with code %d", length < 2 ? 0 : payload[0] << 8 | payload[1]);
      break;
    case 0x89: /* a ping is answered with a pong (RFC 6455 section 5.5.3) */
      say(conn, 10, (const char *)payload, length);
      break;
    case 0x8a:
      break;
    default:
      fail("the server sent a frame that begins with %02x", first);
  }
}

/* Take whole frames of a server, which are not masked; return how many bytes they are. */
static size_t take_frames(struct conn *conn, const uint8_t *bytes, size_t count) {
  size_t at = 0;
  while (at + 2 <= count && !crowd.failure[0]) {
    size_t length = bytes[at + 1], head = length == 127 ? 10 : length == 126 ? 4 : 2;
    if (at + head > count) break;
    if (head > 2) {
      length = 0;
      for (size_t i = 2; i < head; i++) length = length << 8 | bytes[at + i];
    }
    if (length > count || at + head + length > count) break;
    take_frame(conn, bytes[at], bytes + at + head, length);
    at += head + length;
  }
  return at;
}

static size_t take_stream(struct conn *conn, const uint8_t *bytes, size_t count) {
  if (conn->state == STEPPING) {
    take_step(conn, bytes, count);
    return conn->state == READY ? count : 0;
  }
  const uint8_t *at = bytes, *end = bytes + count, *found;
  while ((found = take_stamped(conn, at, (size_t)(end - at))) != NULL) at = found;
  /* What is left may be the beginning of a stamp. */
  return end - at > STAMP ? count - STAMP : (size_t)(at - bytes);
}

static size_t take_head(struct conn *conn, const uint8_t *bytes, size_t count) {
  const uint8_t *end = memmem(bytes, count, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  const char *wanted = reads_stream(conn) ? "200" : "101";
  if (count < sizeof SHORT_HEAD || memcmp(bytes + 9, wanted, 3) != 0)
    fail("the server answered %.*s", (int)strcspn((const char *)bytes, "\r"), bytes);
  conn->state = STEPPING;
  go_on(conn);
  return (size_t)(end - bytes) + 4;
}

static size_t take_all(struct conn *conn, const uint8_t *bytes, size_t count) {
  size_t at = conn->state == UPGRADING ? take_head(conn, bytes, count) : 0;
  if (conn->state == UPGRADING || crowd.failure[0]) return at;
  return at + (reads_stream(conn) ? take_stream(conn, bytes + at, count - at)
                                  : take_frames(conn, bytes + at, count - at));
}

static void keep(struct conn *conn, const uint8_t *bytes, size_t count) {
  conn->rest_bytes = count;
  if (!count) return;
  if (count > conn->rest_room) {
    conn->rest = realloc(conn->rest, count);
    conn->rest_room = count;
  }
  if (conn->rest == NULL) abort();
  memcpy(conn->rest, bytes, count);
}

static void hear(struct conn *conn) {
  if (conn->rest_bytes) memcpy(buffer, conn->rest, conn->rest_bytes);
  ssize_t got =
      recv(conn->fd, buffer + conn->rest_bytes, sizeof buffer - conn->rest_bytes, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    if (crowd.returning && conn->state != READY)
      begin_again(conn);
    else
      fail("the server hung up");
    return;
  }
  heard_at_ns = now_ns();
  size_t count = conn->rest_bytes + (size_t)got, used = take_all(conn, buffer, count);
  keep(conn, buffer + used, count - used);
}

/* Take what has come on all connections; wait so long where nothing has. */
void turn(int timeout_ms) {
  struct epoll_event events[EVENTS];
  int count = epoll_wait(crowd.epoll_fd, events, EVENTS, timeout_ms);
  for (int i = 0; i < count && !crowd.failure[0]; i++) {
    struct conn *conn = &crowd.conns[events[i].data.u32];
    if (conn->state != CONNECTING) {
      hear(conn);
      continue;
    }
    if (events[i].events & (EPOLLERR | EPOLLHUP)) {
      if (crowd.returning)
        begin_again(conn);
      else
        fail("the server does not accept");
      continue;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = events[i].data.u32};
    epoll_ctl(crowd.epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
    conn->state = UPGRADING;
    ask_in(conn);
  }
}
