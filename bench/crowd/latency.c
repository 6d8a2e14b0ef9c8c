/* Clocks, and how long after it was said a delivery came. */
#include <string.h>
#include <time.h>

#include "crowd.h"

/* 64 buckets for each power of two, so that a percentile is off by 1.6 % at most. */
#define SUB_BITS 6
#define BUCKETS (64 << SUB_BITS)

static uint64_t buckets[BUCKETS], total, greatest;

static uint64_t read_clock(clockid_t which) {
  struct timespec at;
  clock_gettime(which, &at);
  return (uint64_t)at.tv_sec * SECOND_NS + (uint64_t)at.tv_nsec;
}

uint64_t now_ns(void) { return read_clock(CLOCK_MONOTONIC); }

uint64_t cpu_ns(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

static int bucket_of(uint64_t ns) {
  if (ns < 1u << SUB_BITS) return (int)ns;
  int shift = 63 - __builtin_clzll(ns) - SUB_BITS;
  return (int)(((uint64_t)shift << SUB_BITS) + (ns >> shift));
}

static uint64_t least_of(int bucket) {
  int shift = (bucket >> SUB_BITS) - 1;
  if (shift < 0) return (uint64_t)bucket;
  return (uint64_t)((bucket & ((1 << SUB_BITS) - 1)) + (1 << SUB_BITS)) << shift;
}

void count_from_zero(void) {
  memset(buckets, 0, sizeof buckets);
  total = greatest = 0;
}

void count(uint64_t latency_ns) {
  buckets[bucket_of(latency_ns)]++;
  total++;
  if (latency_ns > greatest) greatest = latency_ns;
}

uint64_t counted(void) { return total; }

uint64_t greatest_ns(void) { return greatest; }

uint64_t percentile_ns(double share) {
  uint64_t wanted = (uint64_t)((double)total * share), seen = 0;
  for (int bucket = 0; bucket < BUCKETS; bucket++)
    if ((seen += buckets[bucket]) > wanted) return least_of(bucket);
  return greatest;
}
