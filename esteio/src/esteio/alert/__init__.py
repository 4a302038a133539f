"""Notices that arrive: by webhook, e-mail and what else apprise speaks, at least once; and a heartbeat out.

Promises: a notice is durable before anybody is told, and forgotten only when each channel took it; a slow channel keeps
no other waiting. Addresses hold secrets: they are shown masked, and never logged.
"""

from __future__ import annotations

from esteio.alert._backups import backup_notice, backup_notices, trial_notice
from esteio.alert._channels import Channel, Channels
from esteio.alert._errors import AlertError, ChannelRefused, NotDelivered
from esteio.alert._heartbeat import Heartbeat
from esteio.alert._notice import Level, Notice
from esteio.alert._outbox import Delivery, Outbox
from esteio.alert._words import ENGLISH, NoticeWords

__all__ = [
    "ENGLISH",
    "AlertError",
    "Channel",
    "ChannelRefused",
    "Channels",
    "Delivery",
    "Heartbeat",
    "Level",
    "NotDelivered",
    "Notice",
    "NoticeWords",
    "Outbox",
    "backup_notice",
    "backup_notices",
    "trial_notice",
]
