"""The cloud's API: events in, commands out, and how the runs are doing."""
