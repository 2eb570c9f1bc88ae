#!/usr/bin/python3
"""A client made with nbxmpp, the library of Gajim, which speaks XMPP over
WebSocket. It comes back by itself when its connection is lost, and resumes its
stream (XEP-0198) where the server lets it: {"event":"online","resumed":true}."""

import json
import logging
import os
import sys

import gi

gi.require_version('Soup', '3.0')
from gi.repository import GLib  # noqa: E402

from nbxmpp.client import Client  # noqa: E402
from nbxmpp.const import ConnectionProtocol, ConnectionType  # noqa: E402
from nbxmpp.protocol import JID, Message, Presence  # noqa: E402
from nbxmpp.structs import StanzaHandler  # noqa: E402

ATTEMPTS = 20  # to come back after a lost connection, half a second apart


def say(event, **fields):
    print(json.dumps({'event': event, **fields}), flush=True)


class User:
    def __init__(self):
        jid = JID.from_string(os.environ['XMPP_JID'])
        self.loop = GLib.MainLoop()
        self.leaving = False
        self.input = b''  # no whole line yet
        self.attempts = ATTEMPTS
        self.client = Client(log_context='user')
        self.client.set_domain(jid.domain)
        self.client.set_username(jid.localpart)
        self.client.set_password(os.environ['XMPP_PASSWORD'])
        url = os.environ['XMPP_WS']
        self.client.set_custom_host(
            url,
            ConnectionProtocol.WEBSOCKET,
            ConnectionType.DIRECT_TLS if url.startswith('wss:') else ConnectionType.PLAIN)
        self.client.set_ignore_tls_errors(True)
        for signal, method in (
                ('connected', self.connected),
                ('resume-successful', self.resumed),
                ('disconnected', self.gone),
                ('connection-failed', self.gone)):
            self.client.subscribe(signal, method)
        self.client.register_handler(StanzaHandler(name='message', callback=self.message))
        GLib.io_add_watch(sys.stdin.fileno(), GLib.PRIORITY_DEFAULT,
                          GLib.IO_IN | GLib.IO_HUP, self.command)
        self.client.connect()

    def connected(self, _client, _signal):
        self.attempts = ATTEMPTS
        say('online', jid=str(self.client.get_bound_jid()), client='nbxmpp', resumed=False)
        self.client.get_module('Roster').request_roster(callback=self.roster)
        self.client.send_stanza(Presence())

    def resumed(self, _client, _signal):
        self.attempts = ATTEMPTS
        say('online', jid=str(self.client.get_bound_jid()), client='nbxmpp', resumed=True)

    def roster(self, task):
        say('roster', items=len(task.finish().items or []))

    def message(self, _client, stanza, _properties):
        if stanza.getBody():
            say('message', **{'from': str(stanza.getFrom()), 'body': stanza.getBody()})

    def gone(self, _client, signal):
        domain, error, text = self.client.get_error()
        if self.leaving:
            say('closed')
            self.loop.quit()
        elif signal == 'disconnected' and domain is not None and error != 'stream-end' or self.attempts == 0:
            say('error', reason=f'{domain}: {error} {text or ""}')
            self.loop.quit()
        else:
            self.attempts -= 1
            GLib.timeout_add(500, self.come_back)

    def come_back(self):
        self.client.connect()
        return GLib.SOURCE_REMOVE

    def command(self, _fd, _condition):
        data = os.read(sys.stdin.fileno(), 65536)
        *lines, self.input = (self.input + data).split(b'\n')
        for command in map(json.loads, lines):
            if 'send' in command:
                self.client.send_stanza(Message(
                    to=command['send']['to'], body=command['send']['body'], typ='chat'))
            elif 'quit' in command:
                self.leave()
        if not data:
            self.leave()
            return GLib.SOURCE_REMOVE
        return GLib.SOURCE_CONTINUE

    def leave(self):
        if not self.leaving:
            self.leaving = True
            self.client.disconnect()


if __name__ == '__main__':
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    logging.getLogger('nbxmpp').setLevel(logging.DEBUG)
    User().loop.run()
