/* Publications that are acknowledged: how many, and how soon. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "crowd.h"

#define IDS (1u << 20)
#define FIRST_ID 1000000000u /* so that all have the same number of digits */
#define ERROR "{\"type\":\"error\""
#define TEMPORARY "\"temporary\":true"
#define PATIENT_MS 20
#define REST_NS (SECOND_NS / 20)
#define ID "\"id\":"

static uint64_t said_at_ns[IDS], next, loop_from, refused;
static int window_of_each;

static uint64_t id_in(const uint8_t *text, size_t length) {
  const uint8_t *at = memmem(text, length, ID, strlen(ID)), *end = text + length;
  uint64_t id = 0;
  if (at != NULL)
    for (at += strlen(ID); at < end && *at >= '0' && *at <= '9'; at++)
      id = id * 10 + (uint64_t)(*at - '0');
  return id;
}

/* What is refused for now is not said again: in its place comes another, later. */
static void take_refusal(struct conn *conn, const uint8_t *text, size_t length) {
  if (memmem(text, length, TEMPORARY, strlen(TEMPORARY)) == NULL)
    fail("refused: %.*s", (int)(length < 200 ? length : 200), (const char *)text);
  conn->rests_until_ns = heard_at_ns + REST_NS;
  refused++;
}

void take_answer(struct conn *conn, const uint8_t *text, size_t length) {
  int is_error = length > strlen(ERROR) && memcmp(text, ERROR, strlen(ERROR)) == 0;
  uint64_t id = id_in(text, length);
  if (is_error) take_refusal(conn, text, length);
  if (id == 0) return;
  if (id < FIRST_ID + loop_from || id >= FIRST_ID + next) {
    fail("an acknowledgement of nothing");
    return;
  }
  uint64_t *then_ns = &said_at_ns[(id - FIRST_ID) % IDS];
  if (*then_ns == 0) fail("acknowledged twice");
  if (!is_error) count(&answers, heard_at_ns > *then_ns ? heard_at_ns - *then_ns : 0);
  *then_ns = 0;
  conn->waiting--;
}

/* `due_ns`: when it was to be said; a server that is behind cannot hide it. */
static void speak(struct conn *conn, int count, uint64_t due_ns) {
  uint64_t first = next;
  for (int i = 0; i < count; i++) said_at_ns[next++ % IDS] = due_ns;
  conn->waiting += count;
  publish_by(conn, count, FIRST_ID + first);
}

static struct conn *speaker(int number) {
  return &crowd.conns[crowd.speaker + number % crowd.speakers];
}

static void start(void) {
  count_from_zero(&heard);
  count_from_zero(&answers);
  disorder = refused = 0;
  loop_from = next;
}

static int is_finished(void) {
  uint64_t kept = next - loop_from - refused;
  return counted(&answers) == kept && counted(&heard) == kept * (uint64_t)crowd.members;
}

/* Wait until all are acknowledged, and everybody has heard them; then tell. */
static void finish(uint64_t began_ns, uint64_t own_ns, uint64_t limit_ns) {
  uint64_t ends_ns = now_ns() + limit_ns;
  while (!is_finished() && !crowd.failure[0]) {
    turn(LOOK_MS);
    if (now_ns() > ends_ns)
      fail("of %llu publications %llu were acknowledged, %llu refused; %llu were heard",
           (unsigned long long)(next - loop_from), (unsigned long long)counted(&answers),
           (unsigned long long)refused, (unsigned long long)counted(&heard));
  }
  if (crowd.failure[0]) return;
  printf("ok acknowledged=%llu refused=%llu deliveries=%llu disorder=%llu wall_ns=%llu"
         " cpu_ns=%llu",
         (unsigned long long)counted(&answers), (unsigned long long)refused,
         (unsigned long long)counted(&heard), (unsigned long long)disorder,
         (unsigned long long)(now_ns() - began_ns),
         (unsigned long long)(cpu_ns() - own_ns));
  print_latency(&answers);
}

static void top_up(void) {
  for (int i = 0; i < crowd.speakers; i++) {
    struct conn *conn = speaker(i);
    if (conn->waiting < window_of_each && now_ns() >= conn->rests_until_ns)
      speak(conn, window_of_each - conn->waiting, now_ns());
  }
}

void press(int window, uint64_t length_ns, uint64_t limit_ns) {
  start();
  window_of_each = window;
  uint64_t began_ns = now_ns(), own_ns = cpu_ns();
  while (now_ns() - began_ns < length_ns && !crowd.failure[0]) {
    top_up();
    turn(PATIENT_MS);
  }
  finish(began_ns, own_ns, limit_ns);
}

void pace(int per_s, uint64_t length_ns, uint64_t limit_ns) {
  start();
  uint64_t began_ns = now_ns(), own_ns = cpu_ns(), step_ns = SECOND_NS / (uint64_t)per_s;
  uint64_t total = length_ns / step_ns, number = 0;
  while (number < total && !crowd.failure[0]) {
    for (uint64_t due_ns; number < total && !crowd.failure[0]; number++) {
      due_ns = began_ns + number * step_ns;
      if (due_ns > now_ns()) break;
      speak(speaker((int)(number % (uint64_t)crowd.speakers)), 1, due_ns);
    }
    turn(1);
  }
  finish(began_ns, own_ns, limit_ns);
}
