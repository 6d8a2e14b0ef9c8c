/* Where and how old: what the frames of the native wire say of themselves. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"

static const uint8_t *after(const uint8_t *text, size_t length, const char *what) {
  size_t size = strlen(what);
  const uint8_t *found = memmem(text, length, what, size);
  return found == NULL ? NULL : found + size;
}

/* Keep the first position of a frame; return its offset, 0 where there is none. */
uint64_t note_position(struct conn *conn, const uint8_t *text, size_t length) {
  const uint8_t *at = after(text, length, "\"position\":\"");
  if (at == NULL) return 0;
  const uint8_t *end = memchr(at, '"', length - (size_t)(at - text));
  if (end == NULL || end - at >= POSITION) return 0;
  memcpy(conn->position, at, (size_t)(end - at));
  conn->position[end - at] = 0;
  const char *dot = strrchr(conn->position, '.');
  return conn->offset = dot == NULL ? 0 : strtoull(dot + 1, NULL, 10);
}

/* Count how old a value is, where the frame is one. */
void take_value(const uint8_t *text, size_t length) {
  if (memmem(text, length, crowd.value, strlen(crowd.value)) == NULL) return;
  const uint8_t *at = after(text, length, "\"time\":"), *end = text + length;
  uint64_t then_ms = 0, now_ms = wall_ms();
  for (; at != NULL && at < end && *at >= '0' && *at <= '9'; at++)
    then_ms = then_ms * 10 + (uint64_t)(*at - '0');
  if (then_ms) count(&heard, now_ms > then_ms ? (now_ms - then_ms) * 1000000 : 0);
}

/* Read for so long; tell how many values came, and how old they were. */
void listen_for(uint64_t length_ns) {
  count_from_zero(&heard);
  uint64_t began_ns = now_ns(), own_ns = cpu_ns();
  while (now_ns() - began_ns < length_ns && !crowd.failure[0]) turn(LOOK_MS);
  if (crowd.failure[0]) return;
  printf("ok values=%llu wall_ns=%llu cpu_ns=%llu", (unsigned long long)counted(&heard),
         (unsigned long long)(now_ns() - began_ns), (unsigned long long)(cpu_ns() - own_ns));
  print_latency(&heard);
}
