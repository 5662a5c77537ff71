"""Bounds what a process does at a time: parallel calls, queues of users, waits before retries, memory."""
