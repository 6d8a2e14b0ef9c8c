/* The load generator: many subscribers that count what they are told, and publishers.
 *
 * One thread and one epoll, so that it takes less of its core than any server takes of
 * its own; every answer says how much CPU it used itself, which is the proof. Commands
 * are lines on stdin; those from `connect` on are answered by one line on stdout each,
 * "ok name=number ..." or "error why".
 *
 *   port N                 the server, on 127.0.0.1
 *   path /ws/%s            what a subscriber of a room asks for; %s is the room's name
 *   stream 0|1             1: what comes is a stream of text (SSE), no WebSocket
 *   step EXPECT<tab>SAY    a step of the way in: a frame that begins with EXPECT (in a
 *                          stream: text that holds it) is answered with SAY, where there
 *                          is one
 *   answer PROMPT<tab>SAY  a frame that is just PROMPT is answered, at any time
 *   publish TEXT~TEXT      a publication; %s is the room, ~ stands before the stamp
 *   speaker /ws            a WebSocket that speaks for all; without it the first of
 *                          each room speaks
 *   speakers N             so many of these; then deliveries come in the order of
 *                          their positions, not of their stamps
 *   pad N                  so many bytes follow the ~ of a publication (at least 16)
 *   receive_buffer N       SO_RCVBUF of new connections; 0: the kernel's choice
 *   sources N              they come from 127.0.0.1 to 127.0.0.N in turn
 *   positions 0|1          1: each event must have the position after the one before,
 *                          and who comes back says `since` which
 *   mark C                 what is said in the place of ~, where ~ means something
 *   value TEXT             a frame that holds TEXT is a value, as old as its first
 *                          "time": (ms since 1970)
 *
 *   connect NAME ROOMS MEMBERS   open ROOMS x MEMBERS connections, 64 at a time
 *   run WINDOW MS LIMIT    WINDOW publications at once; when all have reached everybody,
 *                          the next so many, for MS milliseconds. A window that takes
 *                          LIMIT ms is an error.
 *   leave COUNT LIMIT            all but the first hang up, and COUNT publications are
 *                                said, which the first hears
 *   return LIMIT                 they come back at once, each with its position, and
 *                                are to be told just those in their first frame
 *   listen MS                    only read values, and tell how old they were
 *   press WINDOW MS LIMIT        each speaker has WINDOW publications that are not
 *                                acknowledged, for MS milliseconds; who is refused for
 *                                now rests a little
 *   pace RATE MS LIMIT           RATE publications a second, whatever the server does;
 *                                in the text of these two #'s stand for the id
 *   close                        hang up, all of them
 *
 * A publication's stamp is the time (CLOCK_MONOTONIC, ns, 16 hex digits) at which it was
 * said: it gives the latency of each delivery, and the order. A delivery whose stamp is
 * not newer than the one before on its connection is counted as disorder.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crowd.h"

#define MILLISECOND_NS 1000000ull

struct crowd crowd = {.pad = STAMP, .speaker = -1, .mark = '~', .sources = 1, .speakers = 1};

void fail(const char *format, ...) {
  if (crowd.failure[0]) return; /* the first one is the cause */
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(crowd.failure, sizeof crowd.failure, format, arguments);
  va_end(arguments);
}

/* Say a window of publications and wait until everybody has them all. */
static void window(int size, uint64_t wanted, uint64_t limit_ns) {
  uint64_t began_ns = now_ns();
  publish(size);
  while (counted(&heard) < wanted && !crowd.failure[0]) {
    turn(LOOK_MS);
    if (now_ns() - began_ns > limit_ns)
      fail("stalled: %llu of %llu came", (unsigned long long)counted(&heard),
           (unsigned long long)wanted);
  }
}

static void run(int size, uint64_t length_ns, uint64_t limit_ns) {
  uint64_t total = 0, began_ns = now_ns(), own_ns = cpu_ns();
  count_from_zero(&heard);
  disorder = 0;
  do {
    total += (uint64_t)size;
    window(size, total * (uint64_t)crowd.members, limit_ns);
  } while (now_ns() - began_ns < length_ns && !crowd.failure[0]);
  uint64_t wall_ns = now_ns() - began_ns;
  own_ns = cpu_ns() - own_ns;
  if (crowd.failure[0]) return;
  printf("ok publications=%llu deliveries=%llu disorder=%llu wall_ns=%llu cpu_ns=%llu",
         (unsigned long long)total, (unsigned long long)counted(&heard),
         (unsigned long long)disorder, (unsigned long long)wall_ns,
         (unsigned long long)own_ns);
  print_latency(&heard);
}

static void copy(char *into, const char *from) { snprintf(into, TEXT, "%s", from); }

static void copy_pair(struct pair *into, char *from) {
  char *tab = strchr(from, '\t');
  copy(into->second, tab == NULL ? "" : tab + 1);
  if (tab != NULL) *tab = 0;
  copy(into->first, from);
}

/* Note how the crowd is to be; return whether the word is one of these. */
static int is_noted(const char *word, char *rest) {
  if (strcmp(word, "port") == 0)
    crowd.port = atoi(rest);
  else if (strcmp(word, "path") == 0)
    copy(crowd.path, rest);
  else if (strcmp(word, "stream") == 0)
    crowd.stream = atoi(rest);
  else if (strcmp(word, "step") == 0 && crowd.step_count < STEPS)
    copy_pair(&crowd.steps[crowd.step_count++], rest);
  else if (strcmp(word, "answer") == 0)
    copy_pair(&crowd.answer, rest);
  else if (strcmp(word, "publish") == 0)
    copy(crowd.publication, rest);
  else if (strcmp(word, "speaker") == 0)
    copy(crowd.speaker_path, rest);
  else if (strcmp(word, "pad") == 0 && atoi(rest) >= STAMP && atoi(rest) <= 2 * TEXT)
    crowd.pad = atoi(rest);
  else if (strcmp(word, "receive_buffer") == 0)
    crowd.receive_buffer = atoi(rest);
  else if (strcmp(word, "sources") == 0 && atoi(rest) >= 1 && atoi(rest) <= 250)
    crowd.sources = atoi(rest);
  else if (strcmp(word, "speakers") == 0 && atoi(rest) >= 1)
    crowd.speakers = atoi(rest);
  else if (strcmp(word, "mark") == 0 && rest[0])
    crowd.mark = rest[0];
  else if (strcmp(word, "positions") == 0)
    crowd.positions = atoi(rest);
  else if (strcmp(word, "value") == 0)
    copy(crowd.value, rest);
  else
    return 0;
  return 1;
}

static void carry_out(const char *word, const char *rest) {
  int size;
  unsigned length_ms, limit_ms;
  if (strcmp(word, "close") == 0)
    part();
  else if (strcmp(word, "connect") == 0 && crowd.conn_count == 0 &&
           sscanf(rest, "%63s %d %d", crowd.room_name, &crowd.rooms, &crowd.members) == 3)
    gather();
  else if (strcmp(word, "run") == 0 && crowd.conn_count > 0 &&
           sscanf(rest, "%d %u %u", &size, &length_ms, &limit_ms) == 3)
    run(size, length_ms * MILLISECOND_NS, limit_ms * MILLISECOND_NS);
  else if (strcmp(word, "leave") == 0 && crowd.conn_count > 1 &&
           sscanf(rest, "%d %u", &size, &limit_ms) == 2 && size <= MISSED)
    leave(size, limit_ms * MILLISECOND_NS);
  else if (strcmp(word, "return") == 0 && crowd.conn_count > 1 &&
           sscanf(rest, "%u", &limit_ms) == 1)
    come_back(limit_ms * MILLISECOND_NS);
  else if (strcmp(word, "listen") == 0 && crowd.conn_count > 0 &&
           sscanf(rest, "%u", &length_ms) == 1)
    listen_for(length_ms * MILLISECOND_NS);
  else if (strcmp(word, "press") == 0 && crowd.speaker >= 0 &&
           sscanf(rest, "%d %u %u", &size, &length_ms, &limit_ms) == 3)
    press(size, length_ms * MILLISECOND_NS, limit_ms * MILLISECOND_NS);
  else if (strcmp(word, "pace") == 0 && crowd.speaker >= 0 &&
           sscanf(rest, "%d %u %u", &size, &length_ms, &limit_ms) == 3)
    pace(size, length_ms * MILLISECOND_NS, limit_ms * MILLISECOND_NS);
  else
    fail("cannot %s now", word);
  /* What has failed stays failed until `close`: nothing that follows would count. */
  if (crowd.failure[0]) printf("error %s\n", crowd.failure);
  fflush(stdout);
}

int main(void) {
  static char line[4 * TEXT];
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  crowd.epoll_fd = epoll_create1(0);
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = 0;
    char *rest = strchr(line, ' ');
    if (rest != NULL) *rest++ = 0;
    if (rest == NULL) rest = line + strlen(line);
    if (!is_noted(line, rest)) carry_out(line, rest);
  }
  return 0;
}
