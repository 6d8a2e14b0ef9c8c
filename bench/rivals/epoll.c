/* A plain broadcast server over one epoll: about what a core can do.
 *
 * Each publication is framed once. What was read in one round of epoll leaves for each
 * subscriber of its room in one send. No history, no positions, no acknowledgements, no
 * pings; a subscriber whose socket is full is hung up on.
 *
 * It speaks as much of the native wire as the load generator does: a path is a room, the
 * first frame is {"type":"reply"}, and a text frame goes to all who asked for that path.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 65536
#define ROOMS 4096 /* a power of two, more than the rooms of any run */
#define PATH_BYTES 128
#define EVENTS 512

struct room {
  char path[PATH_BYTES];
  struct conn **members;
  int count, space, waits; /* waits: it has something to be flushed */
  uint8_t *out;
  size_t used, out_space;
};

struct conn {
  int fd, place; /* its place among the members */
  struct room *room;
  uint8_t *rest;
  size_t rest_bytes;
};

static struct room rooms[ROOMS], *waiting[ROOMS];
static int waiting_count, epoll_fd;

static void *grown(void *old, size_t bytes) {
  void *new = realloc(old, bytes);
  if (new == NULL) abort();
  return new;
}

/* ------------------------------------------------------------------ the handshake */

static uint32_t rotated(uint32_t word, int by) { return word << by | word >> (32 - by); }

/* SHA-1 of up to 119 bytes (RFC 3174): the key and its GUID are 60. */
static void sha1(const uint8_t *text, size_t length, uint8_t digest[20]) {
  uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  uint8_t blocks[128] = {0};
  size_t all = length < 56 ? 64 : 128;
  memcpy(blocks, text, length);
  blocks[length] = 0x80;
  blocks[all - 2] = (uint8_t)(length * 8 >> 8);
  blocks[all - 1] = (uint8_t)(length * 8);
  for (size_t at = 0; at < all; at += 64) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++) {
      const uint8_t *four = blocks + at + 4 * i;
      w[i] = (uint32_t)four[0] << 24 | four[1] << 16 | four[2] << 8 | four[3];
    }
    for (int i = 16; i < 80; i++)
      w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
      uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                   : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                   : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                            : (b ^ c ^ d) + 0xca62c1d6;
      uint32_t next = rotated(a, 5) + f + e + w[i];
      e = d, d = c, c = rotated(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
  }
  for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

/* Base64 of 20 bytes, which are 28 characters. */
static void base64(const uint8_t digest[20], char text[29]) {
  static const char letters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint8_t bytes[21] = {0};
  memcpy(bytes, digest, 20);
  for (int i = 0; i < 7; i++) {
    uint32_t three = (uint32_t)bytes[3 * i] << 16 | bytes[3 * i + 1] << 8 | bytes[3 * i + 2];
    for (int j = 0; j < 4; j++) text[4 * i + j] = letters[three >> (18 - 6 * j) & 63];
  }
  text[27] = '=';
  text[28] = 0;
}

static struct room *room_of(const char *path) {
  uint32_t hash = 2166136261u;
  for (const char *at = path; *at; at++) hash = (hash ^ (uint8_t)*at) * 16777619u;
  for (uint32_t i = hash;; i++) {
    struct room *room = &rooms[i % ROOMS];
    if (room->path[0] == 0) snprintf(room->path, sizeof room->path, "%s", path);
    if (strcmp(room->path, path) == 0) return room;
    if (i - hash == ROOMS) abort();
  }
}

static void join(struct conn *conn, struct room *room) {
  if (room->count == room->space) {
    room->space = room->space ? 2 * room->space : 8;
    room->members = grown(room->members, (size_t)room->space * sizeof *room->members);
  }
  conn->room = room;
  conn->place = room->count;
  room->members[room->count++] = conn;
}

static void hang_up(struct conn *conn) {
  struct room *room = conn->room;
  if (room != NULL) {
    room->members[conn->place] = room->members[--room->count];
    room->members[conn->place]->place = conn->place;
  }
  close(conn->fd);
  free(conn->rest);
  free(conn);
}

/* Answer the upgrade (RFC 6455 section 4.2.2); return how many bytes it was, -1: bad. */
static long shake(struct conn *conn, uint8_t *bytes, size_t count) {
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  uint8_t *end = memmem(bytes, count, "\r\n\r\n", 4), digest[20];
  char path[PATH_BYTES], key[25], both[64], accepted[29], answer[256];
  if (end == NULL) return 0;
  *end = 0;
  char *at = strcasestr((char *)bytes, "\r\nsec-websocket-key:");
  if (at == NULL || sscanf((char *)bytes, "GET %127s", path) != 1 ||
      sscanf(strchr(at, ':') + 1, "%24s", key) != 1)
    return -1;
  sha1((uint8_t *)both, (size_t)snprintf(both, sizeof both, "%s%s", key, guid), digest);
  base64(digest, accepted);
  int length = snprintf(answer, sizeof answer,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
                        "\x81\x10{\"type\":\"reply\"}",
                        accepted);
  if (send(conn->fd, answer, (size_t)length, MSG_NOSIGNAL) != length) return -1;
  join(conn, room_of(path));
  return end - bytes + 4;
}

/* ------------------------------------------------------------------ what is said */

static void publish(struct room *room, const uint8_t *mask, const uint8_t *text, size_t length) {
  size_t head = length < 126 ? 2 : 4;
  if (room->used + head + length > room->out_space) {
    room->out_space = 2 * (room->used + head + length);
    room->out = grown(room->out, room->out_space);
  }
  uint8_t *into = room->out + room->used;
  into[0] = 0x81;
  into[1] = (uint8_t)(length < 126 ? length : 126);
  if (head == 4) into[2] = (uint8_t)(length >> 8), into[3] = (uint8_t)length;
  for (size_t i = 0; i < length; i++) into[head + i] = text[i] ^ mask[i % 4];
  room->used += head + length;
  if (!room->waits) waiting[waiting_count++] = room;
  room->waits = 1;
}

/* Take whole masked frames; return how many bytes they were, -1: hang up. */
static long take(struct conn *conn, const uint8_t *bytes, size_t count) {
  size_t at = 0;
  while (at + 6 <= count) {
    size_t length = bytes[at + 1] & 0x7f, head = length == 126 ? 8 : 6;
    if (length == 127) return -1;
    if (length == 126) length = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
    if (at + head + length > count) break;
    if ((bytes[at] & 15) == 8) return -1;
    if ((bytes[at] & 15) == 1)
      publish(conn->room, bytes + at + head - 4, bytes + at + head, length);
    at += head + length;
  }
  return (long)at;
}

static void flush(void) {
  for (int i = 0; i < waiting_count; i++) {
    struct room *room = waiting[i];
    /* Backwards: who is hung up on is replaced by the last, who has had it. */
    for (int j = room->count - 1; j >= 0; j--)
      if (send(room->members[j]->fd, room->out, room->used, MSG_NOSIGNAL | MSG_DONTWAIT) !=
          (ssize_t)room->used)
        shutdown(room->members[j]->fd, SHUT_RDWR);
    room->used = 0;
    room->waits = 0;
  }
  waiting_count = 0;
}

static void hear(struct conn *conn) {
  static uint8_t bytes[2 * READ_BYTES];
  if (conn->rest_bytes) memcpy(bytes, conn->rest, conn->rest_bytes);
  ssize_t got = recv(conn->fd, bytes + conn->rest_bytes, READ_BYTES, MSG_DONTWAIT);
  size_t count = conn->rest_bytes + (got > 0 ? (size_t)got : 0);
  long used = 0;
  if (got > 0 && conn->room == NULL) used = shake(conn, bytes, count);
  if (got > 0 && conn->room != NULL && used >= 0) {
    long more = take(conn, bytes + used, count - (size_t)used);
    used = more < 0 ? more : used + more;
  }
  if (got <= 0 || used < 0 || count - (size_t)used > READ_BYTES) {
    hang_up(conn);
    return;
  }
  conn->rest_bytes = count - (size_t)used;
  if (!conn->rest_bytes) return;
  conn->rest = grown(conn->rest, conn->rest_bytes);
  memcpy(conn->rest, bytes + used, conn->rest_bytes);
}

static void let_in(int listener) {
  int fd, on = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) abort();
    conn->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
  }
}

int main(void) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t length = sizeof at;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 1024) < 0)
    return 1;
  getsockname(listener, (struct sockaddr *)&at, &length);
  printf("A server in C is at http://127.0.0.1:%d\n", ntohs(at.sin_port));
  fflush(stdout);
  epoll_fd = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll_fd, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr == NULL)
        let_in(listener);
      else
        hear(events[i].data.ptr);
    }
    flush();
  }
}
