/*
 * A client made with libpurple, the library of Pidgin and Finch, which speaks
 * BOSH. It pipelines requests on one connection, until one is lost; then it
 * takes two connections.
 */
#include "lines.h"

#include <glib.h>
#include <purple.h>

static struct lines_input input;
static PurpleAccount *account;
static GMainLoop *loop;
static gboolean leaving;

/* libpurple asks for the main loop of whoever uses it: GLib's. */

struct watch {
  PurpleInputFunction function;
  gpointer data;
};

static gboolean watched(GIOChannel *channel, GIOCondition condition, gpointer data)
{
  struct watch *w = data;
  PurpleInputCondition c = 0;
  if (condition & (G_IO_IN | G_IO_HUP | G_IO_ERR))
    c |= PURPLE_INPUT_READ;
  if (condition & (G_IO_OUT | G_IO_HUP | G_IO_ERR | G_IO_NVAL))
    c |= PURPLE_INPUT_WRITE;
  w->function(w->data, g_io_channel_unix_get_fd(channel), c);
  return TRUE;
}

static guint watch(int fd, PurpleInputCondition condition, PurpleInputFunction function, gpointer data)
{
  struct watch *w = g_new0(struct watch, 1);
  w->function = function;
  w->data = data;
  GIOCondition c = 0;
  if (condition & PURPLE_INPUT_READ)
    c |= G_IO_IN | G_IO_HUP | G_IO_ERR;
  if (condition & PURPLE_INPUT_WRITE)
    c |= G_IO_OUT | G_IO_HUP | G_IO_ERR | G_IO_NVAL;
  GIOChannel *channel = g_io_channel_unix_new(fd);
  guint id = g_io_add_watch_full(channel, G_PRIORITY_DEFAULT, c, watched, w, g_free);
  g_io_channel_unref(channel);
  return id;
}

static PurpleEventLoopUiOps eventloop = {
  .timeout_add = g_timeout_add,
  .timeout_remove = g_source_remove,
  .input_add = watch,
  .input_remove = g_source_remove,
  .timeout_add_seconds = g_timeout_add_seconds,
};

static void debug(PurpleDebugLevel level, const char *category, const char *text)
{
  (void)level;
  fprintf(stderr, "%s: %s", category ? category : "", text);
}

static gboolean debugging(PurpleDebugLevel level, const char *category)
{
  (void)level, (void)category;
  return TRUE;
}

static PurpleDebugUiOps debug_ops = {.print = debug, .is_enabled = debugging};

/* Signals. */

static void signed_on(PurpleConnection *gc, gpointer unused)
{
  (void)unused;
  lines_pair("online", "jid", purple_connection_get_display_name(gc) ?: purple_account_get_username(account), "client", "libpurple");
  GSList *buddies = purple_find_buddies(account, NULL); /* the roster came before */
  lines_roster((int)g_slist_length(buddies));
  g_slist_free(buddies);
}

static void signed_off(PurpleConnection *gc, gpointer unused)
{
  (void)gc, (void)unused;
  if (leaving)
    lines_event("closed");
  g_main_loop_quit(loop);
}

static void failed(PurpleConnection *gc, PurpleConnectionError code, const char *text, gpointer unused)
{
  (void)gc, (void)code, (void)unused;
  lines_reason("error", text);
}

static void received(PurpleAccount *a, char *from, char *html, PurpleConversation *c, int flags, gpointer unused)
{
  (void)a, (void)c, (void)flags, (void)unused;
  char *body = purple_unescape_html(html);
  lines_pair("message", "from", from, "body", body);
  g_free(body);
}

static void leave(void)
{
  if (leaving)
    return;
  leaving = TRUE;
  purple_account_disconnect(account);
}

static void command(gpointer unused, gint fd, PurpleInputCondition condition)
{
  (void)unused, (void)fd, (void)condition;
  const char *line;
  while ((line = lines_next(&input))) {
    if (lines_quits(line)) {
      leave();
      return;
    }
    char *to = lines_field(line, "to"), *body = lines_field(line, "body");
    PurpleConnection *gc = purple_account_get_connection(account);
    if (to && body && gc) {
      char *html = g_markup_escape_text(body, -1);
      serv_send_im(gc, to, html, 0);
      g_free(html);
    }
    free(to);
    free(body);
  }
  if (input.ended)
    leave();
}

int main(void)
{
  static int handle;
  char *dir = g_dir_make_tmp("purple-XXXXXX", NULL);
  purple_util_set_user_dir(dir);
  purple_debug_set_ui_ops(&debug_ops);
  purple_eventloop_set_ui_ops(&eventloop);
  if (!purple_core_init("mochibosh-test")) {
    fprintf(stderr, "libpurple does not start\n");
    return 1;
  }
  purple_set_blist(purple_blist_new());

  account = purple_account_new(lines_env("XMPP_JID"), "prpl-jabber");
  purple_account_set_password(account, lines_env("XMPP_PASSWORD"));
  purple_account_set_string(account, "bosh_url", lines_env("XMPP_BOSH"));
  purple_account_set_string(account, "connection_security", "opportunistic_tls");
  purple_account_set_bool(account, "auth_plain_in_clear", TRUE);
  purple_accounts_add(account);

  purple_signal_connect(purple_connections_get_handle(), "signed-on", &handle, PURPLE_CALLBACK(signed_on), NULL);
  purple_signal_connect(purple_connections_get_handle(), "signed-off", &handle, PURPLE_CALLBACK(signed_off), NULL);
  purple_signal_connect(purple_connections_get_handle(), "connection-error", &handle, PURPLE_CALLBACK(failed), NULL);
  purple_signal_connect(purple_conversations_get_handle(), "received-im-msg", &handle, PURPLE_CALLBACK(received), NULL);

  loop = g_main_loop_new(NULL, FALSE);
  watch(STDIN_FILENO, PURPLE_INPUT_READ, command, NULL);
  purple_account_set_enabled(account, "mochibosh-test", TRUE);
  g_main_loop_run(loop);
  return 0;
}
