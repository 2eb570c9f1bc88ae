// A client made with gloox, which speaks BOSH over plain HTTP in three ways:
// a connection for each request (HTTP/1.0), connections kept, and all requests
// pipelined on one. The first argument says which: legacy, persistent or
// pipelining.

#include "lines.h"

#include <cstring>
#include <iostream>
#include <string>
#include <utility>

#include <gloox/client.h>
#include <gloox/connectionbosh.h>
#include <gloox/connectionlistener.h>
#include <gloox/connectiontcpclient.h>
#include <gloox/loghandler.h>
#include <gloox/message.h>
#include <gloox/messagehandler.h>
#include <gloox/rosterlistener.h>
#include <gloox/rostermanager.h>

using namespace gloox;

namespace {

// Host, port and path of a URL such as http://127.0.0.1:5280/http-bind.
struct Address {
  std::string host, path;
  int port = 80;

  explicit Address(std::string url)
  {
    if (url.rfind("http://", 0) == 0)
      url.erase(0, 7);
    auto slash = url.find('/');
    path = slash == std::string::npos ? "/" : url.substr(slash);
    host = url.substr(0, slash);
    auto colon = host.rfind(':');
    if (colon != std::string::npos) {
      port = std::stoi(host.substr(colon + 1));
      host.erase(colon);
    }
  }
};

ConnectionBOSH::ConnMode mode(const std::string &name)
{
  if (name == "legacy")
    return ConnectionBOSH::ModeLegacyHTTP;
  if (name == "persistent")
    return ConnectionBOSH::ModePersistentHTTP;
  return ConnectionBOSH::ModePipelining;
}

class User : ConnectionListener, MessageHandler, RosterListener, LogHandler {
 public:
  User(const std::string &jid, const std::string &password, const Address &a, ConnectionBOSH::ConnMode m)
      : client_(JID(jid), password)
  {
    client_.registerConnectionListener(this);
    client_.registerMessageHandler(this);
    client_.rosterManager()->registerRosterListener(this, true);
    client_.logInstance().registerLogHandler(LogLevelDebug, LogAreaClassConnectionBOSH | LogAreaClassClient, this);
    client_.setTls(TLSDisabled);
    client_.setCompression(false);
    auto tcp = new ConnectionTCPClient(client_.logInstance(), a.host, a.port);
    auto bosh = new ConnectionBOSH(&client_, tcp, client_.logInstance(), a.host, client_.jid().server(), a.port);
    bosh->setPath(a.path);
    bosh->setMode(m);
    client_.setConnectionImpl(bosh); // owns both from here
  }

  // Runs until the stream has ended. recv's result does not tell: it is an
  // error too while no connection is open, between two requests.
  void run()
  {
    lines_input in{};
    client_.connect(false);
    while (!ended_) {
      client_.recv(1000);
      lines_wait(10);
      while (const char *line = lines_next(&in))
        obey(line);
      if (in.ended && !ended_)
        client_.disconnect();
    }
  }

 private:
  void obey(const char *line)
  {
    if (lines_quits(line)) {
      client_.disconnect();
      return;
    }
    char *to = lines_field(line, "to"), *body = lines_field(line, "body");
    if (to && body)
      client_.send(Message(Message::Chat, JID(to), body));
    free(to);
    free(body);
  }

  void onConnect() override { lines_pair("online", "jid", client_.jid().full().c_str(), "client", "gloox"); }

  void onDisconnect(ConnectionError e) override
  {
    if (std::exchange(ended_, true))
      return;
    if (e == ConnUserDisconnected)
      lines_event("closed");
    else
      lines_reason("error", ("connection error " + std::to_string(e)).c_str());
  }

  bool onTLSConnect(const CertInfo &) override { return true; }

  void handleMessage(const Message &m, MessageSession *) override
  {
    if (!m.body().empty())
      lines_pair("message", "from", m.from().full().c_str(), "body", m.body().c_str());
  }

  void handleRoster(const Roster &roster) override { lines_roster(int(roster.size())); }
  void handleRosterError(const IQ &) override { lines_reason("error", "no roster"); }
  void handleRosterPresence(const RosterItem &, const std::string &, Presence::PresenceType, const std::string &) override {}
  void handleSelfPresence(const RosterItem &, const std::string &, Presence::PresenceType, const std::string &) override {}
  bool handleSubscriptionRequest(const JID &, const std::string &) override { return false; }
  bool handleUnsubscriptionRequest(const JID &, const std::string &) override { return false; }
  void handleNonrosterPresence(const Presence &) override {}
  void handleItemAdded(const JID &) override {}
  void handleItemSubscribed(const JID &) override {}
  void handleItemRemoved(const JID &) override {}
  void handleItemUpdated(const JID &) override {}
  void handleItemUnsubscribed(const JID &) override {}

  void handleLog(LogLevel, LogArea, const std::string &text) override { std::cerr << text << std::endl; }

  Client client_;
  bool ended_ = false;
};

} // namespace

int main(int argc, char **argv)
{
  User user(lines_env("XMPP_JID"), lines_env("XMPP_PASSWORD"), Address(lines_env("XMPP_BOSH")), mode(argc > 1 ? argv[1] : ""));
  user.run();
}
