"""The `bakeoff` command and the studies it runs."""
