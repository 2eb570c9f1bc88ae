// A client made with gloox, which speaks BOSH over plain HTTP in three ways:
// a connection for each request (HTTP/1.0), connections kept, and all requests
// pipelined on one. The first argument says which: legacy, persistent or
// pipelining.
//
// gloox never repeats a request that was lost with its connection, and reads
// no other connection until that one has answered. So, as applications of it
// must, this one pings its server, and logs in again when there is no reply.

#include "lines.h"

#include <chrono>
#include <iostream>
#include <string>
#include <utility>

#include <gloox/client.h>
#include <gloox/connectionbosh.h>
#include <gloox/connectionlistener.h>
#include <gloox/connectiontcpclient.h>
#include <gloox/event.h>
#include <gloox/eventhandler.h>
#include <gloox/loghandler.h>
#include <gloox/message.h>
#include <gloox/messagehandler.h>
#include <gloox/rosterlistener.h>
#include <gloox/rostermanager.h>

using namespace gloox;

namespace {

using Clock = std::chrono::steady_clock;

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

class User : ConnectionListener, MessageHandler, RosterListener, EventHandler, LogHandler {
 public:
  User(const std::string &jid, const std::string &password, const Address &address, ConnectionBOSH::ConnMode mode)
      : client_(JID(jid), password), address_(address), mode_(mode)
  {
    client_.registerConnectionListener(this);
    client_.registerMessageHandler(this);
    client_.rosterManager()->registerRosterListener(this, true);
    client_.logInstance().registerLogHandler(LogLevelDebug, LogAreaClassConnectionBOSH | LogAreaClassClient, this);
    client_.setTls(TLSDisabled);
    client_.setCompression(false);
  }

  // Runs until the stream has ended. recv's result does not tell: it is an
  // error too while no connection is open, between two requests.
  void run()
  {
    lines_input in{};
    connect();
    while (!ended_) {
      client_.recv(1000);
      lines_wait(10);
      if (online_)
        ping();
      while (const char *line = lines_next(&in))
        obey(line);
      if (in.ended)
        leave();
    }
  }

 private:
  void connect()
  {
    auto tcp = new ConnectionTCPClient(client_.logInstance(), address_.host, address_.port);
    auto bosh = new ConnectionBOSH(&client_, tcp, client_.logInstance(), address_.host, client_.jid().server(), address_.port);
    bosh->setPath(address_.path);
    bosh->setMode(mode_);
    client_.setConnectionImpl(bosh); // owns both from here
    client_.connect(false);
  }

  void ping()
  {
    auto now = Clock::now();
    if (now < ping_)
      return;
    ping_ = now + std::chrono::seconds(1);
    if (unanswered_++ < 2) {
      client_.xmppPing(JID(client_.jid().server()), this);
      return;
    }
    online_ = false;
    client_.disconnect();
    connect();
  }

  void leave()
  {
    if (!std::exchange(leaving_, true))
      client_.disconnect();
  }

  void handleEvent(const Event &) override { unanswered_ = 0; }

  void obey(const char *line)
  {
    if (lines_quits(line)) {
      leave();
      return;
    }
    char *to = lines_field(line, "to"), *body = lines_field(line, "body");
    if (to && body)
      client_.send(Message(Message::Chat, JID(to), body));
    free(to);
    free(body);
  }

  void onConnect() override
  {
    online_ = true;
    unanswered_ = 0;
    lines_pair("online", "jid", client_.jid().full().c_str(), "client", "gloox");
  }

  void onDisconnect(ConnectionError e) override
  {
    if (!leaving_ && e == ConnUserDisconnected)
      return; // to come back
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
  const Address address_;
  const ConnectionBOSH::ConnMode mode_;
  bool online_ = false, leaving_ = false, ended_ = false;
  Clock::time_point ping_; // the next
  int unanswered_ = 0;
};

} // namespace

int main(int argc, char **argv)
{
  User user(lines_env("XMPP_JID"), lines_env("XMPP_PASSWORD"), Address(lines_env("XMPP_BOSH")), mode(argc > 1 ? argv[1] : ""));
  user.run();
}
