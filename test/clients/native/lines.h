/*
 * What the driver and a client program written in C or C++ say to one another:
 * a JSON object on each line, of strings and one level deep where it matters.
 * README.md has the list.
 */
#ifndef MOCHIBOSH_LINES_H
#define MOCHIBOSH_LINES_H

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Prints a JSON string. The text is UTF-8 already. */
static inline void lines_string(const char *text)
{
  putchar('"');
  for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
    if (*c == '"' || *c == '\\')
      printf("\\%c", *c);
    else if (*c < 0x20)
      printf("\\u%04x", *c);
    else
      putchar(*c);
  }
  putchar('"');
}

static inline void lines_event(const char *name)
{
  printf("{\"event\":\"%s\"}\n", name);
  fflush(stdout);
}

static inline void lines_roster(int items)
{
  printf("{\"event\":\"roster\",\"items\":%d}\n", items);
  fflush(stdout);
}

/* An event with a pair of strings, such as who wrote a message and what. */
static inline void lines_pair(const char *name, const char *key1, const char *value1,
                              const char *key2, const char *value2)
{
  printf("{\"event\":\"%s\",\"%s\":", name, key1);
  lines_string(value1);
  printf(",\"%s\":", key2);
  lines_string(value2);
  printf("}\n");
  fflush(stdout);
}

/* An event with why it happened. */
static inline void lines_reason(const char *name, const char *reason)
{
  printf("{\"event\":\"%s\",\"reason\":", name);
  lines_string(reason);
  printf("}\n");
  fflush(stdout);
}

static inline size_t lines_utf8(unsigned long c, char *out)
{
  size_t n = 0;
  if (c < 0x80) {
    out[n++] = (char)c;
  } else if (c < 0x800) {
    out[n++] = (char)(0xc0 | c >> 6);
    out[n++] = (char)(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out[n++] = (char)(0xe0 | c >> 12);
    out[n++] = (char)(0x80 | (c >> 6 & 0x3f));
    out[n++] = (char)(0x80 | (c & 0x3f));
  } else {
    out[n++] = (char)(0xf0 | c >> 18);
    out[n++] = (char)(0x80 | (c >> 12 & 0x3f));
    out[n++] = (char)(0x80 | (c >> 6 & 0x3f));
    out[n++] = (char)(0x80 | (c & 0x3f));
  }
  return n;
}

static inline unsigned long lines_hex4(const char *digits)
{
  char four[5] = {0};
  strncpy(four, digits, 4);
  return strtoul(four, NULL, 16);
}

/*
 * The string under a key in the line of a command, or NULL when the line has
 * no such key. The caller frees it.
 */
static inline char *lines_field(const char *line, const char *key)
{
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\"", key);
  const char *c = strstr(line, quoted);
  if (!c)
    return NULL;
  c += strlen(quoted);
  c += strspn(c, " :");
  if (*c++ != '"')
    return NULL;
  char *text = (char *)malloc(strlen(c) + 1);
  size_t n = 0;
  for (; *c && *c != '"'; c++) {
    if (*c != '\\') {
      text[n++] = *c;
      continue;
    }
    switch (*++c) {
    case 'n': text[n++] = '\n'; break;
    case 'r': text[n++] = '\r'; break;
    case 't': text[n++] = '\t'; break;
    case 'b': text[n++] = '\b'; break;
    case 'f': text[n++] = '\f'; break;
    case 'u': {
      unsigned long code = lines_hex4(c + 1);
      c += 4;
      if (code >= 0xd800 && code < 0xdc00 && c[1] == '\\' && c[2] == 'u') {
        code = 0x10000 + ((code - 0xd800) << 10) + (lines_hex4(c + 3) - 0xdc00);
        c += 6;
      }
      n += lines_utf8(code, text + n);
      break;
    }
    default: text[n++] = *c;
    }
  }
  text[n] = 0;
  return text;
}

static inline int lines_quits(const char *line)
{
  return strstr(line, "\"quit\"") != NULL;
}

/* What was read of standard input and is not a whole line yet. */
struct lines_input {
  char data[1 << 16];
  size_t used;
  int ended;
};

/*
 * The next command without waiting for one, or NULL. It is valid until the
 * next call. `ended` is set when the driver has closed standard input.
 */
static inline char *lines_next(struct lines_input *in)
{
  static char line[sizeof in->data];
  fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
  for (;;) {
    char *end = (char *)memchr(in->data, '\n', in->used);
    if (end) {
      size_t n = (size_t)(end - in->data);
      memcpy(line, in->data, n);
      line[n] = 0;
      in->used -= n + 1;
      memmove(in->data, end + 1, in->used);
      return line;
    }
    ssize_t n = read(STDIN_FILENO, in->data + in->used, sizeof in->data - in->used);
    if (n == 0)
      in->ended = 1;
    if (n <= 0)
      return NULL;
    in->used += (size_t)n;
  }
}

/* Waits for a command, for some milliseconds. */
static inline void lines_wait(int timeout)
{
  struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  poll(&in, 1, timeout);
}

static inline const char *lines_env(const char *name)
{
  const char *value = getenv(name);
  if (!value || !*value) {
    fprintf(stderr, "%s is not set\n", name);
    exit(2);
  }
  return value;
}

#endif
