/* What the parts of the load generator share: see main.c. */
#ifndef CROWD_H
#define CROWD_H

#include <stddef.h>
#include <stdint.h>

#define BUFFER_BYTES (1 << 20)
#define STEPS 8
#define TEXT 4096
#define STAMP 16
#define SECOND_NS 1000000000ull

enum state { CLOSED, CONNECTING, UPGRADING, STEPPING, READY };

struct conn {
  int fd, room, step;
  enum state state;
  int only_speaks;
  uint64_t last_stamp;
  uint8_t *rest; /* the beginning of a frame that has not come whole */
  size_t rest_bytes, rest_room;
};

struct pair {
  char first[TEXT], second[TEXT];
};

/* One program is one crowd. */
struct crowd {
  /* as it was told */
  int port, stream, receive_buffer, pad, step_count;
  char path[TEXT], speaker_path[TEXT], publication[TEXT], room_name[TEXT];
  struct pair steps[STEPS], answer;
  /* who is here */
  struct conn *conns;
  int conn_count, members, rooms, ready_count;
  int speaker; /* its number; -1: the first of each room speaks */
  int epoll_fd;
  char failure[TEXT]; /* what went wrong first; empty: nothing */
};

extern struct crowd crowd;

void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* latency.c */
uint64_t now_ns(void);
uint64_t cpu_ns(void);
void count_from_zero(void);
void count(uint64_t latency_ns);
uint64_t counted(void);
uint64_t percentile_ns(double share);
uint64_t greatest_ns(void);

/* speak.c */
size_t fill(char *into, size_t room, const char *from, int number);
void say(struct conn *conn, uint8_t opcode, const char *text, size_t length);
void ask_in(struct conn *conn);
void publish(int count);

/* hear.c */
extern uint64_t disorder; /* deliveries that came twice or too late */
void turn(int timeout_ms);

#endif
