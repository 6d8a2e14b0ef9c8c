/* What the crowd says: requests, steps on the way in, publications. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "crowd.h"

#define HEAD_BYTES 8 /* of a masked frame shorter than 64 KiB */

static const uint8_t mask[4] = {0x17, 0x2a, 0x9c, 0x51};
static int next_room;
static uint64_t last_stamp;
uint64_t said[MISSED];

/* What a client says is short: a socket that cannot take it at once is not well. */
static void send_all(struct conn *conn, const uint8_t *bytes, size_t count) {
  ssize_t sent = send(conn->fd, bytes, count, MSG_NOSIGNAL);
  if (sent < 0)
    fail("cannot send: %s", strerror(errno));
  else if ((size_t)sent != count)
    fail("the server does not read");
}

/* Write a masked frame (RFC 6455 section 5.2); return how many bytes it is. */
static size_t frame(uint8_t *into, uint8_t opcode, const char *text, size_t length) {
  size_t head = 2;
  into[0] = 0x80 | opcode;
  if (length < 126) {
    into[1] = (uint8_t)(0x80 | length);
  } else {
    into[1] = 0x80 | 126;
    into[2] = (uint8_t)(length >> 8);
    into[3] = (uint8_t)length;
    head = 4;
  }
  memcpy(into + head, mask, sizeof mask);
  head += sizeof mask;
  for (size_t i = 0; i < length; i++) into[head + i] = (uint8_t)text[i] ^ mask[i % 4];
  return head + length;
}

void say(struct conn *conn, uint8_t opcode, const char *text, size_t length) {
  uint8_t bytes[TEXT + HEAD_BYTES];
  if (length > TEXT)
    fail("too long to be said");
  else
    send_all(conn, bytes, frame(bytes, opcode, text, length));
}

/* Put the name of a room in the place of %s; return the length, 0 where it fails. */
size_t fill(char *into, size_t room, const char *from, int number) {
  const char *mark = strstr(from, "%s");
  int length = mark == NULL ? snprintf(into, room, "%s", from)
                            : snprintf(into, room, "%.*s%s-%d%s", (int)(mark - from), from,
                                       crowd.room_name, number, mark + 2);
  if (length >= 0 && (size_t)length < room) return (size_t)length;
  fail("too long to be filled in");
  return 0;
}

/* Ask for the upgrade (RFC 6455 section 4.1), or for the stream. */
void ask_in(struct conn *conn) {
  char asked[TEXT], head[2 * TEXT];
  size_t used =
      fill(asked, sizeof asked, conn->only_speaks ? crowd.speaker_path : crowd.path, conn->room);
  if (crowd.positions && conn->position[0])
    snprintf(asked + used, sizeof asked - used, "?since=%s", conn->position);
  const char *more = crowd.stream && !conn->only_speaks
                         ? "Accept: text/event-stream\r\n"
                         : "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                           "Sec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  int length = snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s\r\n",
                        asked, crowd.port, more);
  send_all(conn, (uint8_t *)head, (size_t)length);
}

/* Put the number in the place of the first #'s: as many digits as there are of them. */
static void number(char *text, size_t length, uint64_t id) {
  char *first = memchr(text, '#', length);
  if (first == NULL) return;
  char *at = first;
  while (at < text + length && *at == '#') at++;
  for (; at > first; id /= 10) *--at = (char)('0' + id % 10);
}

/* Write the frame of one publication; return how many bytes it is. */
static size_t publication(uint8_t *into, int room, uint64_t id) {
  char head[TEXT], text[4 * TEXT];
  size_t length = fill(head, sizeof head, crowd.publication, room);
  char *mark = memchr(head, '~', length);
  if (mark == NULL) return 0;
  number(head, length, id);
  size_t before = (size_t)(mark - head) + 1, pad = (size_t)crowd.pad;
  uint64_t stamp = now_ns();
  /* The order of stamps is the order of publications, so no two are the same. */
  last_stamp = stamp > last_stamp ? stamp : last_stamp + 1;
  memcpy(text, head, before);
  text[before - 1] = crowd.mark;
  sprintf(text + before, "%016llx", (unsigned long long)last_stamp);
  memset(text + before + STAMP, 'x', pad - STAMP);
  memcpy(text + before + pad, mark + 1, length - before);
  return frame(into, 1, text, length + pad);
}

/* Say `count` publications, each in the next room; what one connection says leaves in
 * one write. */
void publish(int count) {
  static uint8_t bytes[BUFFER_BYTES];
  size_t used = 0;
  struct conn *last = NULL;
  for (int i = 0; i < count; i++) {
    int room = next_room++ % crowd.rooms;
    struct conn *conn =
        &crowd.conns[crowd.speaker >= 0 ? crowd.speaker : room * crowd.members];
    if (last != NULL && (conn != last || used + 4 * TEXT + HEAD_BYTES > sizeof bytes)) {
      send_all(last, bytes, used);
      used = 0;
    }
    used += publication(bytes + used, room, 0);
    said[i % MISSED] = last_stamp;
    last = conn;
  }
  if (last != NULL) send_all(last, bytes, used);
}

/* Let one say `count` publications in room 0, in one write; their ids go on from the
 * first. */
void publish_by(struct conn *conn, int count, uint64_t first_id) {
  static uint8_t bytes[BUFFER_BYTES];
  size_t used = 0;
  for (int i = 0; i < count && used + 4 * TEXT + HEAD_BYTES < sizeof bytes; i++)
    used += publication(bytes + used, 0, first_id + (uint64_t)i);
  send_all(conn, bytes, used);
}
