"""Tasks, timers, time and ids: what every floor above may use."""
