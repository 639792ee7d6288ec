#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One job of qemu-storage-daemon, from its start to its end.

usage: qmp.py SOCKET start COMMAND JSON     the job of that command, ready or not
       qmp.py SOCKET whole COMMAND JSON     and until it is over
A job that gets ready and waits to be told is completed.
"""
import json
import socket
import sys


class Monitor:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(300)
        self.lines = self.socket.makefile("rw", encoding="utf-8")
        self.events = []
        json.loads(self.lines.readline())
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        self.lines.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.lines.flush()
        while True:
            answer = json.loads(self.lines.readline())
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise SystemExit("%s: %s" % (name, answer["error"]["desc"]))
            else:
                return answer["return"]

    def event(self):
        return self.events.pop(0) if self.events else json.loads(self.lines.readline())


def follow(monitor, job):
    """Until the job is gone; with its error, if it had one."""
    while True:
        event = monitor.event()
        data = event.get("data", {})
        if event["event"] != "JOB_STATUS_CHANGE" or data["id"] != job:
            continue
        if data["status"] == "ready":
            monitor.command("job-complete", id=job)
        elif data["status"] == "concluded":
            mine = [one for one in monitor.command("query-jobs") if one["id"] == job]
            monitor.command("job-dismiss", id=job)
            return mine[0].get("error") if mine else None


def main():
    path, how, command, arguments = sys.argv[1:5]
    monitor = Monitor(path)
    arguments = json.loads(arguments)
    monitor.command(command, **{"auto-dismiss": False}, **arguments)
    if how == "whole":
        error = follow(monitor, arguments["job-id"])
        if error:
            raise SystemExit("%s: %s" % (command, error))


main()
