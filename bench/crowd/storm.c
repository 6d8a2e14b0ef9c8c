/* All but one go at once, and come back at once with what they had last. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "crowd.h"

#define TWICE_WITHIN_NS (SECOND_NS / 2) /* what comes twice does so soon after */
#define PATIENCE_NS (SECOND_NS / 2) /* then who has no connection asks for it anew, */
#define JITTER_NS (SECOND_NS / 2)   /* up to so much later, each at its own time */
#define SCAN_MS 50
#define RECOVERED "\"recovered\":true"

uint64_t retried;
static uint64_t wrong, unrecovered;
static int missed;

void leave(int count, uint64_t limit_ns) {
  for (int i = 1; i < crowd.conn_count; i++) hang_up(&crowd.conns[i]);
  missed = count;
  count_from_zero(&heard);
  uint64_t began_ns = now_ns();
  if (count) publish(count);
  while (counted(&heard) < (uint64_t)count && !crowd.failure[0]) {
    turn(LOOK_MS);
    if (now_ns() - began_ns > limit_ns) fail("what was said meanwhile did not come");
  }
  if (!crowd.failure[0]) printf("ok away=%d\n", crowd.conn_count - 1);
}

/* Hold what the first frame brings against what was said meanwhile. */
void catch_up(struct conn *conn, const uint8_t *text, size_t length) {
  const uint8_t *at = text, *end = text + length, *next;
  uint64_t stamp;
  if (crowd.positions && memmem(text, length, RECOVERED, strlen(RECOVERED)) == NULL)
    unrecovered++;
  while ((next = stamp_in(at, (size_t)(end - at), &stamp)) != NULL) {
    if (conn->caught_up < missed && stamp == said[conn->caught_up])
      conn->caught_up++;
    else
      wrong++;
    conn->last_stamp = stamp;
    at = next;
  }
  if (crowd.positions) note_position(conn, text, length);
}

static void knock(void) {
  for (int i = 1; i < crowd.conn_count && !crowd.failure[0]; i++) {
    crowd.conns[i].caught_up = 0;
    begin(i);
  }
}

static uint64_t patience_ns(int number) {
  return PATIENCE_NS + (uint64_t)number * 7919 % 1000 * (JITTER_NS / 1000);
}

/* Left to the kernel, all whom the backlog has no room for would ask again at the same
 * instants, ever more seldom, and the server would wait for them. */
static void knock_again(void) {
  static uint64_t scanned_ns;
  uint64_t now = now_ns();
  if (now - scanned_ns < SCAN_MS * (SECOND_NS / 1000)) return;
  scanned_ns = now;
  for (int i = 1; i < crowd.conn_count && !crowd.failure[0]; i++) {
    struct conn *conn = &crowd.conns[i];
    if (conn->state == CONNECTING && now - conn->knocked_ns > patience_ns(i))
      begin_again(conn);
  }
}

/* Events that come now, after the first frame, were told already, or are nobody's. */
static void wait_for_doubles(void) {
  uint64_t began_ns = now_ns();
  while (now_ns() - began_ns < TWICE_WITHIN_NS && !crowd.failure[0]) turn(LOOK_MS);
  wrong += counted(&heard) + disorder;
}

static void tell(uint64_t wall_ns, uint64_t own_ns) {
  uint64_t lost = 0;
  for (int i = 1; i < crowd.conn_count; i++)
    lost += (uint64_t)(missed - crowd.conns[i].caught_up);
  printf("ok returned=%d lost=%llu wrong=%llu unrecovered=%llu retried=%llu wall_ns=%llu"
         " cpu_ns=%llu\n",
         crowd.conn_count - 1, (unsigned long long)lost, (unsigned long long)wrong,
         (unsigned long long)unrecovered, (unsigned long long)retried,
         (unsigned long long)wall_ns, (unsigned long long)own_ns);
}

void come_back(uint64_t limit_ns) {
  uint64_t began_ns = now_ns(), own_ns = cpu_ns();
  count_from_zero(&heard);
  retried = wrong = unrecovered = disorder = 0;
  crowd.returning = 1;
  knock();
  while (crowd.ready_count < crowd.conn_count && !crowd.failure[0]) {
    turn(SCAN_MS);
    knock_again();
    if (now_ns() - began_ns > limit_ns)
      fail("only %d of %d came back", crowd.ready_count, crowd.conn_count);
  }
  uint64_t wall_ns = now_ns() - began_ns;
  own_ns = cpu_ns() - own_ns;
  crowd.returning = 0;
  wait_for_doubles();
  if (!crowd.failure[0]) tell(wall_ns, own_ns);
}
